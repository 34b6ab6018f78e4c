"""A stored message read again is the message that was stored."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core.stored import stored_message
from pyquarantine_core.testing.mail_mix import EDITABLE, PROTECTED
from pyquarantine_core.testing.rules import received
from pyquarantine_core.types import Entry

ENTRY = Entry(
    id="1",
    size=0,
    stored_at=datetime.now(UTC),
    sender="a@example.net",
    recipients=("u@example.org", "V@example.org"),
    queue_id="4XyZ",
    variables={"V": "x"},
    smtputf8=True,
)


def test_envelope_and_metavariables_are_those_of_the_entry() -> None:
    message = stored_message(ENTRY, b"Subject: x\r\n\r\n")
    assert (message.sender, message.addresses) == ("a@example.net", ENTRY.recipients)
    assert (message.queue_id, message.variables, message.smtputf8) == ("4XyZ", {"V": "x"}, True)


def test_what_is_not_known_is_empty() -> None:
    message = stored_message(Entry(id="1", size=0, stored_at=datetime.now(UTC)), b"")
    assert (message.sender, message.addresses, message.headers, len(message.body)) == (
        "",
        (),
        (),
        0,
    )


@pytest.mark.parametrize("name", [*EDITABLE, *PROTECTED])
def test_headers_and_body_are_those_that_were_stored(name: str) -> None:
    original = received({**EDITABLE, **PROTECTED}[name])
    again = stored_message(ENTRY, b"".join(original.chunks()))
    assert [(one.name, one.raw) for one in again.headers] == [
        (one.name, one.raw) for one in original.headers
    ]
    assert again.body.read() == original.body.read()


@pytest.mark.parametrize(
    ("content", "headers", "body"),
    [
        (b"A:x\r\n\tfold\r\n\r\nb", [("A", b"x\n\tfold")], b"b"),
        (b"A: x\n\nb\n", [("A", b" x")], b"b\r\n"),
        (b"A: x\r\nno header\r\n", [("A", b" x")], b"no header\r\n"),
        (b"A: x", [("A", b" x")], b""),
        (b"\r\nA: x\r\n", [], b"A: x\r\n"),
        (b"A :x\r\nA:\r\n\r\n", [("A", b"x"), ("A", b"")], b""),
        (b"A: \xfc\x00\r\n\r\n\xff", [("A", b" \xfc\x00")], b"\xff"),
    ],
)
def test_the_header_ends_where_it_does(
    content: bytes, headers: list[tuple[str, bytes]], body: bytes
) -> None:
    message = stored_message(ENTRY, content)
    assert [(one.name, one.raw) for one in message.headers] == headers
    assert message.body.read() == body


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message(content: bytes) -> None:
    message = stored_message(ENTRY, content)
    stored_message(ENTRY, b"".join(message.chunks()))
