"""Tables: made when missing, by one of many; those of pyquarantine 2.x are used as they are."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyq_db_list.mail_list import DbList
from pyq_db_list.pool import Pool

from pyquarantine_core.errors import ListError
from pyquarantine_core.types import ListEntry, NewListEntry

from .conftest import drop_tables
from .servers import Database, MariaDb, PostgreSql, Server, SqliteFile

if TYPE_CHECKING:
    from .conftest import AtOnce, Open

NOBODY = 65534
OLD_COLUMNS = """(
    "id" {id} PRIMARY KEY, "mailfrom" VARCHAR(255) NOT NULL, "recipient" VARCHAR(255) NOT NULL,
    "created" {time} NOT NULL, "last_used" {time} NOT NULL, "comment" TEXT NOT NULL,
    "permanent" {flag} NOT NULL)"""
OLD_TYPES = {
    SqliteFile: {"id": "INTEGER NOT NULL", "time": "DATETIME", "flag": "INTEGER"},
    PostgreSql: {"id": "SERIAL NOT NULL", "time": "TIMESTAMP", "flag": "BOOLEAN"},
    MariaDb: {"id": "INTEGER AUTO_INCREMENT NOT NULL", "time": "DATETIME", "flag": "BOOL"},
}
OLD_ROWS = [
    ("Bob@Example.ORG", "me@us.example", "added by CLI", False),
    ("@example.net", "", "", True),
    ("", "all@us.example", "ours", False),
]
THEN = datetime(2024, 5, 6, 7, 8, 9)


@pytest.fixture
def old(database: Database) -> Database:
    """A database with a table as 2.1.0 makes and fills it."""
    columns = OLD_COLUMNS.format(**OLD_TYPES[type(database)])
    index = '"databaselistmodel_allow_mailfrom_recipient" ON "allow" ("mailfrom", "recipient")'
    for statement in (f'CREATE TABLE "allow" {columns}', f"CREATE UNIQUE INDEX {index}"):
        is_mysql = isinstance(database, MariaDb)
        database.execute(statement.replace('"', "`") if is_mysql else statement)
    for sender, recipient, comment, permanent in OLD_ROWS:
        database.execute(
            "INSERT INTO allow (mailfrom, recipient, created, last_used, comment, permanent) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            [sender, recipient, THEN, THEN, comment, permanent],
        )
    return database


def test_a_table_of_2_x_is_read_as_it_is(old: Database, open_list: Open) -> None:
    found = open_list(old)
    then = THEN.astimezone()
    assert list(found.entries()) == [
        ListEntry(
            id=str(number),
            sender=sender,
            recipient=recipient,
            created=then,
            last_used=then,
            comment=comment,
            permanent=permanent,
        )
        for number, (sender, recipient, comment, permanent) in enumerate(OLD_ROWS, 1)
    ]
    assert found.covers("bob@example.org", "ME@us.example")
    assert found.covers("x@example.net", "x@us.example")
    assert found.covers("x@example.com", "all@us.example")
    assert not found.covers("x@mail.example.net", "x@us.example")


def test_a_table_of_2_x_takes_new_entries_and_gives_up_old_ones(
    old: Database, open_list: Open
) -> None:
    found = open_list(old)
    added = found.add(NewListEntry(sender=".example.com", recipient="", permanent=True))
    assert found.delete("2").sender == "@example.net"
    rows = old.execute("SELECT id, mailfrom, recipient, comment, permanent FROM allow ORDER BY id")
    assert [row[0] for row in rows] == [1, 3, int(added.id)]
    assert rows[-1][1:] == (".example.com", "", "", True)


def test_two_entries_for_the_same_pair_cannot_be(database: Database, open_list: Open) -> None:
    found = open_list(database)
    new = NewListEntry(sender="bob@example.org", recipient="")
    found.add(new)
    with pytest.raises(ListError, match=r"^there already is an entry for exactly these two$"):
        found.add(new)
    assert len(list(found.entries())) == 1


@pytest.mark.databases
def test_an_existing_table_needs_no_right_to_make_one(
    postgresql: Server, open_list: Open, caplog: pytest.LogCaptureFixture
) -> None:
    drop_tables(postgresql)
    open_list(postgresql).add(NewListEntry(sender="@example.org", recipient=""))
    postgresql.execute("DROP INDEX allow_41008373_folded")
    postgresql.execute("GRANT SELECT ON allow TO reader")
    found = open_list(postgresql, options="-c role=reader")
    assert "every look-up reads the whole table" in caplog.text
    assert found.covers("bob@example.org", "")
    with pytest.raises(ListError, match="permission denied for schema public"):
        open_list(postgresql, "missing", options="-c role=reader")


def test_a_table_that_is_none_of_ours_is_one_clear_error(
    database: Database, open_list: Open
) -> None:
    database.execute("CREATE TABLE allow (id INTEGER)")
    with pytest.raises(ListError, match="mailfrom"):
        open_list(database)


def test_many_workers_may_make_the_same_table_at_once(database: Database, at_once: AtOnce) -> None:
    workers = at_once(
        "found.open()\nassert not found.covers('bob@example.org', '')", *[[database.url()]] * 4
    )
    for worker in workers:
        _, errors = worker.communicate(timeout=60)
        assert (worker.returncode, errors) == (0, "")


class TestReadOnly:
    """As `explain` and the listing of entries open a list."""

    def test_a_table_of_2_x_is_read_and_gets_no_index(self, old: Database) -> None:
        found = closed_list(old)
        before = schema(old)
        found.open_read_only()
        assert found.covers("bob@example.org", "ME@us.example")
        assert not found.covers("bob@example.org", "you@us.example")
        assert len(list(found.entries())) == len(OLD_ROWS)
        found.close()
        assert schema(old) == before

    def test_what_is_missing_is_empty_and_not_made(self, database: Database) -> None:
        found = closed_list(database)
        found.open_read_only()
        assert not found.covers("bob@example.org", "me@us.example")
        assert list(found.entries()) == []
        found.close()
        if isinstance(database, SqliteFile):
            assert not database.path.exists()
        else:
            assert schema(database) == []

    def test_a_table_that_is_none_of_ours_is_one_clear_error(self, database: Database) -> None:
        database.execute("CREATE TABLE allow (id INTEGER)")
        found = closed_list(database)
        with pytest.raises(ListError, match="mailfrom"):
            found.open_read_only()


def closed_list(database: Database) -> DbList:
    return DbList(Pool.of(database.url()), "allow")


def schema(database: Database) -> list[tuple[str]]:
    """Names of tables and indexes."""
    if isinstance(database, SqliteFile):
        return database.execute("SELECT name FROM sqlite_master ORDER BY name")
    if isinstance(database, PostgreSql):
        return database.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
            "ORDER BY relname"
        )
    return database.execute(
        "SELECT DISTINCT CONCAT(table_name, ' ', index_name) FROM information_schema.statistics "
        "WHERE table_schema = database() ORDER BY 1"
    )


class TestSqliteFile:
    def test_it_is_made_and_belongs_to_the_owner_of_its_directory(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            if os.geteuid() == 0:
                os.chown(directory, NOBODY, NOBODY)
            file = SqliteFile(Path(directory) / "lists.db")
            found = DbList(Pool.of(file.url()), "allow")
            found.open()
            found.close()
            assert file.path.stat().st_uid == Path(directory).stat().st_uid

    def test_a_directory_that_is_missing_is_one_clear_error(
        self, tmp_path: Path, open_list: Open
    ) -> None:
        path = tmp_path / "none" / "lists.db"
        with pytest.raises(ListError) as caught:
            open_list(SqliteFile(path))
        assert str(caught.value) == (
            f"sqlite:///{path}: cannot be created: No such file or directory"
        )

    def test_one_that_is_no_database_is_one_clear_error(
        self, tmp_path: Path, open_list: Open
    ) -> None:
        (tmp_path / "lists.db").write_text("something else entirely" * 100)
        with pytest.raises(ListError, match="file is not a database"):
            open_list(SqliteFile(tmp_path / "lists.db"))

    def test_a_writer_does_not_make_readers_fail(self, tmp_path: Path, open_list: Open) -> None:
        file = SqliteFile(tmp_path / "lists.db")
        found = open_list(file)
        found.add(NewListEntry(sender="@example.org", recipient=""))
        with closing(sqlite3.connect(file.path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("DELETE FROM allow")
            assert found.covers("bob@example.org", "")
            writer.execute("COMMIT")
        assert not found.covers("bob@example.org", "")
