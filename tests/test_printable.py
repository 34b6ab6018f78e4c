from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core.printable import as_json, printable, upright


@pytest.mark.parametrize("text", ["", "Grüße an alle", "日本語", "a\\b", "👍 ok"])
def test_text_that_can_be_read_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo\r\n", r"one\ntwo\r\n"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("a\0b\x7f", r"a\x00b\x7f"),
        ("invoice\u202efdp.exe", r"invoice\u202efdp.exe"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028end", r"line\u2028end"),
        ("a\ufff9b\ufffac\ufffb", r"a\ufff9b\ufffac\ufffb"),
        ("a\U0001bca0b\U0001d173", r"a\U0001bca0b\U0001d173"),
        ("a\u3164\u115fb", r"a\u3164\u115fb"),
        ("\udcfc", r"\udcfc"),
    ],
)
def test_what_steers_terminals_or_deceives_readers_is_spelt_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_the_result_is_one_line_that_any_terminal_can_print(text: str) -> None:
    shown = printable(text)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(letter) for letter in shown}


@given(st.text(st.characters()))
def test_json_is_printable_ascii_and_means_the_text(text: str) -> None:
    written = as_json({"text": text})
    assert written.isascii()
    assert written.isprintable()
    assert json.loads(written) == {"text": text}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Grüße, 日本語 👍", "Grüße, 日本語 👍"),
        ("שלום", "שלום"),
        ("invoice\u202efdp.exe", "invoice\ufffdfdp.exe"),
        ("\u2067right to left\u2069", "\ufffdright to left\ufffd"),
    ],
)
def test_a_text_put_among_other_text_turns_none_of_that_around(text: str, left: str) -> None:
    assert upright(text) == left
