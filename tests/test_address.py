from __future__ import annotations

import pytest

from pyquarantine_core.address import Recipient, bare_address, same_address


@pytest.mark.parametrize(
    ("argument", "bare"),
    [
        ("<user@example.org>", "user@example.org"),
        ("user@example.org", "user@example.org"),
        ("<>", ""),
        ("", ""),
        (" <user@example.org> ", "user@example.org"),
        ("<User@Example.ORG>", "User@Example.ORG"),
        ("<@relay.example:user@example.org>", "user@example.org"),
        ("<@one.example,@two.example:user@example.org>", "user@example.org"),
        ("<user@example.org.>", "user@example.org"),
        ("<postmaster>", "postmaster"),
        ('<"a b"@example.org>', '"a b"@example.org'),
        ('<"a@b."@example.org>', '"a@b."@example.org'),
        ("<müller@example.org>", "müller@example.org"),
        ("<a:b@example.org>", "a:b@example.org"),
    ],
)
def test_the_bare_address_is_the_mailbox_in_its_own_spelling(argument: str, bare: str) -> None:
    assert bare_address(argument) == bare


def test_letter_case_makes_no_other_mailbox() -> None:
    assert same_address("U2@Example.ORG", "u2@example.org")
    assert not same_address("u1@example.org", "u2@example.org")


def test_a_recipient_knows_every_spelling_by_which_the_mta_may_know_it() -> None:
    recipient = Recipient.from_mta("<@relay.example:U3@example.org>", "u3@example.org")
    assert recipient.address == "U3@example.org"
    assert recipient.forms == ("<@relay.example:U3@example.org>", "<u3@example.org>")


def test_a_spelling_is_not_named_twice() -> None:
    assert Recipient.from_mta("<u@example.org>", "u@example.org").forms == ("<u@example.org>",)


def test_without_the_macro_there_is_the_argument_alone() -> None:
    assert Recipient.from_mta("<U@example.org>").forms == ("<U@example.org>",)
