"""How a process and the one that started it talk: a socket pair, one word a packet.

Down go orders: LEAVE, or the end of the channel, which means to stop and also comes when the
parent dies, however it dies. Up go reports.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self

_LONGEST = 16384
"""Bytes of a report; a longer text is cut."""


class Word(Enum):
    """What is said; all but LEAVE is a report.

    Attributes:
        LEAVE: take no new work, and end when what there is has been finished.
        READY: it does its work from now on.
        ALIVE: it still does.
        LEAVING: it takes no new work any more.
        STUCK: something takes too long; the text says what.
        FAILED: it cannot start; the text says why.
    """

    LEAVE = b"leave"
    READY = b"ready"
    ALIVE = b"alive"
    LEAVING = b"leaving"
    STUCK = b"stuck"
    FAILED = b"failed"


@dataclass(frozen=True, slots=True)
class Report:
    """What a child says."""

    word: Word
    text: str = ""


class Child:
    """The parent's end of a channel."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        ours.setblocking(False)

    def fileno(self) -> int:
        """Readable when there is a report, or the child has ended; -1 once closed."""
        return self._socket.fileno()

    def leave(self) -> None:
        """Order it to finish what it has, and to end."""
        with contextlib.suppress(OSError):  # it has ended
            self._socket.send(Word.LEAVE.value)

    def close(self) -> None:
        """Order it to stop, by the end of the channel."""
        self._socket.close()

    def reports(self) -> list[Report]:
        """What it has said since the last time."""
        found = []
        with contextlib.suppress(BlockingIOError):  # nothing more for now
            while packet := self._receive():
                word, _, text = packet.partition(b" ")
                found.append(Report(Word(word), text.decode(errors="replace")))
            self.close()
        return found

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_LONGEST)
        except ConnectionResetError:  # it has ended, without having read an order
            return b""


class Parent:
    """The child's end of a channel.

    A worker is told by its channel, for a signal may be taken by libmilter, whose thread waits
    for it (sigwait(3)).

    Attributes:
        leave: it shall take no new work and end when it has finished.
        stop: it shall end now, without breaking off what is under way.
    """

    def __init__(self, channel: socket.socket) -> None:
        self.leave = False
        self.stop = False
        self._socket = channel
        channel.setblocking(False)
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    @classmethod
    def inherited(cls, descriptor: int) -> Self:
        """The channel that the program was started with."""
        os.set_inheritable(descriptor, False)
        return cls(socket.socket(fileno=descriptor))

    def take_signals(self) -> None:
        """Make SIGTERM and SIGINT orders to stop, and let the end of a child end `wait`."""
        signal.signal(signal.SIGTERM, self.ask_to_stop)
        signal.signal(signal.SIGINT, self.ask_to_stop)
        signal.signal(signal.SIGCHLD, self.wake)

    def report(self, word: Word, text: str = "") -> None:
        """Tell the parent, who may be gone or not listen."""
        packet = f"{word.value.decode()} {text}".encode(errors="replace")[:_LONGEST]
        with contextlib.suppress(OSError):
            self._socket.send(packet)

    def ask_to_stop(self, *_: object) -> None:
        """As if the parent had ordered it; `wait` returns."""
        self.stop = True
        self.wake()

    def wake(self, *_: object) -> None:
        """Make `wait` return."""
        with contextlib.suppress(BlockingIOError):  # full: it will return anyway
            os.write(self._wake, b".")

    def wait(self, seconds: float | None = None, also: Sequence[int] = ()) -> None:
        """Wait for an order, the end of a child, or so many seconds.

        Args:
            seconds: None for as long as it takes.
            also: further descriptors that end the wait when they are readable.
        """
        watched = [self._woken, *also, *(() if self.stop else [self._socket.fileno()])]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._woken in ready:
            os.read(self._woken, 1024)
        if self._socket.fileno() in ready:
            self._hear()

    def close(self) -> None:
        """Give back the descriptors, in a process that does not need them."""
        self._socket.close()
        os.close(self._woken)
        os.close(self._wake)

    def _hear(self) -> None:
        try:
            order = self._socket.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            order = b""
        if order == Word.LEAVE.value:
            self.leave = True
        else:
            self.stop = True
