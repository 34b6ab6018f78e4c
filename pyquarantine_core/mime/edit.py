"""Edits of a message's parts: spliced into its bytes, so that every other byte stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from typing import TYPE_CHECKING

from pyquarantine_core.body import CHUNK
from pyquarantine_core.mime.doubts import meaning
from pyquarantine_core.mime.entities import header_lines, new_boundary
from pyquarantine_core.mime.reading import MessageParts
from pyquarantine_core.mime.structure import MimePart

if TYPE_CHECKING:
    from pyquarantine_core.header import Header
    from pyquarantine_core.message import Message
    from pyquarantine_core.mime.text import EditedText

_OF_THE_CONTENT = "content-"
"""How the names of header fields begin that describe the content of a part (RFC 2045, 3)."""


class _Rank(IntEnum):
    """The order of what is put at one place."""

    BEFORE = 0
    FIELD = 1
    CONTENT = 2
    AFTER = 3


@dataclass(frozen=True, slots=True, order=True)
class _Splice:
    start: int
    rank: _Rank
    end: int
    data: bytes


class MessageEdit(MessageParts):
    """Edits of one message, which `record` puts on it together."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self._message = message
        self._splices: list[_Splice] = []
        self._headers: dict[str, str] = {}
        self._enclosed = False

    def replace_text(self, part: MimePart, text: EditedText) -> None:
        """Put a new text in the place of a part's content; its header says what it is in."""
        data = text.content.data
        if part is self.root and not data.endswith(b"\n"):
            data += b"\r\n"
        if part.parent is not None and part.parent.is_message and not part.parent.separated:
            self._put(part.header_start, _Rank.BEFORE, b"\r\n")  # ends the header around it
        data = self._separator(part) + data + self._ending(part)
        self._put(part.start, _Rank.CONTENT, data, part.end)
        if text.charset is not None:
            value = part.content_type.with_parameter("charset", text.charset)
            self._set_field(part, "Content-Type", value)
        if text.content.encoding != part.encoding:
            self._set_field(part, "Content-Transfer-Encoding", text.content.encoding)

    def insert_before(self, part: MimePart, entity: bytes) -> None:
        """Put a new part before one of a multipart."""
        assert part.parent is not None
        data = b"--%b\r\n%b\r\n" % (part.parent.boundary, entity)
        self._put(part.boundary_start, _Rank.BEFORE, data)

    def insert_after(self, part: MimePart, entity: bytes) -> None:
        """Put a new part after one of a multipart."""
        assert part.parent is not None
        data = b"\r\n--%b\r\n%b" % (part.parent.boundary, entity)
        self._put(part.end, _Rank.AFTER, data + self._ending(part))

    def enclose(
        self,
        part: MimePart,
        subtype: str,
        *,
        before: Iterable[bytes] = (),
        after: Iterable[bytes] = (),
    ) -> None:
        """Put a part into a new multipart, other parts before and after it.

        Of the message itself it is the content that moves, with the header fields that describe it.
        The part is edited before it is enclosed.
        """
        boundary = new_boundary()
        fields = {"Content-Type": f'multipart/{subtype}; boundary="{boundary}"'}
        if not self._is_ascii(part):
            fields["Content-Transfer-Encoding"] = "8bit"
        line = b"--" + boundary.encode() + b"\r\n"
        head = b"".join(b"%b%b\r\n" % (line, entity) for entity in before) + line
        tail = b"".join(b"\r\n%b%b" % (line, entity) for entity in after)
        tail += b"\r\n--" + boundary.encode() + b"--"
        if part is self.root:
            head += self._moved_header() + b"\r\n"
            tail += b"\r\n"
            self._headers = fields
            self._enclosed = True
        else:
            head = header_lines(fields) + b"\r\n" + head
            tail += self._ending(part)
        self._put(part.header_start, _Rank.BEFORE, head)
        self._put(part.end, _Rank.AFTER, tail)

    def record(self) -> None:
        """Put the edits on the message."""
        splices = ((one.start, one.end, one.data) for one in sorted(self._splices))
        self._message.replace_body(self._message.body.spliced(splices))
        set_mime_headers(self._message, self._headers, drop_others=self._enclosed)

    def _is_ascii(self, part: MimePart) -> bool:
        old = (
            self.body[at : min(at + CHUNK, part.end)]
            for at in range(part.header_start, part.end, CHUNK)
        )
        return all(data.isascii() for data in chain(old, (one.data for one in self._splices)))

    def _put(self, start: int, rank: _Rank, data: bytes, end: int | None = None) -> None:
        self._splices.append(_Splice(start, rank, start if end is None else end, data))

    def _set_field(self, part: MimePart, name: str, value: str) -> None:
        if part is self.root:
            self._headers[name] = value
            return
        line = header_lines({name: value}).removesuffix(b"\r\n")
        old = part.first(name.lower())
        if old is not None:
            for one in part.fields:
                if one.name == old.name and meaning(one.value) == meaning(old.value):
                    self._put(one.start, _Rank.FIELD, line, one.end)
        elif part.fields:
            end = part.fields[-1].end
            self._put(end, _Rank.FIELD, b"\r\n" + line)
        elif self._begins_line(part.header_start):
            self._put(part.header_start, _Rank.FIELD, line + b"\r\n")
        else:
            self._put(part.header_start, _Rank.FIELD, b"\r\n" + line)

    def _separator(self, part: MimePart) -> bytes:
        """The empty line that is missing between header and content."""
        if part.separated:
            return b""
        return b"\r\n" if self._begins_line(part.start) else b"\r\n\r\n"

    def _ending(self, part: MimePart) -> bytes:
        """The line break that is missing between content and boundary."""
        follows = self.body[part.end : part.end + 1]
        return b"\r\n" if follows not in {b"", b"\r", b"\n"} else b""

    def _begins_line(self, at: int) -> bool:
        return at == 0 or self.body[at - 1 : at] == b"\n"

    def _moved_header(self) -> bytes:
        """The message's header fields that describe its content, edited ones as they are now."""
        edited = _Edited(self._headers)
        lines = []
        for header in self._message.headers:
            new = edited.value(header)
            if new is not None:
                lines.append(header_lines({header.name: new}))
            elif header.name.lower().startswith(_OF_THE_CONTENT):
                lines.append(header.line)
        lines += [header_lines({name: self._headers[name]}) for name in edited.missing]
        return b"".join(lines)


