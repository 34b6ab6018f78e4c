"""Who gets a message after the rules; more on held mail is in test_known_wrong_in_2x.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from ..conftest import InstallPlugin
from .conftest import Admin, DaemonFactory

SPAM = b"From: a@example.net\nSubject: spam\nX-Spam: Yes\n\ntext\n"
TAKE_OUT = """
    from pyquarantine_core.hookspecs import hookimpl
    from pyquarantine_core.types import Action, ActionType, Part, Stage

    class TakeOut(Action):
        def __init__(self, text):
            self.text = text

        def apply(self, message):
            message.remove_recipients([a for a in message.addresses if self.text in a.lower()])

    @hookimpl
    def pyquarantine_actions():
        yield ActionType(name="take_out", summary="", needs=Stage.ENVELOPE,
            changes=Part.RECIPIENTS, build=lambda options, _: TakeOut(options["containing"]),
            schema={"type": "object", "properties": {"containing": {"type": "string"}}})
"""
SPELLINGS = ["<u1@example.org>", "<U2@Example.ORG>", "<@relay.example:u3@example.org>"]


def config(directory: Path, port: int, *more: dict[str, Any], **options: str) -> dict[str, Any]:
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": port}
    return {
        "storages": {"spam": {"type": "file", "directory": f"{directory}/spam"}},
        "rules": [
            {
                "name": "all",
                "actions": [
                    {
                        "name": "hold",
                        "type": "quarantine",
                        "conditions": {"headers": ["^X-Spam: Yes"]},
                        "options": {"storage": "spam", **smtp, **options},
                    },
                    *more,
                ],
            }
        ],
    }


def test_without_an_action_the_message_is_delivered_as_well(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    mark = {"name": "mark", "type": "add_header", "options": {"field": "X-Went-On", "value": "y"}}
    daemon = start_daemon(config(tmp_path, smtp_sink.port, mark))
    postfix = throwaway_postfix(daemon.address)
    submit(postfix.port, "a@example.net", SPELLINGS, SPAM)
    postfix.wait_until_idle()
    got = sorted(recipient for one in smtp_sink.received for recipient in one.recipients)
    assert got == ["U2@Example.ORG", "u1@example.org", "u3@example.org"]
    assert all(b"X-Went-On: y" in one.content for one in smtp_sink.received)
    assert len(admin.held("hold")) == 1


def test_a_pretended_quarantine_changes_stores_and_sends_nothing_and_says_so(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    pretended = config(tmp_path, smtp_sink.port, milter_action="REJECT") | {"pretend": True}
    daemon = start_daemon(pretended)
    postfix = throwaway_postfix(daemon.address)
    assert submit(postfix.port, "a@example.net", SPELLINGS, SPAM).accepted
    postfix.wait_until_idle()
    assert smtp_sink.received
    assert admin.held("hold") == []
    daemon.wait_for_log("pretend: would answer REJECT Message rejected")
    daemon.wait_for_log("pretend: would take out the recipients u1@example.org")


@pytest.mark.usefixtures("for_daemons")
@pytest.mark.parametrize(
    ("original_kept", "envelope", "delivered"),
    [
        ("yes", ["alias@example.org", "u1@example.org"], [("u1@example.org",)]),
        ("yes", ["u1@example.org", "alias@example.org"], [("u1@example.org",)]),
        ("no", ["alias@example.org", "u1@example.org"], []),
        ("no", ["u1@example.org", "alias@example.org"], [("u1@example.org",)]),
    ],
)
def test_without_original_recipients_postfix_takes_out_who_came_first(
    original_kept: str,
    envelope: list[str],
    delivered: list[tuple[str, ...]],
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    install_plugin: InstallPlugin,
) -> None:
    """What docs/operations.md tells of `enable_original_recipient`."""
    install_plugin("take_out", TAKE_OUT)
    out = {"name": "out", "type": "take_out", "options": {"containing": "alias"}}
    daemon = start_daemon({"rules": [{"name": "all", "actions": [out]}]})
    settings = {
        "enable_original_recipient": original_kept,
        "virtual_alias_maps": "inline:{alias@example.org=u1@example.org}",
    }
    postfix = throwaway_postfix(daemon.address, settings=settings)
    submit(postfix.port, "a@example.net", envelope, SPAM)
    postfix.wait_until_idle()
    assert [one.recipients for one in smtp_sink.received] == delivered


ADD = """
    from pyquarantine_core.hookspecs import hookimpl
    from pyquarantine_core.types import Action, ActionType, Part, Stage

    class Add(Action):
        def apply(self, message):
            message.add_recipient("lab@example.org")
            message.add_recipient("U2@example.ORG")

    @hookimpl
    def pyquarantine_actions():
        yield ActionType(name="add", summary="", needs=Stage.ENVELOPE, changes=Part.RECIPIENTS,
            schema={"type": "object", "properties": {}}, build=lambda options, services: Add())
"""


@pytest.mark.usefixtures("for_daemons")
def test_an_added_recipient_gets_the_message_and_nobody_gets_it_twice(
    install_plugin: InstallPlugin,
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
) -> None:
    install_plugin("added", ADD)
    add = {"name": "add", "type": "add", "options": {}}
    daemon = start_daemon({"rules": [{"name": "all", "actions": [add]}]})
    postfix = throwaway_postfix(daemon.address)
    recipients = ["u1@example.org", "u2@example.org"]
    assert submit(postfix.port, "a@example.net", recipients, SPAM).accepted
    (received,) = smtp_sink.wait_for(1, 30)
    assert sorted(received.recipients) == ["lab@example.org", *recipients]
