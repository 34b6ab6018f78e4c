"""Instructions that a ham message takes, as a multiple of `noop`'s: the same on every machine.

valgrind counts those of libmilter's session, and of all it calls, so neither start-up nor the
kernel is among them. `python -m benchmarks.instructions` compares the ratio with the one that is
on record, and fails when it has become more than 10 % worse.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks import filters, mail, works
from benchmarks.load import Load
from pyquarantine_core.testing.mta import Mail
from pyquarantine_core.testing.processes import wait_until
from pyquarantine_core.testing.sockets import MilterSocket, free_port

RECORD = Path(__file__).parent / "results" / "instructions.json"
WORSE = 1.1
MESSAGES = 100
START_TIMEOUT = 300.0
"""Seconds; under valgrind everything takes fifty times as long."""
SESSION = "mi_engine"
"""The function of libmilter that serves a connection."""
_TOTALS = re.compile(r"^totals: (\d+)$", re.MULTILINE)


class CountError(RuntimeError):
    """A filter could not be counted."""


def ratio() -> float:
    """Instructions of ours for a message, of noop's."""
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        directory = Path(name)
        config = filters.write_config(directory / "ours", works.quarantines())
        noop = _count(directory / "noop", [filters.HERE / "noop.py"])
        ours = _count(directory / "ours", [filters.HERE / "served.py"], [config])
    return ours / noop


def _count(place: Path, script: Sequence[Path], arguments: Sequence[Path] = ()) -> int:
    """Instructions of all sessions of a filter."""
    place.mkdir(exist_ok=True)
    address = f"inet:{free_port()}@127.0.0.1"
    output = place / "callgrind.out"
    command: list[str | Path] = [
        "valgrind",
        "--tool=callgrind",
        f"--toggle-collect={SESSION}",
        f"--callgrind-out-file={output}",
        sys.executable,
        *script,
        address,
        *arguments,
    ]
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(filters.HERE.parent),
    }
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        if not wait_until(lambda: _listens(address) or process.poll() is not None, START_TIMEOUT):
            raise CountError(f"{script[0].name} does not start")
        message = Mail(mail.SENDER, (mail.RECIPIENT,), mail.message(3000))
        Load(address, message, 1, MESSAGES).run()
        process.send_signal(signal.SIGTERM)
        process.wait(START_TIMEOUT)
    except (OSError, RuntimeError) as error:
        raise CountError(f"{script[0].name}: {error}\n{(place / 'log').read_text()}") from error
    finally:
        process.kill()
        process.wait()
    totals = _TOTALS.search(output.read_text())
    if totals is None or totals[1] == "0":
        raise CountError(f"valgrind has counted nothing in {SESSION}")
    return int(totals[1])


def _listens(address: str) -> bool:
    with suppress(OSError):
        MilterSocket.parse(address).connect(START_TIMEOUT).close()
        return True
    return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare with what is on record; returns the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks.instructions", description=__doc__)
    parser.add_argument("--record", action="store_true", help="put this ratio on record")
    options = parser.parse_args(arguments)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    measured = ratio()
    if options.record:
        RECORD.parent.mkdir(exist_ok=True)
        RECORD.write_text(json.dumps({"python": python, "ratio": round(measured, 3)}) + "\n")
    known = json.loads(RECORD.read_text())
    print(f"ham takes {measured:.3f} of the instructions of noop; on record: {known['ratio']}")
    if python != known["python"]:
        print(f"Not compared: that is of Python {known['python']}, this is {python}.")
        return 0
    return int(measured > known["ratio"] * WORSE)


if __name__ == "__main__":
    sys.exit(main())
