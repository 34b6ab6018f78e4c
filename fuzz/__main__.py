"""Fuzzes every target for a bounded time: `make fuzz`; see docs/reliability.md.

    python -m fuzz [--only NAME] [--seconds N] [--seed N]
    python -m fuzz repeat NAME FILE

The second form runs one input again that a run has found, without Atheris; of `protocol` it is no
file, but what the run has printed.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

from fuzz import atheris_runs, protocol
from fuzz.targets import NAMES, Target

PROTOCOL = "protocol"
ALL = (*NAMES, PROTOCOL)


def main() -> int:
    """Run what the command line says; the exit status is 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--only", choices=["", *ALL], default="", help="fuzz this target alone")
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="to repeat a run")
    again = parser.add_subparsers(dest="command").add_parser("repeat")
    again.add_argument("name", choices=ALL)
    again.add_argument("input")
    given = parser.parse_args()
    if given.command == "repeat":
        repeat(given.name, given.input)
        print("nothing is wrong with it")
        return 0
    print(f"make fuzz SECONDS={given.seconds} SEED={given.seed}", flush=True)
    bad = [
        name
        for name in ([given.only] if given.only else ALL)
        if not fuzz(name, given.seconds, given.seed)
    ]
    print(f"found something in: {', '.join(bad)}" if bad else "found nothing")
    return int(bool(bad))


def fuzz(name: str, seconds: int, seed: int) -> bool:
    """Fuzz one target; returns whether nothing was found."""
    if name == PROTOCOL:
        return protocol.fuzz(seconds, seed)
    return atheris_runs.fuzz(name, seconds, seed)


def repeat(name: str, found: str) -> None:
    """Run one input; what is wrong with it shows as a traceback."""
    if name == PROTOCOL:
        protocol.repeat(found)
        return
    logging.disable()
    Target.of(name).check(Path(found).read_bytes())


if __name__ == "__main__":
    sys.exit(main())
