"""Programs hidden in the structure of a message, where one reader sees them and another does not.

Each is found, or the message is one that cannot be looked into with certainty.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

from pyquarantine_core.testing.answers import Verdict

from .case import FILES, PROGRAM, Case, contents

TEXT = b"Content-Type: text/plain\n\nHello\n"
DATA = base64.encodebytes(b"MZ\x90\0" + bytes(200))
DISPOSITION = b"Content-Disposition: attachment; filename=" + PROGRAM.encode() + b"\n"
EVIL = (
    b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
    + DISPOSITION
    + b"\n"
    + DATA
)
END = b"--b--\n"


def mixed(body: bytes, parameter: bytes = b"boundary=b", kind: bytes = b"multipart/mixed") -> bytes:
    """A message with this body."""
    return b"From: a@x\nContent-Type: " + kind + b"; " + parameter + b"\n\n" + body


def parts(*entities: bytes, line: bytes = b"--b\n") -> bytes:
    """Entities, each after a boundary."""
    return b"".join(line + one for one in entities)


def nested(depth: int, inner: bytes) -> bytes:
    """An entity inside of so many multiparts."""
    for number in range(depth):
        name = b"n%d" % number
        inner = (
            b"Content-Type: multipart/mixed; boundary=" + name + b"\n\n--" + name + b"\n" + inner
            + b"\n--" + name + b"--\n"
        )  # fmt: skip
    return inner


def attached(depth: int, inner: bytes) -> bytes:
    """An entity inside of so many messages."""
    return b"Content-Type: message/rfc822\n\n" * depth + inner


BOTH = parts(TEXT, EVIL) + END
BOUNDARIES: Mapping[str, bytes] = {
    "nothing odd": mixed(BOTH),
    "in quotes": mixed(BOTH, b'boundary="b"'),
    "in quotes that are never closed": mixed(BOTH, b'boundary="b'),
    "with an escape": mixed(BOTH, b'boundary="\\b"'),
    "in capitals": mixed(BOTH, b"BOUNDARY=b", b"MULTIPART/MIXED"),
    "with blanks around the sign": mixed(BOTH, b"boundary = b"),
    "folded": mixed(BOTH, b"\n boundary=b"),
    "after another parameter": mixed(BOTH, b"charset=utf-8; boundary=b"),
    "after an empty parameter": mixed(BOTH, b";;; boundary=b"),
    "after 1,000 parameters": mixed(BOTH, b"x=y; " * 1000 + b"boundary=b"),
    "twice, the same": mixed(BOTH, b"boundary=b; boundary=b"),
    "twice, the second in use": mixed(BOTH, b"boundary=c; boundary=b"),
    "twice, the first in use": mixed(BOTH, b"boundary=b; boundary=c"),
    "in sections": mixed(BOTH, b"boundary*0=b"),
    "in sections and plain": mixed(BOTH, b"boundary*0=c; boundary=b"),
    "percent-encoded": mixed(BOTH, b"boundary*=utf-8''%62"),
    "with a comment": mixed(BOTH, b"boundary=b (comment)"),
    "with blanks outside of quotes": mixed(BOTH.replace(b"--b", b"--b c"), b"boundary=b c"),
    "of one space in quotes": mixed(BOTH.replace(b"--b", b"--b c"), b'boundary="b c"'),
    "of 8 bit": mixed(BOTH.replace(b"--b", b"--\xff"), b"boundary=\xff"),
    "of 1,000 characters": mixed(
        BOTH.replace(b"--b", b"--" + b"b" * 1000), b"boundary=" + b"b" * 1000
    ),
    "of dashes": mixed(BOTH.replace(b"--b", b"----"), b"boundary=--"),
    "of a pattern": mixed(BOTH.replace(b"--b", b"--.*(a+)+"), b'boundary=".*(a+)+"'),
    "followed by blanks": mixed(parts(TEXT, EVIL, line=b"--b \t \n") + END),
    "without a final one": mixed(parts(TEXT, EVIL)),
    "after a preamble that looks like parts": mixed(b"--c\n" + TEXT + b"--c--\n" + BOTH),
    "after a bare CR": mixed(
        parts(TEXT) + b"text\r--b\r" + EVIL.replace(b"\n", b"\r") + b"\n" + END
    ),
    "with CRLF": mixed(BOTH).replace(b"\n", b"\r\n"),
    "with a mix of line ends": mixed(BOTH).replace(b"--b\n", b"--b\r\n"),
    "of the outer part inside the inner": mixed(
        parts(b"Content-Type: multipart/alternative; boundary=c\n\n--c\n" + TEXT, EVIL) + END
    ),
    "of inner and outer part the same": mixed(
        parts(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + TEXT, EVIL) + END
    ),
    "that begins with that of the outer": mixed(
        parts(b"Content-Type: multipart/mixed; boundary=bb\n\n--bb\n" + EVIL + b"--bb--\n") + END
    ),
}  # fmt: skip
TYPES: Mapping[str, bytes] = {
    "multipart of an unknown subtype": mixed(BOTH, kind=b"multipart/x-unknown"),
    "multipart/digest": mixed(b"--b\n\n" + EVIL + END, kind=b"multipart/digest"),
    "multipart/related": mixed(BOTH, kind=b"multipart/related"),
    "multipart/alternative": mixed(BOTH, kind=b"multipart/alternative"),
    "multipart/signed": mixed(BOTH, kind=b"multipart/signed"),
    "multipart/report": mixed(BOTH, kind=b"multipart/report"),
    "multipart/multipart/mixed": mixed(BOTH, kind=b"multipart/multipart/mixed"),
    "a comment in the type": mixed(BOTH, kind=b"multipart(x)/mixed"),
    "an encoded word for a type": mixed(BOTH, kind=b"=?us-ascii?q?multipart/mixed?="),
    "blanks in the type": mixed(BOTH, kind=b"multipart / mixed"),
    "no boundary": b"Content-Type: multipart/mixed\n\n" + BOTH,
    "two Content-Types, the first a text": b"Content-Type: text/plain\n" + mixed(BOTH),
    "two Content-Types, the second a text": mixed(BOTH).replace(
        b"\n\n", b"\nContent-Type: text/plain\n\n", 1
    ),
    "an empty Content-Type before it": b"Content-Type:\n" + mixed(BOTH),
    "a blank before the colon": mixed(BOTH).replace(b"Content-Type:", b"Content-Type :", 1),
    "an encoding of the multipart": b"Content-Transfer-Encoding: base64\n" + mixed(BOTH),
    "no MIME-Version": mixed(BOTH),
    "a MIME-Version that is none": b"MIME-Version: x\n" + mixed(BOTH),
}  # fmt: skip
HEADERS: Mapping[str, bytes] = {
    "a line that is none before it": mixed(parts(TEXT, b"junk\n" + EVIL) + END),
    "a line that is none inside it": mixed(
        parts(TEXT, b"Content-Type: text/plain\njunk\n" + DISPOSITION + b"\n" + DATA) + END
    ),
    "a continuation of nothing before it": mixed(parts(TEXT, b" x\n" + EVIL) + END),
    "two Content-Types": mixed(parts(TEXT, b"Content-Type: text/plain\n" + EVIL) + END),
    "two dispositions": mixed(parts(b"Content-Disposition: inline\n" + EVIL) + END),
    "two transfer encodings": mixed(parts(b"Content-Transfer-Encoding: 7bit\n" + EVIL) + END),
    "NUL in it": mixed(parts(TEXT, EVIL.replace(b"octet-stream", b"octet-stream\0")) + END),
    "a bare CR in it": mixed(
        parts(TEXT, EVIL.replace(b"octet-stream", b"octet-stream\rX: y")) + END
    ),
    "names in capitals": mixed(parts(TEXT, EVIL.replace(b"Content-", b"CONTENT-")) + END),
    "blanks before the colons": mixed(parts(TEXT, EVIL.replace(b":", b" \t:")) + END),
    "no blank after the colons": mixed(parts(TEXT, EVIL.replace(b": ", b":")) + END),
    "folds everywhere": mixed(
        parts(TEXT, EVIL.replace(b": ", b":\n ").replace(b"; ", b";\n\t")) + END
    ),
    "1,000 other fields": mixed(parts(TEXT, b"X-A: b\n" * 1000 + EVIL) + END),
    "more than the bound": mixed(parts(TEXT, b"X-A: b\n" * 50_000 + EVIL) + END),
    "no empty line after it": mixed(parts(TEXT, EVIL.replace(b"\n\n", b"\n", 1)) + END),
    "nothing but the disposition": mixed(parts(TEXT, DISPOSITION + b"\n" + DATA) + END),
    "an encoded part that is a message": mixed(
        parts(b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
              + base64.encodebytes(EVIL)) + END
    ),
    "a fragment of a message": mixed(
        parts(b"Content-Type: message/partial; id=a; number=1; total=2\n\n" + EVIL) + END
    ),
}  # fmt: skip


def cases() -> Iterator[Case]:
    for title, built in (
        ("a boundary", BOUNDARIES),
        ("a type", TYPES),
        ("a part's header", HEADERS),
    ):
        found = {f"{title}: {name}": content for name, content in built.items()}
        yield from contents(found, Verdict.DISCARD, FILES)
    after_the_end = {"after the final boundary": mixed(parts(TEXT) + END + parts(EVIL) + END)}
    yield from contents(after_the_end, recipients=FILES)  # no client shows it
    deep = {
        **{f"{depth} multiparts": nested(depth, EVIL) for depth in (1, 2, 50, 99, 101, 1000)},
        **{f"{depth} messages": attached(depth, EVIL) for depth in (1, 2, 50, 99, 101, 1000)},
        "100 of each in turn": nested(50, attached(50, nested(50, attached(50, EVIL)))),
    }
    inside = {f"inside of {name}": content for name, content in deep.items()}
    yield from contents(inside, Verdict.DISCARD, FILES)
    many = {
        f"after {count} parts": mixed(parts(*[TEXT] * count, EVIL) + END)
        for count in (1, 100, 9_000, 10_001, 30_000)
    }
    yield from contents(many, Verdict.DISCARD, FILES)
    for size in range(0, len(mixed(BOTH)), 12):
        content = mixed(BOTH)[:size]
        without_parts = b"multipart/" in content and b"--b\n" not in content
        suspicious = without_parts or PROGRAM.encode() in content
        verdict = Verdict.DISCARD if suspicious else Verdict.ACCEPT
        yield from contents({f"cut after {size} bytes": content}, verdict, FILES)
