"""An MTA's side under load: some connections at once, and the next message on one that is free.

What an MTA says is the same for each message, so it is recorded once, then said again and again:
the less a client has to do, the less it takes from the filter beside it.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pyquarantine_core.testing.mta import Mail, MilterConnection, Verdict
from pyquarantine_core.testing.protocol import Command, ConnectionLost, Reply

MESSAGES = 200
"""Of a load, on all connections together."""

_VERDICTS = {
    Reply.ACCEPT: Verdict.ACCEPT,
    Reply.CONTINUE: Verdict.ACCEPT,
    Reply.DISCARD: Verdict.DISCARD,
    Reply.REJECT: Verdict.REJECT,
    Reply.REPLYCODE: Verdict.REJECT,
    Reply.TEMPFAIL: Verdict.TEMPFAIL,
}
"""What the last reply to a message means."""


@dataclass(frozen=True)
class Outcome:
    """What became of a load.

    Attributes:
        latencies: seconds from MAIL to the answer, of each message.
        round_trips: how many times the MTA waits for the filter, for each message.
        verdicts: the answers that came.
        seconds: from the first to the last.
    """

    latencies: Sequence[float]
    round_trips: int
    verdicts: frozenset[Verdict]
    seconds: float

    @property
    def p99(self) -> float:
        """Seconds within which 99 of 100 messages were answered."""
        return statistics.quantiles(self.latencies, n=100)[98]


@dataclass
class Load:
    """Sends a message again and again, as many clients would.

    Attributes:
        address: of the filter.
        mail: what to send.
        connections: how many at once.
        messages: on all of them together.
    """

    address: str
    mail: Mail
    connections: int
    messages: int = MESSAGES
    _latencies: list[float] = field(default_factory=list)
    _verdicts: set[Verdict] = field(default_factory=set)
    _trips: set[int] = field(default_factory=set)
    _errors: list[BaseException] = field(default_factory=list)

    def run(self) -> Outcome:
        """Send all of it.

        Raises:
            OSError, RuntimeError: the filter failed.
        """
        with contextlib.ExitStack() as stack:
            recorders = [
                stack.enter_context(_Recorder(self.address)) for _ in range(self.connections)
            ]
            clients = [one.record(self.mail) for one in recorders]
            left = iter(range(self.messages))
            threads = [threading.Thread(target=self._send, args=(one, left)) for one in clients]
            started = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds = time.perf_counter() - started
        if self._errors:
            raise self._errors[0]
        trips = max(self._trips)
        return Outcome(self._latencies, trips, frozenset(self._verdicts), seconds)

    def _send(self, client: _Client, left: Iterator[int]) -> None:
        try:
            for _ in left:
                began = time.perf_counter()
                self._verdicts.add(client.send())
                self._latencies.append(time.perf_counter() - began)
            self._trips.add(client.round_trips)
        except BaseException as error:
            self._errors.append(error)


class _Tape:
    """A stream that remembers what is sent, in the pieces between which the MTA waits."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self.sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.sent.append(bytes(data))
        self.stream.sendall(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _Recorder(MilterConnection):
    """Sends one message, and hands over the connection to send it again."""

    def record(self, mail: Mail) -> _Client:
        self.client_connects()
        self._tape.sent.clear()
        result = self.send(mail)
        pieces = [one for one in self._tape.sent if one]
        reset = _ABORT if pieces[-1] == _ABORT else b""
        self._tape.stream.settimeout(None)
        return _Client(
            self._tape.stream, pieces[: len(pieces) - bool(reset)], reset, result.round_trips
        )

    def connected(self) -> socket.socket:
        self._tape = _Tape(super().connected())
        return cast("socket.socket", self._tape)


@dataclass(frozen=True)
class _Client:
    """Says again what was said for a message.

    Attributes:
        stream: to the filter.
        pieces: what is sent before each wait for a reply.
        reset: what is sent after the last one.
        round_trips: how many there are.
    """

    stream: socket.socket
    pieces: Sequence[bytes]
    reset: bytes
    round_trips: int

    def send(self) -> Verdict:
        reply = Reply.CONTINUE
        for piece in self.pieces:
            self.stream.sendall(piece)
            reply = self._last_reply()
        if self.reset:
            self.stream.sendall(self.reset)
        return _VERDICTS[reply]

    def _last_reply(self) -> Reply:
        """Read until a reply that is no change of the message."""
        while True:
            length = int.from_bytes(self._read(4))
            packet = self._read(length)
            reply = Reply(packet[:1])
            if reply in _VERDICTS or reply is Reply.SKIP:
                return reply

    def _read(self, size: int) -> bytes:
        data = self.stream.recv(size, socket.MSG_WAITALL)
        if len(data) < size:
            raise ConnectionLost("the filter closed the connection")
        return data


_ABORT = (1).to_bytes(4) + Command.ABORT.value
