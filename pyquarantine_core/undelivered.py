"""What can be done with notifications in the outbox. Commands print it; a web page could serve it.

It works beside a running daemon and without one. What the sender delivers at that very moment may
still arrive after it was dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from pyquarantine_core.errors import OutboxError
from pyquarantine_core.outbox_items import Deferral, ItemFile
from pyquarantine_core.spool import Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """A notification in the outbox.

    Attributes:
        id: names it; sorts by time.
        failed: whether it was moved aside, and is not tried again by itself.
        notification: its name in the config; empty when the file cannot be read.
        recipient: bare address; likewise.
        queue_id: of the message that it is about.
        since: from when its lifetime counts; of one that cannot be read: None.
        attempts: how many deliveries of this one have failed since then.
        next_try: when it is tried next; None when it failed.
        size: in bytes.
        error: why it was not delivered the last time.
    """

    id: str
    failed: bool
    notification: str
    recipient: str
    queue_id: str
    since: datetime | None
    attempts: int
    next_try: datetime | None
    size: int
    error: str


@dataclass(frozen=True, slots=True)
class OutboxQuery:
    """Which notifications to find.

    Attributes:
        ids: of one of these IDs, in which `*`, `?` and `[...]` are wildcards; none: of any.
        failed: those that failed, those that wait, or None for both.
    """

    ids: Sequence[str] = ()
    failed: bool | None = None

    def matches(self, one: Undelivered) -> bool:
        """Whether a notification is meant."""
        return (self.failed is None or one.failed is self.failed) and (
            not self.ids or any(fnmatchcase(one.id, pattern) for pattern in self.ids)
        )


def find(spool: Spool, query: OutboxQuery | None = None) -> list[Undelivered]:
    """The notifications that match: those that wait, then those that failed, oldest first.

    Raises:
        OutboxError: one of the IDs, or what has its wildcards, is not there.
    """
    wanted = query or OutboxQuery()
    found = [one for one in _all(spool) if wanted.matches(one)]
    for pattern in wanted.ids:
        if not any(fnmatchcase(one.id, pattern) for one in found):
            kind = {None: "", True: "failed ", False: "waiting "}[wanted.failed]
            raise OutboxError(f"no {kind}notification in the outbox is {pattern!r}")
    return found


def retry(spool: Spool, query: OutboxQuery) -> list[Undelivered]:
    """Make notifications due at once, and tell the sender; returns those that were.

    The lifetime of one that failed begins again.

    Raises:
        OutboxError: as `find`, or one cannot be read; those before it are due.
    """
    done = []
    try:
        for one in find(spool, query):
            with suppress(FileNotFoundError):  # meanwhile it was delivered, or dropped
                if one.failed:
                    spool.revive(spool.read(one.id, failed=True))
                else:
                    spool.hasten(one.id)
                spool.resume(one.notification)
                done.append(one)
    finally:
        spool.wake()
    return done


def drop(spool: Spool, query: OutboxQuery) -> list[Undelivered]:
    """Delete notifications; returns those that were there.

    Raises:
        OutboxError: as `find`; nothing is deleted.
    """
    found = find(spool, query)
    for one in found:
        spool.remove(one.id, failed=one.failed)
    return found


def _all(spool: Spool) -> Iterator[Undelivered]:
    if not spool.directory.exists():
        return
    deferrals = spool.deferrals()
    for failed, files in ((False, spool.waiting()), (True, spool.failed())):
        for file in files:
            with suppress(FileNotFoundError):  # meanwhile
                yield _described(spool, file, deferrals, failed=failed)


def _described(
    spool: Spool, file: ItemFile, deferrals: dict[str, Deferral], *, failed: bool
) -> Undelivered:
    next_try = None if failed else file.time
    try:
        item = spool.peek(file.id, failed=failed)
    except OutboxError as error:
        return Undelivered(
            id=file.id,
            failed=failed,
            notification="",
            recipient="",
            queue_id="",
            since=None,
            attempts=0,
            next_try=_moment(next_try),
            size=file.size,
            error=str(error),
        )
    reason = item.error
    deferral = deferrals.get(item.delivery.notification)
    if deferral is not None and next_try is not None and deferral.next_try > next_try:
        next_try, reason = deferral.next_try, deferral.error
    return Undelivered(
        id=file.id,
        failed=failed,
        notification=item.delivery.notification,
        recipient=item.delivery.recipient,
        queue_id=item.queue_id,
        since=_moment(item.since),
        attempts=item.attempts,
        next_try=_moment(next_try),
        size=file.size,
        error=reason,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
