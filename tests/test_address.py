from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core.address import (
    Recipient,
    bare_address,
    mailbox,
    plain_address,
    same_address,
)


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


@pytest.mark.parametrize(
    ("argument", "resolved", "seen"),
    [
        ("<User@Example.ORG>", "user@example.org", "User@Example.ORG"),
        ("<@relay.example:User@example.org>", "user@example.org", "User@example.org"),
        ('<"user"@example.org>', "user@example.org", "user@example.org"),
        ('<"user"@example.org>', None, "user@example.org"),
        ('<"us\\er"@example.org>', None, "user@example.org"),
        ('<"u ser"@example.org>', '"u ser"@example.org', '"u ser"@example.org'),
        ('<"user."@example.org>', None, '"user."@example.org'),
        ("<user(comment)@example.org>", "user@example.org", "user@example.org"),
        ("<example.org!user>", "user@example.org", "user@example.org"),
        ("<user%example.org@example.net>", "user@example.org", "user@example.org"),
        ("<Postmaster>", "postmaster@example.org", "postmaster@example.org"),
        ("<Postmaster>", "postmaster", "Postmaster"),  # as sendmail has it
        ("<user@mail>", "user@mail.example.org", "user@mail.example.org"),
        ("<User%x@example.org>", "user%x@example.org", "User%x@example.org"),
        ("<müller@bücher.example>", None, "müller@bücher.example"),
        ("<>", None, ""),
    ],
)
def test_what_is_not_plainly_an_address_is_seen_as_the_mta_resolves_it(
    argument: str, resolved: str | None, seen: str
) -> None:
    assert mailbox(argument, resolved) == seen


@pytest.mark.parametrize("domain", ["example.org", "mail.example.org", "bücher.example"])
def test_a_plain_address_is_known_at_once(domain: str) -> None:
    assert plain_address(f"<u.s+e-r=x@{domain}>") == f"u.s+e-r=x@{domain}"


@given(st.text())
def test_any_argument_is_taken(argument: str) -> None:
    assert isinstance(mailbox(argument, argument), str)
    plain = plain_address(argument)
    assert plain is None or plain == bare_address(f"<{plain}>")


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
