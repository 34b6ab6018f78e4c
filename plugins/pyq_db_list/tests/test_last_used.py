"""`last_used` is kept without a write for each message."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from pyq_db_list import last_used
from pyq_db_list.last_used import LastUsed
from pyq_db_list.mail_list import DbList

from pyquarantine_core.errors import ListError
from pyquarantine_core.types import NewListEntry

from .servers import Database

if TYPE_CHECKING:
    from .conftest import Open

LONG_AGO = datetime(2024, 5, 6, 7, 8, 9)


@pytest.fixture
def found(database: Database, open_list: Open) -> DbList:
    """A list whose entries were last used long ago."""
    found = open_list(database)
    for sender in ("bob@example.org", "@example.org", ""):
        found.add(NewListEntry(sender=sender, recipient=""))
    database.execute("UPDATE allow SET last_used = %s", [LONG_AGO])
    return found


def used(database: Database) -> list[bool]:
    """Of each entry, whether it was used within the last minutes."""
    rows = database.execute("SELECT last_used FROM allow ORDER BY id")
    limit = datetime.now() - timedelta(minutes=5)
    return [datetime.fromisoformat(str(row[0])) > limit for row in rows]


def test_nothing_is_written_while_messages_pass(found: DbList, database: Database) -> None:
    for _ in range(10):
        assert found.covers("bob@example.org", "me@us.example")
    assert used(database) == [False, False, False]


def test_on_closing_the_most_specific_entries_are_written(
    found: DbList, database: Database
) -> None:
    found.covers("bob@example.org", "me@us.example")
    found.close()
    assert used(database) == [True, False, False]
    found.covers("rob@example.org", "me@us.example")
    found.close()
    assert used(database) == [True, True, False]


def test_after_a_minute_they_are_written_together(
    found: DbList, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_used, "DELAY", 0.2)
    written = threading.Event()
    write = found._table.used
    batches = []

    def noted(ids: list[int]) -> None:
        batches.append(ids)
        write(ids)
        written.set()

    monkeypatch.setattr(found._last_used, "_write", noted)
    for sender in ("x@example.com", "bob@example.org", "bob@example.org"):
        assert found.covers(sender, "me@us.example")
    assert written.wait(10)
    assert batches == [[1, 3]]
    assert used(database) == [True, False, True]


def test_an_entry_used_within_the_hour_is_not_written_again(
    found: DbList, database: Database
) -> None:
    recently = datetime.now() - timedelta(minutes=30)
    database.execute("UPDATE allow SET last_used = %s", [recently])
    assert found.covers("bob@example.org", "me@us.example")
    found.close()
    assert used(database) == [False, False, False]


def test_looking_for_what_covers_an_entry_is_no_use(found: DbList, database: Database) -> None:
    assert found.covering("bob@example.org", "me@us.example")
    found.close()
    assert used(database) == [False, False, False]


def test_what_cannot_be_written_is_logged_and_noted_again_at_the_next_use(
    found: DbList, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[list[int]] = []

    def fail(ids: Sequence[int]) -> None:
        tried.append(list(ids))
        raise ListError("the disk is full")

    noting = LastUsed(fail)
    (entry, *_) = found.entries()
    for _ in range(2):
        noting.note(entry)
        noting.write()
    assert tried == [[1], [1]]
    assert "last_used of 1 entries is not written: the disk is full" in caplog.text
