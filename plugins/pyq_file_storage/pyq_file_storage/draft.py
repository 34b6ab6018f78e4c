"""A file of an entry before it is published: without any name where that can be, else hidden."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pyq_file_storage.directory import Directory, lock, unlock
from pyq_file_storage.entries import hidden


class Draft:
    """A new file, open to be written and locked, that nobody finds under its name yet.

    Where there are files without a name (`unnamed`), one that is never published goes with its
    process. Elsewhere, as on NFS, the file has a hidden name until it is public.

    Args:
        directory: where it will be.
        name: which it will have.

    Raises:
        FileExistsError: another one is hidden under this name.
        OSError: from every method, as the system calls do.
    """

    def __init__(self, directory: Directory, name: str) -> None:
        self.name = name
        self._directory = directory
        self._is_public = False
        file = directory.create_unnamed()
        self._is_hidden = file is None
        self.file = directory.create(hidden(name)) if file is None else file
        try:
            lock(self.file)
            self._created = os.fstat(self.file)
        except OSError:  # NFS has locks only as long as its lock manager runs (ENOLCK)
            try:
                self.unhide()
            finally:
                os.close(self.file)
            raise

    @property
    def is_there(self) -> bool:
        """Whether it is still ours: a check may find a hidden one before it is locked."""
        return not self._is_hidden or self._directory.is_named(hidden(self.name), self._created)

    def write(self, chunks: Iterable[bytes], mode: int) -> int:
        """Write all of it, with these permissions; `sync_files` makes it last.

        Returns:
            How many bytes.
        """
        return self._directory.write(self.file, self._created, chunks, mode=mode)

    def publish(self) -> None:
        """Give it its name; FileExistsError when that is taken."""
        if self._is_hidden:
            self._directory.publish(hidden(self.name), self.name)
        else:
            self._directory.give_name(self.file, self.name)
        self._is_public = True

    def unpublish(self) -> bool:
        """Take its name away, if it has it; returns whether it had."""
        was_public = self._is_public
        if was_public:
            self._directory.remove(self.name)
            self._is_public = False
        return was_public

    def unhide(self) -> bool:
        """Take its hidden name away, if it has one; unless it is published, it is gone then.

        Returns:
            Whether it had one.
        """
        was_hidden = self._is_hidden
        if was_hidden:
            self._directory.remove(hidden(self.name))
            self._is_hidden = False
        return was_hidden

    def close(self) -> None:
        """Close and unlock it; it may still be unpublished."""
        file, self.file = self.file, -1
        if file >= 0:
            unlock(file)
