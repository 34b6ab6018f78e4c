"""What mail clients read in different ways.

Where a message says one thing to one client and another to the next, nobody can tell what its
reader will see. An edit would miss that, and a look at its files, too. So the scan says where it
is in doubt (`Structure.doubt`), and who builds on it decides. Amavis and Perl's MIME-tools do the
same (`ambiguous_content`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyquarantine_core.mime.structure import Field, MimePart

_NAMES = {
    "content-disposition": "Content-Disposition",
    "content-transfer-encoding": "Content-Transfer-Encoding",
    "content-type": "Content-Type",
}
_BROKEN = re.compile(rb"\0|\r(?!\n)")
# What ends a field and a header to Thunderbird, and what around a name is nothing (jsmime).
_FIELD_END = re.compile(rb"\r?\n(?![ \t])|\r(?![ \t\n])")
_HEADER_END = re.compile(rb"\r\r")
_TRIMMED = b" \t\r\n\x0b\x0c\xa0"
_UNUSUAL = re.compile(rb"\A[ \t]|\r(?!\n)|[\x0b\x0c\xa0]")
"""Without any of these it reads a header as everybody does."""
_BLANKS = re.compile(rb"\s+")

_ENCODINGS = frozenset({"base64", "quoted-printable"})
"""Those that make a difference."""

STRAY_HEADER = "a header field after a line that is none"
"""To Thunderbird a header goes on until an empty line; to Postfix and Python it ends there."""
BARE_CR_BOUNDARY = "a boundary beside a bare CR"
"""To Thunderbird a CR ends a line; to others only CRLF and LF do."""
ODD_FIELD = "a header field that odd white space may hide"
"""Likewise for header fields; and to Thunderbird white space around a name is none of it."""


def doubt_of(part: MimePart) -> str:
    """What of a part's header is read in different ways, in words that follow "it has"."""
    return _doubtful_fields(part.fields) or _doubtful_type(part) or _doubtful_encoding(part)


def doubtful_header(raw: bytes, fields: Iterable[Field]) -> str:
    """Whether Thunderbird finds other fields in a header that describe the content.

    Args:
        raw: the header as it stands in the message, up to the next empty line.
        fields: what we have read of it.
    """
    if _UNUSUAL.search(raw) is None:
        return ""
    cut = (one.partition(b":") for one in _FIELD_END.split(raw))
    names = (name.strip(_TRIMMED).lower().decode("latin-1") for name, colon, _ in cut if colon)
    theirs = [one for one in names if one in _NAMES]
    ours = [one.name for one in fields if one.name in _NAMES]
    return ODD_FIELD if theirs != ours or _HEADER_END.search(raw) else ""


def meaning(value: bytes) -> bytes:
    """A field's value as it is compared with that of another field of its name."""
    return _BLANKS.sub(b" ", value.strip()).lower()


def _doubtful_fields(fields: Iterable[Field]) -> str:
    seen: dict[str, bytes] = {}
    for one in fields:
        if one.name not in _NAMES:
            continue
        if _BROKEN.search(one.value):
            return f"a NUL or bare CR in {_NAMES[one.name]}"
        value = meaning(one.value)
        if seen.setdefault(one.name, value) != value:
            return f"two different fields {_NAMES[one.name]}"
    return ""


def _doubtful_type(part: MimePart) -> str:
    if part.is_multipart:
        unclear = "boundary" in part.content_type.unclear
        return "a boundary that can be read in two ways" if unclear else ""
    raw = (part.value("content-type") or b"").lower()
    may_be_one = b"multipart" in raw and b"boundary" in raw
    return "a Content-Type that may be a multipart" if may_be_one else ""


def _doubtful_encoding(part: MimePart) -> str:
    """RFC 2045, section 6.1, has one token there; comments may be around it, parameters may not.

    We pass over both. To Python such a value names no encoding: it shows the part as it stands.
    """
    if part.is_multipart or part.encoding not in _ENCODINGS:
        return ""
    alone = meaning(part.value("content-transfer-encoding") or b"") == part.encoding.encode()
    return "" if alone else "a transfer encoding that can be read in two ways"
