"""The outbox sender: one process that delivers notifications, and tries again when it cannot."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyquarantine_core.engine import is_bug
from pyquarantine_core.errors import OutboxError
from pyquarantine_core.outbox import Outbox
from pyquarantine_core.types import Notification

logger = logging.getLogger(__name__)

FIRST_DELAY = 30.0
"""Seconds until a notification that could not be delivered is tried again; then twice as long."""
LONGEST_DELAY = 3600.0
LOOK_AGAIN = 60.0
"""Seconds after which the spool is looked at although nobody said that there is something new."""


@dataclass(slots=True)
class _Retry:
    """When an item is tried again (time.monotonic), and how long it waited the last time."""

    at: float
    delay: float


class Sender:
    """Delivers what is in the outbox."""

    def __init__(self, outbox: Outbox, notifications: Mapping[str, Notification]) -> None:
        self._outbox = outbox
        self._notifications = notifications
        self._retries: dict[str, _Retry] = {}

    def run(self, wait: Callable[[float], bool]) -> None:
        """Deliver until told to stop.

        Args:
            wait: waits for something new, at most so many seconds; False ends.
        """
        while True:
            self._outbox.drain()
            try:
                with self._outbox.claimed() as ours:
                    pause = self.deliver_due(lambda: wait(0)) if ours else LOOK_AGAIN
            except OSError as error:
                logger.error("outbox: nothing can be delivered now: %s", error)
                pause = LOOK_AGAIN
            if not wait(pause):
                return

    def deliver_due(self, go_on: Callable[[], bool]) -> float:
        """Try all items that are due; returns the seconds until the next one is."""
        ids = self._outbox.ids()
        self._retries = {one: self._retries[one] for one in ids if one in self._retries}
        for item_id in ids:
            retry = self._retries.get(item_id)
            if retry is None or retry.at <= time.monotonic():
                self._try(item_id)
                if not go_on():
                    break
        now = time.monotonic()
        return max(0.0, min([LOOK_AGAIN, *(retry.at - now for retry in self._retries.values())]))

    def _try(self, item_id: str) -> None:
        try:
            item = self._outbox.read(item_id)
            notification = self._notifications.get(item.delivery.notification)
            if notification is None:
                raise OutboxError(
                    f"{item.delivery.notification!r} is not in 'notifications' of the config"
                )
            notification.deliver(item.delivery)
        except Exception as error:
            delay = self._put_off(item_id)
            logger.error(
                "outbox: %s is tried again in %.0f s: %s",
                item_id,
                delay,
                error,
                exc_info=is_bug(error),
            )
        else:
            self._outbox.remove(item_id)
            self._retries.pop(item_id, None)
            logger.info("%s: notified <%s>", item.queue_id or "-", item.delivery.recipient)

    def _put_off(self, item_id: str) -> float:
        known = self._retries.get(item_id)
        delay = FIRST_DELAY if known is None else min(2 * known.delay, LONGEST_DELAY)
        self._retries[item_id] = _Retry(time.monotonic() + delay, delay)
        return delay
