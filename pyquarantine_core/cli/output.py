"""How commands print: tables for people, JSON for programs, nothing that steers a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime

import click

from pyquarantine_core.cli.tables import table
from pyquarantine_core.printable import as_json, printable

PIPE_WIDTH = 100_000
"""Columns for output that is no terminal: wide enough that nothing is wrapped."""


as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(data: object) -> None:
    """Print JSON in ASCII; whatever a stranger wrote is escaped."""
    click.echo(as_json(data, indent=2))


def print_json_list(items: Iterable[object]) -> None:
    """The same for a list, however long: each item is printed when it comes."""
    separator = "["
    for item in items:
        click.echo(separator + textwrap.indent(f"\n{as_json(item, indent=2)}", "  "), nl=False)
        separator = ","
    click.echo("[]" if separator == "[" else "\n]")


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str = "nothing to list"
) -> None:
    """Print a table; cells wrap on a terminal, but for the first, and are never cut."""
    if not rows:
        click.echo(empty)
        return
    cells = [[[printable(line) for line in cell.splitlines()] for cell in row] for row in rows]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH
    head, lines = table(columns, cells, width)
    for line in head:
        click.secho(line, bold=True)
    for line in lines:
        click.echo(line)


def local_time(moment: datetime) -> str:
    """A time as the admin's clock shows it."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
