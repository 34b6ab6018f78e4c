"""`envfrom`, `envto` and `list`: sender and recipients of the envelope."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import pyq_conditions
import pytest

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.testing.rules import load, matches, received, rule
from pyquarantine_core.types import ListType, MailList

TWO = ("<one@example.org>", "<two@example.net>")


class Pairs(MailList):
    """Knows some senders for one recipient each."""

    def __init__(self, pairs: dict[str, str]) -> None:
        self.pairs = pairs

    def covers(self, sender: str, recipient: str) -> bool:
        return self.pairs.get(recipient) == sender


@hookimpl
def pyquarantine_lists() -> Iterable[ListType]:
    yield ListType(
        name="pairs",
        summary="For these tests",
        schema={"type": "object", "properties": {"from": {"type": "object"}}},
        build=lambda options, _services: Pairs(options["from"]),
    )


@pytest.mark.parametrize(
    ("pattern", "sender", "matched"),
    [
        ("bounce@", "bounce@example.org", True),
        ("bounce@", "BOUNCE@Example.ORG", True),
        ("BOUNCE@", "bounce@example.org", True),
        ("example", "bounce@example.org", False),
        (".*@example\\.org$", "a@example.org", True),
        (".*@example\\.org$", "a@example.org.evil.example", False),
        ("bounce", "bouncer@example.org", True),
        ("^$", "", True),
        ("^$", "a@example.org", False),
        (".+", "", False),
        ("müller@", "Müller@example.org", True),
    ],
)
def test_envfrom_matches_the_bare_sender_from_its_start_ignoring_case(
    pattern: str, sender: str, matched: bool
) -> None:
    assert matches({"envfrom": pattern}, received(sender=sender), pyq_conditions) is matched


@pytest.mark.parametrize(
    ("pattern", "recipients", "matched"),
    [
        ("(one|two)@", TWO, True),
        ("ONE@|TWO@", TWO, True),
        ("one@", TWO, False),
        ("two@", TWO, False),
        (".*@example\\.", TWO, True),
        ("example", TWO, False),
        ("one@example\\.org$", ["<@relay.example:One@Example.ORG>"], True),
        ("one@example\\.org$", ["<one@example.org.>"], True),
    ],
)
def test_envto_must_match_every_bare_recipient(
    pattern: str, recipients: list[str], matched: bool
) -> None:
    message = received(recipients=recipients)
    assert matches({"envto": pattern}, message, pyq_conditions) is matched


def test_envto_looks_at_the_recipients_that_are_left() -> None:
    message = received(recipients=TWO)
    message.remove_recipients(["two@example.net"])
    assert matches({"envto": "one@"}, message, pyq_conditions)


class TestList:
    def covered(self, pairs: dict[str, str], recipients: Iterable[str] = TWO) -> bool:
        message = received(sender="friend@example.org", recipients=recipients)
        plugins = pyq_conditions, sys.modules[__name__]
        lists = {"friends": {"type": "pairs", "from": pairs}}
        return matches({"list": "friends"}, message, *plugins, lists=lists)

    def test_it_matches_when_sender_and_every_recipient_have_an_entry(self) -> None:
        friend, other = "friend@example.org", "other@example.org"
        assert self.covered({"one@example.org": friend, "two@example.net": friend})
        assert not self.covered({"one@example.org": friend})
        assert not self.covered({"one@example.org": friend, "two@example.net": other})

    def test_without_recipients_it_does_not_match(self) -> None:
        assert not self.covered({}, recipients=())


def test_conditions_on_client_and_envelope_are_told_before_the_headers_come() -> None:
    conditions = {"local": False, "envfrom": "a@", "envto": "b@", "headers": ["^X:"]}
    config = load({"rules": [rule("nothing", {}, conditions=conditions)]}, pyq_conditions)
    (found,) = config.rules.rules
    assert [one.type.decided_at.name for one in found.conditions.all] == [
        "CONNECT",
        "ENVELOPE",
        "ENVELOPE",
        "HEADERS",
    ]
