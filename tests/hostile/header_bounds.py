"""Headers beyond their bounds: what a rule looks for must not get past it behind padding."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pyquarantine_core.testing.answers import Verdict

from .case import Case

SUBJECT = b"Subject: forbidden\n"
EMPTY = b"a:\n"
LONG = b"X-Long: " + b"a" * 60_000 + b"\n"


def cases() -> Iterator[Case]:
    for padding, line, count in (
        ("empty fields", EMPTY, 10_001),
        ("empty fields", EMPTY, 30_000),
        ("fields of 60,000 bytes", LONG, 75),
        ("fields of 60,000 bytes", LONG, 100),
        ("folded fields", b"X-A: b\n c\n d\n", 11_000),
        ("equal subjects", b"Subject: a\n", 10_500),
        ("encoded words", b"X-A: " + b"=?utf-8?q?a?= " * 4000 + b"\n", 100),
    ):
        for place, before, after in (("after", 1, 0), ("before", 0, 1), ("amid", 1, 1)):
            content = line * (count * before) + SUBJECT + line * (count * after) + b"\nx\n"
            yield Case(
                name=f"a word {place} {count} {padding}",
                build=partial(bytes, content),
                verdict=Verdict.REJECT,
                everywhere=True,
            )
    for name, allowed in (("9,999 empty fields", EMPTY * 9_999), ("4 MB", LONG * 69)):
        yield Case(
            name=f"a word after {name}, which is still looked at",
            build=partial(bytes, allowed + SUBJECT + b"\nx\n"),
            verdict=Verdict.DISCARD,
        )
