"""Lists: the allowlist of a quarantine and the `list` condition, on a real table."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from .conftest import Admin, DaemonFactory
from .test_recipients import SPAM, config

SENDER = "a@example.net"
THREE = ["u1@example.org", "U2@Example.ORG", "u3@example.org"]

Send = Callable[[str], bool]


def with_list(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    connection = f"sqlite:///{path}/lists.db"
    return {**config, "lists": {"allow": {"type": "db", "connection": connection, "table": "a"}}}


@pytest.fixture
def through_postfix(
    start_daemon: DaemonFactory, throwaway_postfix: PostfixFactory, tmp_path: Path
) -> Callable[[dict[str, Any]], Send]:
    """Starts the daemon behind Postfix; returns what sends SPAM to three and waits."""

    def start(config: dict[str, Any]) -> Send:
        postfix = throwaway_postfix(start_daemon(with_list(tmp_path, config)).address)

        def send(sender: str) -> bool:
            sent = submit(postfix.port, sender, THREE, SPAM)
            postfix.wait_until_idle()
            return sent.accepted

        return send

    return start


def test_an_entry_works_from_the_next_message_on_and_no_longer_when_deleted(
    through_postfix: Callable[[dict[str, Any]], Send],
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    send = through_postfix(
        config(tmp_path, smtp_sink.port, milter_action="REJECT", allowlist="allow")
    )
    assert not send(SENDER)
    admin.out("list", "allow", "add", "-f", SENDER)
    assert send(f"prvs=4567abcdef={SENDER}")
    assert sorted(to for one in smtp_sink.received for to in one.recipients) == sorted(THREE)
    admin.out("list", "allow", "delete", "1")
    assert not send(SENDER)
    assert len(admin.held("hold")) == 2


def test_the_list_condition_needs_an_entry_for_every_recipient(
    through_postfix: Callable[[dict[str, Any]], Send],
    smtp_sink: SmtpSink,
    admin: Admin,
) -> None:
    action = {"name": "mark", "type": "add_header", "options": {"field": "X-Listed", "value": "y"}}
    rule = {"name": "listed", "conditions": {"list": "allow"}, "actions": [action]}
    send = through_postfix({"rules": [rule]})

    def listed() -> bool:
        assert send(SENDER)
        (marked,) = {b"X-Listed: y" in one.content for one in smtp_sink.received}
        return marked

    for number in (1, 2):
        admin.out("list", "allow", "add", "-f", SENDER, "-t", f"u{number}@example.org")
    assert not listed()
    smtp_sink.clear()
    admin.out("list", "allow", "add", "-f", SENDER, "-t", "u3@example.org")
    assert listed()


def test_an_allowlist_that_cannot_be_asked_defers_the_mail_and_says_why(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> None:
    settings = config(tmp_path, smtp_sink.port, milter_action="DISCARD", allowlist="allow")
    daemon = start_daemon(with_list(tmp_path, settings))
    postfix = throwaway_postfix(daemon.address)
    with closing(sqlite3.connect(tmp_path / "lists.db")) as database:
        database.execute("DROP TABLE a")
    sent = submit(postfix.port, SENDER, THREE, SPAM)
    assert str(sent.final).startswith("4")
    line = daemon.wait_for_log("no such table")
    assert "all/hold" in line
    assert f"sqlite:///{tmp_path}/lists.db" in line


def test_used_entries_are_noted_when_the_daemon_ends(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
    admin: Admin,
) -> None:
    settings = config(tmp_path, smtp_sink.port, milter_action="DISCARD", allowlist="allow")
    daemon = start_daemon(with_list(tmp_path, settings))
    admin.out("list", "allow", "add", "-f", SENDER)
    long_ago = "2024-05-06 07:08:09"
    with closing(sqlite3.connect(tmp_path / "lists.db")) as database, database:
        database.execute("UPDATE a SET last_used = ?", [long_ago])
    submit(throwaway_postfix(daemon.address).port, SENDER, THREE, SPAM)
    assert daemon.stop() == 0
    with closing(sqlite3.connect(tmp_path / "lists.db")) as database:
        ((last_used,),) = database.execute("SELECT last_used FROM a")
    assert last_used > long_ago
