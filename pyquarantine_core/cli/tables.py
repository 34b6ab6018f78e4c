"""Tables of text for terminals: nothing in them is cut, what is too long is wrapped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from unicodedata import category, east_asian_width

GAP = 3
"""Columns of the terminal between two columns of a table."""
NARROWEST = 8
"""Columns that a column of a table keeps, however many there are."""

Cell = Sequence[str]
"""Its lines."""


def table(
    headings: Sequence[str], rows: Sequence[Sequence[Cell]], width: int
) -> tuple[Iterator[str], Iterator[str]]:
    """The lines of a table: those of the headings, and all others.

    Args:
        headings: of the columns.
        rows: a cell for each column; its lines are printable.
        width: of the terminal; cells wrap to fit in, but for those of the first column.
    """
    cells = [[[one] for one in headings], *rows]
    natural = [
        max(_width(line) for row in cells for line in row[at] or [""])
        for at in range(len(headings))
    ]
    widths = _fitted(natural, width)
    rule = " " + "─" * (sum(widths) + GAP * (len(widths) - 1))
    lines = (line for row in rows for line in _lines(row, widths))
    return _lines(cells[0], widths), chain([rule], lines)


def _fitted(natural: Sequence[int], width: int) -> list[int]:
    """The widths of columns: the widest, but for the first, give way until all fit in."""
    first, *rest = natural
    free = width - 1 - first - GAP * len(rest)
    while sum(rest) > free and (widest := max(rest)) > NARROWEST:
        rest[rest.index(widest)] -= 1
    return [first, *rest]


def _lines(row: Sequence[Cell], widths: Sequence[int]) -> Iterator[str]:
    wrapped = [
        [part for line in cell for part in _wrapped(line, width)]
        for cell, width in zip(row, widths, strict=True)
    ]
    for parts in zip_longest(*wrapped, fillvalue=""):
        padded = (
            part + " " * (width - _width(part)) for part, width in zip(parts, widths, strict=True)
        )
        yield f" {(' ' * GAP).join(padded)}".rstrip()


def _wrapped(line: str, width: int) -> Iterator[str]:
    """Pieces of a line that fit in, broken at spaces where there are some."""
    while (end := _fitting(line, width)) < len(line):
        space = line.rfind(" ", 1, end + 1)
        yield line[: space if space > 0 else end].rstrip()
        line = line[space + 1 if space > 0 else end :]
    yield line


def _fitting(line: str, width: int) -> int:
    """How many characters fit in; at least one. No more of a long line is looked at than fits."""
    if line.isascii():
        return min(len(line), max(width, 1))
    used = 0
    for at, character in enumerate(line):
        used += _width(character)
        if used > width and at:
            return at
    return len(line)


def _width(text: str) -> int:
    """Columns that a terminal shows it in (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(map(_width_of, text))


def _width_of(character: str) -> int:
    if category(character) in {"Mn", "Me"}:  # drawn over the one before
        return 0
    return 2 if east_asian_width(character) in "WF" else 1
