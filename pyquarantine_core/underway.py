"""What a worker has under way, so that it can end between messages and tell when one hangs."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from pyquarantine_core.errors import PyquarantineError

ANSWER_TIME = 1.0
"""Seconds in which libmilter has surely sent an answer."""


class Busy(Protocol):
    """A connection, which may be at work."""

    def at_work(self) -> tuple[float, str] | None:
        """Since when (time.monotonic) a callback runs, and on what; None when none does."""


class MessagesUnderWay:
    """Knows the connections of a worker and the messages under way on them.

    libmilter does not tell when it has sent an answer. The next word of the MTA on that connection
    shows it (Postfix sends ABORT after each message); failing that, time does.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._connections: set[Busy] = set()
        self._answered: dict[Busy, float | None] = {}
        self._closing = False

    def opened(self, connection: Busy) -> None:
        """The MTA has connected."""
        with self._lock:
            self._connections.add(connection)

    def closed(self, connection: Busy) -> None:
        """That connection is over, and what was under way on it."""
        with self._lock:
            self._connections.discard(connection)
        self.end(connection)

    def longer_than(self, seconds: float) -> str:
        """What has been at work for longer than so many seconds; empty when nothing has."""
        with self._lock:
            at_work = [one.at_work() for one in self._connections]
        since, what = min(filter(None, at_work), default=(time.monotonic(), ""))
        age = time.monotonic() - since
        return f"{what}: for {age:.0f} s" if age > seconds else ""

    def begin(self, connection: Busy) -> None:
        """A message has begun on this connection.

        Raises:
            PyquarantineError: the worker ends; it must be tried again.
        """
        with self._lock:
            if self._closing:
                raise PyquarantineError("the daemon is stopping")
            self._answered[connection] = None

    def answered(self, connection: Busy) -> None:
        """Its answer is decided, and about to be sent."""
        with self._lock:
            if connection in self._answered:
                self._answered[connection] = time.monotonic()
            if self._closing:
                self._changed.set()

    def end(self, connection: Busy) -> None:
        """Its answer has been sent, or it was given up."""
        with self._lock:
            self._answered.pop(connection, None)
            if self._closing:
                self._changed.set()

    def close(self, timeout: float) -> bool:
        """Let none begin any more, and wait, at most so many seconds, until none is under way."""
        deadline = time.monotonic() + timeout
        with self._lock:
            self._closing = True
        while True:
            self._changed.clear()
            with self._lock:
                wait = self._until_idle()
            left = deadline - time.monotonic()
            if wait <= 0 or left <= 0:
                return wait <= 0
            self._changed.wait(min(wait, left))

    def _until_idle(self) -> float:
        """Seconds until all answers have been sent for sure, as far as that is known."""
        now = time.monotonic()
        return max(
            (
                float("inf") if answered is None else answered + ANSWER_TIME - now
                for answered in self._answered.values()
            ),
            default=0.0,
        )
