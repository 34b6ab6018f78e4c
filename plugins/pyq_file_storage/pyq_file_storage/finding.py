"""Which entries may match a query: from the index where there is one, else from all names."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from pyq_file_storage.directory import Directory
from pyq_file_storage.entries import is_entry_id
from pyq_file_storage.journal import INDEX, NoIndexError
from pyquarantine_core.types import Query

logger = logging.getLogger(__name__)

LARGE = 10_000
"""Entries from which on a directory gets an index. With fewer, all can be read each time."""


def candidates(
    directory: Directory, path: Path, query: Query, before: str | None
) -> Generator[str]:
    """IDs of all entries that match, and of others, newest first; some may be gone.

    Args:
        directory: to search.
        path: its own.
        query: for which entries.
        before: only those below this ID; None: all.

    Raises:
        OSError: the directory cannot be read.
    """
    last = before
    if _has_index(directory):
        try:
            with closing(_indexed(directory, path, query, before)) as found:
                for last in found:
                    yield last
        except NoIndexError as error:
            logger.warning("%s: searching without its index: %s", path, error)
        else:
            return
    yield from _all_names(directory, last)


def _has_index(directory: Directory) -> bool:
    """Whether there is an index, or should be one that we may make."""
    if directory.exists(INDEX):
        return directory.is_ours()
    if not directory.is_ours() or not directory.writable():
        return False
    return sum(map(is_entry_id, directory.each_name())) >= LARGE


def _indexed(directory: Directory, path: Path, query: Query, before: str | None) -> Generator[str]:
    from pyq_file_storage.index import Index  # noqa: PLC0415 - small directories need no SQLite
    from pyq_file_storage.upkeep import bring_up_to_date  # noqa: PLC0415 - likewise

    with Index(directory, path) as index:
        bring_up_to_date(index, path, read=query != Query())
        yield from index.find(query, before)


def _all_names(directory: Directory, before: str | None) -> Generator[str]:
    names = filter(is_entry_id, directory.names())
    yield from sorted((one for one in names if before is None or one < before), reverse=True)
