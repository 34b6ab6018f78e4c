"""Addresses in spellings by which a rule might miss them, and some that no mailbox has."""

from __future__ import annotations

from collections.abc import Iterator

from pyquarantine_core.testing.answers import Verdict

from .case import Case

SPELLINGS = [
    "<{}@example.org>",
    "<{}@EXAMPLE.org>",
    "<{}@example.org.>",
    "<@relay.example:{}@example.org>",
    "<@one.example,@two.example:{}@example.org>",
    '<"{}"@example.org>',
    '<"\\{}"@example.org>',
    "<{}(comment)@example.org>",
    "<(comment){}@example.org>",
    "<{} @ example.org>",
    "<{}@example.org >",
    "<The One <{}@example.org>>",
    "<example.org!{}>",
]
"""All of one mailbox."""
ODD = {
    "a local part of 64 characters": "<" + "a" * 64 + "@example.org>",
    "a local part of 60,000 characters": "<" + "a" * 60_000 + "@example.org>",
    "many dots": "<" + "." * 5000 + "@" + "." * 5000 + ">",
    "many at signs": "<" + "@" * 5000 + ">",
    "many quotes": "<" + '"' * 5000 + "@example.org>",
    "many backslashes": '<"' + "\\" * 5001 + '"@example.org>',
    "many parentheses": "<" + "(" * 5000 + "u@example.org>",
    "many routes": "<" + "@relay.example," * 2000 + "@x.example:u@example.org>",
    "quoted specials": '<"<>,;:\\" @"@example.org>',
    "a quoted route": '<"@relay.example:x"@example.org>',
    "controls": "<u\x01\x1b[2J\x7f@example.org>",
    "bidirectional overrides": "<u\u202egro@example.org>",
    "an international address": "<müller@bücher.example>",
    "bytes that are not UTF-8": "<u\udcff\udcfe@example.org>",
    "no domain": "<postmaster>",
    "no local part": "<@example.org>",
    "an address literal": "<u@[192.0.2.1]>",
    "a percent sign": "<u%example.org@example.net>",
    "a name of templates": "<{ENVELOPE_TO}@example.org>",
    "markup": "<<script>alert(1)</script>@example.org>",
}
CONTENT = b"Subject: x\n\nHello\n"


def cases() -> Iterator[Case]:
    for spelling in SPELLINGS:
        for name, address in (("as it is", "boss"), ("in capitals", "BOSS")):
            yield Case(
                name=f"recipient {spelling.format('boss')}, {name}",
                build=lambda: CONTENT,
                recipients=(spelling.format(address),),
                verdict=Verdict.DISCARD,
            )
        yield Case(
            name=f"sender {spelling.format('evil')}",
            build=lambda: CONTENT,
            sender=spelling.format("evil"),
            verdict=Verdict.REJECT,
        )
    for name, address in ODD.items():
        yield Case(name=f"a sender of {name}", build=lambda: CONTENT, sender=address)
        yield Case(name=f"a recipient of {name}", build=lambda: CONTENT, recipients=(address,))
    yield Case(name="the null sender", build=lambda: CONTENT, sender="<>")
    everybody = tuple(f"u{number}@example.org" for number in range(300))
    yield Case(name="300 recipients", build=lambda: CONTENT, recipients=everybody)
    yield Case(
        name="the same recipient 100 times", build=lambda: CONTENT, recipients=everybody[:1] * 100
    )
    yield Case(
        name="all spellings of the boss at once",
        build=lambda: CONTENT,
        recipients=tuple(one.format("boss") for one in SPELLINGS),
        verdict=Verdict.DISCARD,
    )
