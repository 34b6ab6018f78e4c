"""The server that notifications go to fails in every way; mail itself does not notice."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from random import Random

from pyquarantine_core.spool import Spool
from pyquarantine_core.testing.sink import SmtpSink

from .fault import Fault
from .load import Load
from .scene import Scene

MESSAGES = 100
"""Sent while the server fails."""


class NotificationServer(Fault):
    """A server that fails while mail flows, then works."""

    may_defer = False

    def __init__(
        self,
        name: str,
        failing: Callable[[SmtpSink], AbstractContextManager[None]],
        *,
        may_tell_twice: bool = False,
    ) -> None:
        self.name = f"notifications-{name}"
        self.may_tell_twice = may_tell_twice
        self._failing = failing

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        spool = Spool(scene.outbox)
        with self._failing(scene.notices):
            load.wait_for(load.sent + MESSAGES)
            scene.wait_for(lambda: _failed(spool) or _piled_up(spool), "a failed delivery")


def _failed(spool: Spool) -> bool:
    return bool(spool.failed()) or any(spool.peek(one.id).attempts for one in spool.waiting())


def _piled_up(spool: Spool) -> bool:
    return len(spool.waiting()) >= MESSAGES / 2


@contextmanager
def _refusing(server: SmtpSink) -> Iterator[None]:
    server.stop()
    yield
    server.start()


@contextmanager
def _hanging(server: SmtpSink) -> Iterator[None]:
    """Connections succeed, and then nobody says a word."""
    server.stop()
    with socket.create_server(("127.0.0.1", server.port)):
        yield
    server.start()


@contextmanager
def _hanging_at_the_end(server: SmtpSink) -> Iterator[None]:
    """It takes the content and is slow to say so."""
    server.hold_answers = True
    yield
    server.hold_answers = False


def _answering(reply: str) -> Callable[[SmtpSink], AbstractContextManager[None]]:
    @contextmanager
    def answering(server: SmtpSink) -> Iterator[None]:
        server.refuse_data = reply
        yield
        server.refuse_data = ""

    return answering


@contextmanager
def _cutting(server: SmtpSink) -> Iterator[None]:
    """It cuts the connection after the content, which it throws away."""
    server.drop_after_data = True
    yield
    server.drop_after_data = False


@contextmanager
def _cutting_late(server: SmtpSink) -> Iterator[None]:
    """It keeps the content and cuts the connection without an answer."""
    server.drop_before_reply = True
    yield
    server.drop_before_reply = False


FAULTS: tuple[Fault, ...] = (
    NotificationServer("refused", _refusing),
    NotificationServer("hang", _hanging),
    NotificationServer("hang-at-end", _hanging_at_the_end),
    NotificationServer("4xx", _answering("451 4.3.0 later")),
    NotificationServer("5xx", _answering("554 5.7.1 never")),
    NotificationServer("cut", _cutting),
    NotificationServer("cut-after-taken", _cutting_late, may_tell_twice=True),
)
