"""Through a real sendmail: what is held is not delivered, and what fails comes again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.mail import crlf
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import SmtpReply, submit

from ..conftest import InstallPlugin
from .conftest import Admin, DaemonFactory, SendmailFactory
from .test_failures import PLUGIN
from .test_lists import with_list
from .test_recipients import SPAM, SPELLINGS, TAKE_OUT, config

pytestmark = pytest.mark.sendmail

HARD_SPELLINGS = [
    *SPELLINGS,
    "<u4@example.org.>",
    '<"u 5"@example.org>',
    '<"u6"@example.org>',
    r'<"u\7"@example.org>',
    "<u8%example.org@mta.example>",
    "<u9@[192.0.2.9]>",
    "u10@example.org",
    "<@a.example,@b.example:u11@EXAMPLE.org>",
    "<u12+tag@example.org>",
    "<u13@example.org> NOTIFY=NEVER",
]


def rule(*actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"rules": [{"name": "all", "actions": list(actions), **more}]}


def take_out(text: str) -> dict[str, Any]:
    return {"name": "out", "type": "take_out", "options": {"containing": text}}


@pytest.mark.parametrize("action", ["DISCARD", "REJECT"])
def test_none_of_the_recipients_gets_a_held_message(
    action: str,
    start_daemon: DaemonFactory,
    throwaway_sendmail: SendmailFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    options = {"milter_action": action, "reject_reason": "100% spam"}
    daemon = start_daemon(config(tmp_path, smtp_sink.port, **options))
    sendmail = throwaway_sendmail(daemon.address)
    sent = submit(sendmail.port, "a@example.net", HARD_SPELLINGS, SPAM)
    sendmail.wait_until_delivered()
    assert all(reply.ok for reply in sent.recipients)
    if action == "REJECT":
        assert str(sent.final) == "554 5.7.0 100% spam"
    else:
        assert sent.final.code == 250
    assert smtp_sink.received == ()
    (entry,) = admin.held("hold")
    assert len(entry["recipients"]) == len(HARD_SPELLINGS)
    assert entry["queue_id"]
    daemon.wait_for_log(f"{entry['queue_id']}: verdict={action.lower()}")


@pytest.mark.usefixtures("for_daemons")
def test_recipients_taken_out_one_by_one_do_not_get_it_and_the_others_do(
    start_daemon: DaemonFactory,
    throwaway_sendmail: SendmailFactory,
    smtp_sink: SmtpSink,
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("take_out", TAKE_OUT)
    sendmail = throwaway_sendmail(start_daemon(rule(take_out("u"))).address)
    everybody = [*HARD_SPELLINGS, "<Keep@example.org>"]
    assert submit(sendmail.port, "a@example.net", everybody, SPAM).accepted
    sendmail.wait_until_delivered()
    assert [one.recipients for one in smtp_sink.received] == [("Keep@example.org",)]


@pytest.mark.usefixtures("for_daemons")
@pytest.mark.parametrize(
    ("envelope", "delivered"),
    [
        (["list@mta.example", "other@example.org"], ["other@example.org"]),
        (["list@mta.example", "u1@example.org"], ["u1@example.org"]),
        (["u1@example.org", "list@mta.example"], ["u1@example.org"]),
        (["<list>", "u1@example.org"], ["u1@example.org"]),
        (["<@mta.example:list@mta.example>", "u1@example.org"], ["u1@example.org"]),
        (
            ["u1@example.org", "<LIST@MTA.example>", "u2@example.org"],
            ["u1@example.org", "u2@example.org"],
        ),
    ],
)
def test_whom_an_alias_leads_to_does_not_get_what_was_held_for_the_alias(
    envelope: list[str],
    delivered: list[str],
    start_daemon: DaemonFactory,
    throwaway_sendmail: SendmailFactory,
    smtp_sink: SmtpSink,
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("take_out", TAKE_OUT)
    daemon = start_daemon(rule(take_out("list")))
    sendmail = throwaway_sendmail(daemon.address, aliases="list: u1@example.org, u3@example.org\n")
    submit(sendmail.port, "a@example.net", envelope, SPAM)
    sendmail.wait_until_delivered()
    assert sorted(to for one in smtp_sink.received for to in one.recipients) == sorted(delivered)


@pytest.mark.usefixtures("for_daemons")
@pytest.mark.parametrize(
    ("envelope", "delivered"),
    [
        (["held@example.org", "u2@example.org"], [("u2@example.org",)]),
        (["held@example.org", "u1@example.org"], []),
        (["u1@example.org", "held@example.org"], []),
    ],
)
def test_addresses_that_virtusertable_makes_one_are_taken_out_together(
    envelope: list[str],
    delivered: list[tuple[str, ...]],
    start_daemon: DaemonFactory,
    throwaway_sendmail: SendmailFactory,
    smtp_sink: SmtpSink,
    install_plugin: InstallPlugin,
    tmp_path: Path,
) -> None:
    """What docs/operations.md tells of virtusertable."""
    install_plugin("take_out", TAKE_OUT)
    daemon = start_daemon(rule(take_out("held")))
    table = tmp_path / "virtusers"
    table.write_text("held@example.org u1@example.org\n")
    virtusers = f"FEATURE(`virtusertable', `text -k0 -v1 {table}')dnl"
    settings = f"{virtusers}\nVIRTUSER_DOMAIN(`example.org')dnl"
    sendmail = throwaway_sendmail(daemon.address, settings=settings)
    assert submit(sendmail.port, "a@example.net", envelope, SPAM).accepted
    sendmail.wait_until_delivered()
    assert [one.recipients for one in smtp_sink.received] == delivered


def test_of_three_recipients_the_allowlisted_one_gets_the_mail_and_two_are_held(
    start_daemon: DaemonFactory,
    throwaway_sendmail: SendmailFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    settings = config(tmp_path, smtp_sink.port, milter_action="DISCARD", allowlist="allow")
    daemon = start_daemon(with_list(tmp_path, settings))
    sendmail = throwaway_sendmail(daemon.address)
    admin.out("list", "allow", "add", "-t", "u3@example.org")
    assert submit(sendmail.port, "a@example.net", SPELLINGS, SPAM).accepted
    sendmail.wait_until_delivered()
    assert [one.recipients for one in smtp_sink.received] == [("u3@example.org",)]
    (entry,) = admin.held("hold")
    assert entry["recipients"] == ["u1@example.org", "U2@Example.ORG"]


def test_mail_waits_at_the_sender_while_the_daemon_is_down(
    throwaway_sendmail: SendmailFactory, smtp_sink: SmtpSink, tmp_path: Path
) -> None:
    mark = {"name": "mark", "type": "add_header", "options": {"field": "X-Seen", "value": "y"}}
    path = write_config(tmp_path / "pyquarantine.conf", rule(mark))
    with Daemon(path, "inet:0@127.0.0.1") as daemon:
        address = daemon.address
    sendmail = throwaway_sendmail(address)

    def send() -> SmtpReply:
        return submit(sendmail.port, "a@example.net", ["u@example.org"], SPAM).final

    assert str(send()) == "451 4.3.2 Please try again later"
    with Daemon(path, address):
        assert send().code == 250
        (delivered,) = smtp_sink.wait_for(1)
        assert b"\r\nX-Seen: y\r\n" in delivered.content
    assert send().code == 451
    assert len(smtp_sink.received) == 1


@pytest.mark.usefixtures("for_daemons")
@pytest.mark.parametrize("stage", ["connect", "envelope", "headers", "body"])
def test_an_error_in_a_rule_makes_the_sender_try_again(
    stage: str,
    start_daemon: DaemonFactory,
    throwaway_sendmail: SendmailFactory,
    smtp_sink: SmtpSink,
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("failing", PLUGIN)
    conditions = {f"fails_{stage}": True, "envfrom": "^a@"}
    mark = {"name": "mark", "type": "add_header", "options": {"field": "X-A", "value": "b"}}
    sendmail = throwaway_sendmail(start_daemon(rule(mark, conditions=conditions)).address)
    sent = submit(sendmail.port, "a@example.net", ["u@example.org"], SPAM)
    assert sent.final.code == 451
    sendmail.wait_until_delivered()
    assert smtp_sink.received == ()


def test_held_mail_is_released_through_the_port_without_filters(
    start_daemon: DaemonFactory,
    throwaway_sendmail: SendmailFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    """As docs/operations.md has it."""
    # The daemon itself sends no releases: the port is for the command.
    daemon = start_daemon(config(tmp_path, smtp_sink.port, milter_action="DISCARD"))
    sendmail = throwaway_sendmail(daemon.address)
    settings = config(tmp_path, sendmail.reinjection_port, milter_action="DISCARD")
    write_config(admin.config, settings)
    content = crlf(b"Message-ID: <1@x>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n" + SPAM)
    assert submit(sendmail.port, "a@example.net", SPELLINGS, content).accepted
    (entry,) = admin.held("hold")
    assert smtp_sink.received == ()
    assert admin.out("quarantine", "hold", "get", entry["id"]) == content
    admin.out("quarantine", "hold", "release", entry["id"], "-a")
    sendmail.wait_until_delivered()
    assert admin.held("hold") == []
    (released,) = smtp_sink.wait_for(1)
    assert sorted(released.recipients) == ["U2@Example.ORG", "u1@example.org", "u3@example.org"]
    assert released.content.endswith(content)
