"""Header values: from bytes to text and back."""

from __future__ import annotations

import re

from pyquarantine_core.header_text import clean_text, decode_value, encode_value
from pyquarantine_core.mime.fields import read_media_type, read_word

NAMES = ("Subject", "X-" + "n" * 60, "From", "To", "Content-Type", "Received", "List-Id")
"""Headers without structure, with addresses, and with another structure."""
WITHOUT_STRUCTURE = 2
"""How many of them have none."""
WORDS = (
    *(
        b"=?",
        b"?=",
        b"=?utf-8?q?",
        b"=?utf-8?b?",
        b"=?iso-2022-jp?b?",
        b"=?utf-7?q?",
        b"?q?",
        b"?b?",
    ),
    *(
        b"\r\n ",
        b"\n\t",
        b"=C3=BC",
        b"w7w=",
        b"<a@b.example>",
        b'"',
        b"\\",
        b"(",
        b")",
        b", ",
        b";",
    ),
    *(
        "ü".encode(),
        "日".encode(),
        b"\xe4",
        b"\x1b$B",
        b"\x1b(B",
        b"Group: ",
        b"boundary=",
        b"*0*=",
    ),
)
SEEDS = (
    b"\0=?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?iso-8859-1?b?S/ZsbiA=?=\n =?utf-8?q?a?=",
    b"\1" + "Grüße  an \t alle".encode(),
    b'\2"M\xc3\xbcller, J" <j@example.org>, Team: a@x, B <b@y>;, c@z (\xc3\xbc (x))',
    b'\4multipart/mixed; boundary="a\\"b"; x*0*=utf-8\'\'%C3; x*1=y',
    b"\5from a (b [192.0.2.1])\n\tby c with ESMTP id d; Thu, 1 Jan 1970 00:00:00 +0000",
)

_INJECTED = re.compile(r"[\0\r]|\n(?![ \t])")
_UNFIT = re.compile("[\r\n\0\ud800-\udfff]")


def check(data: bytes) -> None:
    """Reading never fails and gives clean text; what is written cannot leave its header."""
    kind, raw = data[:1], data[1:]
    name = NAMES[kind[0] % len(NAMES)] if kind else NAMES[0]
    text = decode_value(raw)
    assert not _UNFIT.search(text)
    assert text == text.strip(" \t")
    read_word(raw)
    read_media_type(raw, "text/plain")
    for new in (text, raw.decode("utf-8", "surrogateescape")):
        _check_written(name, new)


def _check_written(name: str, text: str) -> None:
    value = encode_value(name, text)
    line = value.decode()
    assert value.startswith(b" ")
    assert not _INJECTED.search(line)
    assert all(fold.strip(" \t") for fold in line.split("\n")[1:])
    if text.isascii():
        assert value.isascii()
    if name in NAMES[:WITHOUT_STRUCTURE]:
        assert value.isascii()
        assert all(len(one) <= 998 for one in f"{name}:{line}".split("\n"))
        assert decode_value(value) == clean_text(text)
