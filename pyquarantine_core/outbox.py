"""Notifications on their way: a durable spool that the workers fill and one sender empties.

An item is one file, published with link(2) after fsync, like an entry of the file storage. The
milter never waits for a delivery, and a sender that dies leaves all items where they are.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from pyquarantine_core.errors import OutboxError
from pyquarantine_core.types import Component, Delivery, Effect, EffectPhase

if TYPE_CHECKING:
    from pyquarantine_core.message import Message
    from pyquarantine_core.types import Notification

_LOCK = ".lock"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Item:
    """A notification in the spool.

    Attributes:
        id: names it; sorts by time.
        queue_id: of the message that it is about.
        delivery: what is to be delivered.
    """

    id: str
    queue_id: str
    delivery: Delivery


class Outbox(Component):
    """The spool: a directory, and a pipe through which workers wake the sender."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._woken, self._wake = -1, -1

    @property
    def woken(self) -> int:
        """Descriptor that becomes readable when there may be something new."""
        return self._woken

    def set_up(self) -> None:
        """Make the directory when it is missing, and the pipe before workers are forked.

        Raises:
            OutboxError: it cannot be used.
        """
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sync()
        except OSError as error:
            raise OutboxError(f"outbox {self.directory}: {error.strerror}") from error
        if not os.access(self.directory, os.W_OK | os.X_OK):
            raise OutboxError(f"outbox {self.directory} is not writable")
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)

    def write(self, queue_id: str, delivery: Delivery) -> str:
        """Write an item, durable but not yet visible; returns its ID.

        Raises:
            OSError: it cannot be written; nothing is left.
        """
        item_id = f"{datetime.now(UTC):%Y%m%d%H%M%S%f}_{token_hex(4)}"
        head = {
            "notification": delivery.notification,
            "recipient": delivery.recipient,
            "queue_id": queue_id,
        }
        path = self._hidden(item_id)
        try:
            with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
                file.write(json.dumps(head).encode() + b"\n" + delivery.content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return item_id

    def publish(self, item_id: str) -> None:
        """Make a written item visible, durably, and wake the sender."""
        os.link(self._hidden(item_id), self.directory / item_id)
        self._sync()
        self._hidden(item_id).unlink(missing_ok=True)
        self.wake()

    def remove(self, item_id: str) -> None:
        """Take an item out, durably, visible or not."""
        (self.directory / item_id).unlink(missing_ok=True)
        self._hidden(item_id).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            self._sync()

    def ids(self) -> list[str]:
        """The IDs of all visible items, oldest first."""
        return sorted(one.name for one in self.directory.iterdir() if one.name[0] != ".")

    def read(self, item_id: str) -> Item:
        """An item.

        Raises:
            OutboxError: it is not one that `write` wrote.
        """
        try:
            head, _, content = (self.directory / item_id).read_bytes().partition(b"\n")
            known = json.loads(head)
            delivery = Delivery(str(known["notification"]), str(known["recipient"]), content)
            return Item(item_id, str(known["queue_id"]), delivery)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutboxError(f"outbox item {item_id} cannot be read: {error}") from error

    def wake(self) -> None:
        """Tell the sender that there may be something new."""
        if self._wake >= 0:
            with suppress(BlockingIOError):  # full: it will look anyway
                os.write(self._wake, b".")

    def drain(self) -> None:
        """Forget past wake-ups."""
        with suppress(BlockingIOError):
            os.read(self._woken, 65536)

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """Sole use of the spool by one sender, or False when another has it."""
        descriptor = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def _hidden(self, item_id: str) -> Path:
        return self.directory / f".{item_id}"

    def _sync(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class OutboxNotifier:
    """Puts the notifications of one name into the outbox (`types.Notifier`)."""

    name: str
    notification: Notification
    outbox: Outbox

    def tell(self, message: Message, recipients: tuple[str, ...]) -> None:
        """Stage a notification of each of these recipients."""
        for recipient in recipients:
            message.stage(NotifyEffect(self, message, recipient))


class NotifyEffect(Effect):
    """A notification of one recipient, on its way into the outbox."""

    phase = EffectPhase.NOTIFICATION

    def __init__(self, notifier: OutboxNotifier, message: Message, recipient: str) -> None:
        self._notifier = notifier
        self._message = message
        self._recipient = recipient
        self._item: str | None = None

    def describe(self) -> str:
        return f"notify {self._recipient} ({self._notifier.name})"

    def prepare(self) -> None:
        content = self._notifier.notification.prepare(self._message, self._recipient)
        delivery = Delivery(self._notifier.name, self._recipient, content)
        self._item = self._notifier.outbox.write(self._message.queue_id, delivery)

    def commit(self) -> None:
        assert self._item is not None
        self._notifier.outbox.publish(self._item)

    def undo(self) -> None:
        if self._item is not None:
            self._notifier.outbox.remove(self._item)
