"""The table: CPU time a message, ours beside `noop`, `floor` and 2.1.0, in interleaved runs."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import filters
from benchmarks.disk import quiet_directory
from benchmarks.filters import Filter
from benchmarks.load import MESSAGES, Load
from benchmarks.report import Bound, Progress
from benchmarks.works import Work, works

RUNS = 15
OLD_RUNS = 5
"""Of 2.1.0, which takes up to a hundred times as long."""
SLOWEST_P99 = 3.0
"""Times that of `noop`, for ham."""
ROUND_TRIPS = 2
"""Of a ham message, at most."""


class WrongVerdictError(RuntimeError):
    """A filter did not do its work, so its cost says nothing."""


@dataclass
class Costs:
    """What one filter's runs took.

    Attributes:
        cpu: milliseconds of CPU time a message, of each run.
        p99: milliseconds within which 99 of 100 messages were answered, of each run.
        round_trips: at most, of a message.
    """

    cpu: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    round_trips: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self.cpu)


@dataclass(frozen=True)
class Row:
    """A work, and what it cost each filter by name."""

    work: Work
    costs: dict[str, Costs]

    def ratio(self, name: str, to: str) -> float | None:
        """Between two medians; None when one of them was not measured."""
        if name not in self.costs or to not in self.costs:
            return None
        return self.costs[name].median / self.costs[to].median

    def bounds(self) -> Iterator[Bound]:
        """What was promised of this work, and what came of it."""
        for to, most in (("noop", self.work.at_most_noop), ("old", self.work.at_most_old)):
            ratio = self.ratio("ours", to)
            if most is not None and ratio is not None:
                yield Bound(f"{self.work.name}: times {to}", ratio, most)
        if self.work.at_most_noop is not None and self.work.name.startswith("ham"):
            ours, noop = (statistics.median(self.costs[name].p99) for name in ("ours", "noop"))
            yield Bound(f"{self.work.name}: p99, times noop's", ours / noop, SLOWEST_P99)
            yield Bound(
                f"{self.work.name}: round trips", self.costs["ours"].round_trips, ROUND_TRIPS
            )


def measure(progress: Progress, only: Sequence[str] = (), runs: int = RUNS) -> Iterator[Row]:
    """Measure all works, or those whose names hold one of these words."""
    chosen = [one for one in works() if not only or any(word in one.name for word in only)]
    # Nothing is deleted before the end, for that makes other files dear.
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        for work in chosen:
            yield _row(work, quiet_directory(name), progress, runs)


def _row(work: Work, place: Path, progress: Progress, runs: int) -> Row:
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(one) for one in _filters(work, place)]
        costs = {one.name: Costs() for one in running}
        for one in running:
            _run(one, work, Costs())  # what is only done once is not measured
        for number in range(runs):
            progress(f"{work.name}: run {number + 1} of {runs}")
            for one in running:
                if one.name != "old" or number < OLD_RUNS:
                    _run(one, work, costs[one.name])
    return Row(work, costs)


def _filters(work: Work, directory: Path) -> Iterator[Filter]:
    yield filters.script("noop", directory)
    yield filters.script("floor", directory)
    places = {"ours": filters.ours(directory, work.config)}
    if work.old_config is not None:
        places["old"] = filters.old(directory, work.old_config)
    for name, one in places.items():
        work.prepare(directory / name)
        yield one


def _run(one: Filter, work: Work, costs: Costs) -> None:
    before = one.cpu_seconds
    outcome = Load(one.address, work.mail, work.connections).run()
    used = one.cpu_seconds - before
    if one.name in {"ours", "old"} and outcome.verdicts != {work.verdict}:
        raise WrongVerdictError(f"{one.name} answered {outcome.verdicts} to {work.name}")
    costs.cpu.append(used * 1000 / MESSAGES)
    costs.p99.append(outcome.p99 * 1000)
    costs.round_trips = max(costs.round_trips, outcome.round_trips)
