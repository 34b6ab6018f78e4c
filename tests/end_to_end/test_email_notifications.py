"""E-mail notifications through the daemon: who gets one, when, and what an admin can do."""

from __future__ import annotations

import email
import json
import socket
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.mta import Mail, Verdict, send
from pyquarantine_core.testing.processes import PATIENCE, wait_until
from pyquarantine_core.testing.sink import Received, SmtpSink
from pyquarantine_core.testing.sockets import refusing_port

from .conftest import Admin, DaemonFactory
from .test_recipients import config

SPAM = (
    b"From: =?utf-8?q?J=C3=B6rg?= <j@example.net>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
    b"X-Spam: Yes\nContent-Type: text/html; charset=windows-1251\n\n"
    b"<p onclick=x>\xcf\xf0\xe8\xe2\xe5\xf2 <a href=http://evil.example>there</a>"
)
MAIL = Mail("a@x.example", ("u@example.org", "V@example.org"), SPAM)


def settings(directory: Path, port: int, **options: Any) -> dict[str, Any]:
    (directory / "mail.template").write_text("<p>{ENVELOPE_TO} {Q_ID} {M_WHAT}</p>{HTML_TEXT}")
    held = config(directory, port, notification="mail", milter_action="DISCARD")
    held["storages"]["spam"]["metavar"] = "Q"
    held["rules"][0]["conditions"] = {"headers": ["X-(?P<WHAT>Spam)"], "metavar": "M"}
    notification = {
        "type": "email",
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "envelope_from": "filter@example.org",
        "from_header": "{FROM}",
        "subject": "[SPAM] {SUBJECT}",
        "template": f"{directory}/mail.template",
        **options,
    }
    return held | {"notifications": {"mail": notification}, "outbox": f"{directory}/outbox"}


def waiting(directory: Path) -> list[str]:
    return [one.name for one in (directory / "outbox").glob("[0-9]*")]


def parsed(received: Received) -> EmailMessage:
    return email.message_from_bytes(received.content, policy=policy.default)


def shown(mail: EmailMessage) -> str:
    html = mail.get_body(("html",))
    assert html is not None
    return str(html.get_content())


def by_recipient(sink: SmtpSink, count: int) -> dict[str, EmailMessage]:
    """The notifications; each must have gone to one recipient alone."""
    received = sink.wait_for(count)
    assert len(received) == count
    assert all(len(one.recipients) == 1 for one in received)
    return {one.recipients[0]: parsed(one) for one in received}


def test_each_recipient_of_held_mail_gets_a_notification_of_its_own(
    start_daemon: DaemonFactory, smtp_sink: SmtpSink, admin: Admin, tmp_path: Path
) -> None:
    daemon = start_daemon(settings(tmp_path, smtp_sink.port))
    assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
    mails = by_recipient(smtp_sink, 2)
    assert sorted(mails) == ["V@example.org", "u@example.org"]
    (entry,) = admin.held("hold")
    for recipient, mail in mails.items():
        assert mail["To"] == recipient
        assert mail["From"] == "Jörg <j@example.net>"
        assert mail["Subject"] == "[SPAM] Grüße"
        assert shown(mail).startswith(f"<p>{recipient} {entry['id']} Spam</p><p>Привет there</p>")
    assert {one.sender for one in smtp_sink.received} == {"filter@example.org"}


def test_what_the_server_does_not_take_is_delivered_when_it_does(
    start_daemon: DaemonFactory, smtp_sink: SmtpSink, admin: Admin, tmp_path: Path
) -> None:
    with refusing_port() as port:
        daemon = start_daemon(settings(tmp_path, port))
        assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
        daemon.wait_for_log("outbox: all of 'mail' wait for ")
        daemon.stop()
    smtp_sink.refuse_data = "451 4.3.0 later"
    daemon = start_daemon(settings(tmp_path, smtp_sink.port))
    admin.out("outbox", "retry", "--all")
    smtp_sink.wait_for_failures(2)
    daemon.stop()
    assert len(waiting(tmp_path)) == 2
    smtp_sink.refuse_data = ""
    daemon = start_daemon(settings(tmp_path, smtp_sink.port))
    admin.out("outbox", "retry", "--all")
    assert sorted(by_recipient(smtp_sink, 2)) == ["V@example.org", "u@example.org"]
    daemon.wait_for_log("notified <u@example.org>")
    daemon.wait_for_log("notified <V@example.org>")
    assert waiting(tmp_path) == []


