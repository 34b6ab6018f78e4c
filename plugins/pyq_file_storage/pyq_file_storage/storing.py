"""How a message becomes an entry: written as a draft, then published, or undone.

From its creation until it is committed or undone the draft is locked: that tells a check of the
storage that the process which writes it is alive. The directory stays open until nothing can be
undone any more, since there may be no descriptor left to open it again.
"""

from __future__ import annotations

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

_TRIES = 1000
"""IDs that a message is tried under, each of another microsecond."""
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
        self._variables: dict[str, str] = {}
        self._directory: Directory | None = None
        self._since = 0
        self._draft: Draft | None = None
        self._metadata: Mapping[str, object] | None = None

    def describe(self) -> str:
        return f"store the message in {self._path}"

    @property
    def variables(self) -> Mapping[str, str]:
        return self._variables

    def prepare(self) -> None:
        """Write the files durably, where nobody finds an entry.

        Raises:
            StorageError: the directory is gone, the disk is full, ...; `undo` cleans up.
        """
        new = self._new
        with explained(f"cannot store in {self._path}"):
            directory = self._directory = Directory(self._path)
            self._since = directory.opened.st_mtime_ns
            stored_at, draft = self._begin(directory)
            size = draft.write_data(new.message.chunks(original=new.original), self._mode)
            if new.metavar is not None:
                self._variables = new.named(self._described_files(draft.id))
            if new.metadata:
                self._metadata = describe(new, stored_at, new.message.variables | self._variables)
                draft.write_metadata(encode(self._metadata), self._mode)
            sync_files(*draft.files)
            if size > _LARGE:
                release_cache(draft.files[0])

    def commit(self) -> None:
        """Publish the data: with its name the message is an entry.

        Raises:
            StorageError: the name is taken, the directory is gone, nothing is prepared.
        """
        directory, draft = self._directory, self._draft
        if directory is None or draft is None:
            raise StorageError(f"cannot store in {self._path}: the message was not prepared")
        with explained(f"cannot store in {self._path}"):
            directory.check_is_at(self._path)
            draft.publish()
            directory.sync()
            note(directory, self._since, draft.id, self._stored)
            draft.close()

    def undo(self) -> None:
        """Remove all names, in an order that leaves no entry when a crash interrupts it.

        The journal says nothing of it: a line would hide what others have put there since the
        message was prepared. So the next listing may have to compare all names.
        """
        directory, draft = self._directory, self._draft
        if directory is None or draft is None:
            self.conclude()
            return
        with ExitStack() as ending, explained(f"cannot remove from {self._path}"):
            ending.callback(self.conclude)
            ending.callback(draft.close)
            if draft.discard():
                directory.sync()

    def conclude(self) -> None:
        directory, self._directory = self._directory, None
        if directory is not None:
            directory.close()

    def _stored(self) -> Entry | None:
        """The entry that it has become, where that can be told without reading it."""
        if self._draft is None or self._metadata is None:
            return None
        return entry(self._draft.id, self._draft.status, self._metadata)

    def _begin(self, directory: Directory) -> tuple[datetime, Draft]:
        """Begin under the ID of this microsecond and queue ID.

        Whether an entry has that already is seen when it is published.

        Returns:
            The time in the ID, and the draft.

        Raises:
            FileExistsError: whatever ID it gets is taken.
        """
        tries = _TRIES
        while True:
            now = datetime.now(UTC)
            entry_id = new_id(now, self._new.message.queue_id)
            try:
                self._draft = Draft(directory, entry_id, metadata=self._new.metadata)
            except FileExistsError:
                tries -= 1
                if not tries:
                    raise
            else:
                return now, self._draft

    def _described_files(self, entry_id: str) -> dict[str, str]:
        files = {"ID": entry_id, "DATAFILE": str(self._path / entry_id)}
        if self._new.metadata:
            files["METAFILE"] = str(self._path / (entry_id + SUFFIX))
        return files
