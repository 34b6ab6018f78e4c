"""The table of one list, with the columns that pyquarantine 2.x gave it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from peewee import (
    SQL,
    AutoField,
    BooleanField,
    CharField,
    Database,
    DateTimeField,
    Field,
    Function,
    IntegrityError,
    Model,
    ModelSelect,
    PeeweeException,
    SchemaManager,
    TextField,
    fn,
)

from pyq_db_list.pool import Pool
from pyquarantine_core.errors import ListError
from pyquarantine_core.types import ListEntry, NewListEntry

logger = logging.getLogger(__name__)

_BATCH = 500
"""IDs in one statement."""
_UNKNOWN = datetime(1970, 1, 1)


class _Row(Model):
    """A row. Times are the machine's local time without a zone, as 2.x has them."""

    id = AutoField()
    mailfrom = CharField()
    recipient = CharField()
    created = DateTimeField()
    last_used = DateTimeField()
    comment = TextField()
    permanent = BooleanField()


class Table:
    """One table. It is reached through the pool; nothing here belongs to a thread."""

    def __init__(self, pool: Pool, name: str) -> None:
        class Row(_Row):
            class Meta:
                table_name = name
                constraints = (SQL("UNIQUE (mailfrom, recipient)"),)
                table_settings = ("CHARACTER SET utf8mb4",) if pool.url.is_mysql else ()

        self._pool = pool
        self._name = name
        self._row: type[_Row] = Row
        self._is_missing = False
        self._ignores_case = False
        self._only_ascii = False
        self._statements: dict[tuple[int, int], str] = {}

    def open(self) -> None:
        """Make what is missing: the table, and an index in which case does not count.

        Raises:
            ListError: there is no such table, and it cannot be made.
        """
        self._pool.url.create_file()
        self._pool.run(self._make_table)
        self._pool.run(self._learn_collation)
        self._pool.run(self._make_index)

    def open_read_only(self) -> None:
        """Make nothing: what is missing counts as a table without rows.

        Raises:
            ListError: there is such a table, but it cannot be read.
        """
        file = self._pool.url.file
        self._is_missing = file is not None and not file.exists()
        if not self._is_missing:
            self._pool.run(self._look)
            self._pool.run(self._learn_collation)

    def matching(self, senders: Collection[str], recipients: Collection[str]) -> list[ListEntry]:
        """The entries with one of these senders and one of these recipients, by one query.

        Args:
            senders: in lower case; the entries may have any.
            recipients: likewise.
        """
        wanted = self._held(senders), self._held(recipients)

        def find(database: Database) -> list[ListEntry]:
            key = len(wanted[0]), len(wanted[1])
            if key not in self._statements:
                self._statements[key] = self._statement(database, *wanted)
            query = self._row.raw(self._statements[key], *wanted[0], *wanted[1])
            return [_entry(row) for row in query.execute(database)]

        found = [] if self._is_missing else self._pool.run(find)
        return [  # MySQL finds more: to it, é is e
            one
            for one in found
            if one.sender.lower() in senders and one.recipient.lower() in recipients
        ]

    def _statement(
        self, database: Database, senders: Sequence[str], recipients: Sequence[str]
    ) -> str:
        """A look-up for so many senders and recipients as SQL, which takes long to be written."""
        query = self._row.select().where(
            self._folded(self._row.mailfrom).in_(senders)
            & self._folded(self._row.recipient).in_(recipients)
        )
        context = database.get_sql_context()
        return str(context.sql(query).query()[0])  # type: ignore[no-untyped-call] # the stubs

    def all(self) -> Iterator[ListEntry]:
        """All entries, oldest first."""
        query = self._row.select().order_by(self._row.id)
        yield from self._found(query)

    def get(self, row_id: int) -> ListEntry | None:
        """One entry."""
        query = self._row.select().where(self._row.id == row_id)
        found = self._found(query)
        return found[0] if found else None

    def insert(self, new: NewListEntry) -> ListEntry:
        """Add an entry.

        Raises:
            ListError: there is one for exactly these two, or the table cannot hold it.
        """
        if not (new.sender + new.recipient).isascii() and self._only_ascii:
            raise ListError(f"{self._name!r} takes ASCII only: its character set is not utf8mb4")
        now = datetime.now()
        query = self._row.insert(
            mailfrom=new.sender,
            recipient=new.recipient,
            created=now,
            last_used=now,
            comment=new.comment,
            permanent=new.permanent,
        )

        def insert(database: Database) -> int:
            try:
                return int(query.execute(database))
            except IntegrityError:
                raise ListError("there already is an entry for exactly these two") from None

        added = self.get(self._pool.run(insert))
        assert added is not None
        return added

    def delete(self, row_id: int) -> bool:
        """Remove an entry; returns whether there was one."""
        query = self._row.delete().where(self._row.id == row_id)
        return bool(self._pool.run(query.execute))

    def used(self, row_ids: Sequence[int]) -> None:
        """Note that these entries were used just now."""
        now = datetime.now()
        for start in range(0, len(row_ids), _BATCH):
            query = self._row.update(last_used=now).where(
                self._row.id.in_(row_ids[start : start + _BATCH])
            )
            self._pool.run(query.execute)

    def _found(self, query: ModelSelect[_Row]) -> list[ListEntry]:
        if self._is_missing:
            return []
        return self._pool.run(lambda database: [_entry(row) for row in query.execute(database)])

    def _look(self, database: Database) -> None:
        try:
            self._row.select().limit(0).execute(database)
        except PeeweeException:
            if database.table_exists(self._name):
                raise
            self._is_missing = True

    def _make_table(self, database: Database) -> None:
        columns = self._row.select().limit(0)
        try:
            columns.execute(database)
        except PeeweeException:
            failure = None
            try:
                SchemaManager(self._row, database=database).create_table(safe=True)
            except PeeweeException as error:  # another worker was quicker, or it is not allowed
                failure = error
            try:
                columns.execute(database)
            except PeeweeException as error:
                raise failure or error from None

    def _learn_collation(self, database: Database) -> None:
        if self._pool.url.is_mysql:
            collation = _collation(database, self._name)
            self._ignores_case = collation.endswith("_ci")
            self._only_ascii = not collation.startswith("utf8mb4_")

    def _make_index(self, database: Database) -> None:
        """An index that finds entries in any case; MySQL's columns usually ignore it themselves."""
        if self._pool.url.is_mysql:
            return
        name = f"{self._name[:40]}_{hashlib.sha256(self._name.encode()).hexdigest()[:8]}_folded"

        def is_there() -> bool:
            return name in (index.name for index in database.get_indexes(self._name))

        try:
            if is_there():
                return
            database.execute_sql(  # type: ignore[no-untyped-call] # the stubs leave it untyped
                f'CREATE INDEX IF NOT EXISTS "{name}" ON "{self._name}" '
                "(lower(mailfrom), lower(recipient))"
            )
        except PeeweeException as error:
            with suppress(PeeweeException):
                if is_there():  # another worker was quicker: IF NOT EXISTS does not wait for it
                    return
            logger.warning("%s; every look-up reads the whole table", self._pool.url.failure(error))

    def _held(self, entries: Collection[str]) -> list[str]:
        """Those the columns can hold: MySQL refuses to compare with anything else."""
        return [one for one in entries if one.isascii() or not self._only_ascii]

    def _folded(self, column: Field[str]) -> Field[str] | Function:
        return column if self._ignores_case else fn.LOWER(column)


def _collation(database: Database, table: str) -> str:
    """How MySQL compares the senders of a table."""
    found = database.execute_sql(  # type: ignore[no-untyped-call] # the stubs leave it untyped
        "SELECT collation_name FROM information_schema.columns WHERE table_schema = DATABASE() "
        "AND table_name = %s AND column_name = 'mailfrom'",
        (table,),
    ).fetchone()
    return str(found[0]) if found else ""


def _entry(row: _Row) -> ListEntry:
    return ListEntry(
        id=str(row.id),
        sender=row.mailfrom,
        recipient=row.recipient,
        created=_moment(row.created),
        last_used=_moment(row.last_used),
        comment=row.comment,
        permanent=row.permanent,
    )


def _moment(value: object) -> datetime:
    """With the machine's time zone; 1970 when the column holds no time."""
    return (value if isinstance(value, datetime) else _UNKNOWN).astimezone()
