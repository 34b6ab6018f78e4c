"""What was measured, for people and for programs."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import import_module  # matplotlib is there for benchmarks alone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.disk import file_system

if TYPE_CHECKING:
    from benchmarks.growth import Curve
    from benchmarks.table import Row

_FILTERS = ("noop", "floor", "ours", "old")

Progress = Callable[[str], object]
"""Hears what is being measured."""
Figures = Mapping[str, tuple[float, str]]
"""What was measured and has no bound: its name, the value and its unit."""


@dataclass(frozen=True)
class Bound:
    """Something measured that shall not be above a bound.

    Attributes:
        name: what it is.
        value: what was measured.
        most: the bound.
        unit: of both; empty for a ratio or a count.
    """

    name: str
    value: float
    most: float
    unit: str = ""

    @property
    def held(self) -> bool:
        return self.value <= self.most


def show_rows(console: Console, rows: Sequence[Row]) -> None:
    """The table of works: least, median and most of all runs, and ratios of medians."""
    table = Table(title="Milliseconds of CPU time a message: least, median, most")
    table.add_column("work")
    for heading in (*_FILTERS, "ours/noop", "ours/old"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(row.work.name, *(_span(row, name) for name in _FILTERS), *_ratios(row))
    console.print(table)


def show_bounds(console: Console, bounds: Sequence[Bound]) -> None:
    """A line for each, and whether it held."""
    table = Table(title="Bounds")
    table.add_column("what")
    for heading in ("measured", "at most"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for one in bounds:
        verdict = "held" if one.held else "[bold]missed[/bold]"
        table.add_row(one.name, _number(one.value, one.unit), _number(one.most, one.unit), verdict)
    console.print(table)


def show_figures(console: Console, figures: Figures) -> None:
    """A line for each."""
    table = Table(title="Without a bound")
    table.add_column("what")
    table.add_column("measured", justify="right")
    for name, (value, unit) in figures.items():
        table.add_row(name, _number(value, unit))
    console.print(table)


def save(path: Path, rows: Sequence[Row], curves: Sequence[Curve], bounds: Sequence[Bound]) -> None:
    """All of it as JSON."""
    result = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "works": {
            row.work.name: {name: asdict(costs) for name, costs in row.costs.items()}
            for row in rows
        },
        "growth": {curve.name: dict(curve.points) for curve in curves},
        "bounds": [{**asdict(one), "held": one.held} for one in bounds],
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


def surroundings() -> str:
    """What a reader needs to compare the machine with another."""
    release = ".".join(platform.release().split(".")[:2])
    processors = len(os.sched_getaffinity(0))
    parts = (
        f"Python {platform.python_version()}",
        f"pymilter {version('pymilter')}",
        f"{platform.system()} {release}",
        f"{processors} processors",
        file_system(tempfile.gettempdir()),
    )
    return ", ".join(filter(None, parts))


def markdown(rows: Sequence[Row], bounds: Sequence[Bound]) -> str:
    """The same for docs/performance.md."""
    measured = f"Measured on {datetime.now(UTC):%Y-%m-%d} with {surroundings()}."
    lines = [
        f"{measured} [docs/performance.md](../../docs/performance.md) says what it means.",
        "",
        "Milliseconds of CPU time a message: least, **median** and most of all runs.",
        "",
        f"| work | {' | '.join(_FILTERS)} | ours/noop | ours/old |",
        f"|---|{'---:|' * 6}",
    ]
    for row in rows:
        spans = (_span(row, name, "**") for name in _FILTERS)
        lines.append(f"| {row.work.name} | {' | '.join(spans)} | {' | '.join(_ratios(row))} |")
    lines += ["", *bounds_in_markdown(bounds)]
    return "\n".join(lines) + "\n"


def bounds_in_markdown(bounds: Sequence[Bound]) -> list[str]:
    """The lines of a table of bounds."""
    return [
        "| bound | measured | at most | |",
        "|---|---:|---:|---|",
        *(
            f"| {one.name} | {_number(one.value, one.unit)} | {_number(one.most, one.unit)} |"
            f" {'held' if one.held else '**missed**'} |"
            for one in bounds
        ),
    ]


def figures_in_markdown(figures: Figures) -> list[str]:
    """The lines of a table of what has no bound."""
    return [
        "| what | measured |",
        "|---|---:|",
        *(f"| {name} | {_number(value, unit)} |" for name, (value, unit) in figures.items()),
    ]


def plot(path: Path, curves: Sequence[Curve]) -> None:
    """Cost by size, both logarithmic: what grows linearly has the slope of the dotted lines."""
    figure = import_module("matplotlib.figure").Figure(figsize=(12, 7), layout="constrained")
    axes = figure.subplots(2, 3, squeeze=True).flat
    for place, curve in zip(axes, curves, strict=False):
        sizes, costs = zip(*sorted(curve.points.items()), strict=True)
        place.loglog(sizes, costs, marker="o")
        place.loglog(sizes, [costs[-1] * size / sizes[-1] for size in sizes], ":", color="gray")
        place.set_title(f"Growth with {curve.name}")
        place.set_xlabel(curve.name)
        place.set_ylabel("ms of CPU time a message")
        place.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=80)


def _span(row: Row, name: str, mark: str = "") -> str:
    if name not in row.costs:
        return "-"
    ordered = sorted(row.costs[name].cpu)
    middle = f"{mark}{row.costs[name].median:.3g}{mark}"
    return f"{ordered[0]:.3g} {middle} {ordered[-1]:.3g}"


def _ratios(row: Row) -> list[str]:
    found = (row.ratio("ours", to) for to in ("noop", "old"))
    return ["-" if ratio is None else f"{ratio:.2g}" for ratio in found]


def _number(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".rstrip()
