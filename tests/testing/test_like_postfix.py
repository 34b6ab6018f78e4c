"""The MTA's side does what a real Postfix does: the same packets go out, the same mail results."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from pyquarantine_core.testing.mta import Mail, MilterConnection, Steps, send
from pyquarantine_core.testing.protocol import Command
from pyquarantine_core.testing.submit import submit

if TYPE_CHECKING:
    from pyquarantine_core.testing.pytest_plugin import PostfixFactory
    from pyquarantine_core.testing.sink import SmtpSink
    from tests.testing.conftest import BareFilterFactory, RecorderFactory

CONTENT = (
    b"Received: from elsewhere\n\tby here\nSubject:  hello\n\tfold\n  fold\nX-Tab:\ttab\n"
    b"Tight:x\nSpaced : x\nBcc: secret@example.org\nReturn-Path: <x@example.org>\nEmpty:\n"
    b"X-Eight: \xe4\xff\nX-Nul: a\0b\n\tc\nX-Nul: \0\nsubject: again\n\n.dot\nbody \xe4\n"
    + b"x" * 900
    + b"\n"
)
RECIPIENTS = (
    *("<@relay.example:U1@Example.org>", "<u2@EXAMPLE.org.>", "<u3@example.org>"),
    *("<U3@example.org>", "<@relay.example:u3@example.org>"),
    *('<"u4"@example.org>', '<"u\\5"@example.org>', '<"u 6"@example.org>', "<u7(c)@example.org>"),
    *("<u8 @ example.org>", "<U <u9@example.org>>", "<example.org!u10>"),
)
LARGE = b"A: b\n\n" + b"line\n" * 40_000

ALL_SILENT = (
    *(Steps.NR_CONN, Steps.NR_HELO, Steps.NR_MAIL, Steps.NR_RCPT, Steps.NR_DATA),
    *(Steps.NR_HDR, Steps.NR_EOH, Steps.NR_BODY),
)
ALL_OFF = (
    *(Steps.NOCONNECT, Steps.NOHELO, Steps.NOMAIL, Steps.NORCPT, Steps.NODATA),
    *(Steps.NOHDRS, Steps.NOEOH, Steps.NOBODY, Steps.NOUNKNOWN),
)


def comparable(packets: list[tuple[Command, bytes]]) -> list[tuple[Command, bytes]]:
    """The packets without what differs from one Postfix, message and connection to the next."""
    return [
        (command, _without_variables(data) if command is Command.MACRO else data)
        for command, data in packets
        if command is not Command.CONNECT
    ]


def _without_variables(macros: bytes) -> bytes:
    hosts = re.sub(rb"({(?:mail|rcpt)_host})\0[^\0]*\0", rb"\1\0", macros)
    return re.sub(rb"(^.|\0)([iv_])\0[^\0]*(?=\0)", rb"\1\2", hosts, flags=re.DOTALL)


@pytest.mark.parametrize("content", [CONTENT, LARGE, b"A: b\n", b"A: b\nno header\n", b"\nbody\n"])
@pytest.mark.parametrize(
    "steps",
    [
        Steps(0),
        Steps.HDR_LEADSPC | Steps.SKIP,
        sum(ALL_SILENT, Steps(0)),
        sum(ALL_OFF, Steps(0)),
        Steps.NOBODY | Steps.NOHELO | Steps.HDR_LEADSPC | Steps.NR_HDR,
    ],
)
def test_the_same_packets_go_out(
    recorder: RecorderFactory,
    throwaway_postfix: PostfixFactory,
    steps: Steps,
    content: bytes,
) -> None:
    mail = Mail(
        "Sender@Example.org",
        RECIPIENTS,
        content,
        mail_options=("BODY=8BITMIME",),
    )
    from_postfix, from_us = recorder(steps), recorder(steps)
    postfix = throwaway_postfix(from_postfix.socket)
    sent = submit(
        postfix.port, mail.sender, mail.recipients, content, mail_options=mail.mail_options
    )
    assert sent.accepted
    with MilterConnection(from_us.socket) as connection:
        connection.client_connects()
        connection.send(mail)
    assert comparable(from_us.packets()) == comparable(from_postfix.packets())


HEADER_CHANGES: list[list[list[Any]]] = [
    [["addheader", "X-New", " 1"], ["addheader", "X-New", "tight"]],
    [["addheader", "X-Fold", " a\n\tb\nunfolded"]],
    [["chgheader", "Subject", 1, " 1"], ["chgheader", "SUBJECT", 2, " 2"]],
    [["chgheader", "Subject", 0, " zero is one"]],
    [["chgheader", "Subject", 9, " appended"], ["chgheader", "Missing", 1, " appended"]],
    [["chgheader", "Subject", 1, ""], ["chgheader", "Subject", 1, " shifted"]],
    [["chgheader", "Subject", 2, ""], ["chgheader", "Subject", 1, ""]],
    [["chgheader", "Missing", 1, ""]],
    [["chgheader", "Received", 1, " changed"]],
    [["chgheader", "Received", 1, ""], ["chgheader", "Received", 1, " none left"]],
    [["chgheader", "Spaced", 1, " y"]],
    [["addheader", "X-New", " 1"], ["chgheader", "X-New", 1, " seen"]],
    [["addheader", "X-New", " 1"], ["chgheader", "X-New", 1, ""]],
    [["addheader", "X-Top", " 0", 0]],
    [["addheader", "X-Top", " 1", 1], ["addheader", "X-Top", " 2", 2]],
    [["addheader", "X-Top", " far", 99], ["addheader", "X-End", " 1"]],
    [["addheader", "X-Top", " 0", 0], ["chgheader", "X-Top", 1, " changed"]],
    [["addheader", "X-Top", " 1", 1], ["chgheader", "Received", 1, " changed"]],
    [["addheader", "X-Top", " 0", 0], ["chgheader", "Received", 1, " the next one"]],
    [["addheader", "Received", " top", 0], ["chgheader", "Received", 1, " changed"]],
    [["addheader", "Received", " top", 0], ["chgheader", "Received", 2, " changed"]],
    [["addheader", "Received", " next", 1], ["chgheader", "Received", 1, " changed"]],
    [["addheader", "X-Top", " 2", 2], ["chgheader", "X-Top", 1, " changed"]],
    [["addheader", "X-Top", " 1", 1], ["chgheader", "X-Top", 1, ""]],
]
ENVELOPE_CHANGES: list[list[list[Any]]] = [
    [["delrcpt", "<u3@example.org>"]],
    [["delrcpt", "u3@example.org"]],
    [["delrcpt", "<@relay.example:U1@Example.org>"]],
    [["delrcpt", "<U1@Example.org>"]],
    [["delrcpt", "<u1@example.org>"]],
    [["delrcpt", "<u2@EXAMPLE.org.>"]],
    [["delrcpt", "<u2@example.org>"]],
    [["delrcpt", "<u2@EXAMPLE.org>"]],
    [["delrcpt", "<nobody@example.org>"]],
    [["delrcpt", '<"u4"@example.org>']],
    [["delrcpt", "<u4@example.org>"]],
    [["delrcpt", "<u7(c)@example.org>"]],
    [["delrcpt", "<u7@example.org>"]],
    [["delrcpt", "<example.org!u10>"]],
    [["delrcpt", "<u10@example.org>"]],
    [["delrcpt", '<"u 6"@example.org>']],
    [["addrcpt", "<new@example.org>"], ["addrcpt", "plain@example.org"]],
    [["addrcpt", "<u3@example.org>"], ["addrcpt", "<U3@example.org>"]],
    [["addrcpt", "<new@example.org>"], ["delrcpt", "<new@example.org>"]],
    [["chgfrom", "<Other@Example.org>"]],
    [["chgfrom", "<>"]],
]
BODY_CHANGES: list[list[list[Any]]] = [
    [["replacebody", "new\r\nbody\r\n"]],
    [["replacebody", "bare\nlines"]],
    [["replacebody", "x" * 65_000 + "\r\n"], ["replacebody", "rest\r\n"]],
    [["replacebody", ".\r\n..\r\n"]],
]


@pytest.mark.parametrize("leading_space", [True, False])
@pytest.mark.parametrize(
    "changes", [[], *HEADER_CHANGES, *ENVELOPE_CHANGES, *BODY_CHANGES], ids=repr
)
def test_the_same_mail_comes_out(
    bare_filter: BareFilterFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    changes: list[list[Any]],
    leading_space: bool,
) -> None:
    bare = bare_filter(changes=changes, leading_space=leading_space)
    mail = Mail("Sender@Example.org", RECIPIENTS, CONTENT)
    postfix = throwaway_postfix(bare.socket)
    assert submit(postfix.port, mail.sender, mail.recipients, mail.content).accepted
    really = smtp_sink.wait_for(1)[0]
    delivered = send(bare.socket, mail).delivered
    assert delivered is not None
    assert delivered.sender == really.sender
    assert sorted(delivered.recipients) == sorted(really.recipients)
    assert delivered.content == without_own_received(really.content)


def without_own_received(content: bytes) -> bytes:
    own = rb"^Received: from client\.example .*?(?=^\S|^\r$)"
    return re.sub(own, b"", content, count=1, flags=re.DOTALL | re.MULTILINE)


def test_when_no_recipient_is_left_nothing_comes_out(
    bare_filter: BareFilterFactory, throwaway_postfix: PostfixFactory, smtp_sink: SmtpSink
) -> None:
    bare = bare_filter(changes=[["delrcpt", "<u@example.org>"]])
    mail = Mail("a@example.org", ("<u@example.org>",), CONTENT)
    postfix = throwaway_postfix(bare.socket)
    assert submit(postfix.port, mail.sender, mail.recipients, mail.content).accepted
    postfix.wait_until_idle()
    assert smtp_sink.received == ()
    assert send(bare.socket, mail).delivered is None


@pytest.mark.parametrize("answer", ["REJECT", "TEMPFAIL"])
@pytest.mark.parametrize(
    "callback",
    ["connect", "hello", "envfrom", "envrcpt", "data", "header", "eoh", "body", "eom"],
)
@pytest.mark.parametrize("reply", [None, ["554", "5.7.0", "100%% spam"], ["450", "4.1.0", "later"]])
def test_the_client_sees_the_same_refusal(
    bare_filter: BareFilterFactory,
    throwaway_postfix: PostfixFactory,
    callback: str,
    answer: str,
    reply: list[str] | None,
) -> None:
    own_words = {"reply": reply} if reply else {}
    bare = bare_filter(answers={callback: answer}, **own_words)
    postfix = throwaway_postfix(bare.socket)
    mail = Mail("a@example.org", ("<u@example.org>",), CONTENT)
    submission = submit(postfix.port, mail.sender, mail.recipients, mail.content)
    seen = send(bare.socket, mail).reply
    if callback == "connect" and seen.startswith("5"):
        seen = "554 mta.example ESMTP not accepting connections"
    assert str(submission.final) == seen
