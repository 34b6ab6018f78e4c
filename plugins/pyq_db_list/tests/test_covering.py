"""Whom a list covers, on every kind of database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import peewee
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyq_db_list.mail_list import DbList
from pyq_db_list.pool import Pool

from pyquarantine_core.errors import ListError
from pyquarantine_core.types import NewListEntry

from .servers import Database, MariaDb, SqliteFile

if TYPE_CHECKING:
    from .conftest import Open


def fill(database: Database, *rows: tuple[str, str], table: str = "allow") -> None:
    """Rows as another program writes them."""
    if rows:
        values = ", ".join(["(%s, %s, %s, %s, '', false)"] * len(rows))
        now = datetime.now()
        database.execute(
            "INSERT INTO " + table + " (mailfrom, recipient, created, last_used, comment, "
            f"permanent) VALUES {values}",
            [value for row in rows for value in (*row, now, now)],
        )


def add(found: DbList, sender: str, recipient: str = "") -> None:
    found.add(NewListEntry(sender=sender, recipient=recipient))


def pairs(found: DbList, sender: str, recipient: str) -> list[tuple[str, str]]:
    return [(one.sender, one.recipient) for one in found.covering(sender, recipient)]


@pytest.mark.parametrize(
    ("entry", "covered", "others"),
    [
        ("bob@example.org", ["bob@example.org", "BOB@Example.Org"],
         ["rob@example.org", "bob@mail.example.org", "bob@example.orgs", "", "bob"]),
        ("@example.org", ["bob@example.org", "x@EXAMPLE.org"],
         ["bob@mail.example.org", "bob@badexample.org", ""]),
        (".example.org", ["bob@example.org", "bob@a.b.example.org"],
         ["bob@badexample.org", "bob@org", ""]),
        ("", ["bob@example.org", "bob", ""], []),
    ],
)  # fmt: skip
def test_an_entry_covers_what_it_says_on_either_side(
    entry: str, covered: list[str], others: list[str], database: Database, open_list: Open
) -> None:
    senders = open_list(database)
    recipients = open_list(database, "recipients")
    add(senders, entry, "me@us.example")
    add(recipients, "you@them.example", entry)
    for address in covered:
        assert senders.covers(address, "me@us.example")
        assert recipients.covers("you@them.example", address)
        assert not senders.covers(address, "other@us.example")
    for address in others:
        assert not senders.covers(address, "me@us.example")
        assert not recipients.covers("you@them.example", address)


def test_rows_in_mixed_case_cover_any_case(database: Database, open_list: Open) -> None:
    found = open_list(database)
    fill(database, ("Bob@Example.ORG", "@Us.Example"))
    assert found.covers("bob@example.org", "me@us.example")
    assert found.covers("BOB@EXAMPLE.ORG", "ME@US.EXAMPLE")


def test_the_null_sender_is_covered_by_entries_for_anyone_alone(
    database: Database, open_list: Open
) -> None:
    found = open_list(database)
    add(found, ".org", "me@us.example")
    assert not found.covers("", "me@us.example")
    add(found, "", "me@us.example")
    assert found.covers("", "me@us.example")


def test_the_most_specific_entry_is_first_the_sender_before_the_recipient(
    database: Database, open_list: Open
) -> None:
    found = open_list(database)
    specific = [
        ("bob@a.example.org", "me@us.example"),
        ("bob@a.example.org", ""),
        ("@a.example.org", ".us.example"),
        ("@a.example.org", ".example"),
        (".a.example.org", ""),
        (".example.org", "me@us.example"),
        ("", "@us.example"),
        ("", ""),
    ]
    for pair in reversed(specific):
        add(found, *pair)
    assert pairs(found, "bob@a.example.org", "me@us.example") == specific


@pytest.mark.parametrize(
    "hostile",
    [
        "' OR '1'='1",
        "x') OR 1=1 --@example.org",
        '"; DROP TABLE allow; --"@example.org',
        "%@example.org",
        "_ob@example.org",
        "bob@example.org\\",
        "b%s@example.org",
        "\udcff@example.org",
        "b\0b@example.org",
        "😀@example.org",
        "bób@example.org",
        "bob @example.org",
        "x" * 5000 + "@example.org",
    ],
)
def test_no_address_breaks_out_of_the_query_or_makes_it_fail(
    hostile: str, database: Database, open_list: Open
) -> None:
    found = open_list(database)
    add(found, "bob@example.org", "me@us.example")
    assert not found.covers(hostile, "me@us.example")
    assert not found.covers("bob@example.org", hostile)
    assert found.covers("bob@example.org", "me@us.example")


@pytest.mark.databases
@pytest.mark.parametrize("charset", ["latin1", "utf8mb3", "utf8mb4"])
@pytest.mark.parametrize("collation", ["general_ci", "bin"])
def test_tables_of_mysql_have_any_charset_and_collation(
    charset: str, collation: str, mariadb: MariaDb, open_list: Open
) -> None:
    table = f"t_{charset}_{collation}_{uuid.uuid4().hex[:6]}"
    open_list(mariadb, table)
    mariadb.execute(f"ALTER TABLE {table} CONVERT TO CHARACTER SET {charset} "
                    f"COLLATE {charset}_{collation}")  # fmt: skip
    found = open_list(mariadb, table)
    fill(mariadb, ("Bob@Example.ORG", ""), table=table)
    assert found.covers("bob@example.org", "me@us.example")
    for address in ("😀@example.net", "bób@example.net", "Łuk@example.net"):
        assert not found.covers(address, "me@us.example")
    if charset == "utf8mb4":
        add(found, "Łuk@example.net")
        assert found.covers("łuk@example.net", "me@us.example")
    else:
        with pytest.raises(ListError, match=f"'{table}' takes ASCII only"):
            add(found, "Łuk@example.net")


LABELS = st.sampled_from(["a", "b", "A"])
DOMAINS = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
ADDRESSES = st.one_of(st.just(""), st.builds("{}@{}".format, LABELS, DOMAINS))
ENTRIES = st.one_of(ADDRESSES, DOMAINS.map("@{}".format), DOMAINS.map(".{}".format))


def means(entry: str, address: str) -> bool:
    """What an entry means, said as simply as can be."""
    entry, address = entry.lower(), address.lower()
    domain = address.partition("@")[2]
    if entry.startswith("@"):
        return bool(domain) and domain == entry[1:]
    if entry.startswith("."):
        return bool(domain) and f".{domain}".endswith(entry)
    return entry in ("", address)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqliteFile, DbList]]:
    file = SqliteFile(tmp_path_factory.mktemp("property") / "lists.db")
    found = DbList(Pool.of(file.url()), "allow")
    found.open()
    yield file, found
    found.close()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    entries=st.lists(st.tuples(ENTRIES, ENTRIES), max_size=6, unique=True),
    sender=ADDRESSES,
    recipient=ADDRESSES,
)
def test_it_covers_exactly_what_its_entries_mean(
    sqlite: tuple[SqliteFile, DbList],
    entries: list[tuple[str, str]],
    sender: str,
    recipient: str,
) -> None:
    file, found = sqlite
    file.execute("DELETE FROM allow")
    fill(file, *entries)
    wanted = {one for one in entries if means(one[0], sender) and means(one[1], recipient)}
    assert set(pairs(found, sender, recipient)) == wanted
    assert found.covers(sender, recipient) == bool(wanted)


def test_a_look_up_is_one_query_that_an_index_serves(
    database: Database, open_list: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = open_list(database)
    fill(database, *((f"User{number}@example.org", "me@us.example") for number in range(5000)))
    fill(database, ("@example.org", ""))
    sent: list[tuple[str, tuple[str, ...]]] = []
    execute = peewee.Database.execute_sql

    def counted(self: peewee.Database, sql: str, params: tuple[str, ...] = ()) -> object:
        sent.append((sql, params))
        return execute(self, sql, params)  # type: ignore[no-untyped-call] # the stubs

    with monkeypatch.context() as patched:
        patched.setattr(peewee.Database, "execute_sql", counted)
        assert found.covers("user7@example.org", "me@us.example")
    ((sql, params),) = sent
    assert uses_index(database, sql, params)


def uses_index(database: Database, sql: str, params: tuple[str, ...]) -> bool:
    if isinstance(database, SqliteFile):
        plan = str(database.execute(f"EXPLAIN QUERY PLAN {sql}", params))
        return "USING INDEX" in plan and "SCAN" not in plan
    if isinstance(database, MariaDb):
        database.execute("ANALYZE TABLE allow")
        ((_, _, _, access, _, index, *_),) = database.execute(f"EXPLAIN {sql}", params)
        return access == "range" and index is not None
    database.execute("ANALYZE allow")
    plan = str(database.execute(f"EXPLAIN {sql}", params))
    return "Index Scan" in plan and "Seq Scan" not in plan


def test_lists_in_one_database_share_connections_and_no_table(
    database: Database, open_list: Open
) -> None:
    allow, block = open_list(database, "allow"), open_list(database, "block")
    add(allow, "bob@example.org")
    assert allow.covers("bob@example.org", "me@us.example")
    assert not block.covers("bob@example.org", "me@us.example")
    assert Pool.of(database.url()) is Pool.of(database.url())


def test_a_table_may_have_any_usual_name(database: Database, open_list: Open) -> None:
    for name in ("select", "my-list", "Ünï cöde", "a" * 63, "a" * 62):
        found = open_list(database, name)
        assert not found.covers("bob@example.org", "")
        add(found, f"{name[:3].strip()}x@example.org".replace(" ", ""))
        assert len(list(found.entries())) == 1
