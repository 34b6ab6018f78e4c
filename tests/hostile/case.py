"""A hostile message: what it tries, its bytes, and what must become of it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from pyquarantine_core.testing.answers import Verdict

FORBIDDEN = "forbidden"
"""What the rules of `site` look for in subjects, in any disguise."""
SECOND = "verböten"
"""The same beyond ASCII."""
FILES = ("files@example.org",)
"""To whom no programs may be sent."""
PROGRAM = "evil.exe"
"""What such a program is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A hostile message.

    Attributes:
        name: what it tries; unique in its family.
        build: makes its bytes: headers, empty line, body.
        verdict: what the rules of `site` must come to.
        sender: the argument of MAIL.
        recipients: those of RCPT.
        everywhere: whether the verdict is that of a bound, which holds for all rules that look.
    """

    name: str
    build: Callable[[], bytes]
    verdict: Verdict = Verdict.ACCEPT
    sender: str = "a@example.net"
    recipients: tuple[str, ...] = ("u@example.org",)
    everywhere: bool = False


def contents(
    built: Mapping[str, bytes],
    verdict: Verdict = Verdict.ACCEPT,
    recipients: tuple[str, ...] = ("u@example.org",),
) -> Iterator[Case]:
    """Cases whose bytes are there already, by their names."""
    for name, content in built.items():
        build = partial(bytes, content)
        yield Case(name=name, build=build, verdict=verdict, recipients=recipients)


def word(charset: str, encoding: str, data: bytes) -> bytes:
    """An encoded word (RFC 2047), all of it encoded."""
    if encoding.lower() == "q":
        payload = "".join(f"={byte:02X}" for byte in data)
    else:
        payload = b64encode(data).decode()
    return f"=?{charset}?{encoding}?{payload}?=".encode()


def with_subject(value: bytes, more: bytes = b"") -> bytes:
    """A plain message with this subject, and other header lines before it."""
    return b"From: a@example.net\n" + more + b"Subject: " + value + b"\n\nHello\n"
