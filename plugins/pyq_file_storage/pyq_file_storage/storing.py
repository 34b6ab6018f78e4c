"""How a message becomes an entry: written under hidden names, then published, or undone.

From its creation until it is committed or undone the data file is locked: that tells a check of
the storage that the process which writes it is alive. The directory stays open until nothing can
be undone any more, since there may be no descriptor left to open it again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pyq_file_storage.directory import Directory, explained, lock, unlock
from pyq_file_storage.entries import SUFFIX, hidden, new_id
from pyq_file_storage.journal import note
from pyq_file_storage.metadata import describe, encode, entry
from pyquarantine_core.durable import sync_files
from pyquarantine_core.errors import StorageError
from pyquarantine_core.types import Entry, NewEntry, StoreEffect


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
        self._names: list[str] = []
        self._published: list[str] = []
        self._variables: dict[str, str] = {}
        self._locked = -1
        self._directory: Directory | None = None
        self._since = 0
        self._metadata: Mapping[str, object] | None = None

    def describe(self) -> str:
        return f"store the message in {self._path}"

    @property
    def variables(self) -> Mapping[str, str]:
        return self._variables

    def prepare(self) -> None:
        """Write the files under hidden names, durably.

        Raises:
            StorageError: the directory is gone, the disk is full, ...; `undo` cleans up.
        """
        new = self._new
        with explained(f"cannot store in {self._path}"):
            directory = self._directory = Directory(self._path)
            self._since = directory.opened.st_mtime_ns
            stored_at, created = self._reserve(directory)
            chunks = new.message.chunks(original=new.original)
            directory.write(self._locked, created, chunks, mode=self._mode)
            if new.metavar is not None:
                self._variables = new.named(self._described_files())
            if not new.metadata:
                sync_files(self._locked)
                return
            variables = new.message.variables | self._variables
            self._metadata = describe(new, stored_at, variables)
            content = encode(self._metadata)
            name = self._names[0] + SUFFIX
            file = directory.create(hidden(name))
            try:
                self._names.append(name)
                directory.write(file, created, [content], mode=self._mode)
                sync_files(self._locked, file)
            finally:
                os.close(file)

    def commit(self) -> None:
        """Publish data, then metadata: the last link makes it an entry.

        Raises:
            StorageError: a public name is taken, the directory is gone, nothing is prepared.
        """
        directory = self._directory
        if directory is None or not self._names:
            raise StorageError(f"cannot store in {self._path}: the message was not prepared")
        with explained(f"cannot store in {self._path}"):
            directory.check_is_at(self._path)
            for name in self._names:
                directory.publish(hidden(name), name)
                self._published.append(name)
            directory.sync()
            directory.remove(*map(hidden, reversed(self._names)))
            note(directory, self._since, self._names[0], self._stored)
        self._unlock()

    def undo(self) -> None:
        """Remove all names, data first: what is left by a crash amid is no entry.

        The hidden name of the data goes last, since its lock is what says that we are at work.
        """
        directory = self._directory
        if directory is None:
            return
        try:
            with explained(f"cannot remove from {self._path}"):
                directory.remove(*self._published, *map(hidden, reversed(self._names)))
                if self._published:
                    directory.sync()
                if self._names:
                    note(directory, self._since, self._names[0])
        finally:
            self._published.clear()
            self._names.clear()
            self._unlock()
            self.conclude()

    def conclude(self) -> None:
        directory, self._directory = self._directory, None
        if directory is not None:
            directory.close()

    def _stored(self) -> Entry | None:
        """The entry that it has become, where that can be told without reading it."""
        if self._metadata is None:
            return None
        return entry(self._names[0], os.fstat(self._locked), self._metadata)

    def _unlock(self) -> None:
        if self._locked >= 0:
            unlock(self._locked)
            self._locked = -1

    def _reserve(self, directory: Directory) -> tuple[datetime, os.stat_result]:
        """Find an ID that no other message gets; the hidden data file holds it for us.

        Between its creation and its lock a check may take the file for a leftover and move it
        aside: then it has lost its name, and we begin again. Whether an entry has the ID is seen
        when it is published: one of the same microsecond and the same queue ID, or none either.

        Returns:
            The time in the ID, and the file's status.
        """
        while True:
            now = datetime.now(UTC)
            data = new_id(now, self._new.message.queue_id)
            if not self._new.metadata and directory.exists(data + SUFFIX):
                continue  # what is left of another message would be taken for ours
            try:
                self._locked = directory.create(hidden(data))
            except FileExistsError:
                continue
            self._names = [data]
            lock(self._locked)
            created = os.fstat(self._locked)
            if directory.is_named(hidden(data), created):
                return now, created
            self._unlock()

    def _described_files(self) -> dict[str, str]:
        data = self._names[0]
        files = {"ID": data, "DATAFILE": str(self._path / data)}
        if self._new.metadata:
            files["METAFILE"] = str(self._path / (data + SUFFIX))
        return files
