"""How cost grows with what a message or a config has more of: never faster than that."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import filters, mail, works
from benchmarks.load import Load
from benchmarks.report import Bound, Progress
from pyquarantine_core.testing.mta import Mail

RUNS = 3
STEEPEST = 1.1
"""The exponent that cost may have between the two largest sizes; what measures it is not exact."""


@dataclass(frozen=True)
class Subject:
    """Something that there may be more of.

    Attributes:
        name: what it is.
        sizes: how much of it.
        mail: the message that has so much of it.
        config: the config for that.
    """

    name: str
    sizes: Sequence[int]
    mail: Callable[[int], Mail]
    config: Callable[[int], Mapping[str, Any]]


@dataclass(frozen=True)
class Curve:
    """What was measured of a subject: milliseconds of CPU time a message, by size."""

    name: str
    points: Mapping[int, float]

    def bounds(self) -> Iterator[Bound]:
        """How steep it is in the end."""
        (small, cheap), (large, dear) = sorted(self.points.items())[-2:]
        exponent = math.log(dear / cheap) / math.log(large / small)
        yield Bound(f"growth with {self.name}: exponent", exponent, STEEPEST)


def subjects() -> tuple[Subject, ...]:
    """All of them."""
    hold, disclaim = works.quarantines(), works.disclaimer()
    return (
        Subject("headers", (10, 100, 1000, 10_000), _many_headers, lambda _: hold),
        Subject("recipients", (1, 10, 100, 1000, 10_000), _many_recipients, lambda _: hold),
        Subject("rules", (1, 10, 100, 1000), lambda _: _mail(mail.message(3000)), _many_rules),
        Subject(
            "message size",
            (10_000, 100_000, 1_000_000, 10_000_000, 40_000_000),
            lambda size: _mail(mail.with_attachment(size)),
            lambda _: disclaim,
        ),
        Subject("HTML size", (4000, 40_000, 400_000), _html, lambda _: disclaim),
        Subject("MIME parts", (1, 10, 100, 1000, 9000), _many_parts, lambda _: disclaim),
    )


def measure(progress: Progress) -> list[Curve]:
    """Measure all of them."""
    return [_curve(subject, progress) for subject in subjects()]


def _curve(subject: Subject, progress: Progress) -> Curve:
    points = {}
    for size in subject.sizes:
        progress(f"growth with {subject.name}: {size:,}")
        with (
            tempfile.TemporaryDirectory(prefix="bench") as name,
            filters.ours(Path(name), subject.config(size)) as one,
        ):
            points[size] = _cost(one, subject.mail(size))
    return Curve(subject.name, points)


def _cost(one: filters.Filter, message: Mail) -> float:
    began = one.cpu_seconds
    Load(one.address, message, 1, 2).run()
    # As many as take about half a second, for the clock is not finer than that.
    count = max(2, min(200, int(0.5 / max((one.cpu_seconds - began) / 3, 0.0001))))
    costs = []
    for _ in range(RUNS):
        before = one.cpu_seconds
        Load(one.address, message, 1, count).run()
        costs.append((one.cpu_seconds - before) * 1000 / (count + 1))  # one is sent to record it
    return statistics.median(costs)


def _mail(content: bytes, recipients: int = 1) -> Mail:
    names = (mail.RECIPIENT, *(f"user{number}@example.org" for number in range(1, recipients)))
    return Mail(mail.SENDER, names, content)


def _many_headers(count: int) -> Mail:
    extra = [f"X-Field-{number}: the value of a header" for number in range(count - 10)]
    return _mail(mail.message(3000, *extra))


def _many_recipients(count: int) -> Mail:
    return _mail(mail.message(3000), count)


def _html(size: int) -> Mail:
    return _mail(mail.html_message(size))


def _many_parts(count: int) -> Mail:
    return _mail(mail.many_parts(count))


def _many_rules(count: int) -> Mapping[str, Any]:
    rules = [
        {
            "name": f"rule {number}",
            "conditions": {"headers": [f"^X-Mark-{number}: Yes"]},
            "actions": [
                {
                    "name": "mark",
                    "type": "add_header",
                    "options": {"field": "X-Seen", "value": "yes"},
                }
            ],
        }
        for number in range(count)
    ]
    return {"rules": rules}
