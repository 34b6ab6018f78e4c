"""The filters that are measured, each run as a daemon with a config of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from benchmarks.processes import cpu_seconds, memory, tree
from pyquarantine_core.testing.processes import wait_until
from pyquarantine_core.testing.sockets import MilterSocket, free_port

PROGRAMS = Path(sys.prefix) / "bin"
OLD_PROGRAMS = Path(sys.prefix) / "pyquarantine-2.1.0" / "bin"
"""Where `make .venv/pyquarantine-2.1.0/ready` puts it."""
HERE = Path(__file__).parent

START_TIMEOUT = 60.0
IDLE = 0.25, 0.002
"""Seconds in which a daemon that has started uses no more than so many of CPU time."""


class FilterFailedError(RuntimeError):
    """A filter did not start."""


class Filter:
    """A running filter; a context manager.

    Args:
        name: for the table.
        directory: for its files.
        command: starts it; it listens at `address`.

    Attributes:
        address: where it listens.
    """

    def __init__(self, name: str, directory: Path, command: Iterable[str | Path] = ()) -> None:
        self.name = name
        self.address = f"inet:{free_port()}@127.0.0.1"
        self._directory = directory
        self._command = [*command, self.address]

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        log = self._directory / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=output, start_new_session=True
            )
        if not wait_until(self._listens, START_TIMEOUT):
            self.__exit__()
            raise FilterFailedError(f"{self.name} did not start:\n{log.read_text()}")
        self._wait_until_idle()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # nothing of it is wanted any more
        self._process.wait()

    @property
    def pids(self) -> list[int]:
        """All its processes."""
        return tree(self._process.pid)

    @property
    def cpu_seconds(self) -> float:
        """What all of them have used so far."""
        return cpu_seconds(self.pids)

    @property
    def memory(self) -> int:
        """Bytes that all of them have now."""
        return memory(self.pids)

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            return True  # it will not be idle
        with contextlib.suppress(OSError):
            MilterSocket.parse(self.address).connect(START_TIMEOUT).close()
            return True
        return False

    def _wait_until_idle(self) -> None:
        span, little = IDLE
        before = -little
        while (now := self.cpu_seconds) - before >= little:
            before = now
            time.sleep(span)
            if self._process.poll() is not None:
                log = (self._directory / "log").read_text()
                raise FilterFailedError(f"{self.name} has ended:\n{log}")


def script(name: str, directory: Path) -> Filter:
    """`noop` or `floor`."""
    return Filter(name, directory / name, [sys.executable, HERE / f"{name}.py"])


def ours(directory: Path, config: Mapping[str, Any], *, workers: int = 1) -> Filter:
    """This program with a config, in which DIR stands for a directory of its own."""
    place = directory / "ours"
    settings = {"workers": workers, "outbox": "DIR/outbox", **config}
    path = write_config(place, settings)
    return Filter("ours", place, [PROGRAMS / "pyquarantine-milter", "-c", path, "-s"])


def old(directory: Path, config: Mapping[str, Any]) -> Filter:
    """Pyquarantine 2.1.0 with such a config."""
    place = directory / "old"
    path = write_config(place, config)
    for storage in json.loads(path.read_text()).get("storages", {}).values():
        Path(storage["directory"]).mkdir(parents=True, exist_ok=True)
    return Filter("old", place, [OLD_PROGRAMS / "pyquarantine-milter", "-c", path, "-s"])


def write_config(place: Path, config: Mapping[str, Any]) -> Path:
    """Write a config, in which DIR stands for this directory; returns its path."""
    place.mkdir(parents=True, exist_ok=True)
    path = place / "pyquarantine.conf"
    path.write_text(json.dumps(config, indent=4).replace("DIR", str(place)))
    return path
