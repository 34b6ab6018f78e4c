"""Where the parts of a message are: one scan over its bytes, as mail clients read them.

The scan never fails and takes linear time. It changes nothing and decodes nothing but the header
fields that make the structure; offsets are those of the message's body.

How it reads what is not in order:

* Lines end in CRLF or LF. White space after a boundary is ignored, other text makes it none.
* A boundary of an outer multipart ends all inner ones; a final boundary may be missing.
* Of several equal header fields the first counts. A broken Content-Type is text/plain (RFC 2045,
  section 5.2); a multipart without a boundary parameter is a leaf.
* The header of a part ends at an empty line, at a boundary, or where a line is no header field.

Where clients are known to read a message in different ways, the result says so (`doubt`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from pyquarantine_core.body import View
from pyquarantine_core.limits import DEFAULT_LIMITS, Limits, over
from pyquarantine_core.mime.bare_cr import BareCrs, first_dashes
from pyquarantine_core.mime.doubts import (
    BARE_CR_BOUNDARY,
    STRAY_HEADER,
    doubt_of,
    doubtful_header,
)
from pyquarantine_core.mime.fields import FieldValue, read_media_type, read_word

IDENTITY = frozenset({"", "7bit", "8bit", "binary"})
"""Transfer encodings that leave bytes as they are."""

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
# A pattern finds these in less than half the time of `bytes.find`.
_DASHES_AFTER_LF = re.compile(rb"\n--")
_NEARBY = 1024
"""Bytes in which a pattern alone finds a boundary sooner than with a jump to the next dash."""


@dataclass(frozen=True, slots=True)
class Field:
    """A header field of a part.

    Attributes:
        name: in lower case.
        value: all bytes after the colon, without the last line break.
        start: offset of its name; 0 for the message's own headers.
        end: offset after its value; 0 likewise.
    """

    name: str
    value: bytes
    start: int = 0
    end: int = 0


@dataclass(eq=False)
class MimePart:
    """A part of a message; the message itself is one, too.

    Attributes:
        fields: its header fields.
        boundary_start: offset of the boundary line before it.
        header_start: offset of its header; of the message itself 0.
        start: offset of its content.
        end: offset after its content; the line break before a boundary belongs to the boundary.
        separated: whether an empty line stands between header and content.
        parent: the multipart or message that it is in.
        parts: those of a multipart; the message inside a message/rfc822.
    """

    fields: tuple[Field, ...]
    boundary_start: int = 0
    header_start: int = 0
    start: int = 0
    end: int = 0
    separated: bool = True
    parent: MimePart | None = None
    parts: list[MimePart] = field(default_factory=list)

    def first(self, name: str) -> Field | None:
        """The first header field of this name, in lower case."""
        return next((one for one in self.fields if one.name == name), None)

    def value(self, name: str) -> bytes | None:
        """The value of that field."""
        found = self.first(name)
        return None if found is None else found.value

    @cached_property
    def content_type(self) -> FieldValue:
        """Content-Type; of a part of a multipart/digest it defaults to message/rfc822."""
        in_digest = self.parent is not None and self.parent.type == "multipart/digest"
        default = "message/rfc822" if in_digest else "text/plain"
        return read_media_type(self.value("content-type"), default)

    @property
    def type(self) -> str:
        """Type and subtype in lower case."""
        return self.content_type.word

    @property
    def charset(self) -> str:
        """As named, in lower case; empty when it is not."""
        return self.content_type.parameters.get("charset", "").partition(" ")[0].lower()

    @cached_property
    def encoding(self) -> str:
        """The transfer encoding in lower case; empty when none is named."""
        return read_word(self.value("content-transfer-encoding")).word

    @cached_property
    def disposition(self) -> FieldValue:
        """Content-Disposition."""
        return read_word(self.value("content-disposition"))

    @property
    def filename(self) -> str:
        """Decoded; empty when the part has none."""
        names = self.disposition.parameters, self.content_type.parameters
        return names[0].get("filename") or names[1].get("name", "")

    @property
    def boundary(self) -> bytes:
        """The delimiter between the parts of a multipart, without its dashes; empty if none."""
        if not self.type.startswith("multipart/"):
            return b""
        return self.content_type.raw.get("boundary", b"").rstrip(b" \t")

    @property
    def is_multipart(self) -> bool:
        """Whether it consists of parts."""
        return bool(self.boundary)

    @property
    def is_message(self) -> bool:
        """Whether it holds a message that can be looked into."""
        return self.type in {"message/rfc822", "message/global"} and self.encoding in IDENTITY

    @property
    def is_attachment(self) -> bool:
        """Whether clients show it as a file: by its disposition (RFC 2183), or a text by its name.

        An unknown disposition means an attachment.
        """
        if self.disposition.word not in {"", "inline"}:
            return True
        return self.type.startswith("text/") and bool(self.filename)

    def walk(self) -> Iterator[MimePart]:
        """This part and all in it, in the order of the message."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting += reversed(part.parts)


