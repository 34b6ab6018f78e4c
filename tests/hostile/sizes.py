"""Messages that are too much of something: all are delivered, whatever cannot be done with them."""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, contents
from .mime_structure import END, TEXT, attached, mixed, nested, parts

LARGE = 5 * 1024 * 1024


def cases() -> Iterator[Case]:
    html = b"Content-Type: text/html\n\n<p>Hello</p>\n"
    yield from contents(
        {
            "a text of 5 MB": b"Subject: x\n\n" + b"Hello there, this goes on.\n" * (LARGE // 27),
            "HTML of 5 MB": b"Content-Type: text/html\n\n" + b"<p>Hello</p>\n" * (LARGE // 13),
            "a file of 8 MB": mixed(
                parts(TEXT, b"Content-Type: application/pdf\n\n" + b"x" * 70 * 1000 * 120) + END
            ),
            "30,000 texts": mixed(parts(*[TEXT] * 30_000) + END),
            "30,000 HTML texts": mixed(parts(*[html] * 30_000) + END),
            "30,000 empty parts": mixed(b"--b\n" * 30_000 + END),
            "9,000 alternatives": mixed(
                parts(*[html] * 9_000) + END, kind=b"multipart/alternative"
            ),
            "2,000 multiparts inside each other": nested(2000, html),
            "2,000 messages inside each other": attached(2000, html),
            "300,000 boundaries of other parts": mixed(b"--x\n" * 300_000 + parts(TEXT) + END),
            "a header of a part of 1 MB": mixed(parts(b"X-A: b\n" * 150_000 + TEXT) + END),
            "a Content-Type of 60,000 semicolons": b"Content-Type: text/plain" + b";" * 59_000
            + b"\n\nx\n",
            "a Content-Type of 60,000 quotes": b"Content-Type: text/plain; a=" + b'"' * 59_000
            + b"\n\nx\n",
            "3,000 sections of a parameter": b"Content-Disposition: attachment"
            + b"".join(b";filename*%d=a" % number for number in range(3000)) + b"\n\nx\n",
            "a From of 60,000 commas": b"From: " + b"," * 59_000 + b"\n\nx\n",
            "a From of 60,000 parentheses": b"From: " + b"(" * 59_000 + b"\n\nx\n",
            "a From of 60,000 quotes": b"From: " + b'"' * 59_001 + b"\n\nx\n",
            "a From of 60,000 brackets": b"From: " + b"<" * 59_000 + b"\n\nx\n",
            "a subject of 60,000 encoded words' beginnings": b"Subject: " + b"=?a?q?" * 9_000
            + b"\n\nx\n",
        }
    )  # fmt: skip
