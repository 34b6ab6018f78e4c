"""The outbox on disk. Every change is one step of the file system, and survives a crash.

| file | |
|---|---|
| `ID` | a notification that waits; its time of modification is when it is tried next |
| `failed/ID` | one that is not tried again by itself |
| `.ID`, `.ID.TOKEN` | being written, or left by a crash; `.ID` beside `ID`: not concluded yet |
| `.deferred/HASH` | until when no item of a notification is tried, and why |
| `.sender`, `.changes` | locks (flock(2)): of the one sender, and for one change |
| `.wake` | FIFO that wakes the sender |
| `.dropped` | one byte for each notification that there was no room for |
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from pyquarantine_core import durable
from pyquarantine_core.errors import OutboxError
from pyquarantine_core.outbox_items import Deferral, Item, ItemFile, decode, decode_deferral, encode
from pyquarantine_core.types import Delivery

FORGOTTEN = 3600.0
"""Seconds after which what is still being written was left by a crash. Were it not, its message
would be refused for now: what is gone cannot be published."""

CONCLUDED = 30.0
"""Seconds after which an item is taken although it is not concluded: its worker has died then."""

REST = 50
"""Who looks through all that waits does not do so again for so many times as long: 2 % of time."""

HEAD = 1024 * 1024
"""Bytes of the first line that are read when the rest is not."""

_ID = re.compile(r"\d{20}_[0-9a-f]{8}")
_UNFINISHED = re.compile(rf"\.{_ID.pattern}(?:\.[0-9a-f]+)?|\.[0-9a-f]{{32}}\.[0-9a-f]+")


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
        durable.make_directory(self.directory)
        self._make_below()
        durable.sync(self.directory)

    # -- by the workers ----------------------------------------------------------------------

    def stage(self, queue_id: str, *deliveries: Delivery) -> list[str]:
        """Write items, durable but not yet visible; an error leaves none of them.

        Returns:
            Their IDs.
        """
        moment, now = f"{datetime.now(UTC):%Y%m%d%H%M%S%f}", self._clock()
        items = [
            Item(id=f"{moment}_{token_hex(4)}", queue_id=queue_id, delivery=one, since=now)
            for one in deliveries
        ]
        files = {self._staged(item.id): encode(item) for item in items}
        durable.write_several_new(files, now)
        return [item.id for item in items]

    def commit(self, *item_ids: str) -> None:
        """Put staged items among those that wait, durably; they are not delivered yet."""
        for item_id in item_ids:
            os.link(self._staged(item_id), self.directory / item_id)
        durable.sync(self.directory)

    def conclude(self, *item_ids: str) -> None:
        """Let the sender deliver items that were committed, and wake it."""
        for item_id in item_ids:
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

    def count_dropped(self, count: int = 1) -> int:
        """Note that there was no room for notifications; returns how many there were."""
        descriptor = durable.open_or_make(self.directory / ".dropped")
        try:
            os.write(descriptor, b"." * count)
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

    def occupied(self) -> tuple[int, int]:
        """How many items wait or are being put here, and their bytes."""
        sizes = {}
        with os.scandir(self.directory) as entries:
            for entry in entries:
                item_id = entry.name.removeprefix(".")
                if _ID.fullmatch(item_id):
                    with suppress(FileNotFoundError):  # meanwhile
                        sizes[item_id] = entry.stat(follow_symlinks=False).st_size
        return len(sizes), sum(sizes.values())

    def failed(self) -> list[ItemFile]:
        """The items that have failed, oldest first."""
        return _items(self._failed) if self._failed.exists() else []

    def read(self, item_id: str, *, failed: bool = False) -> Item:
        """An item.

        Raises:
            FileNotFoundError: there is none of this ID.
            OutboxError: it is not one that was written here.
        """
        with self._opened(item_id, failed) as file:
            return decode(item_id, file.readline(), file.read())

    def peek(self, item_id: str, *, failed: bool = False) -> Item:
        """An item without its content; else as `read`."""
        with self._opened(item_id, failed) as file:
            return decode(item_id, file.readline(HEAD), b"")

    def deferrals(self) -> dict[str, Deferral]:
        """Which notifications are not tried for a while, by name."""
        found = {}
        for path in self._deferred.glob("[!.]*"):
            with (
                suppress(FileNotFoundError, durable.NotPlainError, OutboxError),
                durable.open_plain(path) as file,
            ):
                deferral = decode_deferral(file.read())
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
                durable.write(path, encode(item), next_try)
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
                durable.write(self._failed / item.id, encode(item))
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
        path = self.directory / item_id
        with self._changing():
            if path.stat().st_nlink == 1:  # else it is due, and a change would begin its wait anew
                os.utime(path, (now := self._clock(), now))

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
            durable.write(self.directory / item.id, encode(fresh), now)
            durable.remove(path)

    def remove(self, item_id: str, *, failed: bool = False) -> None:
        """Take out an item that may be gone already, durably.

        With one that waits goes what a crash has left of it: in `failed/` while it was moved there,
        or its hidden name.
        """
        with self._changing():
            self._staged(item_id).unlink(missing_ok=True)
            durable.remove(self._failed / item_id)
            if not failed:
                durable.remove(self.directory / item_id)

    def discard(self, *item_ids: str) -> None:
        """Take out items that were staged, whether or not they were committed.

        First of all they lose their names, for which there need not be a descriptor.
        """
        for item_id in item_ids:
            for path in (self.directory / item_id, self._staged(item_id)):
                path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # the directory is gone
            durable.sync(self.directory)

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
            durable.make_directory(one)

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

    @contextmanager
    def _opened(self, item_id: str, failed: bool) -> Iterator[BinaryIO]:
        try:
            with durable.open_plain(self._path(item_id, failed=failed)) as file:
                yield file
        except durable.NotPlainError as error:
            raise OutboxError(f"{item_id} is no notification: {error.strerror}") from error

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
                    # A second name, which it has until it is concluded, is given to it by a commit.
                    committed = status.st_ctime if status.st_nlink > 1 else None
                    file = ItemFile(entry.name, status.st_mtime, status.st_size, committed)
                    found.append(file)
    return sorted(found, key=lambda one: one.id)
