"""The text of a part: read for people, or edited so that what is not edited stays as it is."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyquarantine_core.body import View
from pyquarantine_core.encoded_words import codec_of, decode_known
from pyquarantine_core.limits import DEFAULT_LIMITS, Limits, over
from pyquarantine_core.mime.content import ContentError, Encoded, decode_transfer, encode_transfer
from pyquarantine_core.mime.structure import MimePart

# Where bytes below 0x80 may be a part of other characters, or stand for something else.
_NOT_LIKE_ASCII = frozenset({"hz", "johab", "utf_16", "utf_16_be", "utf_16_le", "utf_7"})
_SHIFT = re.compile(rb"\x1b(?:\$|\(I)")
"""After it, bytes of ISO-2022-JP stand for other characters than ASCII has (RFC 1468)."""
_SHIFTED = re.compile(_SHIFT.pattern + rb".*?(?=\x1b\([BJ])", re.DOTALL)
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class TextEdit:
    """New text in the place of a stretch of a `PartText.view`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class EditedText:
    """The new content of a part.

    Attributes:
        content: its bytes and their transfer encoding.
        charset: its new charset; None when the old one does.
    """

    content: Encoded
    charset: str | None


@dataclass(frozen=True, slots=True)
class PartText:
    """The text of a part, ready to be edited.

    Attributes:
        part: the part.
        data: its content without transfer encoding.
        view: what to look for positions in: one character per byte where the charset agrees with
            ASCII, so that bytes it does not know are safe; else the decoded text.
        by_bytes: whether the view is of the first kind.
        codec: what the data is read with.
    """

    part: MimePart
    data: bytes
    view: str
    by_bytes: bool
    codec: str

    @classmethod
    def of(cls, part: MimePart, body: View, limits: Limits = DEFAULT_LIMITS) -> PartText:
        """The text of a part of this body.

        Raises:
            ContentError: it cannot be edited.
        """
        _refuse_large(part, limits)
        data = decode_transfer(body[part.start : part.end], part.encoding)
        codec = _codec(part, data)
        if _is_like_ascii(codec):
            return cls(part, data, data.decode("latin-1"), by_bytes=True, codec=codec)
        try:
            return cls(part, data, data.decode(codec), by_bytes=False, codec=codec)
        except UnicodeDecodeError:
            return cls(part, data, _masked(part, data, codec), by_bytes=True, codec=codec)

    @property
    def newline(self) -> str:
        """How its lines end."""
        return "\n" if "\n" in self.view and "\r\n" not in self.view else "\r\n"

    def decoded(self, start: int = 0, end: int | None = None) -> str:
        """A stretch of the view, in its real characters."""
        if not self.by_bytes:
            return self.view[start:end]
        return decode_known(self.data[start:end], self.codec)

    def edited(self, edits: Sequence[TextEdit]) -> EditedText:
        """The content with these edits, which follow each other.

        Charset and transfer encoding stay where the new text fits them. Where it does not, all of
        the text becomes UTF-8, or `encode_transfer` chooses.

        Raises:
            ContentError: the text would become UTF-8, but has characters that we do not know.
        """
        codec = codec_of(self.part.charset, to_read=False) or "ascii"
        charset = None
        try:
            data = self._spliced(edits, codec) if self.by_bytes else self._text(edits).encode(codec)
        except UnicodeEncodeError:
            if self.by_bytes and not _is_like_ascii(self.codec):
                raise _not_in_charset(self.part) from None
            data, charset = self._text(edits).encode(), "utf-8"
        return EditedText(encode_transfer(data, self.part.encoding, self.data), charset)

    def _spliced(self, edits: Sequence[TextEdit], codec: str) -> bytes:
        pieces, at = [], 0
        for edit in edits:
            pieces += [self.data[at : edit.start], edit.text.encode(codec)]
            at = edit.end
        return b"".join([*pieces, self.data[at:]])

    def _text(self, edits: Sequence[TextEdit]) -> str:
        pieces, at = [], 0
        for edit in edits:
            pieces += [self.decoded(at, edit.start), edit.text]
            at = edit.end
        return "".join([*pieces, self.decoded(at)])


ToldInside = Callable[[bytes], str]
"""Finds the charset that a text names itself, as HTML can; empty when it names none."""


def read_text(part: MimePart, body: View, told_inside: ToldInside = lambda _: "") -> str:
    """What a mail client shows of a text, whatever is wrong with it.

    Args:
        part: the text; all of it is read, so the caller cuts it.
        body: of the message.
        told_inside: asked when the header names no charset and the text is not UTF-8.
    """
    data = body[part.start : part.end]
    with contextlib.suppress(ContentError):
        data = decode_transfer(data, part.encoding)
    return _SURROGATES.sub("\ufffd", decode_known(data, _codec(part, data, told_inside)))


def _refuse_large(part: MimePart, limits: Limits) -> None:
    size = part.end - part.start
    if size > limits.edit_bytes:
        excess = f"a text has more than {limits.edit_bytes} bytes"
        raise ContentError(over(excess, "edit_bytes"))
    if part.type == "text/html" and size > limits.html_bytes:
        excess = f"an HTML text has more than {limits.html_bytes} bytes"
        raise ContentError(over(excess, "html_bytes"))


def _is_like_ascii(codec: str) -> bool:
    return codec not in _NOT_LIKE_ASCII and not codec.startswith("iso2022")


def _masked(part: MimePart, data: bytes, codec: str) -> str:
    """A view of ISO-2022-JP with characters that are not standard but common, such as `①`."""
    end = max(data.rfind(b"\x1b(B"), data.rfind(b"\x1b(J"), 0)
    known = codec.startswith("iso2022_jp") and data.isascii()
    if not known or _SHIFT.search(data, end):
        raise _not_in_charset(part)
    head = _SHIFTED.sub(lambda match: b"\x1b" * len(match[0]), data[: end + 3])
    return (head + data[end + 3 :]).decode("ascii")


def _not_in_charset(part: MimePart) -> ContentError:
    return ContentError(f"a text is not in its charset {part.charset!r}")


def _codec(part: MimePart, data: bytes, told_inside: ToldInside = lambda _: "") -> str:
    """The codec of a text; where its charset says too little, as clients guess."""
    codec = codec_of(part.charset)
    if codec is not None and codec != "ascii":
        return codec
    try:
        data.decode()
    except UnicodeDecodeError:
        return codec_of(told_inside(data)) or "cp1252"
    return "utf-8"
