"""The journal of a directory that has an index: a line for each change of ours, not synced.

What is undone has none. A line has the directory's time of modification before and after the
change, in nanoseconds: it explains why that time is what it is. `upkeep` compares index and
directory when something does not explain it. So a line that is lost costs time and nothing else;
where one cannot be written, the journal is removed, and what other processes write into it
meanwhile does not count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeGuard

from pyq_file_storage.directory import Directory
from pyquarantine_core.types import Entry

INDEX = ".index"
"""The subdirectory with index and journal. Commands make it; without it there is no journal."""
JOURNAL = "journal"
LIMIT = 32 * 1024 * 1024
"""Bytes that it may have. When nobody lists for so long, it goes; names are compared instead."""
LONGEST_LINE = 4096
"""Bytes. An entry with more recipients is only named, and read when somebody looks for it."""


class NoIndexError(Exception):
    """The index cannot be used now; why, in a few words."""


Columns = tuple[float, str | None, list[str] | None, str | None]
"""What an index has of an entry: stored_at (seconds), sender, recipients, quarantine."""
Line = tuple[int, int, str, Columns | None]
"""Time of modification before and after, the entry's ID, and what is known of it."""


def columns(entry: Entry) -> Columns:
    """What an index has of this entry."""
    recipients = None if entry.recipients is None else list(entry.recipients)
    return (entry.stored_at.timestamp(), entry.sender, recipients, entry.quarantine)


def modified(directory: Directory) -> int:
    """When a name in it was made or removed last: nanoseconds since the epoch."""
    return directory.status().st_mtime_ns


@contextmanager
def noted(directory: Directory, entry_id: str) -> Iterator[None]:
    """Write down that an entry is changed meanwhile."""
    since = modified(directory)
    try:
        yield
    finally:
        note(directory, since, entry_id)


def note(
    directory: Directory,
    since: int,
    entry_id: str,
    look: Callable[[], Entry | None] = lambda: None,
) -> None:
    """Write down that an entry has been changed, if there is a journal; it never fails.

    Args:
        directory: of the entry.
        since: `modified` before the change.
        entry_id: which one.
        look: returns the entry as it is now; None: whoever wants to know has to look.
    """
    if not directory.is_visible(INDEX):
        return
    with suppress(OSError), directory.inner(INDEX) as inner:
        until, entry = modified(directory), look()
        line = _encode((since, until, entry_id, None if entry is None else columns(entry)))
        if len(line) > LONGEST_LINE:
            line = _encode((since, until, entry_id, None))
        try:
            inner.append_line(JOURNAL, line, limit=LIMIT)
        except OSError:
            # The line of a process at work beside us may span our change, without saying what.
            inner.remove(JOURNAL)
            raise


def decode(line: bytes) -> Line:
    """A line as it was written.

    Raises:
        ValueError: it is something else, such as what a full disk has left of one.
    """
    try:
        since, until, entry_id, known = json.loads(line)
        if known is not None:
            known = _columns(*known)
    except (TypeError, RecursionError) as error:
        raise ValueError("not a line of a journal") from error
    if not (_is_time(since) and _is_time(until) and isinstance(entry_id, str)):
        raise ValueError("not a line of a journal")
    return since, until, entry_id, known


def _encode(line: Line) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _columns(stored_at: object, sender: object, recipients: object, quarantine: object) -> Columns:
    if not (isinstance(stored_at, float) and _is_text(sender) and _is_text(quarantine)):
        raise ValueError("not the columns of an entry")
    if recipients is None:
        return stored_at, sender, None, quarantine
    if isinstance(recipients, list) and all(isinstance(one, str) for one in recipients):
        return stored_at, sender, recipients, quarantine
    raise ValueError("not the columns of an entry")


def _is_text(value: object) -> TypeGuard[str | None]:
    return value is None or isinstance(value, str)


def _is_time(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < 2**63
