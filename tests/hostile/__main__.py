"""All hostile mail: `python -m tests.hostile [--only FAMILY] [--write FILE]`."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .run import FAMILIES, Outcome, name_of, run

BEGIN, END = "<!-- made by `make hostile`: begin -->\n", "<!-- end -->\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all families or one, and print the table; returns 1 when something is wrong."""
    families = {name_of(one): one for one in FAMILIES}
    parser = argparse.ArgumentParser(prog="tests.hostile", description=__doc__)
    parser.add_argument("--only", choices=["", *families], default="", metavar="FAMILY")
    parser.add_argument("--write", type=Path, help="a document to put the table into")
    options = parser.parse_args(arguments)
    outcomes = []
    for name in [options.only] if options.only else families:
        with tempfile.TemporaryDirectory() as directory:
            outcome = run(families[name], Path(directory))
        outcomes.append(outcome)
        state = f"{len(outcome.complaints)} complaints"
        sys.stdout.write(f"{name} ({outcome.seconds:.0f} s): {state}\n")
        sys.stdout.writelines(f"  {one}\n" for one in outcome.complaints)
    table = as_table(outcomes)
    sys.stdout.write(f"\n{table}")
    complaints = any(one.complaints for one in outcomes)
    if options.write and not complaints and not options.only:
        put_into(options.write, table)
    return 1 if complaints else 0


def as_table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a table in Markdown."""
    lines = [
        "| family | messages | crashes | hangs | wrong verdicts | most memory of a worker |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for one in outcomes:
        counts = one.messages, len(one.crashes), len(one.hangs), len(one.wrong)
        lines.append(f"| {one.family} | {' | '.join(map(str, counts))} | {_megabytes(one)} |")
    totals = [
        sum(one.messages for one in outcomes),
        *(sum(len(found) for found in column) for column in zip(
            *((one.crashes, one.hangs, one.wrong) for one in outcomes), strict=True
        )),
    ]  # fmt: skip
    most = max(outcomes, key=lambda one: one.memory)
    lines.append(f"| **all** | {' | '.join(map(str, totals))} | {_megabytes(most)} |")
    return "\n".join(lines) + "\n"


def put_into(path: Path, table: str) -> None:
    """Put the table in its place in a document."""
    text = path.read_text()
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    new, count = re.subn(pattern, lambda _: f"{BEGIN}{table}{END}", text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{path} has no place for the table")
    path.write_text(new)


def _megabytes(outcome: Outcome) -> str:
    return f"{outcome.memory / 1_000_000:.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
