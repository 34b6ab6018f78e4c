"""An entry on its way: its metadata, and its data under a hidden name until it is published."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from pyq_file_storage.directory import Directory, lock, unlock
from pyq_file_storage.entries import SUFFIX, hidden


class Draft:
    """The new files of an entry, open to be written; the entry is there once it is published.

    Only the data is hidden meanwhile, since metadata alone is no entry. Its lock says to the end
    that we are at work with both.

    Args:
        directory: where the entry will be.
        entry_id: its ID.
        metadata: whether it gets any.

    Attributes:
        id: its ID.
        files: descriptors of the data and, if it gets any, the metadata; none once it is closed.

    Raises:
        FileExistsError: something else has this ID, or the data was moved aside at once.
        OSError: from every method, as the system calls do.
    """

    def __init__(self, directory: Directory, entry_id: str, *, metadata: bool) -> None:
        self.id = entry_id
        self._directory = directory
        self._hidden = hidden(entry_id)
        self._has_metadata = self._is_public = False
        self.files = [directory.create(self._hidden)]
        try:
            lock(self.files[0])  # fails on NFS while its lock manager does not run (ENOLCK)
            self._created = self.status
            self._take_names(metadata=metadata)
        except OSError:
            try:
                self.discard()
            finally:
                self.close()
            raise

    @property
    def status(self) -> os.stat_result:
        """The data's."""
        return os.fstat(self.files[0])

    def write_data(self, chunks: Iterable[bytes], mode: int) -> int:
        """Write it, with these permissions; returns how many bytes. `sync_files` makes it last."""
        return self._directory.write(self.files[0], self._created, chunks, mode=mode)

    def write_metadata(self, content: bytes, mode: int) -> None:
        """The same for metadata."""
        self._directory.write(self.files[1], self._created, [content], mode=mode)

    def publish(self) -> None:
        """Give the data its name; FileExistsError when that is taken."""
        try:
            self._directory.publish(self._hidden, self.id)
        except FileExistsError:
            if not self._directory.same_file(self._hidden, self.id):
                raise  # NFS asks again when an answer is lost, and is told that the name is there
        self._is_public = True
        self._directory.remove(self._hidden)

    def discard(self) -> bool:
        """Remove what has been made, the data's hidden name last: its lock covers the metadata.

        Returns:
            Whether it had been published.
        """
        was_public, self._is_public = self._is_public, False
        if was_public:
            self._directory.hide(self.id, self._hidden)
        if self._has_metadata:
            self._directory.remove(self.id + SUFFIX)
        self._directory.remove(self._hidden)
        return was_public

    def close(self) -> None:
        """Close and unlock the files; they can still be discarded."""
        files, self.files = self.files, []
        try:
            for metadata in files[1:]:
                os.close(metadata)
        finally:
            for data in files[:1]:
                unlock(data)

    def _take_names(self, *, metadata: bool) -> None:
        """Make sure that the ID is ours: a check may find the data before it is locked."""
        described = self.id + SUFFIX
        if metadata:
            self.files.append(self._directory.create(described))
            self._has_metadata = True
        taken = not metadata and self._directory.exists(described)
        if taken or not self._directory.is_named(self._hidden, self._created):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
