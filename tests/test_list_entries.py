"""Which entries hold for an address."""

from __future__ import annotations

import time

import pytest

from pyquarantine_core.errors import ListError
from pyquarantine_core.list_entries import as_entry, candidates

PLAIN = "bob@mail.example.org"


def test_the_most_specific_entry_comes_first() -> None:
    assert candidates("Bob@Mail.Example.ORG") == [
        "bob@mail.example.org",
        "@mail.example.org",
        ".mail.example.org",
        ".example.org",
        ".org",
        "",
    ]


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("", [""]),
        ("root", ["root", ""]),
        ("@example.org", ["@example.org", ".example.org", ".org", ""]),
        (".example.org", [".example.org", ".org", ""]),
        ("user@[192.0.2.1]", ["user@[192.0.2.1]", "@[192.0.2.1]"]),
        ('"a@b"@example.org', ['"a@b"@example.org', "@example.org", ".example.org", ".org", ""]),
    ],
)
def test_addresses_without_domain_domains_and_the_null_sender(
    address: str, found: list[str]
) -> None:
    assert candidates(address)[: len(found)] == found


@pytest.mark.parametrize(
    "tagged",
    [
        "prvs=4567abcdef=bob@mail.example.org",
        "PRVS=4567ABCDEF1=Bob@Mail.example.org",
        "prvs=bob/4567abcdef@mail.example.org",
        "bob+jane=us.example@mail.example.org",
        "bob+jane+news=us.example@mail.example.org",
        "SRS0=HHH=TT=mail.example.org=bob@forwarder.example",
        "SRS0+h/h=TT=mail.example.org=bob@forwarder.example",
        "srs0-hhh=tt=mail.example.org=bob@forwarder.example",
        "SRS1=HHH=forwarder.example==HHH=TT=mail.example.org=bob@second.example",
        "SRS1=HHH=forwarder.example=+h+h=TT=mail.example.org=bob@second.example",
        "SRS0=HHH=TT=mail.example.org=prvs=4567abcdef=bob@forwarder.example",
        "SRS0=HHH=TT=mail.example.org=bob+jane=us.example@forwarder.example",
    ],
)
def test_batv_verp_and_srs_addresses_are_their_plain_address_too(tagged: str) -> None:
    found = candidates(tagged)
    assert found[0] == tagged.lower()
    assert set(candidates(PLAIN)) <= set(found)


@pytest.mark.parametrize(
    "usual",
    [
        "bob+news@mail.example.org",
        "bob=x@mail.example.org",
        "prvs@mail.example.org",
        "prvs==bob@mail.example.org",
        "srs0=a=b@mail.example.org",
        "srs@mail.example.org",
    ],
)
def test_other_addresses_are_only_themselves(usual: str) -> None:
    assert candidates(usual) == [usual, *candidates("@mail.example.org")]


@pytest.mark.parametrize(
    "hostile",
    [
        "prvs=1=" * 300 + "a@example.org",
        "srs0=" * 400 + "@example.org",
        "+" * 1000 + "=" * 1000 + "@example.org",
        "a@" + "a." * 1000,
        "@" * 2000,
        "srs1=" + "=" * 2000 + "@x",
    ],
)
def test_hostile_addresses_cost_little(hostile: str) -> None:
    started = time.thread_time()
    found = candidates(hostile)
    assert time.thread_time() - started < 1  # of the CPU, however busy it is
    assert len(found) < 600
    assert all(len(one) <= 255 for one in found)


@pytest.mark.parametrize("address", ["a\udcff@example.org", "a\0@example.org", "a\n@example.org"])
def test_what_no_database_takes_is_never_looked_for(address: str) -> None:
    assert candidates(address) == ["@example.org", ".example.org", ".org", ""]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("", ""),
        (" Bob@Example.ORG ", "bob@example.org"),
        ("@Example.ORG", "@example.org"),
        (".org", ".org"),
        ("bob+news@example.org", "bob+news@example.org"),
        ("list+jane=us.example@example.org", "list+jane=us.example@example.org"),
        ("prvs=4567abcdef=bob@example.org", "bob@example.org"),
        ("SRS0=HHH=TT=example.org=bob@forwarder.example", "bob@example.org"),
        ("O'Neil@example.org", "o'neil@example.org"),
        ('"o neil"@example.org', '"o neil"@example.org'),
        ("user@localhost", "user@localhost"),
        ("user@[192.0.2.1]", "user@[192.0.2.1]"),
        ("müller@münchen.example", "müller@münchen.example"),
    ],
)
def test_an_entry_is_kept_in_one_spelling_without_a_passing_tag(typed: str, kept: str) -> None:
    assert as_entry(typed) == kept
    assert as_entry(kept) == kept


@pytest.mark.parametrize(
    "wrong", ["bob", "<>", "*", "*@example.org", "a@b@c", "a@", "@", ".", "a@.b", "a@b.", "a\n@b"]
)
def test_anything_else_is_no_entry(wrong: str) -> None:
    with pytest.raises(ListError, match=r"is no entry; it should be an address \(user@example"):
        as_entry(wrong)
