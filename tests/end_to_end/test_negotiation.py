"""The MTA is asked for no more than the rules need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.milter import AFTER_ALL_HEADERS
from pyquarantine_core.testing.delivery import HeaderChanged, HeaderInserted
from pyquarantine_core.testing.mta import (
    Actions,
    Mail,
    MilterConnection,
    Result,
    Stage,
    Steps,
    Verdict,
    send,
)
from pyquarantine_core.testing.protocol import Channel, Command, Reply, strings
from pyquarantine_core.testing.sockets import MilterSocket

from .conftest import DaemonFactory
from .test_examples import SUBJECT_MARK, quarantines

ALWAYS = Steps.NOHELO | Steps.NOUNKNOWN | Steps.NR_MAIL | Steps.NR_RCPT | Steps.SKIP
BIG = b"Subject: x\n\n" + b"0123456789abcde\n" * 20_000


def rules(*actions: dict[str, Any], **conditions: object) -> dict[str, Any]:
    return {"rules": [{"name": "r", "conditions": conditions, "actions": list(actions)}]}


ADD = {"name": "add", "type": "add_header", "options": {"field": "X-A", "value": "b"}}
DELETE = {"name": "del", "type": "del_header", "options": {"field": "^Subject$"}}


def negotiated(daemon: Any) -> tuple[Steps, Actions]:
    with MilterConnection(daemon.address) as connection:
        return connection.negotiated.steps, connection.negotiated.actions


def test_an_action_that_reads_nothing_gets_nothing(start_daemon: DaemonFactory) -> None:
    daemon = start_daemon(rules(ADD))
    steps, actions = negotiated(daemon)
    off = Steps.NR_CONN | Steps.NODATA | Steps.NOHDRS | Steps.NOEOH | Steps.NOBODY
    assert steps == ALWAYS | off | Steps.HDR_LEADSPC
    assert actions == Actions.ADDHDRS | Actions.CHGHDRS
    result = send(daemon.address, Mail("a@x.example", ("b@x.example",), BIG))
    assert result.modifications == (HeaderInserted(AFTER_ALL_HEADERS, "X-A", b" b"),)
    assert result.round_trips == 1


def test_subject_mark_waits_for_the_client_and_the_end_alone(start_daemon: DaemonFactory) -> None:
    daemon = start_daemon(SUBJECT_MARK)
    steps, actions = negotiated(daemon)
    off = Steps.NODATA | Steps.NR_HDR | Steps.NOEOH | Steps.NOBODY
    assert steps & ~Steps.NR_CONN == ALWAYS | off | Steps.HDR_LEADSPC
    assert actions == Actions.ADDHDRS | Actions.CHGHDRS


def test_ham_is_accepted_at_the_end_of_its_headers_and_its_body_never_sent(
    start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    daemon = start_daemon(quarantines(tmp_path, 25))
    steps, actions = negotiated(daemon)
    assert steps == ALWAYS | Steps.NODATA | Steps.NR_HDR | Steps.NR_BODY | Steps.HDR_LEADSPC
    assert actions == Actions.ADDRCPT | Actions.DELRCPT
    with MilterConnection(daemon.address) as connection:
        ham = connection.send(Mail("a@x.example", ("b@x.example",), BIG))
        assert (ham.verdict, ham.stage) == (Verdict.ACCEPT, Stage.EOH)
        assert ham.round_trips <= 2
        assert ham.bytes_sent < 1000
        spam = connection.send(Mail("a@x.example", ("b@x.example",), b"X-Spam: Yes\n" + BIG))
        assert (spam.verdict, spam.stage) == (Verdict.DISCARD, Stage.EOM)
    stored = [one for one in (tmp_path / "spam").iterdir() if one.suffix != ".metadata"]
    assert [one.stat().st_size for one in stored] == [
        len(b"X-Spam: Yes\r\n" + BIG.replace(b"\n", b"\r\n"))
    ]


def test_local_clients_are_accepted_when_they_connect(
    start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    daemon = start_daemon(quarantines(tmp_path, 25))
    mail = Mail("a@x.example", ("b@x.example",), b"X-Spam: Yes\n\n")
    for client in ("10.1.2.3", "::1", "fe80::1", "::ffff:192.168.7.8", "unix", None):
        result = send(daemon.address, mail, client=client)
        assert (result.verdict, result.stage) == (Verdict.ACCEPT, Stage.CONNECT), client
    for client in ("192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"):
        assert send(daemon.address, mail, client=client).verdict is Verdict.DISCARD, client


def test_envelope_rules_end_before_data_is_sent(start_daemon: DaemonFactory) -> None:
    daemon = start_daemon(rules(DELETE, envfrom="^boss@", envto=r".*@x\.example$"))
    with MilterConnection(daemon.address) as connection:
        other = connection.send(Mail("other@x.example", ("b@x.example",), BIG))
        assert (other.verdict, other.stage) == (Verdict.ACCEPT, Stage.DATA)
        some = connection.send(Mail("BOSS@x.example", ("b@x.example", "c@y.example"), BIG))
        assert some.stage is Stage.DATA
        boss = connection.send(Mail("BOSS@x.example", ("b@x.example", "C@X.example"), BIG))
        assert boss.modifications == (HeaderChanged(1, "Subject", b""),)
        null = connection.send(Mail("<>", ("b@x.example",), BIG))
        assert null.stage is Stage.DATA


def test_a_body_that_only_some_mail_needs_is_skipped_for_the_rest(
    start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    config = quarantines(tmp_path, 25)
    config["rules"][0]["actions"].append(DELETE)
    daemon = start_daemon(config)
    steps, _ = negotiated(daemon)
    assert not steps & (Steps.NOBODY | Steps.NR_BODY)
    ham = send(daemon.address, Mail("a@x.example", ("b@x.example",), BIG))
    assert ham.modifications == (HeaderChanged(1, "Subject", b""),)
    assert ham.bytes_sent < 70_000
    spam = send(daemon.address, Mail("a@x.example", ("b@x.example",), b"X-Spam: 1\n" + BIG))
    assert spam.verdict is Verdict.ACCEPT
    spam = send(daemon.address, Mail("a@x.example", ("b@x.example",), b"X-Spam: Yes\n" + BIG))
    assert spam.verdict is Verdict.DISCARD
    assert spam.bytes_sent > len(BIG)


@pytest.mark.parametrize(
    "missing",
    [
        Steps.SKIP,
        Steps.HDR_LEADSPC,
        Steps.NR_CONN | Steps.NR_MAIL | Steps.NR_RCPT | Steps.NR_HDR | Steps.NR_BODY,
        Steps.NOHELO | Steps.NOUNKNOWN | Steps.NODATA | Steps.NOEOH | Steps.NOBODY | Steps.NOHDRS,
        Steps.ALL & ~Steps.NOCONNECT,
    ],
)
def test_an_mta_that_offers_less_gets_the_same_verdicts_and_changes(
    missing: Steps, start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    config = quarantines(tmp_path, 25)
    config["rules"] += SUBJECT_MARK["rules"]
    daemon = start_daemon(config)

    def results(steps: Steps) -> list[tuple[object, ...]]:
        found = []
        with MilterConnection(daemon.address, steps=steps) as connection:
            for headers in (b"Subject: x\n", b"X-Spam: Yes\nSubject: y\n", b"X-Virus: Yes\n"):
                mail = Mail("a@x.example", ("b@x.example",), headers + b"\n" + BIG)
                found.append(_outcome(connection.send(mail)))
        return found

    assert results(Steps.ALL & ~missing) == results(Steps.ALL)


def test_an_mta_that_forbids_what_the_rules_need_gets_tempfail(start_daemon: DaemonFactory) -> None:
    daemon = start_daemon(rules(ADD))
    with MilterConnection(daemon.address, actions=Actions.ADDHDRS) as connection:
        result = connection.send(Mail("a@x.example", ("b@x.example",), BIG))
    assert result.verdict is Verdict.TEMPFAIL
    daemon.wait_for_log("the MTA does not allow changes that the rules need")


def _outcome(result: Result) -> tuple[object, ...]:
    delivered = result.delivered
    return result.verdict, result.reply, delivered and delivered.content


def test_an_mta_that_has_not_negotiated_allows_no_changes_and_that_is_no_bug(
    start_daemon: DaemonFactory,
) -> None:
    daemon = start_daemon(rules(ADD))
    channel = Channel(MilterSocket.parse(daemon.address).connect(30))
    for command, data in (
        (Command.MAIL, strings("<a@x.example>")),
        (Command.RCPT, strings("<b@x.example>")),
        (Command.HEADER, strings("Subject", "x")),
        (Command.EOH, b""),
        (Command.BODY, b"Hello\r\n"),
    ):
        channel.write(command, data)
        assert channel.read() == (Reply.CONTINUE, b"")
    channel.write(Command.BODYEOB)
    assert channel.read() == (Reply.TEMPFAIL, b"")
    channel.close()
    daemon.wait_for_log("tempfail: the MTA does not take the changes: ")
    assert "Traceback" not in daemon.log
