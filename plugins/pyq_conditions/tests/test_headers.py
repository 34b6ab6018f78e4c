"""`headers`: every pattern is found in some header."""

from __future__ import annotations

import pyq_conditions
import pytest

from pyquarantine_core.testing.rules import matches, received

CONTENT = b"""\
Received: from client.example
\tby mx.example.org; Mon, 1 Jan 2024 00:00:00 +0000
From: =?utf-8?q?J=C3=B6rg?= <j@example.org>
Subject: Buy =?utf-8?b?Z3LDvG4=?=
 =?utf-8?q?e_Pillen?=
X-Spam: Yes
X-Eight: gr\xc3\xbc\xc3\x9fe
X-Latin: gr\xfcn
X-Empty:

X-Virus: Yes
"""


def found(*patterns: str) -> bool:
    return matches({"headers": list(patterns)}, received(CONTENT), pyq_conditions)


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("^X-Spam: Yes$", True),
        ("^x-spam: yes$", True),
        ("Spam", True),
        ("^Spam", False),
        ("^X-Spam: No", False),
        ("^X-Spam:Yes", False),
        ("^X-Empty: $", True),
        ("^X-S", True),
        ("^X-(Spam|Nothing): Yes", True),
        ("^X-Nothing:|^X-Spam: Yes", True),
        (r"^X\-Spam:\sYes", True),
        ("^X-Nothing: ", False),
    ],
)
def test_a_pattern_is_searched_in_name_and_value_ignoring_case(pattern: str, matched: bool) -> None:
    assert found(pattern) is matched


def test_the_body_is_not_looked_at() -> None:
    assert not found("X-Virus")


def test_every_pattern_must_be_found() -> None:
    assert found("^X-Spam: Yes", "^From: ")
    assert not found("^X-Spam: Yes", "^X-Virus: Yes")


def test_two_patterns_may_be_found_in_one_header() -> None:
    assert found("^X-Spam", "Yes$")


def test_a_pattern_is_not_found_across_headers() -> None:
    assert not found("Received.*X-Spam")


@pytest.mark.parametrize(
    "pattern",
    [
        "^From: Jörg <j@example.org>$",
        "^Subject: Buy grüne Pillen$",
        "^X-Eight: grüße$",
        "^X-Latin: grün$",
    ],
)
def test_values_are_decoded(pattern: str) -> None:
    assert found(pattern)


def test_values_are_unfolded() -> None:
    assert found("^Received: from client.example\tby mx.example.org; Mon")


def test_without_patterns_every_message_matches() -> None:
    assert found()


def test_a_message_without_headers_matches_no_pattern() -> None:
    assert not matches({"headers": [".?"]}, received(b"\nBody\n"), pyq_conditions)


def test_a_name_beyond_ascii_is_found_as_the_pattern_reads_it() -> None:
    message = received(b"")
    message.receive_header("X-\u017fpam", b" Yes")
    assert matches({"headers": ["^X-Spam: Yes"]}, message, pyq_conditions)


def test_headers_that_were_added_and_changed_are_found() -> None:
    message = received(CONTENT)
    message.add_header("X-New", "here")
    message.edit_headers([(message.headers_named("x-spam")[0], "No")])
    assert matches({"headers": ["^X-New: here", "^X-Spam: No"]}, message, pyq_conditions)
