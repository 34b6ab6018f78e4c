"""Measure, show, write down: `python -m benchmarks [SECTION ...]`; status 1: a bound is missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import commands, growth, lists, report, table, workers
from benchmarks.syslog import syslog

SECTIONS = ("table", "growth", "workers", "lists", "commands")
RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sections; returns the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], metavar="SECTION")
    parser.add_argument("--only", action="append", default=[], help="works with this in the name")
    parser.add_argument("--runs", type=int, default=table.RUNS, help="of each work")
    options = parser.parse_args(arguments)
    sections = options.sections or SECTIONS
    console = Console(width=None if sys.stdout.isatty() else 150)
    rows, curves, bounds = [], [], []
    with syslog(), console.status("") as status:
        if "table" in sections:
            rows = list(table.measure(status.update, options.only, options.runs))
            bounds += [bound for row in rows for bound in row.bounds()]
            report.show_rows(console, rows)
        if "growth" in sections:
            curves = growth.measure(status.update)
            bounds += [bound for curve in curves for bound in curve.bounds()]
        if "workers" in sections:
            bounds += workers.measure(status.update)
        if "lists" in sections:
            bounds += lists.measure(status.update)
        if "commands" in sections:
            bounds += commands.measure(status.update)
    report.show_bounds(console, bounds)
    if not options.sections and not options.only:
        report.save(RESULTS / "latest.json", rows, curves, bounds)
        (RESULTS / "latest.md").write_text(report.markdown(rows, bounds))
        report.plot(RESULTS / "growth.png", curves)
    return int(not all(one.held for one in bounds))


if __name__ == "__main__":
    sys.exit(main())
