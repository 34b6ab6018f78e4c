"""The header fields of a message, as text to look at and as bytes to store."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.header_text import decode_value


class Header:
    """One header field, never changed; two equal ones are still two.

    A plain class, for there are dozens to each message, most of which nothing looks at.

    Attributes:
        name: as spelt in the message.
        raw: all bytes after the colon, folds as LF and white space, without the last line break.
        origin: its place among the headers as received, from 0; None when it was added.
    """

    _value: str | None = None
    _text: str | None = None

    def __init__(self, name: str, raw: bytes, origin: int | None = None) -> None:
        self.name = name
        self.raw = raw
        self.origin = origin

    def __repr__(self) -> str:
        return f"Header({self.name!r}, {self.raw!r}, {self.origin!r})"

    @property
    def value(self) -> str:
        """Decoded (RFC 2047) and unfolded."""
        if self._value is None:  # not a cached_property, whose lock costs more than this
            self._value = decode_value(self.raw)
        return self._value

    @property
    def text(self) -> str:
        """`Name: value`, which the patterns of `headers` search."""
        if self._text is None:
            self._text = f"{self.name}: {self.value}"
        return self._text

    @property
    def line(self) -> bytes:
        """As it stands in a stored message, line breaks as CRLF."""
        return lines((self,))


def lines(headers: Iterable[Header]) -> bytes:
    """Header fields as they stand in a stored message, lines in CRLF."""
    fields = [
        b"%b:%b\r\n" % (one.name.encode("utf-8", "surrogateescape"), one.raw) for one in headers
    ]
    return b"".join(fields).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
