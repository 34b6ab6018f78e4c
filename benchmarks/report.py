"""What was measured, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

Progress = Callable[[str], object]
"""Hears what is being measured."""


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


def show_bounds(console: Console, bounds: Sequence[Bound]) -> None:
    """A line for each, and whether it held."""
    table = Table(title="Bounds")
    table.add_column("what")
    for heading in ("measured", "at most"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for one in bounds:
        table.add_row(
            one.name,
            _number(one.value, one.unit),
            _number(one.most, one.unit),
            "held" if one.held else "[bold red]MISSED",
        )
    console.print(table)


def _number(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".rstrip()
