"""A directory of messages as a storage."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Self

from pyq_file_storage.claim import FileClaim
from pyq_file_storage.directory import (
    Directory,
    explained,
    lock,
)
from pyq_file_storage.entries import (
    id_of_hidden,
    is_entry_id,
    read_entry,
    read_metadata,
)
from pyq_file_storage.finding import candidates
from pyq_file_storage.leftovers import hidden_leftovers, metadata_alone
from pyq_file_storage.metadata import BrokenMetadataError
from pyq_file_storage.storing import StoreInDirectory
from pyq_file_storage.unclear import unclear_entries
from pyquarantine_core.durable import NotPlainError, make_directory
from pyquarantine_core.errors import EntryNotFoundError, StorageError
from pyquarantine_core.types import (
    Claim,
    Entry,
    Fault,
    NewEntry,
    Options,
    Query,
    Services,
    Storage,
    StoreEffect,
)

logger = logging.getLogger(__name__)


class FileStorage(Storage):
    """Keeps each message in a file of its own. It has no state but its options.

    Args:
        path: of the directory, absolute.
        mode: permissions of new files.
    """

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        self._path = path
        self._mode = mode

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> Self:
        return cls(Path(options["directory"]), int(options["mode"], 8))

    def set_up(self) -> None:
        """Create the directory when it is missing, and move aside what a crash has left hidden.

        That takes one listing of the directory; nothing is read but what is moved.

        Raises:
            StorageError: it is not a directory, or nothing can be stored there.
        """
        with explained(f"cannot store in {self._path}"):
            make_directory(self._path)
            with Directory(self._path) as directory:
                if not directory.writable():
                    raise StorageError(f"cannot store in {self._path}: it is not writable")
                hidden = list(filter(id_of_hidden, directory.each_name()))
        for fault in hidden_leftovers(self._path, hidden):
            assert fault.mend is not None
            try:
                if fault.mend():
                    logger.warning("%s %s; %s", fault.name, fault.problem, fault.remedy)
            except StorageError as error:
                logger.warning("%s %s; %s", fault.name, fault.problem, error)

    def faults(self, *, metadata: bool) -> Iterator[Fault]:
        with self._directory() as directory, self._explained():
            names = directory.names()
        yield from hidden_leftovers(self._path, names)
        yield from metadata_alone(self._path, names)
        yield from unclear_entries(self._path, names, metadata=metadata)

    def stage(self, new: NewEntry) -> StoreEffect:
        return StoreInDirectory(self._path, self._mode, new)

    def entries(self) -> Iterator[Entry]:
        """All entries, oldest first; those that go meanwhile may be missing."""
        broken: list[str] = []
        with self._directory() as directory:
            with self._explained():
                names = sorted(filter(is_entry_id, directory.names()))
            for name in names:
                try:
                    with self._explained():
                        entry = read_entry(directory, name, broken)
                except EntryNotFoundError:
                    continue
                yield entry
        self._warn(broken)

    def find(
        self, query: Query, *, before: str | None = None, limit: int | None = None
    ) -> Iterator[Entry]:
        """The entries that match, newest first, in a large directory with the help of an index.

        It says which entries to read, so that what is found is always as it is on disk.
        """
        broken: list[str] = []
        with self._directory() as directory:
            names = candidates(directory, self._path, query, before)
            with closing(self._matching(directory, names, query, broken)) as matching:
                yield from islice(matching, limit)
        self._warn(broken)

    def _matching(
        self, directory: Directory, names: Generator[str], query: Query, broken: list[str]
    ) -> Generator[Entry]:
        with self._explained(), closing(names):
            for name in names:
                try:
                    entry = read_entry(directory, name, broken)
                except (FileNotFoundError, NotPlainError):
                    continue
                if query.matches(entry):
                    yield entry

    def get(self, entry_id: str) -> Entry:
        with self._directory() as directory:
            return self._entry(directory, entry_id)

    def open_message(self, entry_id: str) -> BinaryIO:
        with self._directory() as directory:
            return self._data(directory, entry_id)

    def metadata(self, entry_id: str) -> Mapping[str, Any]:
        """The metadata as stored, with the keys of the version that wrote it.

        Raises:
            StorageError: it is broken.
        """
        with self._directory() as directory:
            self._data(directory, entry_id).close()
            try:
                with self._explained():
                    return read_metadata(directory, entry_id)
            except BrokenMetadataError as error:
                raise StorageError(f"the metadata of {entry_id} is broken: {error}") from error

    @contextmanager
    def claim(self, entry_id: str) -> Iterator[Claim]:
        """Wait for sole use of an entry.

        Raises:
            EntryNotFoundError: there is none, or none any more after the wait.
        """
        with self._directory() as directory, self._data(directory, entry_id) as data:
            with self._explained(entry_id):
                if not lock(data.fileno(), wait=False):
                    logger.warning("something else is at work with %s; waiting for it", entry_id)
                    lock(data.fileno())
                if not directory.leads_to(entry_id, data.fileno()):
                    raise FileNotFoundError(entry_id)
            yield FileClaim(directory, data, self._entry(directory, entry_id))

    @contextmanager
    def _directory(self) -> Iterator[Directory]:
        with explained(f"cannot read from {self._path}"):
            try:
                directory = Directory(self._path)
            except FileNotFoundError as error:
                there_is_none = f"there is no {self._path}; the daemon makes it when it starts"
                raise StorageError(there_is_none) from error
        with directory:
            yield directory

    def _entry(self, directory: Directory, entry_id: str) -> Entry:
        broken: list[str] = []
        with self._explained(entry_id):
            if not is_entry_id(entry_id):
                raise FileNotFoundError(entry_id)
            entry = read_entry(directory, entry_id, broken)
        self._warn(broken)
        return entry

    def _data(self, directory: Directory, entry_id: str) -> BinaryIO:
        with self._explained(entry_id):
            if not is_entry_id(entry_id):
                raise FileNotFoundError(entry_id)
            return directory.open_file(entry_id)

    @contextmanager
    def _explained(self, entry_id: str = "") -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise EntryNotFoundError(f"{self._path} holds no entry {entry_id!r}") from error
        except NotPlainError as error:
            raise EntryNotFoundError(f"{entry_id!r} in {self._path} is not a plain file") from error
        except OSError as error:
            raise StorageError(f"cannot read from {self._path}: {error.strerror}") from error

    def _warn(self, broken: Sequence[str]) -> None:
        if broken:
            logger.warning(
                "%s: metadata of %d entries cannot be used: %s",
                self._path,
                len(broken),
                "; ".join(broken[:10]),
            )
