"""What the storage does: a message and what is known of it, in one JSON file."""

from __future__ import annotations

import fcntl
import json
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO, Self

from pyquarantine_core.errors import EntryNotFoundError, StorageError
from pyquarantine_core.types import (
    Claim,
    Entry,
    NewEntry,
    Options,
    Services,
    Storage,
    StoreEffect,
)

_ID = re.compile(r"\d{20}_[0-9a-f]{8}")
"""The time (UTC, to the microsecond), so that IDs sort by it, and something random."""


class JsonStorage(Storage):
    """Keeps each message in a file `ID.json`; what is under way ends in `.tmp`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> Self:
        """From the options in the config: checked by the schema, with its defaults."""
        return cls(Path(options["directory"]))

    def set_up(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def stage(self, new: NewEntry) -> StoreEffect:
        return _StoreJson(self._directory, new)

    def entries(self) -> Iterator[Entry]:
        """All entries, oldest first; those that go meanwhile may be missing."""
        for entry_id in sorted(file.stem for file in self._directory.glob("*.json")):
            try:
                yield self.get(entry_id)
            except EntryNotFoundError:
                continue

    def get(self, entry_id: str) -> Entry:
        stored = self._read(entry_id)
        known = stored["metadata"]
        recipients = known.get("recipients")
        return Entry(
            id=entry_id,
            size=len(b64decode(stored["message"])),
            stored_at=datetime.fromisoformat(stored["stored_at"]),
            sender=known.get("sender"),
            recipients=None if recipients is None else tuple(recipients),
            subject=known.get("subject", ""),
            queue_id=known.get("queue_id", ""),
            variables=known.get("variables", {}),
            quarantine=known.get("quarantine"),
            smtputf8=known.get("smtputf8", False),
            in_doubt=tuple(known.get("in_doubt", ())),
        )

    def open_message(self, entry_id: str) -> BinaryIO:
        return BytesIO(b64decode(self._read(entry_id)["message"]))

    def metadata(self, entry_id: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._read(entry_id)["metadata"]
        return found

    @contextmanager
    def claim(self, entry_id: str) -> Iterator[Claim]:
        """Wait for sole use of an entry: a lock on its file, which a change replaces."""
        with ExitStack() as locked:
            while True:
                file = locked.enter_context(self._open(entry_id))
                fcntl.flock(file, fcntl.LOCK_EX)
                with self._open(entry_id) as current:
                    if os.path.sameopenfile(file.fileno(), current.fileno()):
                        break
            yield _JsonClaim(self, self._path(entry_id), self.get(entry_id), locked)

    def _path(self, entry_id: str) -> Path:
        if not _ID.fullmatch(entry_id):
            raise EntryNotFoundError(f"{self._directory} holds no entry {entry_id!r}")
        return self._directory / f"{entry_id}.json"

    def _open(self, entry_id: str) -> BinaryIO:
        try:
            return self._path(entry_id).open("rb")
        except FileNotFoundError as error:
            raise EntryNotFoundError(f"{self._directory} holds no entry {entry_id!r}") from error

    def _read(self, entry_id: str) -> dict[str, Any]:
        with self._open(entry_id) as file:
            try:
                stored: dict[str, Any] = json.load(file)
            except ValueError as error:
                raise StorageError(f"{file.name} is broken: {error}") from error
        return stored


class _StoreJson(StoreEffect):
    """A message on its way into the directory."""

    def __init__(self, directory: Path, new: NewEntry) -> None:
        now = datetime.now(UTC)
        entry_id = f"{now:%Y%m%d%H%M%S%f}_{token_hex(4)}"
        self._stored_at = now.isoformat()
        self._path = directory / f"{entry_id}.json"
        self._new = new
        self._variables = new.named({"ID": entry_id, "DATAFILE": str(self._path)})

    def describe(self) -> str:
        return f"store the message in {self._path.parent}"

    @property
    def variables(self) -> Mapping[str, str]:
        return self._variables

    def prepare(self) -> None:
        """Write it under a name that is no entry's, durably."""
        message = b"".join(self._new.message.chunks(original=self._new.original))
        stored = {
            "stored_at": self._stored_at,
            "metadata": self._described() if self._new.metadata else {},
            "message": b64encode(message).decode(),
        }
        _write(_temporary(self._path), stored)

    def commit(self) -> None:
        """Make it an entry, durably."""
        try:
            _temporary(self._path).rename(self._path)
        except FileNotFoundError:
            raise StorageError(f"{self._path.name} was not prepared") from None
        _sync(self._path.parent)

    def undo(self) -> None:
        for file in (self._path, _temporary(self._path)):
            file.unlink(missing_ok=True)
        _sync(self._path.parent)

    def _described(self) -> dict[str, Any]:
        message = self._new.message
        return {
            "sender": message.sender,
            "recipients": self._new.recipients,
            "subject": message.subject,
            "queue_id": message.queue_id,
            "variables": message.variables | self._variables,
            "quarantine": self._new.quarantine,
            "smtputf8": message.smtputf8,
        }


class _JsonClaim(Claim):
    """Sole use of an entry, as long as the files in `locked` are open."""

    def __init__(self, storage: JsonStorage, path: Path, entry: Entry, locked: ExitStack) -> None:
        self.entry = entry
        self._storage = storage
        self._path = path
        self._locked = locked

    def read(self) -> bytes:
        with self._storage.open_message(self.entry.id) as file:
            return file.read()

    def keep_only(self, recipients: tuple[str, ...], *, in_doubt: tuple[str, ...] = ()) -> None:
        if not recipients:
            self.delete()
            return
        if self.entry.recipients is None:
            raise StorageError(f"the recipients of {self.entry.id} are not known")
        stored = json.loads(self._path.read_bytes())
        stored["metadata"] |= {"recipients": recipients, "in_doubt": in_doubt}
        changed = _temporary(self._path)
        changed.unlink(missing_ok=True)  # of a command that was killed
        _write(changed, stored)
        owner = self._path.stat()
        os.chown(changed, owner.st_uid, owner.st_gid)  # root may be at work for the daemon
        fcntl.flock(self._locked.enter_context(changed.open("rb")), fcntl.LOCK_EX)
        changed.replace(self._path)
        _sync(self._path.parent)
        self.entry = replace(self.entry, recipients=recipients, in_doubt=in_doubt)

    def delete(self) -> None:
        self._path.unlink()
        _sync(self._path.parent)


def _temporary(path: Path) -> Path:
    return path.with_suffix(".tmp")


def _write(path: Path, stored: Mapping[str, Any]) -> None:
    path.touch(mode=0o600, exist_ok=False)
    with path.open("w", encoding="ascii") as file:
        json.dump(stored, file)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    """What was renamed or removed in it survives a crash."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
