"""HTML cut into tokens as browsers cut it (HTML standard, section 13.2.5), each with its place.

It builds no tree, never fails and takes linear time. It is what edits of HTML use to find their
places; it is no sanitiser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

from pyquarantine_core.html_foreign import ForeignContent

WHITE_SPACE = " \t\r\n\f"

_TAG = re.compile(r"<(/?)([a-zA-Z][^ \t\r\n\f/>]*)")
_NAME = r"[ \t\r\n\f/]*([^ \t\r\n\f/>][^ \t\r\n\f/>=]*)"
_VALUE = r"""(?:"([^"]*)"|'([^']*)'|([^ \t\r\n\f>"'][^ \t\r\n\f>]*)|(?=>))"""
_ATTRIBUTE = re.compile(rf"{_NAME}(?:[ \t\r\n\f]*=[ \t\r\n\f]*{_VALUE})?")
_TAG_END = re.compile(r"[ \t\r\n\f/]*>")
_VALUE_FOLLOWS = re.compile(r"[ \t\r\n\f]*=")
_COMMENT_END = re.compile(r"--!?>")
_RAW_TEXT = frozenset(
    {"iframe", "noembed", "noframes", "plaintext", "script", "style", "textarea", "title", "xmp"}
)
_RAW_END = {
    name: re.compile(rf"</{name}(?=[ \t\r\n\f/>])", re.IGNORECASE)
    for name in _RAW_TEXT - {"plaintext"}
}
_CDATA, _CDATA_END = "<![CDATA[", "]]>"


class Kind(Enum):
    """What a token is."""

    TEXT = auto()
    START = auto()
    END = auto()
    RAW = auto()
    """The content of an element in which tags mean nothing, such as `style`."""
    COMMENT = auto()
    """Also a document type, and what browsers take for a comment."""
    UNCLOSED = auto()
    """A tag, comment or raw element without an end: the rest of the document."""


@dataclass(frozen=True)
class Token:
    """A stretch of a document.

    Attributes:
        html: the document.
        kind: what it is.
        start: offset of its first character.
        end: offset after its last character.
        name: of a tag, in lower case; of a raw or unclosed element likewise.
    """

    html: str
    kind: Kind
    start: int
    end: int
    name: str = ""

    @property
    def text(self) -> str:
        """Its characters."""
        return self.html[self.start : self.end]

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        """Of a start tag, in order; those after the first of a name mean nothing."""
        if self.kind is not Kind.START:
            return ()
        found, _ = _read_attributes(self.html, self.start + 1 + len(self.name))
        return tuple(found)

    def attribute(self, name: str) -> Attribute | None:
        """The one of this name that counts."""
        return next((one for one in self.attributes if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a tag.

    Attributes:
        name: in lower case.
        start: offset of its value, after the quote if it has one.
        end: offset after its value.
        quote: what is around the value; empty for nothing.
    """

    name: str
    start: int
    end: int
    quote: str


def tokens(html: str) -> Iterator[Token]:
    """The tokens of a document; together they are all of it."""
    position, text_start = 0, 0
    foreign = ForeignContent()
    while (at := html.find("<", position)) >= 0:
        if foreign.is_here and html.startswith(_CDATA, at):
            end = html.find(_CDATA_END, at)
            if end < 0:
                break
            position = end + len(_CDATA_END)
            continue
        token = _token(html, at)
        if token is None:
            position = at + 1
            continue
        if text_start < at:
            yield Token(html, Kind.TEXT, text_start, at)
        raw = None
        if token.kind is Kind.START:
            if token.name in _RAW_TEXT and not foreign.is_here:
                token, raw = _with_raw_text(token)
            else:
                foreign.start(token)
        elif token.kind is Kind.END:
            foreign.end(token.name)
        yield token
        if raw is not None:
            yield raw
        position = text_start = (raw or token).end
    if text_start < len(html):
        yield Token(html, Kind.TEXT, text_start, len(html))


def _token(html: str, at: int) -> Token | None:
    """The token that begins with this `<`; None if that is text."""
    tag = _TAG.match(html, at)
    if tag is not None:
        _, end = _read_attributes(html, tag.end())
        if end < 0:
            return Token(html, Kind.UNCLOSED, at, len(html))
        kind = Kind.END if tag[1] else Kind.START
        return Token(html, kind, at, end, _lower(tag[2]))
    if html.startswith("<!--", at):
        if html.startswith((">", "->"), at + 4):
            return Token(html, Kind.COMMENT, at, html.index(">", at) + 1)
        closing = _COMMENT_END.search(html, at + 4)
        if closing is None:
            return Token(html, Kind.UNCLOSED, at, len(html))
        return Token(html, Kind.COMMENT, at, closing.end())
    if html.startswith(("!", "?", "/"), at + 1) and at + 2 < len(html):
        end = html.find(">", at) + 1
        if not end:
            return Token(html, Kind.UNCLOSED, at, len(html))
        return Token(html, Kind.COMMENT, at, end)
    return None


def _with_raw_text(start: Token) -> tuple[Token, Token | None]:
    """A start tag and the content after it that is raw; unclosed together if that has no end."""
    html = start.html
    if start.name != "plaintext":
        closing = _RAW_END[start.name].search(html, start.end)
        if closing is not None:
            return start, Token(html, Kind.RAW, start.end, closing.start(), start.name)
    return Token(html, Kind.UNCLOSED, start.start, len(html), start.name), None


def _read_attributes(html: str, at: int) -> tuple[list[Attribute], int]:
    """The attributes from here on and the offset after the tag, -1 if it has no end."""
    found: list[Attribute] = []
    while match := _ATTRIBUTE.match(html, at):
        at = match.end()
        if at == match.end(1) and _VALUE_FOLLOWS.match(html, at):  # its quote is never closed
            return found, -1
        group = next((number for number in (2, 3, 4) if match[number] is not None), 0)
        start, end = match.span(group) if group else (at, at)
        found.append(Attribute(_lower(match[1]), start, end, ("", "", '"', "'", "")[group]))
    closing = _TAG_END.match(html, at)
    return found, closing.end() if closing else -1


def _lower(name: str) -> str:
    return name.lower() if name.isascii() else name
