"""Sole use of an entry: an exclusive flock(2) on its data file, which is never replaced."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import BinaryIO

from pyq_file_storage.directory import Directory, explained
from pyq_file_storage.entries import SUFFIX, hidden, hidden_update, read_metadata
from pyq_file_storage.journal import noted
from pyq_file_storage.metadata import encode
from pyquarantine_core.errors import StorageError
from pyquarantine_core.types import Claim, Entry


class FileClaim(Claim):
    """A claim on an entry of a directory.

    Args:
        directory: stays open as long as the claim.
        data: its data file, locked.
        entry: as read under the lock.
    """

    def __init__(self, directory: Directory, data: BinaryIO, entry: Entry) -> None:
        self.entry = entry
        self._directory = directory
        self._data = data

    def read(self) -> bytes:
        with explained(f"cannot read {self.entry.id}"):
            self._data.seek(0)
            return self._data.read()

    def keep_only(self, recipients: tuple[str, ...], *, in_doubt: tuple[str, ...] = ()) -> None:
        """Rewrite the metadata durably, all else in it as it was; without recipients, delete.

        Raises:
            StorageError: its recipients are not known, or the disk is full; it is as it was.
        """
        if not recipients:
            self.delete()
            return
        if self.entry.recipients is None:
            raise StorageError(f"the recipients of {self.entry.id} are not known")
        name = self.entry.id + SUFFIX
        update = hidden_update(name)
        with (
            explained(f"cannot change {self.entry.id}"),
            noted(self._directory, self.entry.id),
        ):
            stored = read_metadata(self._directory, self.entry.id)
            old = self._directory.stat(name)
            stored["recipients"] = list(recipients)
            stored.pop("in_doubt", None)
            if in_doubt:
                stored["in_doubt"] = list(in_doubt)
            content = encode(stored)
            self._directory.remove(update)  # of a command that was killed
            try:
                fd = self._directory.create(update)
                self._directory.fill(fd, [content], mode=stat.S_IMODE(old.st_mode), like=old)
                self._directory.replace(update, name)
            except OSError:
                self._directory.remove(update)
                raise
            self._directory.sync()
        self.entry = replace(self.entry, recipients=recipients, in_doubt=in_doubt)

    def delete(self) -> None:
        """Remove the entry, durably.

        The data goes first: from then on there is no entry, whatever happens next. The other
        way round a crash would leave a mail that has lost its envelope, to be held once more.
        """
        with (
            explained(f"cannot delete {self.entry.id}"),
            noted(self._directory, self.entry.id),
        ):
            data, metadata = self.entry.id, self.entry.id + SUFFIX
            left_by_a_crash = hidden_update(metadata), hidden(data)
            self._directory.remove(data, metadata, *left_by_a_crash)
            self._directory.sync()
