"""Headers on which a careless pattern takes exponential time: refused for now, in time."""

from __future__ import annotations

from collections.abc import Iterator

from pyquarantine_core.testing.answers import Verdict

from .case import Case, word

PATTERN_SECONDS = 0.2


def cases() -> Iterator[Case]:
    for length in (5_000, 10_000, 60_000):
        yield _bomb(f"{length} letters", b"a" * length + b"!")
    yield _bomb("letters in encoded words", word("utf-8", "b", b"a" * 30_000 + b"!"))
    yield _bomb("letters on many lines", b"\n ".join([b"a" * 5000] * 5) + b"!")
    yield _bomb("20 such headers", b"a" * 2000 + b"!", count=20)
    yield _bomb("1,000 such headers", b"a" * 1000 + b"!", count=1000)


def _bomb(name: str, value: bytes, count: int = 1) -> Case:
    content = b"Subject: x\n" + (b"X-Bomb: " + value + b"\n") * count + b"\nx\n"
    return Case(name=name, build=lambda: content, verdict=Verdict.TEMPFAIL, everywhere=True)
