"""`mod_header`."""

from __future__ import annotations

import logging
from email.header import decode_header, make_header

import pyq_headers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core.header_text import decode_value
from pyquarantine_core.testing.rules import judge, load, received, rule

MARK = {"field": "^(Subject|Thread-Topic)$", "search": "^(?P<s>.*)", "value": r"[EXTERNAL] \g<s>"}


def changed(content: bytes, **options: str) -> list[tuple[str, bytes]]:
    """The headers once `mod_header` ran."""
    message = received(content)
    judge(load({"rules": [rule("mod_header", options)]}, pyq_headers), message)
    return [(header.name, header.raw) for header in message.headers]


def subject(old: bytes, **options: str) -> str:
    """The decoded subject once `mod_header` ran on it."""
    ((_, raw),) = changed(b"Subject: %b\n\n" % old, **{"field": "Subject", **options})
    return decode_value(raw)


def test_a_subject_is_marked_with_what_it_was() -> None:
    assert changed(b"Subject: Hello\n\n", **MARK) == [("Subject", b" [EXTERNAL] Hello")]


def test_several_headers_are_changed_each_in_its_place() -> None:
    content = b"Subject: a\nX: -\nThread-Topic: b\nsubject: c\n\n"
    assert changed(content, **MARK) == [
        ("Subject", b" [EXTERNAL] a"),
        ("X", b" -"),
        ("Thread-Topic", b" [EXTERNAL] b"),
        ("subject", b" [EXTERNAL] c"),
    ]


@pytest.mark.parametrize(
    ("field", "matched"),
    [
        ("Subject", True),
        ("SUBJECT", True),
        ("Sub", True),
        ("^Subject$", True),
        ("ject", False),
        ("Subject.", False),
        (".*ject", True),
    ],
)
def test_the_name_is_matched_from_its_start_ignoring_case(field: str, matched: bool) -> None:
    expected = "new" if matched else "old"
    assert subject(b"old", field=field, value="new") == expected


def test_without_search_the_whole_value_is_replaced() -> None:
    assert subject(b"any\n thing", value=r"taken \g<literally>") == r"taken \g<literally>"


@pytest.mark.parametrize(
    ("value", "search", "new", "expected"),
    [
        (b"spam and spam", "spam", "ham", "ham and ham"),
        (b"SPAM", "spam", "ham", "ham"),
        (b"one two", r"(\w+) (\w+)", r"\2 \1", "two one"),
        (b"one two", r"(?P<a>\w+)(?P<none>x)?", r"<\g<a>\g<none>>", "<one> <two>"),
        (b"one\n two", "one.two", "three", "three"),
        (b"one", "two", "three", "one"),
        (b"Re: [EXTERNAL] x", r"^(?P<p>.*)\[EXTERNAL\] (?P<s>.*)$", r"\g<p>\g<s>", "Re: x"),
        (b"=?utf-8?q?gr=C3=BCn?=", "grün", "blau", "blau"),
        (b"gr\xfcn", "grün", "rot", "rot"),
    ],
)
def test_search_and_replace_work_on_the_decoded_value(
    value: bytes, search: str, new: str, expected: str
) -> None:
    assert subject(value, search=search, value=new) == expected


def test_a_header_that_does_not_change_keeps_its_bytes() -> None:
    content = b"Subject:  =?iso-8859-1?q?gr=FCn?=\n\t und   \xfc\n\n"
    (before,) = received(content).headers
    assert changed(content, field="Subject", search="rot", value="blau") == [
        ("Subject", before.raw)
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"search": ".*", "value": ""},
        {"search": "o", "value": " "},
        {"search": ".+", "value": r"\0\n"},
        {"value": ""},
        {"value": "\r\n"},
    ],
)
def test_a_header_that_would_be_empty_is_left_alone(
    options: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert subject(b"ooo", **options) == "ooo"
    assert caplog.messages == [
        "4XyZ1234: rule/action: left alone what would be empty: 1 headers: Subject"
    ]


def test_an_empty_header_where_nothing_is_found_is_not_spoken_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    assert subject(b"", search="spam", value="ham") == ""
    assert caplog.messages == []


def test_one_that_would_be_empty_does_not_keep_others_from_change() -> None:
    content = b"X-Tag: spam\nX-Tag: spam ham\n\n"
    assert changed(content, field="X-Tag", search="spam ?", value="") == [
        ("X-Tag", b" spam"),
        ("X-Tag", b" ham"),
    ]


def test_a_new_value_is_encoded() -> None:
    ((_, raw),) = changed(b"Subject: x\n\n", field="Subject", value="grün")
    assert raw.isascii()
    assert str(make_header(decode_header(raw.decode().strip()))) == "grün"


def test_an_address_stays_one_when_its_name_is_changed() -> None:
    ((_, raw),) = changed(
        b"From: =?utf-8?q?J=C3=B6rg?= <j@example.org>\n\n",
        field="From",
        search="^",
        value="Extern: ",
    )
    assert raw.endswith(b" <j@example.org>")
    assert decode_value(raw).replace('"', "") == "Extern: Jörg <j@example.org>"


@pytest.mark.parametrize("smuggled", [r"\r\nBcc: x@example.org", r"\n\nbody", r"\0"])
def test_escapes_in_the_template_smuggle_no_header_in(smuggled: str) -> None:
    ((_, raw),) = changed(b"Subject: x\n\n", field="Subject", search="x", value=f"y{smuggled}")
    assert not set(b"\r\n\0") & set(raw)


@given(st.binary(max_size=200))
def test_whatever_is_in_the_old_value_nothing_ends_the_new_one_early(value: bytes) -> None:
    hostile = value.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
    for name, raw in changed(b"Subject: %b\n\n" % hostile, **MARK):
        assert name == "Subject"
        assert not {0, ord("\r")} & set(raw)
        assert all(line[:1] in b" \t" for line in raw.split(b"\n"))
        assert decode_value(raw).startswith("[EXTERNAL]")


@pytest.mark.parametrize("injected", ["=?utf-8?b?DQpCY2M6IHg=?=", "=?utf-8?q?a=0D=0ABcc:_x?="])
def test_line_breaks_in_encoded_words_smuggle_no_header_in(injected: str) -> None:
    content = f"Subject: x {injected}\n\n".encode()
    ((_, raw),) = changed(content, **MARK)
    assert not set(b"\r\n\0") & set(raw)
    assert "Bcc" in decode_value(raw)
