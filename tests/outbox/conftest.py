"""An outbox in a directory of the test, its sender, and a clock that the test moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.message import Message
from pyquarantine_core.outbox import Outbox
from pyquarantine_core.outbox_settings import OutboxSettings
from pyquarantine_core.sender import Sender
from pyquarantine_core.spool import Spool
from pyquarantine_core.testing.processes import PATIENCE
from pyquarantine_core.types import Delivery, Notification

LIFETIME = 5 * 86400.0


class Clock:
    """time.time of a day on which time passes when the test says so."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))  # a file system may round times

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Notes(Notification):
    """Keeps what it delivers, and fails as long as it is told to.

    Attributes:
        errors: what it raises, by recipient; `*` stands for all.
        before: called with each item before it is delivered.
    """

    errors: dict[str, BaseException] = field(default_factory=dict)
    before: Callable[[Delivery], object] = lambda _: None
    tried: list[str] = field(default_factory=list)
    delivered: list[Delivery] = field(default_factory=list)
    finished: int = 0

    def prepare(self, message: Message, recipient: str) -> bytes:
        return f"{recipient}: {message.subject}".encode()

    def deliver(self, item: Delivery) -> None:
        self.tried.append(item.recipient)
        self.before(item)
        error = self.errors.get(item.recipient) or self.errors.get("*")
        if error is not None:
            raise error
        self.delivered.append(item)

    def finish(self) -> None:
        self.finished += 1

    @property
    def told(self) -> list[str]:
        """The recipients of what was delivered."""
        return [one.recipient for one in self.delivered]


def settings(directory: Path, **changed: Any) -> OutboxSettings:
    given = {
        "directory": directory,
        "lifetime": LIFETIME,
        "minimal_backoff": 30.0,
        "maximal_backoff": 3600.0,
        "max_items": 1000,
        "max_bytes": 1_000_000,
    }
    return OutboxSettings(**{**given, **changed})


class Post:
    """The outbox with all that belongs to it.

    Attributes:
        directory: where it is.
        clock: of its sender.
        notes: the notification `notes`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = Clock()
        self.notes = Notes()
        self.spool.make()

    @property
    def spool(self) -> Spool:
        return Spool(self.directory, self.clock)

    def put(
        self, *recipients: str, notification: str = "notes", content: bytes = b"x"
    ) -> list[str]:
        """Put notifications into the outbox; returns their IDs."""
        ids = []
        for recipient in recipients:
            (item_id,) = self.spool.stage("4XyZ", Delivery(notification, recipient, content))
            self.spool.commit(item_id)
            self.spool.conclude(item_id)
            ids.append(item_id)
        return ids

    def sender(
        self, notifications: Mapping[str, Notification] | None = None, **changed: Any
    ) -> Sender:
        """A sender, as after a start of the daemon; its delays are of average length."""
        return Sender(
            self.spool,
            notifications or {"notes": self.notes},
            settings(self.directory, **changed),
            clock=self.clock,
            chance=lambda: 0.5,
        )

    def send(self, sender: Sender | None = None) -> float:
        """Deliver what is due, if not told otherwise in a sender of its own, as after a restart.

        Returns:
            The seconds until more is due.
        """
        sender = sender or self.sender()
        sender.start_due()
        assert sender.settle(PATIENCE)
        return sender.start_due()

    @property
    def waiting(self) -> list[str]:
        """The IDs of what waits."""
        return [one.id for one in self.spool.waiting()]

    @property
    def failed(self) -> list[str]:
        """The IDs of what has failed."""
        return [one.id for one in self.spool.failed()]

    def attempts(self) -> list[int]:
        """How often each one that waits was tried."""
        return [self.spool.peek(one).attempts for one in self.waiting]

    def outbox(self, clock: Callable[[], float], **bounds: int) -> Outbox:
        """A worker's outbox."""
        return Outbox(settings(self.directory, **bounds), clock)


class Gate:
    """Stops a delivery until the test opens it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, _: Delivery) -> None:
        self.reached.set()
        assert self.opened.wait(PATIENCE)


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path / "outbox")
