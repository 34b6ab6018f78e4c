"""Notifications on their way into the outbox: the half that the workers see.

The milter never waits for a delivery. What the outbox looks like on disk is told in `spool`, how
it is emptied in `sender`, what an admin can do with it in `undelivered`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

from pyquarantine_core.errors import OutboxError, WrongResultError
from pyquarantine_core.outbox_settings import OutboxSettings
from pyquarantine_core.printable import listed, shown
from pyquarantine_core.spool import REST, Spool
from pyquarantine_core.types import Component, Delivery, Effect, EffectPhase

if TYPE_CHECKING:
    from pyquarantine_core.message import Message
    from pyquarantine_core.types import Notification

logger = logging.getLogger(__name__)

COUNT_AGAIN = 1.0
"""Seconds after which a worker counts again what waits."""
AT_ONCE = 16
"""Notifications that are written, and wait for the disk, together; each is open meanwhile."""


class Outbox(Component):
    """Takes notifications as long as there is room for them.

    Attributes:
        settings: of the config.
        spool: where they wait.
    """

    def __init__(
        self, settings: OutboxSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self.spool = Spool(settings.directory)
        self._room = _Room(self.spool, settings, clock)

    def set_up(self) -> None:
        """Make the directory when it is missing.

        Raises:
            OutboxError: it cannot be used.
        """
        directory = self.settings.directory
        try:
            self.spool.make()
        except OSError as error:
            raise OutboxError(f"outbox {directory}: {error.strerror}") from error
        if not os.access(directory, os.W_OK | os.X_OK):
            raise OutboxError(f"outbox {directory} is not writable")

    def stage(self, queue_id: str, *deliveries: Delivery) -> list[str | None]:
        """Write notifications, durable but not yet visible.

        Returns:
            The ID of each; None for those that are dropped, since the outbox is full.

        Raises:
            OSError: they cannot be written; nothing is left.
        """
        fit = [self._room.take(len(one.content)) for one in deliveries]
        ids = iter(self.spool.stage(queue_id, *compress(deliveries, fit)) if any(fit) else ())
        return [next(ids) if one else None for one in fit]

    def count_dropped(self, queue_id: str, notification: str, recipients: Sequence[str]) -> None:
        """Count and log that recipients of a message are not notified: the outbox was full.

        Raises:
            OSError: they cannot be counted, but are logged.
        """
        dropped = "unknown"
        try:
            dropped = str(self.spool.count_dropped(len(recipients)))
        finally:
            logger.error(
                "%s: the outbox is full: not notified (%s): %s; dropped so far: %s",
                queue_id or "-",
                notification,
                listed([f"<{one}>" for one in recipients]),
                dropped,
            )


class _Room:
    """How much may still be put into the outbox, as far as this process knows.

    It counts what is there at most once a second, and adds what itself puts there in between:
    the bounds are exceeded by no more than the other workers put there in that time.
    """

    def __init__(self, spool: Spool, settings: OutboxSettings, clock: Callable[[], float]) -> None:
        self._spool = spool
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._count_at = 0.0
        self._items = 0
        self._bytes = 0

    def take(self, size: int) -> bool:
        """Reserve room for a notification of so many bytes; False: there is not enough."""
        with self._lock:
            if self._clock() >= self._count_at:
                self._count()
            if self._items >= self._settings.max_items:
                return False
            if self._bytes + size > self._settings.max_bytes:
                return False
            self._items += 1
            self._bytes += size
            return True

    def _count(self) -> None:
        begun = self._clock()
        self._items, self._bytes = self._spool.occupied()
        ended = self._clock()
        self._count_at = ended + max(COUNT_AGAIN, REST * (ended - begun))


@dataclass(frozen=True, slots=True)
class OutboxNotifier:
    """Puts the notifications of one name into the outbox (`types.Notifier`)."""

    name: str
    notification: Notification
    outbox: Outbox

    def tell(self, message: Message, recipients: tuple[str, ...]) -> None:
        """Stage notifications of these recipients."""
        if recipients:
            message.stage(NotifyEffect(self, message, recipients))


class NotifyEffect(Effect):
    """Notifications of recipients of a message, on their way into the outbox."""

    phase = EffectPhase.NOTIFICATION

    def __init__(
        self, notifier: OutboxNotifier, message: Message, recipients: Sequence[str]
    ) -> None:
        self._notifier = notifier
        self._message = message
        self._recipients = recipients
        self._items: list[str] = []
        self._dropped: list[str] = []

    @property
    def count(self) -> int:
        return len(self._items)

    def describe(self) -> str:
        return f"notify {listed(self._recipients)} ({self._notifier.name})"

    def prepare(self) -> None:
        for start in range(0, len(self._recipients), AT_ONCE):
            some = self._recipients[start : start + AT_ONCE]
            deliveries = [self._delivery(one) for one in some]
            staged = self._notifier.outbox.stage(self._message.queue_id, *deliveries)
            for recipient, item in zip(some, staged, strict=True):
                if item is None:
                    self._dropped.append(recipient)
                else:
                    self._items.append(item)
            self._message.advanced = time.monotonic()  # many take long, and are no hang

    def commit(self) -> None:
        if self._items:
            self._notifier.outbox.spool.commit(*self._items)

    def conclude(self) -> None:
        """Now they may be delivered, which nothing could take back, or count as dropped."""
        outbox = self._notifier.outbox
        if self._items:
            outbox.spool.conclude(*self._items)
        if self._dropped:
            outbox.count_dropped(self._message.queue_id, self._notifier.name, self._dropped)

    def undo(self) -> None:
        if self._items:
            self._notifier.outbox.spool.discard(*self._items)

    def _delivery(self, recipient: str) -> Delivery:
        notification = self._notifier.notification
        content: object = notification.prepare(self._message, recipient)
        if not isinstance(content, bytes):
            text = f"prepare() of the notification {self._notifier.name!r} returned "
            raise WrongResultError(f"{text}{shown(content)}, not bytes", notification)
        return Delivery(self._notifier.name, recipient, content)
