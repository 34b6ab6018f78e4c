"""What processes that died have left of entries: found by its names, and moved aside.

It is safe beside processes that are alive, since each holds a lock of the data that it is at work
with: a milter from the first byte to the commit, a command as long as its claim.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from pyq_file_storage.aside import ASIDE, Aside
from pyq_file_storage.directory import Directory, explained, lock
from pyq_file_storage.entries import (
    SUFFIX,
    hidden,
    hidden_update,
    id_of_hidden,
    is_entry_id,
)
from pyquarantine_core.durable import NotPlainError
from pyquarantine_core.types import Fault

UNFINISHED = "was never finished; the MTA was not told that it is held"
OUTDATED = "has temporary files that are not in use"
LOST = "is metadata without data"


def hidden_leftovers(path: Path, names: Iterable[str]) -> Iterator[Fault]:
    """What a dead process has left under hidden names; cheap, since these are few.

    Args:
        path: of the directory.
        names: all that are in it.
    """
    for entry_id in sorted({found for name in names if (found := id_of_hidden(name))}):
        fault = _fault(path, entry_id, UNFINISHED)
        if fault is not None:
            yield fault


def metadata_alone(path: Path, names: Sequence[str]) -> Iterator[Fault]:
    """Metadata whose data has gone, but for what has hidden names beside it."""
    known = {*names, *filter(None, map(id_of_hidden, names))}
    described = {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}
    for entry_id in sorted(filter(is_entry_id, described - known)):
        fault = _fault(path, entry_id, LOST)
        if fault is not None:
            yield fault


@contextmanager
def unused(directory: Directory, entry_id: str) -> Iterator[bool]:
    """Whether no process is at work with this entry, and then none begins until the end."""
    with ExitStack() as locked:
        ours: set[int] = set()
        # The hidden name twice, since data is published, and hidden again when that is undone.
        for name in (hidden(entry_id), entry_id, hidden(entry_id)):
            try:
                file = locked.enter_context(directory.open_file(name))
            except (FileNotFoundError, NotPlainError):
                continue
            inode = os.fstat(file.fileno()).st_ino
            if inode in ours:
                continue
            if not lock(file.fileno(), wait=False) or not directory.leads_to(name, file.fileno()):
                yield False
                return
            ours.add(inode)
        yield True


def _fault(path: Path, entry_id: str, problem: str) -> Fault | None:
    with (
        explained(f"cannot check {path}"),
        Directory(path) as directory,
        unused(directory, entry_id) as ours,
    ):
        if not ours:
            return None
        second_names, rest = _leftovers(directory, entry_id)
        if not second_names and not rest:
            return None
        reason = OUTDATED if directory.exists(entry_id) else problem
    return Fault(
        name=entry_id,
        problem=reason,
        remedy=f"moved to {path / ASIDE}" if rest else "removed, its files have other names",
        mend=partial(_mend, path, entry_id, reason),
    )


def _mend(path: Path, entry_id: str, reason: str) -> bool:
    """What another check is mending is left to that one: it holds the lock of the directory."""
    with (
        explained(f"cannot move {entry_id} to {path / ASIDE}"),
        Directory(path) as directory,
        unused(directory, entry_id) as ours,
    ):
        if not ours or not directory.lock():
            return False
        second_names, rest = _leftovers(directory, entry_id)
        directory.remove(*second_names)
        mended = bool(second_names)
        if rest:
            with Aside(directory) as aside:
                for name in rest:
                    with suppress(FileNotFoundError):  # its process has just undone it
                        aside.take(name, reason)
                        mended = True
                aside.sync()
    return mended


def _leftovers(directory: Directory, entry_id: str) -> tuple[Sequence[str], Sequence[str]]:
    """A hidden name of data that is published too, and the files that are part of no entry.

    The hidden data goes last: where it was, what a crash leaves is known as unfinished.
    """
    files = [hidden_update(entry_id + SUFFIX), hidden(entry_id)]
    if not directory.exists(entry_id):
        files = [entry_id + SUFFIX, *files]
    is_published = directory.same_file(hidden(entry_id), entry_id)
    second_names = [hidden(entry_id)] if is_published else []
    return second_names, [
        name for name in files if name not in second_names and directory.is_plain(name)
    ]
