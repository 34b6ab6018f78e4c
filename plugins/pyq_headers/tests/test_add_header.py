"""`add_header`."""

from __future__ import annotations

from email.header import decode_header, make_header

import pyq_headers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core.header_text import decode_value
from pyquarantine_core.message import Message
from pyquarantine_core.testing.rules import judge, load, received, rule

BEFORE = b"Subject:  Hello\n\tagain\nX-Eight: \xfc\n\n"


def added(field: str, value: str, message: Message | None = None) -> list[tuple[str, bytes]]:
    """All headers of the message once a header was added."""
    message = message or received()
    options = {"field": field, "value": value}
    judge(load({"rules": [rule("add_header", options)]}, pyq_headers), message)
    return [(header.name, header.raw) for header in message.headers]


def test_the_header_comes_after_all_others_which_stay_as_they_are() -> None:
    assert added("X-Seen", "yes", received(BEFORE)) == [
        ("Subject", b"  Hello\n\tagain"),
        ("X-Eight", b" \xfc"),
        ("X-Seen", b" yes"),
    ]


def test_a_header_of_that_name_may_be_there_already() -> None:
    assert added("subject", "again", received(b"Subject: Hello\n\n")) == [
        ("Subject", b" Hello"),
        ("subject", b" again"),
    ]


def test_a_value_may_be_empty() -> None:
    ((name, raw),) = added("X-Empty", "")
    assert (name, raw.strip()) == ("X-Empty", b"")


def test_text_that_is_not_ascii_is_encoded() -> None:
    ((_, raw),) = added("X-Note", "Grüße")
    assert raw.isascii()
    assert str(make_header(decode_header(raw.decode().strip()))) == "Grüße"


@given(st.text())
def test_any_text_arrives_and_nothing_ends_the_header_early(value: str) -> None:
    ((_, raw),) = added("X-Note", value)
    assert raw.isascii()
    assert b"\0" not in raw
    assert b"\r" not in raw
    assert all(line[:1] in b" \t" for line in raw.split(b"\n")), "a fold begins with white space"
    assert not {"\r", "\n", "\0"} & set(decode_value(raw))


@pytest.mark.parametrize("value", ["one\r\nBcc: x@example.org", "one\nX: y", "one\rtwo", "a\0b"])
def test_line_breaks_and_nul_in_a_value_are_blanks(value: str) -> None:
    ((_, raw),) = added("X-Note", value)
    assert not set(b"\r\n\0") & set(raw)


def test_the_headers_need_not_be_sent_for_it() -> None:
    config = load({"rules": [rule("add_header", {"field": "X", "value": "y"})]}, pyq_headers)
    (action,) = config.rules.actions
    assert action.type.needs.name == "ENVELOPE"
