"""The outbox on disk. Every change is one step of the file system, and survives a crash.

| file | |
|---|---|
| `ID` | a notification that waits; its time of modification is when it is tried next |
| `failed/ID` | one that is not tried again by itself |
| `.ID`, `.ID.TOKEN` | being written, or left by a crash |
| `.deferred/HASH` | until when no item of a notification is tried, and why |
| `.sender`, `.changes` | locks (flock(2)): of the one sender, and for one change |
| `.wake` | FIFO that wakes the sender |
| `.dropped` | one byte for each notification that there was no room for |

A file of a notification has a line of JSON and then its content.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from pyquarantine_core import durable
from pyquarantine_core.errors import OutboxError
from pyquarantine_core.types import Delivery

FORGOTTEN = 3600.0
"""Seconds after which what is still being written was left by a crash. Were it not, its message
would be refused for now: what is gone cannot be published."""

_ID = re.compile(r"\d{20}_[0-9a-f]{8}")
_UNFINISHED = re.compile(rf"\.{_ID.pattern}(?:\.[0-9a-f]+)?|\.[0-9a-f]{{32}}\.[0-9a-f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A notification in the outbox.

    Attributes:
        id: names it; sorts by time.
        queue_id: of the message that it is about.
        delivery: what is to be delivered.
        since: from when its lifetime counts (time.time).
        attempts: how many deliveries have failed since then.
        error: why the last one has.
    """

    id: str
    queue_id: str
    delivery: Delivery
    since: float
    attempts: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class ItemFile:
    """What a directory tells of an item.

    Attributes:
        id: of the item.
        time: of one that waits: when it is tried next; of one that failed: when that was.
        size: in bytes.
    """

    id: str
    time: float
    size: int


@dataclass(frozen=True, slots=True)
class Deferral:
    """That no item of a notification is tried for a while.

    Attributes:
        notification: its name in the config.
        attempts: how many have failed in a row.
        next_try: until when (time.time).
        error: why.
    """

    notification: str
    attempts: int
    next_try: float
    error: str


