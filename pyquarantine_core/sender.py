"""The outbox sender: one process that looks what is due, with one thread for each notification."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures

from pyquarantine_core.courier import Courier
from pyquarantine_core.errors import OutboxError, UnreachableError
from pyquarantine_core.outbox_items import Deferral, ItemFile
from pyquarantine_core.outbox_settings import OutboxSettings
from pyquarantine_core.spool import CONCLUDED, REST, Claim, Spool
from pyquarantine_core.types import Delivery, Notification

logger = logging.getLogger(__name__)

LOOK_AGAIN = 60.0
"""Seconds after which the spool is looked at although nobody said that there is something new."""
CLAIM_AGAIN = 1.0
"""Seconds until a sender asks again for a spool that another one has."""
TROUBLE = 10.0
"""Seconds until the spool is looked at again after an error of its file system."""
TIDY_AGAIN = 3600.0
"""Seconds after which what crashes have left is looked for again."""
STOP_TIMEOUT = 8.0
"""Seconds that deliveries under way have to end when the sender is told to stop."""

Wait = Callable[[float, Sequence[int]], bool]
"""Waits at most so many seconds, or until one of these descriptors is readable; False ends."""


class Sender:
    """Delivers what is in the outbox.

    Notifications do not wait for one another: each has a thread of its own while something of
    it is due. What waits for a server that an earlier sender could not reach is due at once.

    Args:
        spool: what to empty.
        notifications: what delivers, by the name in the config.
        settings: how often it is tried, and how much of what failed is kept.
        clock: time.time, or another one.
        chance: random numbers from 0 to 1.
    """

    def __init__(
        self,
        spool: Spool,
        notifications: Mapping[str, Notification],
        settings: OutboxSettings,
        *,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._spool = spool
        self._notifications = notifications
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._stopping = threading.Event()
        self._threads = futures.ThreadPoolExecutor(len(notifications) + 1, "outbox")
        self._couriers: dict[str, Courier] = {}
        self._rounds: dict[str, futures.Future[None]] = {}
        self._names: dict[str, str] = {}
        self._tidied = float("-inf")
        self._failed = 0

    def run(self, wait: Wait) -> None:
        """Deliver until told to stop; then what is under way has some seconds to end."""
        while True:
            pause = TROUBLE
            try:
                with self._spool.claimed() as claim:
                    pause = CLAIM_AGAIN if claim is None else self._run_claimed(claim, wait)
            except OSError as error:
                logger.error("outbox: nothing can be delivered now: %s", error)
            if self._stopping.is_set() or not wait(pause, ()):
                break
        self._threads.shutdown(wait=False, cancel_futures=True)

    def start_due(self) -> float:
        """Start to deliver what is due; returns the seconds until more is.

        Raises:
            OSError: the spool cannot be read.
        """
        now = self._clock()
        deferrals = self._spool.deferrals()
        pause = LOOK_AGAIN
        for name, files in self._by_notification(now).items():
            under_way = self._rounds.get(name)
            if under_way is not None and not under_way.done():
                continue
            deferral = deferrals.get(name)
            if deferral is not None and name not in self._couriers:
                self._start(name, files, deferral)  # an earlier sender met it: it may be mended
                continue
            delays = [self._delay(file.time, now) for file in files]
            if deferral is not None and (delay := self._delay(deferral.next_try, now)) > 0:
                pause = min(pause, delay)
            elif min(delays) > 0:
                pause = min(pause, *delays)
            else:
                due = [file for file, delay in zip(files, delays, strict=True) if delay <= 0]
                self._start(name, due, deferral)
        return pause

    def settle(self, timeout: float) -> bool:
        """Wait until all that was started has ended, at most so many seconds; whether it has."""
        return not futures.wait(self._rounds.values(), timeout).not_done

    def _run_claimed(self, claim: Claim, wait: Wait) -> float:
        """Deliver until told to stop, or until the directory is another one: claim that at once."""
        try:
            while claim.holds():
                if not self._look(claim, wait):
                    self._stopping.set()
                    break
        finally:  # before another process may deliver the same
            if not self.settle(STOP_TIMEOUT):
                logger.warning("outbox: leaving during a delivery, which may be made twice")
        return 0.0

    def _look(self, claim: Claim, wait: Wait) -> bool:
        claim.drain()
        begun = time.monotonic()
        self._tidy()
        pause = self.start_due()
        rest = min(REST * (time.monotonic() - begun), LOOK_AGAIN)
        return wait(rest, ()) and wait(max(0.0, pause - rest), (claim.woken,))

    def _by_notification(self, now: float) -> Mapping[str, Sequence[ItemFile]]:
        """What waits, but for that of messages of which something else may not be committed yet."""
        waiting = [
            file
            for file in self._spool.waiting()
            if file.committed is None or abs(now - file.committed) > CONCLUDED
        ]
        self._names = {file.id: self._name(file.id) for file in waiting}
        found = defaultdict(list)
        for file in waiting:
            found[self._names[file.id]].append(file)
        return found

    def _name(self, item_id: str) -> str:
        """Of which notification an item is; `""` when that cannot be read."""
        if item_id in self._names:
            return self._names[item_id]
        try:
            return self._spool.peek(item_id).delivery.notification
        except (FileNotFoundError, OutboxError):
            return ""  # its courier will see what is the matter

    def _delay(self, next_try: float, now: float) -> float:
        """Seconds until then; none when it is further off than any delay: the clock was wrong."""
        delay = next_try - now
        return delay if delay <= self._settings.longest_delay else 0.0

    def _start(self, name: str, due: Sequence[ItemFile], deferral: Deferral | None) -> None:
        courier = self._couriers.get(name)
        if courier is None:
            courier = self._couriers[name] = Courier(
                self._spool,
                name,
                self._notifications.get(name, _NotConfigured()),
                self._settings,
                clock=self._clock,
                chance=self._chance,
            )

        by_time = sorted(due, key=lambda file: file.time)

        def deliver() -> None:
            try:
                courier.deliver(by_time, deferral, self._stopping.is_set)
            except Exception as error:
                logger.error("outbox: %s waits for %.0f s: %s", name, TROUBLE, error)
                self._stopping.wait(TROUBLE)

        self._rounds[name] = self._threads.submit(deliver)
        self._rounds[name].add_done_callback(lambda _: self._spool.wake())

    def _tidy(self) -> None:
        """Delete what crashes have left, and the oldest of what failed if that is too much."""
        failed = sum(courier.failed for courier in self._couriers.values())
        often = (failed - self._failed) * 100 >= self._settings.max_items
        if time.monotonic() < self._tidied + TIDY_AGAIN and not often:
            return
        self._tidied, self._failed = time.monotonic(), failed
        if swept := self._spool.sweep(self._clock()):
            logger.info("outbox: deleted %d files that a crash had left", swept)
        files = self._spool.failed()
        size = sum(file.size for file in files)
        excess = 0
        for left, file in zip(range(len(files), 0, -1), files, strict=True):
            if left <= self._settings.max_items and size <= self._settings.max_bytes:
                break
            self._spool.remove(file.id, failed=True)
            size -= file.size
            excess += 1
        if excess:
            logger.warning("outbox: deleted the oldest %d of what failed, it was too much", excess)


class _NotConfigured:
    """Stands for a notification that the config no longer has; what it said waits for it."""

    def deliver(self, item: Delivery) -> None:
        raise UnreachableError(f"{item.notification!r} is not in 'notifications' of the config")

    def finish(self) -> None:
        pass