def set_mime_headers(
    message: Message, fields: Mapping[str, str], *, drop_others: bool = False
) -> None:
    """Set MIME header fields of a message, in their places where it has them.

    Args:
        message: the message.
        fields: new values by name.
        drop_others: delete the other fields that describe the old content.
    """
    if not fields:
        return
    edited = _Edited(fields)
    edits: list[tuple[Header, str | None]] = []
    has_version = False
    for header in message.headers:
        name = header.name.lower()
        has_version |= name == "mime-version"
        again = name in edited.seen
        new = edited.value(header)
        if new is not None and not (again and drop_others):
            edits.append((header, new))
        elif drop_others and name.startswith(_OF_THE_CONTENT):
            edits.append((header, None))
    message.edit_headers(edits)
    if not has_version:
        message.add_header("MIME-Version", "1.0")
    for name in edited.missing:
        message.add_header(name, fields[name])


class _Edited:
    """New values of header fields, for the first of each name and those that say the same.

    Of two fields that differed afterwards, one client would take this, another that.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._new = {name.lower(): value for name, value in fields.items()}
        self._names = {name.lower(): name for name in fields}
        self.seen: dict[str, bytes] = {}

    @property
    def missing(self) -> list[str]:
        """The names that no header had yet."""
        return [name for lower, name in self._names.items() if lower not in self.seen]

    def value(self, header: Header) -> str | None:
        """The new value of a header, asked for in their order; None if it keeps its own."""
        name = header.name.lower()
        if name not in self._new:
            return None
        says = meaning(header.raw)
        return self._new[name] if self.seen.setdefault(name, says) == says else None
