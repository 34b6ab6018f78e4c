"""New parts, to be put into messages: each is a header and a content, ready for the wire."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

from pyquarantine_core.header_text import encode_value
from pyquarantine_core.mime.content import encode_transfer


def header_lines(fields: Mapping[str, str]) -> bytes:
    """Header fields as they stand in a message."""
    return b"".join(
        b"%b:%b\r\n" % (name.encode(), encode_value(name, value).replace(b"\n", b"\r\n"))
        for name, value in fields.items()
    )


def text_entity(subtype: str, text: str) -> bytes:
    """A part of type text; 7-bit, and in UTF-8 where ASCII does not do."""
    content = encode_transfer(text.encode(), "7bit")
    fields = {
        "Content-Type": f"text/{subtype}; charset={'us-ascii' if text.isascii() else 'utf-8'}",
        "Content-Transfer-Encoding": content.encoding,
    }
    return header_lines(fields) + b"\r\n" + content.data


def multipart_entity(subtype: str, entities: Iterable[bytes]) -> bytes:
    """A multipart of these parts."""
    boundary = new_boundary()
    line = b"--" + boundary.encode()
    return b"".join(
        [
            header_lines({"Content-Type": f'multipart/{subtype}; boundary="{boundary}"'}),
            b"\r\n",
            *(b"%b\r\n%b\r\n" % (line, entity) for entity in entities),
            line + b"--",
        ]
    )


def new_boundary() -> str:
    """A boundary that nobody could have put into a message before (RFC 2046, section 5.1.1)."""
    return f"=_{secrets.token_hex(16)}"
