"""`del_header`."""

from __future__ import annotations

import pyq_headers
import pytest

from pyquarantine_core.testing.rules import judge, load, received, rule

CONTENT = b"""\
Received: one
X-Spam: Yes, score=9
Subject: Hello
x-spam: No
X-Spam-Level: =?utf-8?q?gr=C3=BCn?=
 und rot

"""


def left(**options: str) -> list[str]:
    """The headers that are left, as text."""
    message = received(CONTENT)
    judge(load({"rules": [rule("del_header", options)]}, pyq_headers), message)
    return [header.text for header in message.headers]


RECEIVED, SPAM, SUBJECT, NO_SPAM, LEVEL = (header.text for header in received(CONTENT).headers)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("^X-Spam$", [RECEIVED, SUBJECT, LEVEL]),
        ("x-spam", [RECEIVED, SUBJECT]),
        ("Spam", [RECEIVED, SPAM, SUBJECT, NO_SPAM, LEVEL]),
        (".*", []),
        ("X-Other", [RECEIVED, SPAM, SUBJECT, NO_SPAM, LEVEL]),
    ],
)
def test_every_header_whose_name_matches_from_its_start_goes(
    field: str, expected: list[str]
) -> None:
    assert left(field=field) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("^yes", [RECEIVED, SUBJECT, NO_SPAM, LEVEL]),
        ("score", [RECEIVED, SUBJECT, NO_SPAM, LEVEL]),
        ("^score", [RECEIVED, SPAM, SUBJECT, NO_SPAM, LEVEL]),
        ("grün und rot$", [RECEIVED, SPAM, SUBJECT, NO_SPAM]),
        ("^(No|Yes.*)$", [RECEIVED, SUBJECT, LEVEL]),
    ],
)
def test_with_a_value_only_headers_where_it_is_found_go(value: str, expected: list[str]) -> None:
    assert left(field="X-Spam", value=value) == expected


def test_those_that_stay_keep_their_bytes() -> None:
    message = received(CONTENT)
    before = [header.raw for header in message.headers if header.text in (RECEIVED, LEVEL)]
    options = {"field": "Subject|X-Spam$"}
    judge(load({"rules": [rule("del_header", options)]}, pyq_headers), message)
    assert [header.raw for header in message.headers] == before
