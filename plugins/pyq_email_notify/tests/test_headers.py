"""The header of a notification: what is in it, and that nobody can put anything else there."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address

import pytest

from .conftest import Notifier, Told

FIELDS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
]


def from_of(told: Told) -> tuple[str, str]:
    (address,) = told.mail["From"].addresses
    assert isinstance(address, Address)
    return address.display_name, address.addr_spec


def test_it_has_what_automatic_mail_must_have(notify: Notifier) -> None:
    told = notify()
    assert list(told.mail.keys()) == FIELDS
    assert from_of(told) == ("Mail filter", "filter@example.org")
    assert told.mail["To"] == "u@example.org"
    assert told.mail["Subject"] == "[SPAM] hello"
    assert abs(told.mail["Date"].datetime - datetime.now(UTC)) < timedelta(hours=1)
    assert re.fullmatch(r"<[\w.]+@example\.org>", told.mail["Message-ID"])
    assert told.mail["Auto-Submitted"] == "auto-generated"


def test_no_two_have_the_same_message_id(notify: Notifier) -> None:
    assert len({str(notify().mail["Message-ID"]) for _ in range(20)}) == 20


def test_it_is_an_alternative_of_text_and_html_in_7_bits_and_crlf(notify: Notifier) -> None:
    told = notify("Content-Type: text/plain; charset=utf-8\n\nGrüße ".encode() + b"x" * 3000)
    assert [part.get_content_type() for part in told.mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert told.raw.isascii()
    assert re.search(rb"(?<!\r)\n|\r(?!\n)|\0", told.raw) is None
    assert max(map(len, told.raw.split(b"\r\n"))) <= 998
    assert "Grüße xxx" in told.html
    assert "Grüße xxx" in told.text


@pytest.mark.parametrize("envelope_from", ["", "<>", "[email protected]", "noreply"])
def test_without_a_proper_envelope_sender_the_host_is_named(
    envelope_from: str, notify: Notifier
) -> None:
    told = notify(envelope_from=envelope_from, from_header="Mail filter")
    name, address = from_of(told)
    assert name == "Mail filter"
    assert re.fullmatch(r"postmaster@[A-Za-z0-9.-]+", address)
    assert re.fullmatch(r"<[\w.]+@[A-Za-z0-9.-]+>", told.mail["Message-ID"])


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"j@example.net", ("", "j@example.net")),
        (b"<j@example.net>", ("", "j@example.net")),
        (
            b"=?utf-8?q?M=C3=BCller=2C_J=C3=B6rg?= <j@example.net>",
            ("Müller, Jörg", "j@example.net"),
        ),
        (b'"Doe, \\"J\\"" <j@example.net>', ('Doe, "J"', "j@example.net")),
        ("Müller, Jörg <j@example.net>".encode(), ("Müller, Jörg", "j@example.net")),
        (b"M\xfcller <j@example.net>", ("Müller", "j@example.net")),
        (b"=?iso-2022-jp?b?GyRCJDMbKEI=?= <j@example.net>", ("こ", "j@example.net")),
        (b"j@example.net (J. Doe)", ("", "j@example.net")),
        (b"One <one@example.net>, Two <two@example.net>", ("One", "one@example.net")),
        (b'"a <b@c.example>" <j@example.net>', ("a <b@c.example>", "j@example.net")),
        (b'"never closed <j@example.net>', ('"never closed', "j@example.net")),
        (
            b"=?utf-8?q?boss=40bank=2Eexample_=3Cboss=40bank=2Eexample=3E=2C?= <j@evil.example>",
            ("boss@bank.example <boss@bank.example>,", "j@evil.example"),
        ),
        (b"=?utf-8?q?x=0D=0ABcc=3A_v=40x=0D=0A?= <j@example.net>", ("x Bcc: v@x", "j@example.net")),
        (b'"a\\\\" <j@example.net>', ("a\\", "j@example.net")),
        (b"=?utf-8?q?boss=40bank=2Eexample?=", ("boss@bank.example", "filter@example.org")),
        (b"name only", ("name only", "filter@example.org")),
        (b"", ("filter@example.org", "filter@example.org")),
        (b"x <j@[192.0.2.1] y>", ("x", "filter@example.org")),
        ("Jörg <jörg@exämple.net>".encode(), ("Jörg", "filter@example.org")),
    ],
)
def test_the_original_sender_is_named_as_it_is(
    raw: bytes, shown: tuple[str, str], notify: Notifier
) -> None:
    told = notify(b"From: " + raw + b"\n\n", from_header="{FROM}")
    assert from_of(told) == shown
    assert list(told.mail.keys()) == FIELDS
    assert told.raw.isascii()


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("{FROM} <filter@example.org>", ("J, D <j@example.net>", "filter@example.org")),
        (
            '"{FROM} (held)" <filter@example.org>',
            ("J, D <j@example.net> (held)", "filter@example.org"),
        ),
        ("Filter für Sie <{FROM}>", ("Filter für Sie", "j@example.net")),
        ("filter@example.org", ("", "filter@example.org")),
    ],
)
def test_the_original_sender_may_stand_inside_ours(
    template: str, shown: tuple[str, str], notify: Notifier
) -> None:
    told = notify(b'From: "J, D" <j@example.net>\n\n', from_header=template)
    assert from_of(told) == shown


LONG_NAME = "boss@bank.example " * 60
BLANKS = "boss@bank.example" + "\u3164" * 900


@pytest.mark.parametrize("name", [LONG_NAME, BLANKS, f'"{LONG_NAME * 60}"', LONG_NAME + "\u202e"])
@pytest.mark.parametrize("template", ["{FROM}", '"{FROM} (held)" <filter@example.org>'])
def test_no_display_name_pushes_the_address_out_of_sight(
    name: str, template: str, notify: Notifier
) -> None:
    raw = f"From: {name} <j@evil.example>\n\n".encode()
    told = notify(raw, from_header=template, template="<p>{FROM}</p>")
    assert told.html.endswith(" &lt;j@evil.example&gt;</p>\n")
    assert told.text.endswith(" <j@evil.example>\n")
    assert "j@evil.example" in str(told.mail["From"])
    assert len(told.text) < 300


def test_a_name_that_is_no_ascii_address_stands_beside_what_it_is_in_ascii(
    notify: Notifier,
) -> None:
    """The `a` of the domain is Cyrillic, the `c` of the other one is a wide form."""
    raw = "From: Boss <boss@b\u0430nk.example>\nTo: u@\uff43orp.example\n\n".encode()
    told = notify(raw, template="<p>{FROM} {TO}</p>")
    assert "boss@b\u0430nk.example [xn--bnk-6cd.example]" in told.text
    assert "[corp.example]" in told.text


@pytest.mark.parametrize(
    "subject",
    [
        b"=?utf-8?q?a=0D=0ABcc=3A_victim=40example=2Eorg?=",
        b"=?utf-8?b?YQ0KDQo8c2NyaXB0Pg==?=",
        b"a\r\rBcc: victim@example.org",
        b"=?utf-8?q?a=00b=0B=0C=1B=5B2J?=",
        b"=?utf-7?q?+AA0ACg-Bcc:?=",
        b"=?utf-8?q?=E2=80=A8Bcc=3A?=",
        b"=?utf-16?b?DQAKAEIA?=",
    ],
)
def test_a_subject_injects_no_header(subject: bytes, notify: Notifier) -> None:
    told = notify(b"From: a@x\nSubject: " + subject + b"\n\nHello\n", from_header="{FROM}")
    assert list(told.mail.keys()) == FIELDS
    assert told.mail["Subject"].startswith("[SPAM] ")
    assert re.search("[\0-\x1f\x7f-\x9f\u2028]", told.mail["Subject"]) is None


def test_metavariables_go_into_the_subject_and_inject_nothing(notify: Notifier) -> None:
    told = notify(subject="{V}: {SUBJECT}", variables={"V": "Eicar\r\nBcc: v@x\r\n\r\n\udcff"})
    assert told.mail["Subject"] == "Eicar Bcc: v@x \ufffd: hello"
    assert list(told.mail.keys()) == FIELDS


def test_a_subject_of_any_length_is_folded(notify: Notifier) -> None:
    told = notify(b"Subject: " + b"long" * 10_000 + "Grüße".encode() * 1000 + b"\n\n")
    assert max(map(len, told.raw.split(b"\r\n"))) <= 998
    assert told.mail["Subject"].startswith("[SPAM] longlong")


def test_a_recipient_beyond_ascii_is_written_as_it_is(notify: Notifier) -> None:
    told = notify(recipient="müller@exämple.org")
    assert told.raw.count("To: <müller@exämple.org>\r\n".encode()) == 1


def test_a_recipient_that_would_end_its_brackets_is_not_named(notify: Notifier) -> None:
    told = notify(recipient='"<x>, v@x"@example.org')
    assert told.mail["To"].addresses == ()