@dataclass(frozen=True, slots=True)
class Structure:
    """What a scan has found.

    Attributes:
        root: the message.
        limit: which bound kept parts from being taken apart, in words; else empty.
        doubt: what mail clients read in different ways, in words; else empty (`doubts`).
    """

    root: MimePart
    limit: str = ""
    doubt: str = ""


def scan(
    headers: Iterable[tuple[str, bytes]], body: View, limits: Limits = DEFAULT_LIMITS
) -> Structure:
    """Find the parts of a message.

    Args:
        headers: the message's own, as name and value.
        body: the rest of it.
        limits: how many parts are looked for, how deep, and how long their headers may be.
    """
    fields = tuple(Field(name.lower(), value) for name, value in headers)
    return _Scan(body, limits).run(MimePart(fields, end=len(body)))


def _doubtful_message_header(fields: Iterable[Field]) -> str:
    """`doubtful_header` of the message's own; an MTA sends folds as LF, and no other CR in it."""
    if not any(b"\r" in one.value for one in fields):
        return ""
    lines = [
        b"%b:%b\r\n" % (one.name.encode(errors="surrogateescape"), one.value) for one in fields
    ]
    return doubtful_header(b"".join(lines), fields)


class _Scan:
    """One scan at work: the parts that are open, the message first, and their delimiters."""

    def __init__(self, body: View, limits: Limits) -> None:
        self.body = body
        self.limits = limits
        self.open: list[MimePart] = []
        self.levels: dict[bytes, list[int]] = {}
        self.delimiter_of: dict[int, bytes] = {}
        self.bare_crs = BareCrs(body)
        self.count = 0
        self.limit = ""
        self.doubt = ""

    def run(self, root: MimePart) -> Structure:
        position = self._enter(root)
        self.doubt = self.doubt or _doubtful_message_header(root.fields)
        has_boundaries = bool(self.levels)
        while self.levels:
            at = self._next_dashes(position)
            if at < 0:
                break
            position, line = self._line(at)
            level, final = self._match(line)
            self._look_for_cr_in(line)
            if level is None:
                continue
            self._leave(level + 1, at)
            if final:
                self._forget(level)
                continue
            if self.count >= self.limits.mime_parts:
                self.limit = over(f"more than {self.limits.mime_parts} parts", "mime_parts")
                break
            part = MimePart((), at, position, parent=self.open[level])
            self.open[level].parts.append(part)
            self._read_header(part)
            position = self._enter(part)
        self._leave(0, len(self.body), at_boundary=False)
        if has_boundaries:
            self._look_for_bare_cr(len(self.body))
        return Structure(root, self.limit, self.doubt)

    def _enter(self, part: MimePart) -> int:
        """Open a part, and the messages that begin right in it; returns where to go on."""
        while True:
            self.count += 1
            self.open.append(part)
            self.doubt = self.doubt or doubt_of(part)
            if not (part.boundary or part.is_message):
                break
            if len(self.open) > self.limits.mime_depth:
                self.limit = over(
                    f"parts nested deeper than {self.limits.mime_depth}", "mime_depth"
                )
                break
            if part.boundary:
                delimiter = b"--" + part.boundary
                self.bare_crs.know(delimiter)
                self.levels.setdefault(delimiter, []).append(len(self.open) - 1)
                self.delimiter_of[len(self.open) - 1] = delimiter
                break
            inner = MimePart((), part.start, part.start, parent=part)
            part.parts.append(inner)
            part = inner
            self._read_header(part)
        return part.start

    def _leave(self, level: int, at: int, *, at_boundary: bool = True) -> None:
        """Close the parts from this level on: they end before the boundary at this offset."""
        end = at
        if at_boundary:
            end -= 2 if self.body[at - 2 : at] == b"\r\n" else 1
        for index in reversed(range(level, len(self.open))):
            self._forget(index)
            part = self.open[index]
            end = part.end = max(part.header_start, end)  # what is in it does not end behind it
            if part.start > part.end:  # the empty line, if any, belongs to the boundary
                part.start, part.separated = part.end, False
        del self.open[level:]

    def _forget(self, level: int) -> None:
        delimiter = self.delimiter_of.pop(level, None)
        if delimiter is not None:
            self.levels[delimiter].pop()
            if not self.levels[delimiter]:
                del self.levels[delimiter]

    def _match(self, line: bytes) -> tuple[int | None, bool]:
        """Whose boundary a line is, the innermost first, and whether it is the final one."""
        line = line.rstrip(b" \t\r\n")
        if line in self.levels:
            return self.levels[line][-1], False
        if line.endswith(b"--") and line[:-2] in self.levels:
            return self.levels[line[:-2]][-1], True
        return None, False

    def _next_dashes(self, position: int) -> int:
        """Offset of the next line that begins like a boundary, from the line at `position` on."""
        if self.body[position : position + 2] == b"--":
            return position
        found = _DASHES_AFTER_LF.search(self.body, position, position + _NEARBY)
        if found is not None:
            return found.start() + 1
        found = first_dashes(self.body, _DASHES_AFTER_LF, position, len(self.body))
        at = len(self.body) if found is None else found.start() + 1
        self._look_for_bare_cr(position)
        self._look_for_bare_cr(at)
        return -1 if found is None else at

    def _look_for_bare_cr(self, end: int) -> None:
        if not self.doubt and self.bare_crs.begin_a_boundary(end):
            self.doubt = BARE_CR_BOUNDARY

    def _look_for_cr_in(self, line: bytes) -> None:
        """Doubt a line that is a boundary up to a bare CR."""
        up_to_cr, cr, _ = line.removesuffix(b"\n").removesuffix(b"\r").partition(b"\r")
        if cr and not self.doubt and self._match(up_to_cr)[0] is not None:
            self.doubt = BARE_CR_BOUNDARY

    def _line(self, at: int) -> tuple[int, bytes]:
        end = self.body.find(b"\n", at) + 1 or len(self.body)
        return end, self.body[at:end]

    def _read_header(self, part: MimePart) -> None:
        starts: list[tuple[str, int, int]] = []
        position = end = reach = part.header_start
        part.separated = False
        while position < len(self.body):
            after, line = self._line(position)
            if line in {b"\r\n", b"\n"}:
                part.separated = True
                position = after
                break
            if line.startswith(b"--"):
                if self._match(line)[0] is not None:
                    break
                self._look_for_cr_in(line)
            named = _FIELD.match(line)
            if after - part.header_start > self.limits.mime_header_bytes:
                self.limit = over(
                    f"a part's header of more than {self.limits.mime_header_bytes} bytes",
                    "mime_header_bytes",
                )
                break
            if named is not None:
                starts.append((named[1].decode().lower(), position, position + named.end()))
            elif not starts or line[:1] not in b" \t":
                reach = self._look_for_stray_header(part, position)
                break
            position = end = reach = after
        part.start = position
        ends = [*(start for _, start, _ in starts[1:]), end]
        part.fields = tuple(
            self._field(name, start, colon, stop)
            for (name, start, colon), stop in zip(starts, ends, strict=bool(starts))
        )
        if not self.doubt:
            self.doubt = doubtful_header(self.body[part.header_start : reach], part.fields)

    def _look_for_stray_header(self, part: MimePart, position: int) -> int:
        """Whether a field that describes a content follows before the next empty line.

        Returns:
            How far that has been looked for.
        """
        end = part.header_start + self.limits.mime_header_bytes
        while not self.doubt and position < min(end, len(self.body)):
            after, line = self._line(position)
            if line in {b"\r\n", b"\n"} or (
                line.startswith(b"--") and self._match(line)[0] is not None
            ):
                break
            if line[:8].lower() == b"content-" and _FIELD.match(line):
                self.doubt = STRAY_HEADER
            position = after
        return position

    def _field(self, name: str, start: int, colon: int, stop: int) -> Field:
        value = self.body[colon:stop].removesuffix(b"\n").removesuffix(b"\r")
        return Field(name, value, start, colon + len(value))
