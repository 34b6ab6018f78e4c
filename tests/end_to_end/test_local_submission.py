"""Mail from the sendmail command, which Postfix gives to filters in its own way (cleanup(8))."""

from __future__ import annotations

from pathlib import Path

from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink

from .conftest import Admin, DaemonFactory
from .test_recipients import SPAM, config

RECIPIENTS = ("u1@example.org", "U2@Example.ORG", '"u 3"@example.org')


def test_it_is_local_and_changed(
    start_daemon: DaemonFactory, throwaway_postfix: PostfixFactory, smtp_sink: SmtpSink
) -> None:
    rules = [
        {
            "name": str(local),
            "conditions": {"local": local, "envfrom": "^a@", "envto": "^u1@"},
            "actions": [
                {
                    "name": "mark",
                    "type": "add_header",
                    "options": {"field": "X-Local", "value": str(local)},
                }
            ],
        }
        for local in (True, False)
    ]
    daemon = start_daemon({"rules": rules})
    postfix = throwaway_postfix(non_smtpd_milter=daemon.address)
    postfix.sendmail("a@example.net", RECIPIENTS[:1], SPAM)
    (delivered,) = smtp_sink.wait_for(1)
    assert b"\r\nX-Local: True\r\n" in delivered.content
    assert b"X-Local: False" not in delivered.content


def test_it_is_held_from_all_but_those_on_the_allowlist(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    allow = {"type": "db", "connection": f"sqlite:///{tmp_path}/lists.db", "table": "allow"}
    held = config(tmp_path, smtp_sink.port, milter_action="DISCARD", allowlist="allow")
    daemon = start_daemon(held | {"lists": {"allow": allow}})
    postfix = throwaway_postfix(non_smtpd_milter=daemon.address)
    admin.out("list", "allow", "add", "-t", "keep@example.org")
    postfix.sendmail("a@example.net", (*RECIPIENTS, "Keep@example.org"), SPAM)
    postfix.wait_until_idle()
    assert [one.recipients for one in smtp_sink.received] == [("Keep@example.org",)]
    (entry,) = admin.held("hold")
    assert entry["recipients"] == list(RECIPIENTS)


def test_what_is_held_from_all_reaches_nobody_and_bounces_when_it_is_rejected(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    daemon = start_daemon(config(tmp_path, smtp_sink.port, milter_action="REJECT"))
    postfix = throwaway_postfix(non_smtpd_milter=daemon.address)
    postfix.sendmail("a@example.net", RECIPIENTS, SPAM)
    postfix.wait_until_idle()
    (bounce,) = smtp_sink.received
    assert (bounce.sender, bounce.recipients) == ("", ("a@example.net",))
    assert b"Message rejected" in bounce.content
    assert len(admin.held("hold")) == 1
