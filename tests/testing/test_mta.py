"""The MTA's side against a real filter: bare pymilter on libmilter, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pyquarantine_core.testing.mta import (
    Actions,
    BodyReplaced,
    ConnectionLost,
    HeaderAdded,
    HeaderChanged,
    HeaderInserted,
    Mail,
    MilterConnection,
    Quarantined,
    RecipientAdded,
    RecipientDeleted,
    SenderChanged,
    Stage,
    Steps,
    Verdict,
    send,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.testing.conftest import BareFilterFactory

CONTENT = b"Subject: hello\nX-Folded: a\n\tb\nX-Tight:c\n\nbody\n"
MAIL = Mail("a@example.org", ("<u1@example.org>", "u2@example.org"), CONTENT)

EVERY_STAGE = {
    "connect": Stage.CONNECT,
    "hello": Stage.HELO,
    "envfrom": Stage.MAIL,
    "envrcpt": Stage.RCPT,
    "data": Stage.DATA,
    "header": Stage.HEADER,
    "eoh": Stage.EOH,
    "body": Stage.BODY,
    "eom": Stage.EOM,
}


def test_a_filter_is_told_everything_in_order(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter()
    result = send(bare.socket, MAIL)
    assert (result.verdict, result.stage, result.reply) == (Verdict.ACCEPT, Stage.EOM, "")
    assert bare.event_names()[:12] == [
        *("connect", "hello", "envfrom", "envrcpt", "envrcpt", "data"),
        *("header", "header", "header", "eoh", "body", "eom"),
    ]
    # MAIL, RCPT twice, DATA, three headers, EOH, body, end.
    assert result.round_trips == 10
    assert result.bytes_sent > len(CONTENT)


def test_arguments_arrive_as_given(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter()
    content = b"Subject: \xe4\r\n\r\n8 bit \xff, bare \r CR"
    mail = Mail("<>", ("<@r.example:U@Example.org>",), content, mail_options=("BODY=8BITMIME",))
    send(bare.socket, mail)
    told = {event[0]: event[1:-1] for event in bare.events}
    assert told["envfrom"] == ["<>", "BODY=8BITMIME"]
    assert told["envrcpt"] == ["<@r.example:U@Example.org>"]
    assert told["header"] == ["Subject", " \udce4"]
    assert told["body"] == ["8 bit \xff, bare \r CR\r\n"]


@pytest.mark.parametrize("leading_space", [True, False])
def test_header_values_keep_their_space_if_agreed(
    bare_filter: BareFilterFactory, leading_space: bool
) -> None:
    bare = bare_filter(leading_space=leading_space)
    send(bare.socket, MAIL)
    values = [event[2] for event in bare.events if event[0] == "header"]
    space = " " if leading_space else ""
    assert values == [f"{space}hello", f"{space}a\n\tb", "c"]


def test_macros_come_when_postfix_sends_them(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(macros=["i", "j", "{mail_addr}", "{rcpt_addr}", "{auth_authen}"])
    mail = Mail(
        "A@Example.ORG",
        ("<@relay.example:U1@Example.org>", "<u2@example.org.>"),
        CONTENT,
        queue_id="4XY",
        macros={"{auth_authen}": "joe"},
    )
    send(bare.socket, mail)
    macros = [(event[0], event[-1]) for event in bare.events]
    first, second = (known for name, known in macros if name == "envrcpt")
    assert (first["i"], first["{rcpt_addr}"]) == (None, "u1@example.org")
    assert (second["i"], second["{rcpt_addr}"]) == ("4XY", "u2@example.org")
    by_name = dict(macros)
    assert by_name["connect"]["j"] == "mta.example"
    assert by_name["envfrom"]["i"] is None
    assert by_name["envfrom"]["{mail_addr}"] == "a@example.org"
    assert by_name["envfrom"]["{auth_authen}"] == "joe"
    assert by_name["eom"]["i"] == "4XY"


@pytest.mark.parametrize(
    ("address", "arrives"),
    [
        ("192.0.2.1", ["mx.example", 2, ["192.0.2.1", 25]]),
        ("2001:db8::1", ["mx.example", 10, ["2001:db8::1", 25, 0, 0]]),
        ("unix", ["mx.example", 1, "unix"]),
        (None, ["mx.example", 0, None]),
    ],
)
def test_a_client_connects_from(
    bare_filter: BareFilterFactory, address: str | None, arrives: list[object]
) -> None:
    bare = bare_filter()
    with MilterConnection(bare.socket) as connection:
        connection.client_connects("mx.example", address, 25)
    assert bare.events[0][1:-1] == arrives


@pytest.mark.parametrize("answer", ["ACCEPT", "REJECT", "TEMPFAIL"])
@pytest.mark.parametrize("callback", list(EVERY_STAGE))
def test_a_verdict_ends_the_message_at_any_stage(
    bare_filter: BareFilterFactory, callback: str, answer: str
) -> None:
    bare = bare_filter(answers={callback: answer})
    result = send(bare.socket, MAIL)
    assert result.verdict is Verdict[answer]
    assert result.stage is EVERY_STAGE[callback]
    assert result.reply[:1] == {"ACCEPT": "", "REJECT": "5", "TEMPFAIL": "4"}[answer]
    assert (result.delivered is not None) == (answer == "ACCEPT")


@pytest.mark.parametrize("callback", list(EVERY_STAGE)[2:])
def test_a_message_is_discarded(bare_filter: BareFilterFactory, callback: str) -> None:
    result = send(bare_filter(answers={callback: "DISCARD"}).socket, MAIL)
    assert (result.verdict, result.reply, result.delivered) == (Verdict.DISCARD, "", None)


def test_a_refusal_in_the_filters_own_words(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(answers={"eom": "REJECT"}, reply=["554", "5.7.0", "100%% spam"])
    assert send(bare.socket, MAIL).reply == "554 5.7.0 100% spam"


def test_own_words_may_turn_a_rejection_into_a_temporary_one(
    bare_filter: BareFilterFactory,
) -> None:
    bare = bare_filter(answers={"eom": "TEMPFAIL"}, reply=["450", "4.2.0", "a", "b"])
    result = send(bare.socket, MAIL)
    assert result.verdict is Verdict.TEMPFAIL
    assert result.reply == "450-4.2.0 a\r\n450 4.2.0 b"


def test_one_recipient_is_refused(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(answers={"envrcpt:<u1@example.org>": "REJECT"})
    result = send(bare.socket, MAIL)
    assert result.verdict is Verdict.ACCEPT
    assert [refusal.recipient for refusal in result.refused] == ["<u1@example.org>"]
    assert result.delivered is not None
    assert result.delivered.recipients == ("u2@example.org",)


def test_when_all_recipients_are_refused_there_is_no_data(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(answers={"envrcpt": "TEMPFAIL"})
    result = send(bare.socket, MAIL)
    assert (result.verdict, result.stage) == (Verdict.TEMPFAIL, Stage.RCPT)
    assert "data" not in bare.event_names()


def test_skip_stops_the_body_and_no_more(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(answers={"body": "SKIP"})
    large = Mail("a@x.example", ("b@x.example",), b"A: b\n\n" + b"line\n" * 50_000)
    result = send(bare.socket, large)
    assert (result.verdict, result.stage) == (Verdict.ACCEPT, Stage.EOM)
    assert bare.event_names().count("body") == 1
    assert result.bytes_sent < 70_000


def test_a_large_body_comes_in_full_chunks(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter()
    send(bare.socket, Mail("a@x.example", ("b@x.example",), b"A: b\n\n" + b"line\n" * 30_000))
    chunks = [len(event[1]) for event in bare.events if event[0] == "body"]
    assert chunks == [65535, 65535, 180_000 - 2 * 65535]


def test_steps_switched_off_are_not_sent(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(callbacks=["envfrom", "envrcpt", "eom"])
    result = send(bare.socket, MAIL)
    assert bare.event_names() == ["envfrom", "envrcpt", "envrcpt", "eom"]
    assert result.round_trips == 4


def test_replies_switched_off_are_not_awaited(bare_filter: BareFilterFactory) -> None:
    silent = ["connect", "hello", "envfrom", "envrcpt", "data", "header", "eoh", "body"]
    bare = bare_filter(noreply=silent)
    with MilterConnection(bare.socket) as connection:
        assert Steps.NR_HDR in connection.negotiated.steps
        assert connection.send(MAIL).round_trips == 1
        assert connection.send(MAIL).verdict is Verdict.ACCEPT
    assert bare.event_names().count("body") == 2


def test_an_older_mta_offers_less(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(noreply=["header"])
    older = Steps.ALL & ~(Steps.NR_HDR | Steps.HDR_LEADSPC | Steps.SKIP)
    actions = Actions.ADDHDRS | Actions.CHGHDRS
    with MilterConnection(bare.socket, steps=older, actions=actions) as connection:
        assert not connection.negotiated.steps & ~older
        result = connection.send(MAIL)
    assert result.round_trips == 10
    assert not result.leading_space


def test_several_messages_share_a_connection(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(answers={"eoh": "ACCEPT"}, macros=["i"])
    with MilterConnection(bare.socket) as connection:
        connection.client_connects()
        results = [connection.send(MAIL) for _ in range(3)]
    assert {result.stage for result in results} == {Stage.EOH}
    assert len({result.queue_id for result in results}) == 3
    assert bare.event_names().count("connect") == 1
    assert bare.event_names().count("envfrom") == 3
    assert [event[-1]["i"] for event in bare.events if event[0] == "envfrom"] == [None] * 3


def test_a_verdict_at_connect_holds_for_every_message(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(answers={"connect": "REJECT"})
    with MilterConnection(bare.socket) as connection:
        results = [connection.send(MAIL) for _ in range(2)]
    assert {(result.verdict, result.stage) for result in results} == {
        (Verdict.REJECT, Stage.CONNECT)
    }
    assert "envfrom" not in bare.event_names()


def test_changes_arrive_in_their_order(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(
        progress=3,
        changes=[
            ["addheader", "X-New", " 1"],
            ["addheader", "X-Top", " 2", 0],
            ["chgheader", "Subject", 1, " changed"],
            ["chgheader", "X-Tight", 1, ""],
            ["addrcpt", "<u3@example.org>"],
            ["addrcpt", "<u4@example.org>", "NOTIFY=NEVER"],
            ["delrcpt", "<u1@example.org>"],
            ["chgfrom", "<b@example.org>"],
            ["replacebody", "one " * 20_000],
            ["replacebody", "two"],
        ],
    )
    result = send(bare.socket, MAIL)
    assert result.modifications == (
        HeaderAdded("X-New", b" 1"),
        HeaderInserted(0, "X-Top", b" 2"),
        HeaderChanged(1, "Subject", b" changed"),
        HeaderChanged(1, "X-Tight", b""),
        RecipientAdded("<u3@example.org>"),
        RecipientAdded("<u4@example.org>", "NOTIFY=NEVER"),
        RecipientDeleted("<u1@example.org>"),
        SenderChanged("<b@example.org>"),
        BodyReplaced(b"one " * 20_000 + b"two"),
    )
    delivered = result.delivered
    assert delivered is not None
    assert delivered.sender == "b@example.org"
    assert delivered.recipients == ("u2@example.org", "u3@example.org", "u4@example.org")
    assert delivered.content == (
        b"X-Top: 2\r\nSubject: changed\r\nX-Folded: a\r\n\tb\r\nX-New: 1\r\n\r\n"
        + b"one " * 20_000
        + b"two\r\n"
    )


def test_a_refused_message_has_no_changes(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(changes=[["addheader", "X", " 1"]], answers={"eom": "REJECT"})
    assert send(bare.socket, MAIL).modifications == ()


def test_a_held_message_is_not_delivered(bare_filter: BareFilterFactory) -> None:
    result = send(bare_filter(changes=[["quarantine", "why"]]).socket, MAIL)
    assert result.modifications == (Quarantined("why"),)
    assert result.delivered is None


def test_an_unknown_command(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(answers={"unknown": "REJECT"})
    with MilterConnection(bare.socket) as connection:
        connection.client_connects()
        assert connection.unknown_command("FOO").startswith("5")
    assert ["unknown", "FOO", {}] in bare.events


@pytest.mark.parametrize("callback", ["envfrom", "body", "eom"])
def test_a_filter_that_dies_is_a_lost_connection(
    bare_filter: BareFilterFactory, callback: str
) -> None:
    bare = bare_filter(answers={callback: "EXIT"})
    with pytest.raises(ConnectionLost):
        send(bare.socket, MAIL)


def test_a_filter_that_hangs_is_a_timeout(bare_filter: BareFilterFactory) -> None:
    bare = bare_filter(answers={"eom": "HANG"})
    with MilterConnection(bare.socket, timeout=0.2) as connection, pytest.raises(TimeoutError):
        connection.send(MAIL)


def test_a_unix_socket(bare_filter: BareFilterFactory, tmp_path: Path) -> None:
    bare = bare_filter(f"unix:{tmp_path}/filter.sock")
    assert send(bare.socket, MAIL).verdict is Verdict.ACCEPT
