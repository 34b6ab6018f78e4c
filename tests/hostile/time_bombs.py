"""Headers on which a careless pattern takes far more time than it may: refused for now, in time.

`regex` divides a text with less work than `re`: on 5000 letters it is done within the bound, on a
quick machine, and rightly finds nothing. So each of them is far too long for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyquarantine_core.testing.answers import Verdict

from .case import Case, word

PATTERN_SECONDS = 0.2


def cases() -> Iterator[Case]:
    for length in (20_000, 30_000, 60_000):
        yield _bomb(f"{length} letters", b"a" * length + b"!")
    yield _bomb("letters in encoded words", word("utf-8", "b", b"a" * 30_000 + b"!"))
    yield _bomb("letters on two lines", b"\n ".join([b"a" * 30_000] * 2) + b"!")
    yield _bomb("20 such headers", b"a" * 20_000 + b"!", count=20)
    yield _bomb("1,000 such headers", b"a" * 1000 + b"!", count=1000)


def _bomb(name: str, value: bytes, count: int = 1) -> Case:
    content = b"Subject: x\n" + (b"X-Bomb: " + value + b"\n") * count + b"\nx\n"
    return Case(name=name, build=lambda: content, verdict=Verdict.TEMPFAIL, everywhere=True)
