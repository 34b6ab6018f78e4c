"""The real daemon, run from a config for the length of a test."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pyquarantine_core.testing.processes import PATIENCE


class DaemonFailed(RuntimeError):  # noqa: N818 - the name says what happened
    """The daemon did not start, or did not end; the text holds its log."""


class Daemon:
    """`pyquarantine-milter` with debug logging; a context manager that stops it with SIGTERM.

    Args:
        config: A config file.
        socket: Where to listen, instead of at the config's `socket`.
        python: The interpreter to run it with, such as that of another virtual environment.

    Attributes:
        address: Where it listens, once started: `inet:0@127.0.0.1` has become a real port.
    """

    def __init__(
        self, config: Path, socket: str | None = None, python: str = sys.executable
    ) -> None:
        self.address = ""
        self._command = [
            *(python, "-m", "pyquarantine_core.daemon", "--debug", "--config", str(config)),
            *(("--socket", socket) if socket else ()),
        ]
        self._lines: list[str] = []
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has logged so far."""
        with self._changed:
            return "".join(self._lines)

    def start(self, timeout: float = PATIENCE) -> Self:
        """Start it and wait until its workers serve.

        Raises:
            DaemonFailed: It ended, or is not ready in time (seconds).
        """
        self._process = subprocess.Popen(
            self._command, stderr=subprocess.PIPE, text=True, errors="backslashreplace"
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            line = self.wait_for_log("listening at ", timeout)
            self.address = line.partition(" at ")[2].strip().removesuffix('"}')
        except BaseException:
            self._process.kill()
            self._end()
            raise
        return self

    def stop(self, timeout: float = PATIENCE) -> int:
        """Send SIGTERM and wait for its end; returns the exit status.

        Raises:
            DaemonFailed: It does not end in time (seconds); it is killed.
        """
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise DaemonFailed(f"the daemon did not stop:\n{self.log}") from None
        finally:
            self._end()

    def wait_for_log(self, text: str, timeout: float = PATIENCE) -> str:
        """The first log line with this text, as soon as there is one.

        Raises:
            DaemonFailed: There is none in time (seconds), or the daemon ended without it.
        """
        with self._changed:
            found = self._changed.wait_for(lambda: self._find(text) or self._ended, timeout)
        if not isinstance(found, str):
            raise DaemonFailed(f"the daemon did not log {text!r}:\n{self.log}")
        return found

    def generations(self) -> list[int]:
        """Process IDs of the generations; after a reload, an old one may still be there."""
        return _children(self.pid)

    def workers(self) -> list[int]:
        """Process IDs of the workers, and of the outbox sender where there is one."""
        return [pid for generation in self.generations() for pid in _children(generation)]

    def reload(self) -> None:
        """Send SIGHUP and wait until the new generation serves.

        Raises:
            DaemonFailed: It does not.
        """
        with self._changed:
            seen = self._count(" reloaded\n")
        self._process.send_signal(signal.SIGHUP)
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._count(" reloaded\n") > seen or self._ended, PATIENCE
            ):
                raise DaemonFailed(f"the daemon did not reload:\n{''.join(self._lines)}")

    @property
    def _ended(self) -> bool:
        return bool(self._lines) and not self._lines[-1]

    def _count(self, text: str) -> int:
        return sum(text in line for line in self._lines)

    def _find(self, text: str) -> str | None:
        return next((line for line in self._lines if text in line), None)

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._add(line)
        self._add("")

    def _add(self, line: str) -> None:
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()

    def _end(self) -> None:
        self._process.wait()
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()


def write_config(path: Path, config: Mapping[str, Any]) -> Path:
    """Write a config file; returns its path."""
    path.write_text(json.dumps(config, indent=4))
    return path


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return sorted(map(int, text.split()))
