"""HTML cut into tokens as browsers cut it (HTML standard, section 13.2.5), each with its place.

It builds no tree, never fails and takes linear time. It is what edits of HTML use to find their
places; it is no sanitiser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple

from pyquarantine_core.html_foreign import FOREIGN, ForeignContent

WHITE_SPACE = " \t\r\n\f"

_START = r"(/?)([a-zA-Z][^ \t\r\n\f/>]*)"
_GAP = r"[ \t\r\n\f/]*"
_NAME = r"[^ \t\r\n\f/>][^ \t\r\n\f/>=]*"
_EQUALS = r"[ \t\r\n\f]*=[ \t\r\n\f]*"
_BARE = r"""[^ \t\r\n\f>"'][^ \t\r\n\f>]*"""
_TAG = re.compile(f"<{_START}")
_ATTRIBUTE = re.compile(
    rf"""{_GAP}({_NAME})(?:{_EQUALS}(?:"([^"]*)"|'([^']*)'|({_BARE})|(?=>|\Z)))?"""
)
_QUOTES = ("", "", '"', "'", "")
"""What is around the value that is this group of _ATTRIBUTE."""
# Each `<`, and the tag as a whole if it begins one, found by one match, for there are thousands of
# them: _TAG, then _ATTRIBUTE again and again, none of which is read in a second way.
_OPENING = re.compile(
    rf"""<(?:{_START}(?:{_GAP}{_NAME}(?:{_EQUALS}(?:"[^"]*"|'[^']*'|{_BARE}|(?=>))|(?!{_EQUALS})))*+"""
    rf"{_GAP}>)?+"
)
_COMMENT_END = re.compile(r"--!?>")
_RAW_TEXT = frozenset(
    {"iframe", "noembed", "noframes", "plaintext", "script", "style", "textarea", "title", "xmp"}
)
_RAW_END = {
    name: re.compile(rf"</{name}(?=[ \t\r\n\f/>])", re.IGNORECASE)
    for name in _RAW_TEXT - {"plaintext"}
}
_SPECIAL = _RAW_TEXT | FOREIGN
"""Elements in which other rules hold."""
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


class Token:
    """A stretch of a document, never changed. A plain class, for there are thousands of them.

    Attributes:
        html: the document.
        kind: what it is.
        start: offset of its first character.
        end: offset after its last character.
        name: of a tag, in lower case; of a raw or unclosed element likewise.
    """

    def __init__(self, html: str, kind: Kind, start: int, end: int, name: str = "") -> None:
        self.html = html
        self.kind = kind
        self.start = start
        self.end = end
        self.name = name

    @property
    def text(self) -> str:
        """Its characters."""
        return self.html[self.start : self.end]

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        """Of a start tag, in order; those after the first of a name mean nothing."""
        if self.kind is not Kind.START:
            return ()
        return tuple(_read_attributes(self.html, self.start + 1 + len(self.name)))

    def attribute(self, name: str) -> Attribute | None:
        """The one of this name that counts."""
        return next((one for one in self.attributes if one.name == name), None)

    def value(self, name: str) -> str | None:
        """The value of that one as it stands in the document; faster than to ask for its place."""
        if self.kind is not Kind.START:
            return None
        names_end = self.start + 1 + len(self.name)
        for found, *values in _ATTRIBUTE.findall(self.html, names_end, self.end - 1):
            if found == name or _lower(found) == name:
                return "".join(values)
        return None


class Attribute(NamedTuple):
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
    at = 0
    for kind, start, end, name in markup(html):
        if at < start:
            yield Token(html, Kind.TEXT, at, start)
        yield Token(html, kind, start, end, name)
        at = end
    if at < len(html):
        yield Token(html, Kind.TEXT, at, len(html))


def markup(html: str) -> Iterator[tuple[Kind, int, int, str]]:
    """Kind, start, end and name of each token that is no text; texts are what is between them.

    Where there are thousands, most of which nobody looks at, this is faster than `tokens`.
    """
    start_kind, end_kind = Kind.START, Kind.END
    foreign = ForeignContent()
    in_foreign = False
    position = 0
    while True:
        for found in _OPENING.finditer(html, position):
            at, position = found.span()
            slash, name = found.groups()
            if name is None:
                if in_foreign and foreign.is_here and html.startswith(_CDATA, at):
                    end = html.find(_CDATA_END, at)
                    if end < 0:
                        return
                    position = end + len(_CDATA_END)
                    break
                kind, position = _no_tag(html, at)
                if kind is not Kind.TEXT:
                    yield kind, at, position, ""
                break
            if not name.islower():
                name = _lower(name)
            if slash:
                if in_foreign:
                    foreign.end(name)
                    in_foreign = foreign.is_open
                yield end_kind, at, position, name
                continue
            if in_foreign or name in _SPECIAL:
                if name in _RAW_TEXT and not (in_foreign and foreign.is_here):
                    raw, position = position, _raw_end(html, position, name)
                    if position < 0:
                        yield Kind.UNCLOSED, at, len(html), name
                        return
                    yield start_kind, at, raw, name
                    yield Kind.RAW, raw, position, name
                    break
                foreign.start(Token(html, start_kind, at, position, name))
                in_foreign = foreign.is_open
            yield start_kind, at, position, name
        else:
            return


def _no_tag(html: str, at: int) -> tuple[Kind, int]:
    """What this `<` begins, which no whole tag does: its kind and its end."""
    end = at + 1
    if _TAG.match(html, at) is not None:
        return Kind.UNCLOSED, len(html)
    if html.startswith("<!--", at):
        if html.startswith((">", "->"), at + 4):
            return Kind.COMMENT, html.index(">", at) + 1
        closing = _COMMENT_END.search(html, at + 4)
        end = closing.end() if closing else 0
    elif html.startswith(("!", "?", "/"), at + 1) and at + 2 < len(html):
        end = html.find(">", at) + 1
    else:
        return Kind.TEXT, end
    return (Kind.COMMENT, end) if end else (Kind.UNCLOSED, len(html))


def _raw_end(html: str, start: int, name: str) -> int:
    """Where the raw content that starts here ends; -1 if it does not."""
    closing = None if name == "plaintext" else _RAW_END[name].search(html, start)
    return closing.start() if closing else -1


def _read_attributes(html: str, at: int) -> Iterator[Attribute]:
    """The attributes of a whole tag, from the end of its name on."""
    while match := _ATTRIBUTE.match(html, at):
        at = match.end()
        value = match.lastindex or 1
        start, end = match.span(value) if value > 1 else (at, at)
        yield Attribute(_lower(match[1]), start, end, _QUOTES[value])


def _lower(name: str) -> str:
    return name.lower() if name.isascii() else name
