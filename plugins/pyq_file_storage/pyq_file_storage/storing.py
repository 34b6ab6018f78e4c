"""How a message becomes an entry: written as drafts, then published, or undone.

From their creation until they are committed or undone the files are locked: that tells a check of
the storage that the process which writes them is alive. The directory stays open until nothing can
be undone any more, since there may be no descriptor left to open it again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from pyq_file_storage.directory import Directory, explained
from pyq_file_storage.draft import Draft
from pyq_file_storage.entries import SUFFIX, new_id
from pyq_file_storage.journal import note
from pyq_file_storage.metadata import describe, encode, entry
from pyquarantine_core.durable import release_cache, sync_files
from pyquarantine_core.errors import StorageError
from pyquarantine_core.types import Entry, NewEntry, StoreEffect

_LARGE = 64 * 1024
"""Bytes of data that are worth a system call to have their memory back."""


class StoreInDirectory(StoreEffect):
    """A message on its way into a directory.

    Args:
        path: of the directory.
        mode: permissions of the files.
        new: the message and what to keep of it.
    """

    def __init__(self, path: Path, mode: int, new: NewEntry) -> None:
        self._path = path
        self._mode = mode
        self._new = new
        self._drafts: list[Draft] = []  # the data first
        self._variables: dict[str, str] = {}
        self._directory: Directory | None = None
        self._since = 0
        self._metadata: Mapping[str, object] | None = None

    def describe(self) -> str:
        return f"store the message in {self._path}"

    @property
    def variables(self) -> Mapping[str, str]:
        return self._variables

    def prepare(self) -> None:
        """Write the files durably, where nobody finds them.

        Raises:
            StorageError: the directory is gone, the disk is full, ...; `undo` cleans up.
        """
        new = self._new
        with explained(f"cannot store in {self._path}"):
            directory = self._directory = Directory(self._path)
            self._since = directory.opened.st_mtime_ns
            stored_at, data = self._begin(directory)
            size = data.write(new.message.chunks(original=new.original), self._mode)
            if new.metavar is not None:
                self._variables = new.named(self._described_files(data.name))
            if new.metadata:
                self._metadata = describe(new, stored_at, new.message.variables | self._variables)
                content = encode(self._metadata)
                self._drafts.append(Draft(directory, data.name + SUFFIX))
                self._drafts[-1].write([content], self._mode)
            sync_files(*(draft.file for draft in self._drafts))
            if size > _LARGE:
                release_cache(data.file)

    def commit(self) -> None:
        """Publish metadata, then data: with its name the message is an entry.

        Raises:
            StorageError: a public name is taken, the directory is gone, nothing is prepared.
        """
        directory, drafts = self._directory, self._drafts
        if directory is None or not drafts:
            raise StorageError(f"cannot store in {self._path}: the message was not prepared")
        with explained(f"cannot store in {self._path}"):
            directory.check_is_at(self._path)
            for draft in reversed(drafts):
                draft.publish()
            directory.sync()
            for draft in reversed(drafts):
                draft.unhide()
            note(directory, self._since, drafts[0].name, self._stored)
            self._close_drafts()

    def undo(self) -> None:
        """Remove all names, data first: what is left by a crash amid is no entry.

        The hidden name of the data goes last, since its lock is what says that we are at work.
        """
        directory, drafts = self._directory, self._drafts
        if directory is None:
            return
        with ExitStack() as ending, explained(f"cannot remove from {self._path}"):
            ending.callback(self.conclude)
            ending.callback(self._close_drafts)
            were_public = [draft.unpublish() for draft in drafts]
            were_hidden = [draft.unhide() for draft in reversed(drafts)]
            if any(were_public):
                directory.sync()
            if any(were_public + were_hidden):
                note(directory, self._since, drafts[0].name)

    def conclude(self) -> None:
        directory, self._directory = self._directory, None
        if directory is not None:
            directory.close()

    def _stored(self) -> Entry | None:
        """The entry that it has become, where that can be told without reading it."""
        if self._metadata is None:
            return None
        data = self._drafts[0]
        return entry(data.name, os.fstat(data.file), self._metadata)

    def _close_drafts(self) -> None:
        with ExitStack() as each:  # whatever happens to another one
            for draft in self._drafts:
                each.callback(draft.close)

    def _begin(self, directory: Directory) -> tuple[datetime, Draft]:
        """Begin with the data, under the ID of this microsecond and queue ID.

        Whether an entry has that already is seen when it is published.

        Returns:
            The time in the ID, and the data's draft.
        """
        while True:
            now = datetime.now(UTC)
            entry_id = new_id(now, self._new.message.queue_id)
            if not self._new.metadata and directory.exists(entry_id + SUFFIX):
                continue  # what is left of another message would be taken for ours
            try:
                data = Draft(directory, entry_id)
            except FileExistsError:
                continue
            self._drafts = [data]
            if data.is_there:
                return now, data
            self._close_drafts()

    def _described_files(self, entry_id: str) -> dict[str, str]:
        files = {"ID": entry_id, "DATAFILE": str(self._path / entry_id)}
        if self._new.metadata:
            files["METAFILE"] = str(self._path / (entry_id + SUFFIX))
        return files
