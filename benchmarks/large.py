"""What a million held messages cost those who store one more, or list some of them.

`python -m benchmarks.large` fills directories below TMPDIR, measures and removes them, which takes
minutes and 2.3 million inodes; `--directory DIR` keeps them there for the next run. Status 1: a
bound is missed.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import entries, filters, mail, report, works
from benchmarks.load import Load
from benchmarks.report import Bound, Progress
from benchmarks.syslog import syslog
from pyquarantine_core.testing.mta import Mail

RESULTS = filters.HERE / "results"
SMALL, MEDIUM, LARGE = SIZES = 1000, 100_000, 1_000_000

RUNS = 7
OLD_RUNS = 3
STORED = 40
"""Messages that are stored in each run."""
SINCE = 5
"""Messages that are stored before each listing, so that there is something new in it."""
PAGE = "-n", "50"

AT_MOST = 2
"""Times what the same costs with few entries."""
AT_MOST_OLD = 1 / 6
FIRST_PAGE = 1.0
"""Seconds until somebody who looks for something sees the first page of it."""
MEMORY = 1.3
"""Times the memory that a listing takes with few entries."""

_QUARANTINE = "spam"
_TO = "-t", entries.recipient(7)
_RARE = "-f", "rare500000@example.net"


@dataclass(frozen=True)
class Used:
    """What a command used.

    Attributes:
        wall: seconds until it ended.
        cpu: seconds, user and system.
        peak: bytes of memory, resident.
    """

    wall: float
    cpu: float
    peak: int


class CommandFailedError(RuntimeError):
    """A command failed, or found something else than it should."""


@dataclass
class Large:
    """Measures, and knows what was measured.

    Attributes:
        place: where the directories are.
        progress: hears what is being measured.
        bounds: what shall not be above a bound.
        figures: what else was measured, with its unit.
        samples: each run of all.
    """

    place: Path
    progress: Progress
    bounds: list[Bound] = field(default_factory=list)
    figures: dict[str, tuple[float, str]] = field(default_factory=dict)
    samples: dict[str, list[Any]] = field(default_factory=dict)

    def measure(self) -> None:
        """Measure all of it."""
        for size in SIZES:
            self._fill(size)
        self._with_old()
        self._first_time()
        with self._daemons() as daemons:
            self._storing(daemons)
            self._newest(daemons)
        self._first_page()
        self._memory()

    def _fill(self, size: int) -> None:
        place = self.place / str(size)
        if size == SMALL:  # what earlier runs have stored would be many beside these
            shutil.rmtree(place, ignore_errors=True)
        if not place.exists():
            place.mkdir()
            entries.fill(place / "filling", size, self.progress, f"inbound/{_QUARANTINE}")
            (place / "filling").rename(place / "held")
        shutil.rmtree(place / "held" / ".index", ignore_errors=True)
        filters.write_config(place / "ours", _config(place))

    def _with_old(self) -> None:
        """`list -t RCPT` of both, ours for the first time and then with the index."""
        first = self._list(MEDIUM, *_TO, shows=MEDIUM // entries.RECIPIENTS)
        self.figures[f"list -t of {MEDIUM:,}, first time"] = first.wall, "s"
        config = filters.write_config(self.place / "old", _config(self.place / str(MEDIUM)))
        command = filters.OLD_PROGRAMS / "pyquarantine", "-c", config, "quarantine", _QUARANTINE
        ours, old = [], []
        for run in range(OLD_RUNS):
            self.progress(f"list -t of {MEDIUM:,}, ours and old: run {run + 1} of {OLD_RUNS}")
            ours.append(self._list(MEDIUM, *_TO, shows=MEDIUM // entries.RECIPIENTS))
            old.append(self._run(*command, "list", *_TO, shows=MEDIUM // entries.RECIPIENTS))
        name = f"list -t of {MEDIUM:,}"
        self._keep(name, {"ours": ours, "old": old})
        self.bounds.append(Bound(f"{name}, times old", _wall(ours) / _wall(old), AT_MOST_OLD))
        self.figures[f"{name}, first time, times old"] = first.wall / _wall(old), ""

    def _first_time(self) -> None:
        """What it takes to make an index."""
        self.progress(f"making the index of {LARGE:,}")
        used = self._list(LARGE, *_TO, *PAGE, shows=50)
        index = self.place / str(LARGE) / "held" / ".index"
        size = sum(one.stat().st_size for one in index.iterdir())
        self._keep("making the index", {"ours": [used]})
        self.figures |= {
            f"index of {LARGE:,}, made once: time": (used.wall, "s"),
            f"index of {LARGE:,}, made once: CPU time": (used.cpu, "s"),
            f"index of {LARGE:,}, made once: memory": (used.peak / 1e6, "MB"),
            f"index of {LARGE:,}: size": (size / 1e6, "MB"),
        }

    @contextmanager
    def _daemons(self) -> Iterator[Mapping[int, filters.Filter]]:
        """One that stores into few entries, one that does into many."""
        with ExitStack() as stack:
            self.progress("starting two daemons")
            yield {
                size: stack.enter_context(
                    filters.ours(self.place / str(size), _config(self.place / str(size)))
                )
                for size in (SMALL, LARGE)
            }

    def _storing(self, daemons: Mapping[int, filters.Filter]) -> None:
        costs: dict[int, list[float]] = {size: [] for size in daemons}
        for run in range(RUNS):
            self.progress(f"storing: run {run + 1} of {RUNS}")
            for size, daemon in daemons.items():
                before = daemon.cpu_seconds
                stored = _store(daemon, STORED)
                costs[size].append((daemon.cpu_seconds - before) / stored)
        self._keep("storing a message, seconds of CPU time", costs)
        few, many = (statistics.median(costs[size]) for size in (SMALL, LARGE))
        self.bounds.append(Bound(f"storing: CPU time, {_TIMES}", many / few, AT_MOST))

    def _newest(self, daemons: Mapping[int, filters.Filter]) -> None:
        used: dict[int, list[Used]] = {size: [] for size in daemons}
        for run in range(RUNS):
            self.progress(f"list {' '.join(PAGE)}: run {run + 1} of {RUNS}")
            for size, daemon in daemons.items():
                _store(daemon, SINCE)
                used[size].append(self._list(size, *PAGE, shows=50))
        name = f"list {' '.join(PAGE)}"
        self._keep(name, used)
        few, many = used[SMALL], used[LARGE]
        self.bounds += [
            Bound(f"{name}: CPU time, {_TIMES}", _cpu(many) / _cpu(few), AT_MOST),
            Bound(f"{name}: time, {_TIMES}", _wall(many) / _wall(few), AT_MOST),
        ]

    def _first_page(self) -> None:
        for wanted, shows in ((_TO, 50), (_RARE, 1)):
            name = f"list {' '.join((*wanted, *PAGE))} of {LARGE:,}"
            self.progress(name)
            used = [self._list(LARGE, *wanted, *PAGE, shows=shows) for _ in range(RUNS)]
            self._keep(name, {"ours": used})
            self.bounds.append(Bound(name, _wall(used), FIRST_PAGE, "s"))

    def _memory(self) -> None:
        """Of a page, of what somebody looks for, and of all, one after another."""
        wanted = ((PAGE, True), ((*_TO, *PAGE), True), (("-b",), False))
        for options, page in wanted:
            name = f"list {' '.join(options)}: memory"
            used = {}
            for size in SIZES:
                self.progress(f"{name} with {size:,}")
                runs = range(OLD_RUNS if page else 1)
                used[size] = [self._list(size, *options) for _ in runs]
            self._keep(name, used)
            peaks = {size: statistics.median(one.peak for one in used[size]) for size in SIZES}
            self.figures |= {f"{name} with {size:,}": (peaks[size] / 1e6, "MB") for size in SIZES}
            self.bounds += [
                Bound(f"{name}, {size:,} : {SMALL:,}", peaks[size] / peaks[SMALL], MEMORY)
                for size in (MEDIUM, LARGE)
            ]

    def _list(self, size: int, *options: str, shows: int | None = None) -> Used:
        config = self.place / str(size) / "ours" / "pyquarantine.conf"
        command = filters.PROGRAMS / "pyquarantine", "-c", config, "quarantine", _QUARANTINE
        return self._run(*command, "list", *options, shows=shows)

    def _run(self, *command: str | Path, shows: int | None) -> Used:
        """Run a command; `shows`: how many entries must stand in its table."""
        output = self.place / "output"
        done = subprocess.run(
            [sys.executable, "-I", "-S", filters.HERE / "timed.py", output, *command],
            check=True,
            capture_output=True,
        )
        used = json.loads(done.stdout)
        lines = output.read_bytes().count(b"@example.org")
        if used.pop("status") != 0 or (shows is not None and lines != shows):
            said = done.stderr.decode(errors="replace")
            raise CommandFailedError(f"{' '.join(map(str, command))} shows {lines}: {said}")
        return Used(**used)

    def _keep(self, name: str, runs: Mapping[Any, Sequence[Used] | Sequence[float]]) -> None:
        for which, measured in runs.items():
            self.samples[f"{name}: {which}"] = [
                asdict(one) if isinstance(one, Used) else one for one in measured
            ]


_TIMES = f"{LARGE:,} : {SMALL:,}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show and write down; returns the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks.large", description=__doc__)
    parser.add_argument("--directory", type=Path, help="keep what was filled there")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 150)
    with ExitStack() as stack:
        stack.enter_context(syslog())
        place = options.directory or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="bench"))
        )
        place.mkdir(exist_ok=True)
        status = stack.enter_context(console.status(""))
        large = Large(place, status.update)
        large.measure()
        status.update("removing what was filled")
    report.show_bounds(console, large.bounds)
    report.show_figures(console, large.figures)
    _save(large)
    return int(not all(one.held for one in large.bounds))


def _save(large: Large) -> None:
    result = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "bounds": [{**asdict(one), "held": one.held} for one in large.bounds],
        "figures": {
            name: {"value": value, "unit": unit} for name, (value, unit) in large.figures.items()
        },
        "runs": large.samples,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "large.json").write_text(json.dumps(result, indent=1) + "\n")
    lines = [
        f"Measured on {result['date']} with Python {result['python']}: medians.",
        *("", *report.bounds_in_markdown(large.bounds)),
        *("", *report.figures_in_markdown(large.figures)),
    ]
    (RESULTS / "large.md").write_text("\n".join(lines) + "\n")


def _config(place: Path) -> Mapping[str, Any]:
    config = works.quarantines()
    config["storages"][_QUARANTINE]["directory"] = str(place / "held")
    return config


def _store(daemon: filters.Filter, count: int) -> int:
    """Send so many messages that are held; returns how many really."""
    message = Mail(mail.SENDER, (mail.RECIPIENT,), mail.message(3000, works.SPAM))
    Load(daemon.address, message, 1, count).run()
    return count + 1  # one is sent to record it


def _cpu(used: Sequence[Used]) -> float:
    return statistics.median(one.cpu for one in used)


def _wall(used: Sequence[Used]) -> float:
    return statistics.median(one.wall for one in used)


if __name__ == "__main__":
    sys.exit(main())
