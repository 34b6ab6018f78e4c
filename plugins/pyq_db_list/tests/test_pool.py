"""Connections: shared by threads and processes, healed, limited in time, silent about passwords."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from pyq_db_list import pool, url, watchdog
from pyq_db_list.mail_list import DbList
from pyq_db_list.pool import Pool

from pyquarantine_core.errors import ListError
from pyquarantine_core.types import NewListEntry

from .servers import PASSWORD, Database, PostgreSql, Server

if TYPE_CHECKING:
    from .conftest import Open

ENTRY = NewListEntry(sender="@example.org", recipient="")


def test_building_and_forking_opens_nothing(database: Database) -> None:
    assert not Pool.of(database.url())._idle
    found = DbList(Pool.of(database.url()), "allow")
    assert not found._pool._idle


def test_any_thread_may_go_on_where_another_was(database: Database, open_list: Open) -> None:
    found = open_list(database)
    found.add(ENTRY)
    for _ in range(3):
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(found.covers, "bob@example.org", "").result()
    assert len(found._pool._idle) == 1


def test_many_threads_share_a_limited_number_of_connections(
    database: Database, open_list: Open
) -> None:
    found = open_list(database)
    found.add(ENTRY)
    together = threading.Barrier(24)

    def ask(number: int) -> bool:
        together.wait()
        answers = {found.covers(f"user{number}@example.org", "") for _ in range(20)}
        return answers == {True}

    with ThreadPoolExecutor(24) as threads:
        assert all(threads.map(ask, range(24)))
    assert 1 <= len(found._pool._idle) <= pool.SIZE


def test_an_idle_connection_is_not_trusted_for_ever(
    database: Database, open_list: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = open_list(database)
    before = found._pool._idle[-1][1]
    assert not found.covers("bob@example.org", "")
    assert found._pool._idle[-1][1] is before
    monkeypatch.setattr(pool, "MAX_IDLE", 0.0)
    assert not found.covers("bob@example.org", "")
    assert found._pool._idle[-1][1] is not before


class TestServer:
    def test_after_its_restart_look_ups_go_on(self, server: Server, open_list: Open) -> None:
        found = open_list(server)
        found.add(ENTRY)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: found.covers("bob@example.org", ""), range(20)))
        server.stop()
        server.start()
        assert found.covers("bob@example.org", "")
        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(lambda _: found.covers("bob@example.org", ""), range(20)))

    def test_while_it_is_down_each_look_up_fails_at_once_and_says_why(
        self, server: Server, open_list: Open
    ) -> None:
        found = open_list(server)
        found.add(ENTRY)
        server.stop()
        try:
            started = time.monotonic()
            for _ in range(2):
                with pytest.raises(ListError, match=f"127.0.0.1:{server.port}/mail: .*efused"):
                    found.covers("bob@example.org", "")
            assert time.monotonic() - started < url.LIMIT
        finally:
            server.start()
        assert found.covers("bob@example.org", "")

    def test_one_that_stands_still_delays_a_message_for_seconds_not_for_ever(
        self, server: Server, open_list: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        patient = open_list(server)
        patient.add(ENTRY)
        monkeypatch.setattr(watchdog, "LIMIT", 2)
        options = {"connect_timeout": "2"}
        if not isinstance(server, PostgreSql):
            options["read_timeout"] = "2"
        impatient = open_list(server, **options)
        with server.frozen():
            started = time.monotonic()
            for _ in range(2):  # over the idle connection, then over a fresh one
                with pytest.raises(ListError):
                    impatient.covers("bob@example.org", "")
            assert time.monotonic() - started < 30
        assert patient.covers("bob@example.org", "")

    def test_a_statement_that_waits_too_long_is_given_up(
        self, server: Server, open_list: Open
    ) -> None:
        found = open_list(server)
        slow = "SELECT pg_sleep(60)" if isinstance(server, PostgreSql) else "SELECT SLEEP(60)"
        started = time.monotonic()
        with pytest.raises(ListError, match=r"timeout|timed out"):
            found._pool.run(
                lambda database: database.execute_sql(slow)  # type: ignore[no-untyped-call] # the stubs
            )
        assert url.LIMIT - 0.5 < time.monotonic() - started < 2 * url.LIMIT
        assert not found.covers("bob@example.org", "")

    def test_when_all_connections_are_busy_the_next_waits_and_then_fails(
        self, server: Server, open_list: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pool, "LIMIT", 0.2)
        found = open_list(server)
        held = [found._pool._slots.acquire() for _ in range(pool.SIZE)]
        with pytest.raises(ListError, match="all 8 connections are busy"):
            found.covers("bob@example.org", "")
        for _ in held:
            found._pool._slots.release()
        assert not found.covers("bob@example.org", "")


class TestPassword:
    def test_a_wrong_one_is_refused_without_being_shown(
        self, server: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        connection = server.url(password="wr0ng/secret")
        with pytest.raises(ListError, match=r"://filter@127.0.0.1:\d+/mail: ") as caught:
            DbList(Pool.of(connection), "allow").open()
        shown = "".join(traceback.format_exception(caught.value)) + caplog.text
        assert "wr0ng" not in shown.replace(connection, "")
        assert "secret" not in shown

    def test_the_right_one_is_in_no_log(
        self, server: Server, open_list: Open, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        found = open_list(server)
        found.add(ENTRY)
        assert found.covers("bob@example.org", "")
        assert caplog.text
        assert PASSWORD not in caplog.text
        assert server.url() not in caplog.text

    def test_an_option_that_the_driver_does_not_know_is_one_clear_error(
        self, server: Server, open_list: Open
    ) -> None:
        with pytest.raises(ListError, match="no_such_option") as caught:
            open_list(server, no_such_option="1", sslpassword="hidden1")
        assert PASSWORD not in str(caught.value)
        assert "hidden1" not in str(caught.value)
