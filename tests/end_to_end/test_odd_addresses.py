"""Spellings of one address through real Postfix: rules see them alike, and held mail is gone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.daemon import write_config
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from .conftest import Admin, DaemonFactory

MAIL = b"From: a@example.net\nSubject: x\n\ntext\n"
SPELLINGS = [
    "<boss@example.org>",
    "<BOSS@Example.ORG>",
    "<boss@example.org.>",
    "<@relay.example:boss@example.org>",
    "<@one.example,@two.example:boss@example.org>",
    '<"boss"@example.org>',
    '<"bo\\ss"@example.org>',
    '<"@relay.example:boss"@example.org>',
    "<boss(comment)@example.org>",
    "<(comment)boss@example.org>",
    "<boss@(comment)example.org>",
    "<boss @ example.org>",
    "<boss@example.org >",
    "<The Boss <boss@example.org>>",
    "<example.org!boss>",
    "<boss>",
]
"""What Postfix delivers to boss@example.org, the last one by `myorigin`."""
SETTINGS = {"myorigin": "example.org"}


def config(directory: Path, port: int, **conditions: str) -> dict[str, Any]:
    options = {
        "storage": "held",
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "milter_action": "DISCARD",
        "allowlist": "allow",
    }
    hold = {"name": "hold", "type": "quarantine", "conditions": conditions, "options": options}
    return {
        "storages": {"held": {"type": "file", "directory": f"{directory}/held"}},
        "lists": {
            "allow": {
                "type": "db",
                "connection": f"sqlite:///{directory}/lists.db",
                "table": "allow",
            }
        },
        "rules": [{"name": "all", "actions": [hold]}],
    }


def test_a_rule_for_a_recipient_sees_every_spelling_of_it(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    daemon = start_daemon(config(tmp_path, smtp_sink.port, envto=r"^boss@example\.org$"))
    postfix = throwaway_postfix(daemon.address, settings=SETTINGS)
    for spelling in SPELLINGS:
        assert submit(postfix.port, "a@example.net", [spelling], MAIL).accepted, spelling
    postfix.wait_until_idle()
    assert smtp_sink.received == ()
    held = [one["recipients"] for one in admin.held("hold")]
    assert len(held) == len(SPELLINGS)
    assert {one.lower() for recipients in held for one in recipients} == {"boss@example.org"}


def test_a_rule_for_a_sender_sees_every_spelling_of_it(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    daemon = start_daemon(config(tmp_path, smtp_sink.port, envfrom=r"^boss@example\.org$"))
    postfix = throwaway_postfix(daemon.address, settings=SETTINGS)
    for spelling in SPELLINGS:
        assert submit(postfix.port, spelling, ["u@example.org"], MAIL).accepted, spelling
    postfix.wait_until_idle()
    assert smtp_sink.received == ()
    assert {one["sender"].lower() for one in admin.held("hold")} == {"boss@example.org"}


def test_what_is_held_is_gone_from_delivery_whatever_the_spelling_and_can_be_released(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    """Each spelling has a number, so that none is the same recipient as another."""
    settings = config(tmp_path, 1)
    daemon = start_daemon(settings)
    admin.out("list", "allow", "add", "-t", "keep@example.org")
    postfix = throwaway_postfix(daemon.address, settings={"myorigin": "example.org"})
    settings["rules"][0]["actions"][0]["options"]["smtp_port"] = postfix.reinjection_port
    write_config(admin.config, settings)
    odd = [re.sub("(?i)(ss)", rf"\g<1>{number}", one) for number, one in enumerate(SPELLINGS)]
    recipients = [*odd, "<keep@example.org>"]
    sent = submit(postfix.port, "a@example.net", recipients, MAIL)
    assert sent.accepted, sent
    postfix.wait_until_idle()
    assert [one.recipients for one in smtp_sink.received] == [("keep@example.org",)]
    (entry,) = admin.held("hold")
    expected = sorted(f"boss{number}@example.org" for number in range(len(odd)))
    assert sorted(one.lower() for one in entry["recipients"]) == expected
    admin.out("quarantine", "hold", "release", entry["id"], "-a")
    postfix.wait_until_idle()
    released = [to.lower() for one in smtp_sink.received[1:] for to in one.recipients]
    assert sorted(released) == expected


@pytest.mark.parametrize("sender", ["<>", "<@relay.example:>"])
def test_the_null_sender_is_seen_as_empty(
    sender: str,
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    daemon = start_daemon(config(tmp_path, smtp_sink.port, envfrom="^$"))
    postfix = throwaway_postfix(daemon.address)
    assert submit(postfix.port, sender, ["u@example.org"], MAIL).accepted
    assert [one["sender"] for one in admin.held("hold")] == [""]


def test_an_international_address_is_held_and_released_as_it_came(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    address = "chefin@bücher.example"
    settings = config(tmp_path, 1, envto="^chefin@b.cher")
    daemon = start_daemon(settings)
    postfix = throwaway_postfix(daemon.address)
    settings["rules"][0]["actions"][0]["options"]["smtp_port"] = postfix.reinjection_port
    write_config(admin.config, settings)
    assert submit(postfix.port, "müller@example.net", [address], MAIL, smtputf8=True).accepted
    postfix.wait_until_idle()
    assert not [*smtp_sink.received]
    (entry,) = admin.held("hold")
    assert (entry["sender"], entry["recipients"]) == ("müller@example.net", [address])
    admin.out("quarantine", "hold", "release", entry["id"], "-a")
    postfix.wait_until_idle()
    assert [one.recipients for one in smtp_sink.received] == [(address,)]
