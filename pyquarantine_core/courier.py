"""Delivers the notifications of one name, item after item, and decides what becomes of each."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from pyquarantine_core.errors import OutboxError, RefusedError, UnreachableError, is_bug, why
from pyquarantine_core.outbox_items import Deferral, Item, ItemFile
from pyquarantine_core.outbox_settings import OutboxSettings
from pyquarantine_core.printable import duration
from pyquarantine_core.spool import Spool
from pyquarantine_core.types import Delivery

logger = logging.getLogger(__name__)


class Deliverer(Protocol):
    """The half of a `Notification` that the sender uses."""

    def deliver(self, item: Delivery) -> None:
        """As `Notification.deliver`."""

    def finish(self) -> None:
        """As `Notification.finish`."""


class Courier:
    """Delivers for one notification of the config; on one thread at a time.

    Args:
        spool: where the items are.
        name: of the notification.
        notification: what delivers.
        settings: how often it is tried.
        clock: time.time, or another one.
        chance: random numbers from 0 to 1.

    Attributes:
        failed: how many items have been moved aside.
    """

    def __init__(
        self,
        spool: Spool,
        name: str,
        notification: Deliverer,
        settings: OutboxSettings,
        *,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.failed = 0
        self._spool = spool
        self._name = name
        self._notification = notification
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._delivered: dict[str, str] = {}

    def deliver(
        self, due: Sequence[ItemFile], deferral: Deferral | None, stopped: Callable[[], bool]
    ) -> None:
        """Try items in this order, until nothing can be delivered.

        Args:
            due: the items.
            deferral: that of the last time, if the server could not be reached then.
            stopped: asked before each item; True ends.

        Raises:
            OSError: the spool cannot be changed; what was delivered is not tried again.
        """
        try:
            for index, file in enumerate(due):
                if stopped():
                    return
                try:
                    tried = self._try(file.id)
                except UnreachableError as error:
                    self._defer(deferral, why(error))
                    self._give_up_old(due[index + 1 :], why(error), stopped)
                    return
                if tried and deferral is not None:
                    self._spool.resume(self._name)
                    deferral = None
        finally:
            self._finish()

    def _try(self, item_id: str) -> bool:
        """Deliver an item, if it is still there; whether that was tried.

        Raises:
            UnreachableError: nothing can be delivered now.
        """
        if item_id not in self._delivered:
            try:
                item = self._spool.read(item_id)
            except FileNotFoundError:
                return False
            except OutboxError as error:
                self._spool.fail_unread(item_id)
                self.failed += 1
                logger.error("outbox: %s; moved to failed/", error)
                return False
            if not self._deliver(item):
                return True
            told = f"{item.queue_id or '-'}: notified <{item.delivery.recipient}>"
            self._delivered[item_id] = told
        self._spool.remove(item_id)
        logger.info("%s", self._delivered.pop(item_id))
        return True

    def _deliver(self, item: Item) -> bool:
        """Whether an item was delivered; if not, it is put off or moved aside."""
        try:
            self._notification.deliver(item.delivery)
        except RefusedError as error:
            self._fail(item, str(error))
        except UnreachableError as error:
            self._put_off(item, error)
            raise
        except BaseException as error:  # SystemExit or CancelledError ends no thread
            self._put_off(item, error)
        else:
            return True
        return False

    def _put_off(self, item: Item, error: BaseException) -> None:
        reason = why(error)
        now = self._clock()
        if now - item.since >= self._settings.lifetime:
            self._fail(item, f"not delivered in {duration(now - item.since)}: {reason}")
            return
        attempts = item.attempts + 1
        delay = self._settings.delay(attempts, self._chance())
        self._spool.put_off(replace(item, attempts=attempts, error=reason), now + delay)
        logger.warning(
            "%s: <%s> is not notified yet (%s, outbox %s), is tried again in %s: %s",
            item.queue_id or "-",
            item.delivery.recipient,
            self._name,
            item.id,
            duration(delay),
            reason,
            exc_info=is_bug(error),
        )

    def _fail(self, item: Item, reason: str) -> None:
        self._spool.fail(replace(item, attempts=item.attempts + 1, error=reason))
        self.failed += 1
        logger.error(
            "%s: <%s> is not notified (%s, outbox %s): %s",
            item.queue_id or "-",
            item.delivery.recipient,
            self._name,
            item.id,
            reason,
        )

    def _defer(self, last: Deferral | None, reason: str) -> None:
        attempts = last.attempts + 1 if last else 1
        delay = self._settings.delay(attempts, self._chance())
        self._spool.defer(Deferral(self._name, attempts, self._clock() + delay, reason))
        logger.warning("outbox: all of %r wait for %s: %s", self._name, duration(delay), reason)

    def _give_up_old(
        self, due: Sequence[ItemFile], reason: str, stopped: Callable[[], bool]
    ) -> None:
        """What is due, but cannot be tried, does not live longer than what was tried."""
        for file in due:
            if stopped():
                return
            with suppress(FileNotFoundError, OutboxError):
                age = self._clock() - self._spool.peek(file.id).since
                if age >= self._settings.lifetime:
                    item = self._spool.read(file.id)
                    self._fail(item, f"not delivered in {duration(age)}: {reason}")

    def _finish(self) -> None:
        try:
            self._notification.finish()
        except BaseException as error:
            logger.error("notifications.%s: %s", self._name, error, exc_info=is_bug(error))
