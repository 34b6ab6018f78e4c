"""Messages in a table of an SQLite database."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO, Self

from pyquarantine_core.errors import EntryNotFoundError, StorageError
from pyquarantine_core.types import Claim, Entry, NewEntry, Options, Services, Storage, StoreEffect

TABLE = """
CREATE TABLE IF NOT EXISTS entries (
    id TEXT PRIMARY KEY, seen INTEGER NOT NULL, stored_at TEXT NOT NULL,
    data BLOB NOT NULL, metadata TEXT NOT NULL
)
"""


class SqliteStorage(Storage):
    """A connection for each step; SQLite syncs a transaction to disk before it returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> Self:
        return cls(Path(options["file"]))

    def set_up(self) -> None:
        with self.transaction() as database:
            database.execute(TABLE)

    def stage(self, new: NewEntry) -> StoreEffect:
        return _Store(self, new)

    def entries(self) -> Iterator[Entry]:
        with self.transaction("BEGIN") as database:
            rows = database.execute("SELECT * FROM entries WHERE seen ORDER BY id").fetchall()
        return map(_entry, rows)

    def get(self, entry_id: str) -> Entry:
        with self.transaction("BEGIN") as database:
            return _entry(_row(database, entry_id))

    def open_message(self, entry_id: str) -> BinaryIO:
        with self.transaction("BEGIN") as database:
            return io.BytesIO(_row(database, entry_id)["data"])

    def metadata(self, entry_id: str) -> Mapping[str, Any]:
        with self.transaction("BEGIN") as database:
            return _metadata(_row(database, entry_id))

    @contextmanager
    def claim(self, entry_id: str) -> Iterator[Claim]:
        with self.transaction() as database:
            yield _SqliteClaim(database, _entry(_row(database, entry_id)))

    @contextmanager
    def transaction(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """The database, by default so that nobody else may write; what is done in it stays."""
        try:
            with closing(sqlite3.connect(self._path, 60, isolation_level=None)) as database:
                database.row_factory = sqlite3.Row
                database.execute(begin)
                try:
                    yield database
                finally:
                    database.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(f"{self._path}: {error}") from error


class _Store(StoreEffect):
    def __init__(self, storage: SqliteStorage, new: NewEntry) -> None:
        self._storage = storage
        self._new = new
        self._id = ""

    @property
    def variables(self) -> Mapping[str, str]:
        return self._new.named({"ID": self._id})

    def describe(self) -> str:
        return "store the message"

    def prepare(self) -> None:
        message, now = self._new.message, datetime.now(UTC)
        with self._storage.transaction() as database:
            (count,) = database.execute("SELECT coalesce(max(rowid), 0) FROM entries").fetchone()
            self._id = f"{count + 1:012}-{token_hex(4)}"
            kept = {
                "sender": message.sender,
                "recipients": self._new.recipients,
                "subject": message.subject,
                "queue_id": message.queue_id,
                "variables": {**message.variables, **self.variables},
                "quarantine": self._new.quarantine,
                "smtputf8": message.smtputf8,
            }
            data = b"".join(message.chunks(original=self._new.original))
            text = json.dumps(kept if self._new.metadata else {})
            database.execute(
                "INSERT INTO entries VALUES (?, 0, ?, ?, ?)",
                (self._id, str(now), data, text),
            )

    def commit(self) -> None:
        with self._storage.transaction() as database:
            done = database.execute("UPDATE entries SET seen = 1 WHERE id = ?", (self._id,))
            if not done.rowcount:
                raise StorageError("the message was not prepared")

    def undo(self) -> None:
        with self._storage.transaction() as database:
            database.execute("DELETE FROM entries WHERE id = ?", (self._id,))


class _SqliteClaim(Claim):
    def __init__(self, database: sqlite3.Connection, entry: Entry) -> None:
        self._database = database
        self.entry = entry

    def read(self) -> bytes:
        return bytes(_row(self._database, self.entry.id)["data"])

    def keep_only(self, recipients: tuple[str, ...], *, in_doubt: tuple[str, ...] = ()) -> None:
        if self.entry.recipients is None:
            raise StorageError(f"the recipients of {self.entry.id} are not known")
        if not recipients:
            self.delete()
            return
        row = _row(self._database, self.entry.id)
        left = {"recipients": recipients, "in_doubt": in_doubt}
        text = json.dumps({**_metadata(row), **left})
        self._database.execute(
            "UPDATE entries SET metadata = ? WHERE id = ?", (text, self.entry.id)
        )
        self.entry = _entry(_row(self._database, self.entry.id))

    def delete(self) -> None:
        self._database.execute("DELETE FROM entries WHERE id = ?", (self.entry.id,))


def _row(database: sqlite3.Connection, entry_id: str) -> sqlite3.Row:
    found = None
    if entry_id.isascii():
        query = "SELECT * FROM entries WHERE seen AND id = ?"
        found = database.execute(query, (entry_id,)).fetchone()
    if not isinstance(found, sqlite3.Row):
        raise EntryNotFoundError(f"there is no entry {entry_id!r}")
    return found


def _metadata(row: sqlite3.Row) -> dict[str, Any]:
    stored = json.loads(row["metadata"])
    assert isinstance(stored, dict)
    return stored


def _entry(row: sqlite3.Row) -> Entry:
    known = _metadata(row)
    for key in known.keys() & {"recipients", "in_doubt"}:
        known[key] = tuple(known[key])
    stored_at = datetime.fromisoformat(row["stored_at"])
    return Entry(id=row["id"], size=len(row["data"]), stored_at=stored_at, **known)
