"""Headers that hide a word from a pattern by how they are written, and some that only look odd."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product

from pyquarantine_core.testing.answers import Verdict

from .case import FORBIDDEN, Case, contents, with_subject

WORD = FORBIDDEN.encode()
NAMES = ("Subject", "subject", "SUBJECT", "sUbJeCt", "Subject ", "Subject\t", "Subject   \t ")
VALUES = {
    "as it is": b" forbidden",
    "without a blank": b"forbidden",
    "after a tab": b"\tforbidden",
    "after many blanks": b" " * 500 + b"forbidden",
    "in capitals": b" FORBIDDEN",
}
VARIANTS = {
    "after a harmless one": b"Subject: harmless\nSubject: forbidden\n\nx\n",
    "before a harmless one": b"Subject: forbidden\nSubject: harmless\n\nx\n",
    "after 500 harmless ones": b"Subject: harmless\n" * 500 + b"Subject: forbidden\n\nx\n",
    "after 5,000 other fields": b"X-A: b\n" * 5_000 + b"Subject: forbidden\n\nx\n",
    "after an empty one": b"Subject:\nSubject: forbidden\n\nx\n",
    "after an empty first line": b"Subject:\n forbidden\n\nx\n",
    "after 20 empty lines": b"Subject:" + b"\n " * 20 + b"forbidden\n\nx\n",
    "after a field of 50,000 bytes": b"X-A: " + b"a" * 50_000 + b"\nSubject: forbidden\n\nx\n",
    "after 50,000 blanks": b"Subject:" + b" " * 50_000 + b"forbidden\n\nx\n",
    "after 50,000 letters": b"Subject: " + b"a" * 50_000 + b"forbidden\n\nx\n",
    "after 10,000 folds": b"Subject: a" + b"\n a" * 10_000 + b"\n forbidden\n\nx\n",
    "between 8-bit bytes": b"Subject: \xff\xfeforbidden\xc0\x80\n\nx\n",
    "between controls": b"Subject: \x01\x02forbidden\x1f\x7f\n\nx\n",
    "in a line that ends in CR": b"Subject: forbidden\r\n\nx\n",
    "without an end of the header": b"Subject: forbidden",
    "without a body": b"Subject: forbidden\n\n",
    "in a header of one field": b"Subject: forbidden\n",
    "before NUL": b"Subject: forbidden\0harmless\n\nx\n",
    "beside a field without a value": b"X-A:\nX-B: \nX-C:\t\nSubject: forbidden\n\nx\n",
    "beside a name of one character": b"a:\n!: x\n~: y\nSubject: forbidden\n\nx\n",
    "beside a name of 1,000 characters": b"X" * 1000 + b": y\nSubject: forbidden\n\nx\n",
}
HARMLESS = {
    "after NUL, where MTAs end the line": b"Subject: a\0forbidden\n\nx\n",
    "in the body": b"Subject: a\n\nSubject: forbidden\n",
    "after a line that is no field": b"From: a@x\nno field\nSubject: forbidden\n\nx\n",
    "in a name with a blank, which is none": b"From: a@x\nSub ject: forbidden\n\nx\n",
    "in a name of 8 bit, which is none": b"From: a@x\nSubj\xe9ct: forbidden\n\nx\n",
    "in another field": b"X-Subject: forbidden\nComments: Subject: forbidden\n\nx\n",
    "as the name of a field": b"Forbidden: Subject\n\nx\n",
    "in a part's header": b"Content-Type: multipart/mixed; boundary=b\n\n"
    b"--b\nSubject: forbidden\n\nx\n--b--\n",
    "in an attached message": b"Content-Type: message/rfc822\n\nSubject: forbidden\n\nx\n",
    "nothing at all": b"",
    "an empty line": b"\n",
    "a body alone": b"\nbody\n",
    "a colon": b":\n\nx\n",
    "a continuation of nothing": b" forbidden\nSubject: a\n\nx\n",
    "only NUL": b"\0\0\0\n",
    "all bytes": b"Subject: a\n\n" + bytes(range(256)),
    "all bytes in a field": b"X-All: " + bytes(set(range(256)) - {10, 13}) + b"\n\nx\n",
}


def cases() -> Iterator[Case]:
    for name, (how, value) in product(NAMES, VALUES.items()):
        content = name.encode() + b":" + value + b"\n\nx\n"
        yield from contents({f"{name!r}, {how}": content}, Verdict.DISCARD)
    for cut in range(len(WORD) + 1):
        folded = WORD[:cut] + b"\n " + WORD[cut:]
        visible = cut in {0, len(WORD)}  # elsewhere a reader sees two words
        yield Case(
            name=f"folded after {cut} letters",
            build=partial(with_subject, folded),
            verdict=Verdict.DISCARD if visible else Verdict.ACCEPT,
        )
    yield from contents(VARIANTS, Verdict.DISCARD)
    yield from contents(HARMLESS)
