"""Bringing an index up to date with its directory, without a look at every name each time.

Every change of a directory's names sets its time of modification. As long as lines of the journal
lead from the time up to which the index is right to the one that the directory has now, nobody
else has changed anything, and no line was lost. Otherwise all names are listed and compared, which
reads no metadata. `docs/adr/024-index.md` has the reasons.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from pyq_file_storage.directory import Directory
from pyq_file_storage.entries import SUFFIX, is_entry_id, read_entry
from pyq_file_storage.index import Index, State
from pyq_file_storage.journal import JOURNAL, Columns, columns, decode, modified
from pyquarantine_core.durable import NotPlainError

logger = logging.getLogger(__name__)

NEVER = 0
"""No change is explained."""
_SECOND = 1_000_000_000
UNDER_WAY = _SECOND
"""Nanoseconds for which a change may have no line yet: its process is still at work."""
_PAUSE = 0.005
"""Seconds between two looks whether it has."""
OVERLAP = 60 * _SECOND
"""Nanoseconds that changes may have been under way beside others; longer ones are not explained."""
TICK = _SECOND // 10
"""Nanoseconds within which two changes may have the same time; it is that of the system's clock."""
COMPARE_AFTER = 3600.0
"""Seconds after which names are compared in any case: what another program has changed while one of
our processes was at a change of its own has no time of modification by itself."""
JOURNAL_RENEWED = 1024 * 1024
"""Bytes that have been read, after which a new journal is begun."""
_AT_ONCE = 10_000
_MANY = 20_000
"""Entries to be read for the first time of which an admin should be told who waits for it."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def bring_up_to_date(index: Index, path: Path, *, read: bool) -> None:
    """Let the index have all entries that are committed.

    Args:
        index: which one.
        path: of its directory, for the log.
        read: also what can be searched for of each.

    Raises:
        NoIndexError: it cannot be used.
    """
    with index.usable():
        wanted = modified(index.directory)
    if not _is_current(index, index.state()):
        while not _catch_up(index, wanted):
            time.sleep(_PAUSE)
    if read:
        _read_unread(index, path)


def _is_current(index: Index, state: State) -> bool:
    """Whether nothing has happened since."""
    with index.usable():
        unchanged = modified(index.directory) == state.explained
        read = index.files.stat(JOURNAL).st_size == state.position
        return unchanged and read and _can_be_explained(index.directory, state)


def _catch_up(index: Index, wanted: int) -> bool:
    """Let it have all that had happened at a time, `modified` when somebody asked.

    Returns:
        False when that was just now: a process of ours may be about to write what it was.
    """
    with index.changing() as state:
        latest = _read_journal(index, state)
        if _can_be_explained(index.directory, state):
            if state.explained >= wanted:
                return True
            if 0 <= time.time_ns() - wanted < UNDER_WAY:
                return False
        _compare(index, state, latest)
        _read_journal(index, state)
        return True


def _can_be_explained(directory: Directory, state: State) -> bool:
    """Whether lines of the journal, if they are there, say all that may have happened since."""
    if state.explained == NEVER or state.boot != _boot():  # a crash loses lines
        return False
    status = directory.status()
    # A change of names sets both times. A backup that is restored sets mtime back, but not ctime.
    set_by_names = status.st_ctime_ns in {status.st_mtime_ns, state.touched}
    return (
        set_by_names
        and state.inode == status.st_ino
        and state.explained <= status.st_mtime_ns
        and 0 <= time.time() - state.compared < COMPARE_AFTER
    )


def _read_journal(index: Index, state: State) -> int:
    """Take what is new in the journal into the index; returns the latest change it explains."""
    changes: list[tuple[int, int]] = []
    with index.files.open_file(JOURNAL) as journal:
        journal.seek(max(0, state.position - len(state.last_line)))
        if journal.read(len(state.last_line)) != state.last_line:  # it is another one
            state.explained, state.position, state.last_line = NEVER, 0, b""
            journal.seek(0)
        _take_lines(index, state, journal, changes)
        if state.position > JOURNAL_RENEWED:
            index.renew_journal()
            _take_lines(index, state, journal, changes)  # written meanwhile
            state.position, state.last_line = 0, b""
    latest = max([state.explained, *(until for _, until in changes)])
    state.explained = _explained_until(state.explained, changes)
    return latest


def _take_lines(
    index: Index, state: State, journal: BinaryIO, changes: list[tuple[int, int]]
) -> None:
    entries: dict[str, Columns | None] = {}
    for line in journal:
        if not line.endswith(b"\n"):
            break  # its end is still to come
        state.position += len(line)
        state.last_line = line
        try:
            since, until, entry_id, known = decode(line)
        except ValueError:
            state.explained = NEVER
            continue
        changes.append((since, until))
        if is_entry_id(entry_id):
            entries[entry_id] = known
        if len(entries) >= _AT_ONCE:
            _take(index, entries)
            entries.clear()
    _take(index, entries)


def _take(index: Index, entries: dict[str, Columns | None]) -> None:
    index.put((one, known) for one, known in entries.items() if known is not None)
    changed = [one for one, known in entries.items() if known is None]
    gone = {one for one in changed if not index.directory.exists(one)}
    index.remove(gone)
    index.forget(one for one in changed if one not in gone)


def _explained_until(until: int, changes: Iterable[tuple[int, int]]) -> int:
    """Up to when all is explained, or never.

    Each change must have begun with the directory as another one has left it, or amid that one.
    """
    earliest = until - OVERLAP
    for since, last in sorted(changes):
        if not earliest <= since <= until or last < since:
            return NEVER
        until = max(until, last)
    return until


def _compare(index: Index, state: State, latest: int) -> None:
    """Compare the names in the directory with those in the index.

    Args:
        index: gets those that are missing, and loses those that are gone.
        state: gets to know it.
        latest: change of ours.
    """
    directory = index.directory
    status = directory.status()
    state.inode, state.boot, state.compared = status.st_ino, _boot(), time.time()
    state.touched = status.st_ctime_ns
    last = modified(directory)
    if not _settled(last, latest):
        time.sleep(TICK / _SECOND)
        last = modified(directory)
    state.explained = last if _settled(last, latest) else last - 1
    seen = 0
    for names in _batches(filter(is_entry_id, directory.each_name())):
        seen += len(names)
        index.add(sorted(names))
    if index.count() != seen:
        for ids in index.pages():
            index.remove(one for one in ids if not is_entry_id(one) or not directory.exists(one))
    for ids in index.pages(without_envelope=True):
        index.forget(one for one in ids if directory.exists(one + SUFFIX))


def _settled(last: int, latest: int) -> bool:
    """Whether no change of somebody else's after our look can have the same time as the last."""
    return last == latest or not 0 <= time.time_ns() - last < TICK


def _read_unread(index: Index, path: Path) -> None:
    """Read what can be searched for, from the files; other commands may do so at the same time."""
    with index.usable():
        if len(index.unread(_MANY)) == _MANY:
            logger.warning("%s has no full index yet; making one, once, takes a while", path)
        while ids := index.unread(_AT_ONCE):
            with index.changing():
                gone = []
                for entry_id in ids:
                    try:
                        if not is_entry_id(entry_id):
                            raise FileNotFoundError(entry_id)
                        entry = read_entry(index.directory, entry_id, [])
                    except (FileNotFoundError, NotPlainError):
                        gone.append(entry_id)
                    else:
                        index.put([(entry_id, columns(entry))])
                index.remove(gone)


def _batches(names: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(names, 5 * _AT_ONCE)):
        yield batch


def _boot() -> str:
    """Which run of the machine this is; empty where nobody knows."""
    with suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return ""
