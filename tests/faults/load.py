"""Mail from Postfix's smtp-source: numbered recipients, and a subject that says the verdict."""

from __future__ import annotations

import shutil
import subprocess
import threading
from typing import Self

from pyquarantine_core.testing.processes import wait_until

from .scene import SPAM, Scene, Stalled

HAM = "ham"
WAVE = 10
"""Messages of each kind that are sent at once."""
CONNECTIONS = 5
BACKLOG = 60
"""Messages in the queues above which no more are sent: it is the filter that is under load."""
PAYLOAD = 3000
"""Bytes of a message's body."""


class Load:
    """Sends ham and spam in waves until told to stop; a context manager.

    Attributes:
        ham: the recipients of mail that is to be delivered.
        spam: those of mail that is to be held.
    """

    def __init__(self, scene: Scene) -> None:
        self.ham: list[str] = []
        self.spam: list[str] = []
        self._scene = scene
        self._waves = 0
        self._stopping = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        """Start, and return as soon as mail flows."""
        self._thread.start()
        self.wait_for(2 * WAVE)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def sent(self) -> int:
        """How many messages upstream has taken."""
        return len(self.ham) + len(self.spam)

    def wait_for(self, count: int, timeout: float = 120.0) -> None:
        """Wait until so many messages have been sent.

        Raises:
            Stalled: they are not in time (seconds), or smtp-source failed.
        """
        if not wait_until(lambda: self.sent >= count or self._error is not None, timeout):
            raise Stalled(f"only {self.sent} of {count} messages have been sent")
        if self._error is not None:
            raise Stalled(f"smtp-source: {self._error}")

    def send_large(self, count: int, size: int) -> None:
        """Send spam of so many bytes each, all at once."""
        self.spam += _Source(self._scene, SPAM, f"large{size}", count, count, size).finish()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                if self._scene.under_way() > BACKLOG:
                    self._stopping.wait(0.05)
                    continue
                self._waves += 1
                ham, spam = (
                    _Source(self._scene, kind, f"w{self._waves}", WAVE, CONNECTIONS, PAYLOAD)
                    for kind in (HAM, SPAM)
                )
                self.ham += ham.finish()
                self.spam += spam.finish()
        except Exception as error:
            self._error = error


class _Source:
    """A running smtp-source (smtp-source(1)), which ends when upstream has all its mail."""

    def __init__(
        self, scene: Scene, kind: str, wave: str, count: int, connections: int, size: int
    ) -> None:
        address = f".{wave}.{kind}@example.org"
        self._recipients = [f"{number}{address}" for number in range(1, count + 1)]
        program = shutil.which("smtp-source", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if program is None:
            raise Stalled("smtp-source, which belongs to Postfix, is not installed")
        self._process = subprocess.Popen(
            [
                *(program, "-N", "-s", f"{connections}", "-m", f"{count}", "-l", f"{size}"),
                *("-S", kind, "-f", f"{kind}@load.example", "-t", address),
                f"127.0.0.1:{scene.upstream.port}",
            ],
            stderr=subprocess.PIPE,
        )

    def finish(self) -> list[str]:
        """Wait for its end; returns the recipients of its mail."""
        _, errors = self._process.communicate()
        if self._process.returncode:
            raise Stalled(errors.decode())
        return self._recipients