class Claim:
    """Sole right to deliver what is in the outbox.

    Attributes:
        woken: descriptor that becomes readable when there may be something new.
    """

    def __init__(self, directory: Path, lock: int, woken: int) -> None:
        self.woken = woken
        self._path = directory / ".sender"
        self._lock = lock

    def holds(self) -> bool:
        """Whether the directory is still the one that was claimed."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._lock))
        except FileNotFoundError:
            return False

    def drain(self) -> None:
        """Forget past wake-ups."""
        with suppress(BlockingIOError):
            os.read(self.woken, 65536)


class Spool:
    """The directory.

    Args:
        directory: where it is.
        clock: time.time, or another one.

    Raises:
        OSError: from every method, as the system calls do.
    """

    def __init__(self, directory: Path, clock: Callable[[], float] = time.time) -> None:
        self.directory = directory
        self._clock = clock
        self._failed = directory / "failed"
        self._deferred = directory / ".deferred"

    def make(self) -> None:
        """Make the directories when they are missing."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_below()
        durable.sync(self.directory)

    # -- by the workers ----------------------------------------------------------------------

    def stage(self, queue_id: str, delivery: Delivery) -> str:
        """Write an item, durable but not yet visible; returns its ID. An error leaves nothing."""
        item_id = f"{datetime.now(UTC):%Y%m%d%H%M%S%f}_{token_hex(4)}"
        now = self._clock()
        item = Item(id=item_id, queue_id=queue_id, delivery=delivery, since=now)
        durable.write_new(self._staged(item_id), _content(item), now)
        return item_id

    def publish(self, item_id: str) -> None:
        """Make a staged item visible, durably, and wake the sender."""
        os.link(self._staged(item_id), self.directory / item_id)
        durable.sync(self.directory)
        self._staged(item_id).unlink(missing_ok=True)
        self.wake()

    def wake(self) -> None:
        """Tell the sender, if there is one, that there may be something new."""
        with suppress(OSError):  # there is none, or it has been told often
            fifo = os.open(self.directory / ".wake", os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                os.write(fifo, b".")
            finally:
                os.close(fifo)

    def count_dropped(self) -> int:
        """Note that there was no room for a notification; returns how many there were."""
        descriptor = durable.open_or_make(self.directory / ".dropped")
        try:
            os.write(descriptor, b".")
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    @property
    def dropped(self) -> int:
        """How many notifications there was no room for, ever."""
        try:
            return (self.directory / ".dropped").stat().st_size
        except FileNotFoundError:
            return 0

    # -- what is there -----------------------------------------------------------------------

    def waiting(self) -> list[ItemFile]:
        """The items that wait, oldest first."""
        return _items(self.directory)

    def failed(self) -> list[ItemFile]:
        """The items that have failed, oldest first."""
        return _items(self._failed) if self._failed.exists() else []

    def read(self, item_id: str, *, failed: bool = False) -> Item:
        """An item.

        Raises:
            FileNotFoundError: there is none of this ID.
            OutboxError: it is not one that was written here.
        """
        with self._path(item_id, failed=failed).open("rb") as file:
            return _item(item_id, file.readline(), file.read())

    def peek(self, item_id: str, *, failed: bool = False) -> Item:
        """An item without its content; else as `read`."""
        with self._path(item_id, failed=failed).open("rb") as file:
            return _item(item_id, file.readline(), b"")

    def deferrals(self) -> dict[str, Deferral]:
        """Which notifications are not tried for a while, by name."""
        found = {}
        for path in self._deferred.glob("[!.]*"):
            with suppress(FileNotFoundError, ValueError, TypeError):
                deferral = Deferral(**json.loads(path.read_bytes()))
                found[deferral.notification] = deferral
        return found

    # -- changes -----------------------------------------------------------------------------

    def put_off(self, item: Item, next_try: float) -> None:
        """Let an item wait until then; one that was dropped meanwhile stays away."""
        path = self.directory / item.id
        with self._changing():
            if not path.exists():
                return
            try:
                durable.write(path, _content(item), next_try)
            except OSError:
                os.utime(path, (next_try, next_try))  # takes no space
                raise

    def fail(self, item: Item) -> None:
        """Move an item aside; one that was dropped meanwhile stays away."""
        path = self.directory / item.id
        with self._changing():
            if not path.exists():
                return
            try:
                durable.write(self._failed / item.id, _content(item))
            except OSError:
                self._move_aside(item.id)  # takes no space, but the reason is lost
                raise
            durable.remove(path)

    def fail_unread(self, item_id: str) -> None:
        """Move aside what cannot be read, as it is."""
        with self._changing(), suppress(FileNotFoundError):
            self._move_aside(item_id)

    def hasten(self, item_id: str) -> None:
        """Make an item due that waits.

        Raises:
            FileNotFoundError: there is none any more.
        """
        with self._changing():
            os.utime(self.directory / item_id, (now := self._clock(), now))

    def revive(self, item: Item) -> None:
        """Make an item due that has failed; its lifetime begins again.

        Raises:
            FileNotFoundError: there is none any more.
        """
        path = self._failed / item.id
        now = self._clock()
        with self._changing():
            path.stat()
            fresh = replace(item, since=now, attempts=0)
            durable.write(self.directory / item.id, _content(fresh), now)
            durable.remove(path)

    def remove(self, item_id: str, *, failed: bool = False) -> None:
        """Take out an item that may be gone already, durably.

        With one that waits goes what a crash, while it was moved, has left in `failed/`.
        """
        with self._changing():
            durable.remove(self._failed / item_id)
            if not failed:
                durable.remove(self.directory / item_id)

    def discard(self, item_id: str) -> None:
        """Take out an item that was staged, whether or not it has become visible."""
        with suppress(FileNotFoundError), self._changing():  # the directory may be gone
            durable.remove(self.directory / item_id)
            durable.remove(self._staged(item_id))

    def defer(self, deferral: Deferral) -> None:
        """Let all items of a notification wait."""
        path = self._deferral(deferral.notification)
        durable.write(path, [json.dumps(asdict(deferral)).encode()])

    def resume(self, notification: str) -> None:
        """Let the items of a notification be tried again."""
        self._deferral(notification).unlink(missing_ok=True)

    def sweep(self, now: float) -> int:
        """Delete what crashes have left half written; returns how many files that were."""
        count = 0
        for directory in (self.directory, self._failed, self._deferred):
            for path in directory.glob(".*"):
                with suppress(FileNotFoundError):
                    if _UNFINISHED.fullmatch(path.name) and path.stat().st_ctime < now - FORGOTTEN:
                        path.unlink()
                        count += 1
        return count

    # -- locks -------------------------------------------------------------------------------

    @contextmanager
    def claimed(self) -> Iterator[Claim | None]:
        """Sole right to deliver, or None while another process has it."""
        lock = durable.open_or_make(self.directory / ".sender")
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            self._make_below()
            woken = self._open_fifo()
            try:
                yield Claim(self.directory, lock, woken)
            finally:
                os.close(woken)
        finally:
            os.close(lock)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Sole right to change items, for milliseconds; what is looked at meanwhile stays true."""
        lock = durable.open_or_make(self.directory / ".changes")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _make_below(self) -> None:
        for one in (self._failed, self._deferred):
            one.mkdir(mode=0o700, exist_ok=True)

    def _open_fifo(self) -> int:
        path = self.directory / ".wake"
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # Open for writing, too: it must not come to an end when a writer closes it (fifo(7)).
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)

    def _move_aside(self, item_id: str) -> None:
        (self.directory / item_id).rename(self._failed / item_id)
        durable.sync(self._failed)
        durable.sync(self.directory)

    def _path(self, item_id: str, *, failed: bool) -> Path:
        return (self._failed if failed else self.directory) / item_id

    def _staged(self, item_id: str) -> Path:
        return self.directory / f".{item_id}"

    def _deferral(self, notification: str) -> Path:
        return self._deferred / hashlib.sha256(notification.encode()).hexdigest()[:32]


def _items(directory: Path) -> list[ItemFile]:
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if _ID.fullmatch(entry.name):
                with suppress(FileNotFoundError):  # meanwhile
                    status = entry.stat(follow_symlinks=False)
                    found.append(ItemFile(entry.name, status.st_mtime, status.st_size))
    return sorted(found, key=lambda one: one.id)


def _item(item_id: str, head: bytes, content: bytes) -> Item:
    try:
        known = json.loads(head)
        return Item(
            id=item_id,
            queue_id=str(known["queue_id"]),
            delivery=Delivery(str(known["notification"]), str(known["recipient"]), content),
            since=float(known["since"]),
            attempts=int(known["attempts"]),
            error=str(known["error"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise OutboxError(f"{item_id} is no notification: {error}") from error


def _content(item: Item) -> Sequence[bytes]:
    head = {
        "notification": item.delivery.notification,
        "recipient": item.delivery.recipient,
        "queue_id": item.queue_id,
        "since": item.since,
        "attempts": item.attempts,
        "error": item.error,
    }
    return json.dumps(head).encode(), b"\n", item.delivery.content
