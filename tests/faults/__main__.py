"""The suite of faults: `python -m tests.faults [--only NAME] [--seed TEXT]`, as root."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from . import clients, databases, disks, kills, notification_servers, plugins, signals
from .run import Outcome, run

THEMES = (kills, disks, databases, notification_servers, signals, clients, plugins)
FAULTS = tuple(fault for theme in THEMES for fault in theme.FAULTS)

LOGS = Path("build/faults")
"""Where the logs of a fault go that broke a promise."""
WIDTH = 130
"""Columns of the table, whatever the terminal: the log of a run shall hold it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all faults or one; returns 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    names = {fault.name: fault for fault in FAULTS}
    parser.add_argument("--only", choices=["", *names], default="", metavar="NAME")
    parser.add_argument("--seed", default=secrets.token_hex(4))
    options = parser.parse_args(arguments)
    console = Console(width=WIDTH)
    console.print(f"seed: {options.seed}")
    outcomes = []
    for fault in [names[options.only]] if options.only else FAULTS:
        outcome = run(fault, options.seed, LOGS)
        outcomes.append(outcome)
        state = "; ".join([*(outcome.complaints or ["as promised"]), outcome.remark])
        text = f"{outcome.fault} ({outcome.seconds:.0f} s): {state.removesuffix('; ')}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    console.print(_table(outcomes))
    return 1 if any(one.complaints for one in outcomes) else 0


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(box=box.MARKDOWN)
    table.add_column("fault", no_wrap=True)
    for title in (
        *("messages", "delivered", "held", "deferred", "lost", "doubled"),
        *("untold", "told twice", "seconds"),
    ):
        table.add_column(title, justify="right", no_wrap=True)
    for one in outcomes:
        if one.tally is None:
            cells: tuple[object, ...] = ("?",) * 8
        else:
            tally = one.tally
            cells = (
                *(tally.messages, tally.delivered, tally.held, tally.deferred),
                *(len(tally.lost), tally.doubled, len(tally.untold), tally.told_twice),
            )
        style = "red" if one.complaints else None
        table.add_row(one.fault, *map(str, cells), f"{one.seconds:.0f}", style=style)
    return table


if __name__ == "__main__":
    sys.exit(main())
