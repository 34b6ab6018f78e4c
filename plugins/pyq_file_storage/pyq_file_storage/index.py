"""The index of a directory: an SQLite database with what can be searched for of each entry.

It is a cache and never the truth: what it names is read from the entry's files before anybody sees
it. It may name too much, and be thrown away at any time. `upkeep` sees that nothing is missing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from pyq_file_storage.directory import Directory
from pyq_file_storage.entries import is_entry_id
from pyq_file_storage.journal import INDEX, JOURNAL, Columns, NoIndexError
from pyq_file_storage.owner import rights_of
from pyquarantine_core.durable import NotPlainError
from pyquarantine_core.types import Query

DATABASE = "index.sqlite"
APPLICATION, VERSION = 0x70797169, 1
"""PRAGMA application_id and user_version, so that no other database is taken for it."""
WAIT = 5.0
"""Seconds for another command to be done with it."""
PAGE = 500
"""Entries that are looked up at once; nothing is locked while they are shown."""

_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_TABLES = (
    # In the order of IDs. Texts are folded; each recipient stands on a line of its own.
    """CREATE TABLE entries (
        id BLOB PRIMARY KEY, unread INTEGER NOT NULL DEFAULT 1,
        stored_at REAL, sender TEXT, recipients TEXT, quarantine TEXT
    ) WITHOUT ROWID""",
    "CREATE INDEX unread ON entries (id) WHERE unread",
    """CREATE TABLE state (
        inode INTEGER NOT NULL, boot TEXT NOT NULL, compared REAL NOT NULL,
        touched INTEGER NOT NULL, explained INTEGER NOT NULL,
        position INTEGER NOT NULL, last_line BLOB NOT NULL
    )""",
    "INSERT INTO state VALUES (0, '', 0, 0, 0, 0, x'')",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)


@dataclass
class State:
    """How far the index is with its directory.

    Attributes:
        inode: of the directory; a copy has another.
        boot: of the machine, when names were compared.
        compared: when they were (time.time).
        touched: the time of change of the directory's inode then, in nanoseconds.
        explained: the time of modification of the directory, in nanoseconds, up to which all
            changes are in the index; 0 when some are missing.
        position: up to where the journal has been read.
        last_line: the line before that, by which the journal is known again.
    """

    inode: int
    boot: str
    compared: float
    touched: int
    explained: int
    position: int
    last_line: bytes


class Index:
    """An index that is open, and made if it is missing; a context manager.

    Args:
        directory: that it is of.
        path: of that directory.

    Attributes:
        files: the subdirectory with index and journal.

    Raises:
        NoIndexError: from every method: it cannot be used.
    """

    def __init__(self, directory: Directory, path: Path) -> None:
        self.directory = directory
        self._path = path / INDEX / DATABASE
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        with self.usable():
            self.files = self.directory.subdirectory(INDEX)
        try:
            with self.usable():
                self._check_owner()
                self.files.share()  # it is not thrown away as long as somebody uses it
                self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._database is not None:
            with rights_of(self.files.opened):
                self._database.close()
        self.files.close()

    @contextmanager
    def usable(self) -> Iterator[None]:
        """Turn what SQLite or the system says into `NoIndexError`; throw a broken index away."""
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN:
                self._throw_away()
            raise NoIndexError(str(error)) from error
        except OSError as error:
            raise NoIndexError(error.strerror or str(error)) from error

    @contextmanager
    def changing(self) -> Iterator[State]:
        """Change it in one step, alone among all commands; the state is written in the end."""
        with self.usable():
            self._execute("BEGIN IMMEDIATE")
            try:
                state = self.state()
                before = astuple(state)
                yield state
                if (after := astuple(state)) != before:
                    self._execute("DELETE FROM state")
                    self._execute("INSERT INTO state VALUES (?, ?, ?, ?, ?, ?, ?)", *after)
                self._execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._execute("ROLLBACK")
                raise

    def state(self) -> State:
        with self.usable():
            return State(*self._execute("SELECT * FROM state").fetchone())

    def find(self, query: Query, before: str | None) -> Iterator[str]:
        """The IDs of entries that match, and maybe of others, newest first.

        Args:
            query: which ones.
            before: only those below this ID; None: all.
        """
        where, values = _where(query)
        last = None if before is None else _key(before)
        while True:
            below = ["id < ?"] if last is not None else []
            # What another command has found to be changed meanwhile matches as far as we know.
            meant = [f"(unread OR ({' AND '.join(where)}))"] if where else []
            condition = " AND ".join([*below, *meant]) or "1"
            with self.usable():
                rows = self._execute(
                    f"SELECT id FROM entries WHERE {condition} ORDER BY id DESC LIMIT {PAGE}",  # noqa: S608 - made of words of ours
                    *([] if last is None else [last]),
                    *values,
                ).fetchall()
            yield from filter(is_entry_id, (os.fsdecode(key) for (key,) in rows))
            if len(rows) < PAGE:
                return
            last = rows[-1][0]

    def pages(self, *, without_envelope: bool = False) -> Iterator[list[str]]:
        """All IDs, some at a time.

        Args:
            without_envelope: only those that had no metadata when they were read, or broken ones.
        """
        condition = "sender IS NULL AND recipients IS NULL AND NOT unread"
        query = (
            f"SELECT id FROM entries WHERE id > ? AND {condition if without_envelope else '1'}"  # noqa: S608 - made of words of ours
            " ORDER BY id LIMIT 10000"
        )
        last = b""
        while rows := self._execute(query, last).fetchall():
            yield [os.fsdecode(key) for (key,) in rows]
            last = rows[-1][0]

    def count(self) -> int:
        (count,) = self._execute("SELECT count(*) FROM entries").fetchone()
        assert isinstance(count, int)
        return count

    def unread(self, limit: int) -> list[str]:
        """IDs of entries of which nothing else is known yet, newest first."""
        query = "SELECT id FROM entries WHERE unread ORDER BY id DESC LIMIT ?"
        return [os.fsdecode(key) for (key,) in self._execute(query, limit)]

    def add(self, ids: Iterable[str]) -> None:
        """Add entries, unread; those it has already stay as they are."""
        self._for_each("INSERT OR IGNORE INTO entries (id) VALUES (?)", ids)

    def forget(self, ids: Iterable[str]) -> None:
        """Let entries be unread again, or for the first time."""
        self._for_each("INSERT OR REPLACE INTO entries (id) VALUES (?)", ids)

    def remove(self, ids: Iterable[str]) -> None:
        self._for_each("DELETE FROM entries WHERE id = ?", ids)

    def put(self, entries: Iterable[tuple[str, Columns]]) -> None:
        """Put entries in the place of what was known of them."""
        rows = [(_key(entry_id), *_folded_columns(known)) for entry_id, known in entries]
        self._execute_many("INSERT OR REPLACE INTO entries VALUES (?, 0, ?, ?, ?, ?)", rows)

    def renew_journal(self) -> None:
        """Put an empty journal in the place of the one that there is."""
        new = f"{JOURNAL}.new"
        self.files.remove(new)
        self.files.fill(self.files.create(new), [])
        self.files.replace(new, JOURNAL)

    @property
    def _connection(self) -> sqlite3.Connection:
        assert self._database is not None
        return self._database

    def _execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        with rights_of(self.files.opened):
            return self._connection.execute(statement, values)

    def _execute_many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with rights_of(self.files.opened):
            self._connection.executemany(statement, rows)

    def _for_each(self, statement: str, ids: Iterable[str]) -> None:
        self._execute_many(statement, [(_key(one),) for one in ids])

    def _check_owner(self) -> None:
        """Only who could do the same without us may say what SQLite does with our rights.

        A planted rollback journal makes it remove any file, as the "super-journal" that it names
        (https://www.sqlite.org/fileformat2.html, "The Rollback Journal").
        """
        status = self.files.opened
        if status.st_mode & 0o022 or os.geteuid() not in {0, status.st_uid}:
            raise NoIndexError(f"others may write to {INDEX}")

    def _open(self) -> None:
        for name in (DATABASE, JOURNAL):
            with suppress(FileExistsError):
                self.files.fill(self.files.create(name), [])
            if not self.files.is_plain(name) or self.files.stat(name).st_nlink > 1:
                raise NotPlainError(None, f"{name} is not a plain file of its own")
        # Commands iterate over what is found; nobody says on which thread.
        with rights_of(self.files.opened):
            self._database = sqlite3.connect(
                f"file:{quote(os.fsencode(self._path))}?mode=rw",
                uri=True,
                timeout=WAIT,
                isolation_level=None,
                check_same_thread=False,
            )
        self._execute("PRAGMA trusted_schema = OFF")
        self._execute("PRAGMA synchronous = NORMAL")
        self._execute("PRAGMA cache_size = -4096")
        if self._marks() == (0, 0):
            self._execute("BEGIN IMMEDIATE")
            if self._marks() == (0, 0):  # else another command was faster
                for statement in _TABLES:
                    self._execute(statement)
            self._execute("COMMIT")
        if self._marks() != (APPLICATION, VERSION):
            self._throw_away()
            raise NoIndexError("it is of another version")

    def _marks(self) -> tuple[int, int]:
        (application,) = self._execute("PRAGMA application_id").fetchone()
        (version,) = self._execute("PRAGMA user_version").fetchone()
        return application, version

    def _throw_away(self) -> None:
        """Remove it, unless another command uses it; the next one makes it anew."""
        with suppress(OSError):
            if self.files.lock():
                self.files.remove(DATABASE, f"{DATABASE}-journal")


def _key(entry_id: str) -> bytes:
    """What stands for an ID; SQLite sorts it as Python sorts IDs."""
    try:
        return os.fsencode(entry_id)
    except UnicodeEncodeError:  # no name is like this, but who asks for a page may say anything
        return entry_id.encode("utf-8", "surrogatepass")


def _folded_columns(known: Columns) -> tuple[float, str | None, str | None, str | None]:
    stored_at, sender, recipients, quarantine = known
    lines = None if recipients is None else "".join(f"\n{_folded(one)}" for one in recipients)
    return (
        stored_at,
        None if sender is None else _folded(sender),
        None if lines is None else f"{lines}\n",
        None if quarantine is None else _ascii(quarantine),
    )


def _where(query: Query) -> tuple[list[str], list[object]]:
    """What holds for all rows that match, and for few others."""
    where: list[str] = []
    values: list[object] = []
    if (limit := query.stored_until) is not None:
        where.append("stored_at <= ?")
        values.append(limit.timestamp() + 1)
    for column, patterns, around in (
        ("sender", query.senders, "%s"),
        ("recipients", query.recipients, "*\n%s\n*"),
    ):
        if patterns:
            where.append(f"({' OR '.join([f'{column} GLOB ?'] * len(patterns))})")
            values += [around % _glob(one) for one in patterns]
    if query.not_of:
        places = ", ".join("?" * len(query.not_of))
        where.append(f"(quarantine IS NULL OR quarantine NOT IN ({places}))")
        values += map(_ascii, sorted(query.not_of))
    return where, values


def _glob(pattern: str) -> str:
    """A pattern of SQLite's for all that this one matches: of wildcards it has `*` alone."""
    return _folded(pattern.partition("[")[0] + ("*" if "[" in pattern else "")).replace("?", "*")


def _folded(text: str) -> str:
    """A text for comparison regardless of case."""
    return _ascii(text.casefold())


def _ascii(text: str) -> str:
    """Without what SQLite cannot store (lone surrogates) or takes for the end (NUL)."""
    return text.encode("ascii", "backslashreplace").decode("ascii").replace("\0", "\\x00")
