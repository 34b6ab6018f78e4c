"""Content-Transfer-Encoding (RFC 2045, section 6): bytes of a part to data and back."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from math import ceil

from pyquarantine_core.encoded_words import decode_payload
from pyquarantine_core.errors import PyquarantineError
from pyquarantine_core.mime.structure import IDENTITY

LONGEST_LINE = 998
"""Characters of a line without its break (RFC 5322, section 2.1.1)."""

_QP_LINE = 76
_BASE64_LINE = 57
"""Bytes that a line of base64 stands for."""
_QP_UNSAFE = re.compile(rb"[^\t -<>-~]")
_TRAILING_BLANKS = re.compile(rb"(?<![ \t])[ \t]+(?=\r?\n)")


class ContentError(PyquarantineError):
    """The content of a part cannot be read or changed; the text says why."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Data in a transfer encoding.

    Attributes:
        data: as it stands in a message.
        encoding: the value of Content-Transfer-Encoding; empty for none.
    """

    data: bytes
    encoding: str


def decode_transfer(data: bytes, encoding: str) -> bytes:
    """The data of a part, read as forgivingly as mail clients do.

    Raises:
        ContentError: the encoding is unknown.
    """
    if encoding in IDENTITY:
        return data
    if encoding == "base64":
        return decode_payload(data, "b")
    if encoding == "quoted-printable":
        return binascii.a2b_qp(_TRAILING_BLANKS.sub(b"", data))
    raise ContentError(f"the transfer encoding {encoding!r} is not known")


def encode_transfer(data: bytes, wanted: str = "", before: bytes = b"") -> Encoded:
    """Data in the wanted transfer encoding, or in one that it needs.

    Data that an encoding such as 7bit cannot carry becomes quoted-printable or base64, whichever
    is shorter. Demands that `before`, in the wanted encoding, made already make no difference.
    """
    if wanted == "base64":
        return Encoded(_base64(data), wanted)
    if wanted == "quoted-printable":
        return Encoded(_quoted_printable(data), wanted)
    eight_bit = wanted in {"", "7bit"} and not data.isascii() and before.isascii()
    too_long = _has_long_line(data) and not _has_long_line(before)
    if not (eight_bit or too_long or (b"\0" in data and b"\0" not in before)):
        return Encoded(data, wanted)
    printable = _quoted_printable(data)
    if len(printable) <= 4 * ceil(len(data) / 3) + 2 * ceil(len(data) / _BASE64_LINE):
        return Encoded(printable, "quoted-printable")
    return Encoded(_base64(data), "base64")


def _has_long_line(data: bytes) -> bool:
    """Whether there is a line of more than `LONGEST_LINE` characters."""
    start = 0
    while len(data) - start > LONGEST_LINE:
        reach = start + LONGEST_LINE + 1
        end = max(data.rfind(b"\n", start, reach), data.rfind(b"\r", start, reach))
        if end < 0:
            return True
        start = end + 1
    return False


def _base64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def _quoted_printable(data: bytes) -> bytes:
    """CRLF are line breaks, everything else is text; no line looks like one of an mbox or SMTP."""
    if not _fits_binascii(data):
        return b"\r\n".join(_quoted_line(line) for line in data.split(b"\r\n"))
    encoded = binascii.b2a_qp(data)
    return encoded if b"\r\n" in data else encoded.replace(b"\n", b"\r\n")


def _fits_binascii(data: bytes) -> bool:
    """Whether `b2a_qp` will do.

    It lets `From ` stand, takes a CR or LF alone for a line break, and makes lines longer than 76
    characters that end in a blank.
    """
    ends = data.count(b"\r\n")
    odd = (b"From ", b" \r\n", b"\t\r\n")
    return (
        ends == data.count(b"\r") == data.count(b"\n")
        and not data.endswith((b" ", b"\t"))
        and not any(one in data for one in odd)
    )


def _quoted_line(line: bytes) -> bytes:
    line = _QP_UNSAFE.sub(lambda match: b"=%02X" % match[0][0], line)
    if line[-1:] in {b" ", b"\t"}:
        line = b"%b=%02X" % (line[:-1], line[-1])
    if line.startswith(b"From ") or line == b".":
        line = b"=%02X%b" % (line[0], line[1:])
    pieces, start = [], 0
    while len(line) - start > _QP_LINE:
        end = start + _QP_LINE - 1
        cut = line.find(b"=", end - 2, end)
        pieces.append(line[start : end if cut < 0 else cut])
        start = end if cut < 0 else cut
    return b"=\r\n".join([*pieces, line[start:]])