def test_a_server_that_hangs_does_not_stop_the_notifications_of_another(
    start_daemon: DaemonFactory, smtp_sink: SmtpSink, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        config = settings(tmp_path, smtp_sink.port)
        slow = {**config["notifications"]["mail"], "smtp_port": hanging.getsockname()[1]}
        config["notifications"]["slow"] = slow
        notify = {"name": "tell", "type": "notify", "options": {"notification": "slow"}}
        config["rules"][0]["actions"].insert(0, notify)
        daemon = start_daemon(config)
        assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
        session, _ = hanging.accept()
        with session:
            assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
            assert sorted(one.recipients[0] for one in smtp_sink.wait_for(4)) == [
                *["V@example.org"] * 2,
                *["u@example.org"] * 2,
            ]
        daemon.wait_for_log("outbox: all of 'slow' wait for ")
    assert wait_until(lambda: len(waiting(tmp_path)) == 4, PATIENCE)


class TestNotifyAgain:
    """`pyquarantine quarantine NAME notify`."""

    @pytest.fixture
    def entry(
        self, start_daemon: DaemonFactory, smtp_sink: SmtpSink, admin: Admin, tmp_path: Path
    ) -> str:
        """A message held for two, who have been told."""
        daemon = start_daemon(settings(tmp_path, smtp_sink.port))
        send(daemon.address, MAIL)
        smtp_sink.wait_for(2)
        (entry,) = admin.held("hold")
        return str(entry["id"])

    def test_the_same_notification_comes_again_for_the_one_asked_for(
        self, entry: str, smtp_sink: SmtpSink, admin: Admin
    ) -> None:
        first = by_recipient(smtp_sink, 2)
        smtp_sink.clear()
        out = admin.out("quarantine", "hold", "notify", entry, "-t", "v@EXAMPLE.org")
        assert out.decode() == f"notified V@example.org of {entry}\n"
        ((recipient, again),) = by_recipient(smtp_sink, 1).items()
        assert recipient == "V@example.org"
        assert shown(again) == shown(first[recipient])
        assert (again["Subject"], again["From"]) == ("[SPAM] Grüße", "Jörg <j@example.net>")
        assert again["Message-ID"] != first[recipient]["Message-ID"]
        assert len(admin.held("hold")[0]["recipients"]) == 2

    def test_all_are_told_each_alone(self, entry: str, smtp_sink: SmtpSink, admin: Admin) -> None:
        smtp_sink.clear()
        admin.out("quarantine", "hold", "notify", entry, "-a")
        assert sorted(by_recipient(smtp_sink, 2)) == ["V@example.org", "u@example.org"]

    def test_those_whom_the_server_refuses_are_named_and_the_others_told(
        self, entry: str, smtp_sink: SmtpSink, admin: Admin
    ) -> None:
        smtp_sink.clear()
        smtp_sink.refuse_recipients = {"u@example.org": "550 5.1.1 unknown"}
        done = admin.run("quarantine", "hold", "notify", entry, "-a")
        assert done.returncode == 1
        assert done.stdout.decode() == f"notified V@example.org of {entry}\n"
        error = done.stderr.decode()
        assert error.startswith(f"pyquarantine: not notified of {entry}: u@example.org: ")
        assert error.endswith("550 5.1.1 unknown\n")
        assert error.count("\n") == 1

    def test_who_is_not_on_the_entry_is_not_told(
        self, entry: str, smtp_sink: SmtpSink, admin: Admin
    ) -> None:
        smtp_sink.clear()
        done = admin.run("quarantine", "hold", "notify", entry, "-t", "x@example.org")
        assert done.returncode == 1
        assert b"is not held for x@example.org" in done.stderr
        assert admin.run("quarantine", "hold", "notify", entry).returncode == 2
        assert admin.run("quarantine", "hold", "notify", "nothing", "-a").returncode == 1
        assert smtp_sink.received == ()

    def test_an_entry_without_metadata_is_told_to_those_who_are_named(
        self, entry: str, smtp_sink: SmtpSink, admin: Admin, tmp_path: Path
    ) -> None:
        (tmp_path / "spam" / f"{entry}.metadata").unlink()
        smtp_sink.clear()
        assert admin.run("quarantine", "hold", "notify", entry, "-a").returncode == 1
        admin.out("quarantine", "hold", "notify", entry, "-t", "x@example.org")
        (mail,) = by_recipient(smtp_sink, 1).values()
        assert "Привет there" in shown(mail)

    def test_a_quarantine_without_a_notification_says_so(
        self, entry: str, admin: Admin, tmp_path: Path
    ) -> None:
        silent = json.loads(admin.config.read_text())
        del silent["rules"][0]["actions"][0]["options"]["notification"]
        admin.config.write_text(json.dumps(silent))
        done = admin.run("quarantine", "hold", "notify", entry, "-a")
        assert done.returncode == 1
        assert done.stderr == b"pyquarantine: the quarantine all/hold has no notification\n"
