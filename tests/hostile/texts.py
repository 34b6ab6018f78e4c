"""Texts in every charset and transfer encoding, sound and broken: all are delivered, and shown."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from itertools import product

from .case import Case, contents

CHARSETS = (
    "us-ascii utf-8 UTF-8 iso-8859-1 windows-1252 windows-1251 koi8-r gb2312 gb18030 big5 shift_jis"
    " iso-2022-jp euc-kr utf-7 utf-16 utf-16le utf-32 hz-gb-2312 x-unknown base64 rot13 idna"
    " unicode_escape zlib"
)
DATA: Mapping[str, bytes] = {
    "all bytes": bytes(range(256)),
    "half characters": b"\xc3\n\xe2\x82\n\xf0\x9f\n\x1b$B$\n",
    "shifts without an end": b"\x1b$B" * 500 + b"+AGE" * 500 + b"~{" * 500,
}
ENCODINGS: Mapping[str, bytes] = {
    "base64 that is none": b"===a!\n\0\n",
    "base64 of 1 MB in one line": b"QUFB" * 250_000,
    "quoted-printable that breaks off": b"a=\nb=4\nc=zz\n=",
    "quoted-printable of 1 MB in one line": b"=41" * 333_333,
}
LINES: Mapping[str, bytes] = {
    "a line of 1 MB": b"a" * 1_000_000 + b"\n",
    "500,000 empty lines": b"\n" * 500_000,
    "bare CR": b"a\rb\r\r\rc\n" * 1000,
    "NUL": b"\0" * 10_000 + b"\n",
    "lines that end a message to SMTP": b".\n..\n.\n",
    "lines of mbox": b"From a@x\n>From b@x\n",
    "no line end": b"Hello",
    "nothing": b"",
    "a byte order mark": b"\xef\xbb\xbfHello\n",
    "flowed text that never ends": b"a \n" * 10_000,
    "a signature of PGP": b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nx\n",
}


def cases() -> Iterator[Case]:
    for kind, charset, (what, data) in product(("plain", "html"), CHARSETS.split(), DATA.items()):
        fields = f"Subject: x\nContent-Type: text/{kind}; charset={charset}\n\n".encode()
        yield from contents({f"{what} in {charset}, {kind}": fields + data})
    for charset, encoding in product(("utf-8", "utf-16", "x-unknown"), ("base64", "qp", "x-none")):
        name = {"qp": "quoted-printable"}.get(encoding, encoding)
        head = f"Content-Type: text/html; charset={charset}\nContent-Transfer-Encoding: {name}\n\n"
        data = base64.encodebytes(DATA["all bytes"])
        yield from contents({f"all bytes in {charset}, {encoding}": head.encode() + data})
    for what, data in ENCODINGS.items():
        encoding_name = what.split()[0]
        head = f"Content-Type: text/plain\nContent-Transfer-Encoding: {encoding_name}\n\n"
        yield from contents({what: head.encode() + data})
    for kind, (what, data) in product(("plain", "html"), LINES.items()):
        fields = f"Content-Type: text/{kind}; format=flowed\n\n".encode()
        yield from contents({f"{what}, {kind}": fields + data})
