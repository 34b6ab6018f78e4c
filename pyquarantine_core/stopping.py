"""How the processes of a generation hear that they shall stop."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Sequence


class StopRequest:
    """SIGTERM, SIGINT, or the end of a pipe: its writer is gone, or wants an end.

    A worker is told by its pipe, for a signal may be taken by libmilter, whose thread waits for
    it (sigwait(3)).

    Args:
        pipes: the reading ends.
    """

    def __init__(self, *pipes: int) -> None:
        self.made = False
        self._pipes = pipes
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGTERM, self.make)
        signal.signal(signal.SIGINT, self.make)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, self.wake)

    def make(self, *_: object) -> None:
        """Ask to stop; `wait` returns."""
        self.made = True
        self.wake()

    def wake(self, *_: object) -> None:
        """Make `wait` return."""
        with contextlib.suppress(BlockingIOError):  # full: it will return anyway
            os.write(self._wake, b".")

    def wait(self, seconds: float | None = None, also: Sequence[int] = ()) -> bool:
        """Wait until a stop is asked for, a child ends, or so many seconds have passed.

        Args:
            seconds: None for as long as it takes.
            also: further descriptors that end the wait when they are readable.

        Returns:
            Whether one of those is readable.
        """
        watched = [self._woken, *also, *(() if self.made else self._pipes)]
        ready, _, _ = select.select(watched, [], [], seconds)
        if not set(ready).isdisjoint(self._pipes):
            self.made = True
        if self._woken in ready:
            os.read(self._woken, 1024)
        return not set(ready).isdisjoint(also)
