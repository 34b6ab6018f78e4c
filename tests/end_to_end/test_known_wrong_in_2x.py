"""Faults of 2.x in what it did with held mail and its recipients, each the name of a test.

A test passes because the fault is gone.

What 2.x did to the messages themselves is in test_known_wrong_in_2x_messages.py.
"""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.mta import Mail, Verdict, send
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.sockets import refusing_port
from pyquarantine_core.testing.submit import submit

from .conftest import Admin, DaemonFactory
from .test_email_notifications import SPAM as SPAM_IN_HTML
from .test_email_notifications import by_recipient, settings, waiting
from .test_recipients import SPAM, SPELLINGS, config

SENDER = "a@example.net"
NOT_IN_ORDER = ("<u9@example.org>", "<u1@example.org>", "<u5@example.org>", "<u3@example.org>")


def lists(directory: Path, *names: str) -> dict[str, Any]:
    """Lists in one SQLite database, each in a table of its own name."""
    connection = f"sqlite:///{directory}/lists.db"
    return {name: {"type": "db", "connection": connection, "table": name} for name in names}


@pytest.mark.parametrize("action", ["DISCARD", "reject"])
def test_a_message_held_for_several_recipients_was_delivered_to_some_of_them(
    action: str,
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    daemon = start_daemon(config(tmp_path, smtp_sink.port, milter_action=action))
    postfix = throwaway_postfix(daemon.address)
    sent = submit(postfix.port, SENDER, SPELLINGS, SPAM)
    assert sent.accepted == (action == "DISCARD")
    postfix.wait_until_idle()
    assert smtp_sink.received == ()
    (entry,) = admin.held("hold")
    assert entry["recipients"] == ["u1@example.org", "U2@Example.ORG", "u3@example.org"]


@pytest.mark.parametrize("action", ["DISCARD", "REJECT"])
def test_a_message_held_for_some_was_delivered_to_those_in_another_spelling(
    action: str,
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    held = config(tmp_path, smtp_sink.port, milter_action=action, allowlist="allow")
    daemon = start_daemon(held | {"lists": lists(tmp_path, "allow")})
    admin.out("list", "allow", "add", "-f", "@Example.net", "-t", "keep@example.org")
    postfix = throwaway_postfix(daemon.address)
    spellings = [*SPELLINGS, "<u4@example.org.>", "<Keep@Example.org>", '<"u 5"@example.org>']
    assert submit(postfix.port, SENDER, spellings, SPAM).accepted
    postfix.wait_until_idle()
    assert [one.recipients for one in smtp_sink.received] == [("Keep@Example.org",)]
    (entry,) = admin.held("hold")
    assert len(entry["recipients"]) == 5


def test_milter_action_accept_took_the_recipients_away(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    mark = {"name": "mark", "type": "add_header", "options": {"field": "X-Went-On", "value": "y"}}
    daemon = start_daemon(config(tmp_path, smtp_sink.port, mark, milter_action="ACCEPT"))
    postfix = throwaway_postfix(daemon.address)
    submit(postfix.port, SENDER, SPELLINGS, SPAM)
    postfix.wait_until_idle()
    got = sorted(recipient for one in smtp_sink.received for recipient in one.recipients)
    assert got == ["U2@Example.ORG", "u1@example.org", "u3@example.org"]
    assert not any(b"X-Went-On" in one.content for one in smtp_sink.received)
    assert len(admin.held("hold")) == 1


def test_recipients_were_shuffled(
    start_daemon: DaemonFactory, smtp_sink: SmtpSink, admin: Admin, tmp_path: Path
) -> None:
    daemon = start_daemon(config(tmp_path, smtp_sink.port, milter_action="DISCARD"))
    send(daemon.address, Mail(SENDER, NOT_IN_ORDER, SPAM))
    (entry,) = admin.held("hold")
    assert entry["recipients"] == [one.strip("<>") for one in NOT_IN_ORDER]
    admin.out("quarantine", "hold", "release", entry["id"], "-a")
    assert smtp_sink.received[0].recipients == tuple(entry["recipients"])


def test_the_listing_showed_two_recipients_at_most(
    start_daemon: DaemonFactory, smtp_sink: SmtpSink, admin: Admin, tmp_path: Path
) -> None:
    daemon = start_daemon(config(tmp_path, smtp_sink.port, milter_action="DISCARD"))
    send(daemon.address, Mail(SENDER, NOT_IN_ORDER, SPAM))
    listing = admin.out("quarantine", "hold", "list").decode()
    for recipient in NOT_IN_ORDER:
        assert recipient.strip("<>") in listing


def test_a_release_for_one_recipient_could_go_to_all(
    start_daemon: DaemonFactory, smtp_sink: SmtpSink, admin: Admin, tmp_path: Path
) -> None:
    daemon = start_daemon(config(tmp_path, smtp_sink.port, milter_action="DISCARD"))
    send(daemon.address, Mail("<bounce@example.net>", tuple(SPELLINGS), SPAM))
    (entry,) = admin.held("hold")
    out = admin.out("quarantine", "hold", "release", entry["id"], "-t", "u2@example.org")
    assert out.decode().splitlines()[0] == f"released {entry['id']} to U2@Example.ORG"
    (released,) = smtp_sink.received
    assert released.recipients == ("U2@Example.ORG",)
    assert released.sender == "bounce@example.net"
    (left,) = admin.held("all/hold")
    assert left["recipients"] == ["u1@example.org", "u3@example.org"]


def test_two_lists_in_one_database_could_share_a_table(
    start_daemon: DaemonFactory, smtp_sink: SmtpSink, admin: Admin, tmp_path: Path
) -> None:
    held = config(tmp_path, smtp_sink.port, milter_action="DISCARD", allowlist="second")
    first_allows = {"list": "first"}
    mark = {"name": "mark", "type": "add_header", "options": {"field": "X-First", "value": "y"}}
    held["rules"].insert(0, {"name": "first", "conditions": first_allows, "actions": [mark]})
    daemon = start_daemon(held | {"lists": lists(tmp_path, "first", "second")})
    mail = Mail(SENDER, ("u1@example.org",), SPAM)
    admin.out("list", "first", "add", "-f", SENDER)
    assert json.loads(admin.out("list", "second", "list", "--json")) == []
    assert send(daemon.address, mail).verdict is Verdict.DISCARD
    admin.out("list", "first", "delete", "1")
    admin.out("list", "second", "add", "-f", SENDER)
    passed = send(daemon.address, mail).delivered
    assert passed is not None
    assert b"X-First" not in passed.content


def test_notifications_under_load_froze_the_daemon(
    start_daemon: DaemonFactory, smtp_sink: SmtpSink, admin: Admin, tmp_path: Path
) -> None:
    mails = [
        Mail("a@x.example", (f"u{number}@example.org",), SPAM_IN_HTML) for number in range(100)
    ]
    with refusing_port() as port, ThreadPoolExecutor(8) as pool:
        daemon = start_daemon(settings(tmp_path, port))
        results = pool.map(lambda mail: send(daemon.address, mail), mails)
        assert Counter(one.verdict for one in results) == {Verdict.DISCARD: 100}
        assert len(waiting(tmp_path)) == len(admin.held("hold")) == 100
        daemon.stop()
    start_daemon(settings(tmp_path, smtp_sink.port))
    told = by_recipient(smtp_sink, 100)
    assert sorted(told) == sorted(f"u{number}@example.org" for number in range(100))
