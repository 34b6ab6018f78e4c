"""HTML of strangers made harmless to parsers: few tags, well nested, none too deep.

Parsers follow the HTML standard into quadratic time and space where elements are nested deeply or
not closed: 20 kB of `<p><b title=1>x</p><p><b title=2>x</p>...` are a document of 9 MB. Here tags
are read once, in linear time, and written so that each element is closed where it was opened. It
is no sanitiser: attributes stay as they are.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable

from pyq_email_notify.sanitiser import BLOCK_TAGS, INLINE_TAGS, TABLE_TAGS, TAGS
from pyquarantine_core.html_tokens import Kind, Token, markup

_EMPTY = frozenset({"br", "hr"})
_IMAGES = frozenset({"image", "img"})  # both are images to browsers
_CELLS = frozenset({"caption", "td", "th"})
_ROWS = frozenset({"table", "tbody", "tfoot", "thead", "tr"})
_PARTS = _CELLS | _ROWS
_ENDS_IMPLIED = frozenset({"dd", "dt", "li", "p"}) | TABLE_TAGS
_IN_ROW = _CELLS | {"p"}
_IN_SECTION = _IN_ROW | {"tr"}
_IN_TABLE = _IN_SECTION | {"tbody", "tfoot", "thead"}
_CLOSED_BY = {
    **dict.fromkeys(BLOCK_TAGS, frozenset({"p"})),
    **dict.fromkeys(("dd", "dt"), frozenset({"dd", "dt", "p"})),
    "li": frozenset({"li", "p"}),
    **dict.fromkeys(("td", "th"), _IN_ROW),
    "tr": _IN_SECTION,
    **dict.fromkeys(("caption", "tbody", "tfoot", "thead"), _IN_TABLE),
}
"""By tag, the elements that end where it begins (HTML standard, section 13.1.2.4)."""


def outlined(document: str, image: Callable[[str], str], depth: int) -> str:
    """The tags of `TAGS`, well nested, and the text.

    Args:
        document: HTML, at most as large as a parser may see.
        image: what stands for an image, as HTML, given its alternative text.
        depth: elements inside each other; deeper tags are dropped, their text stays.
    """
    outline = _Outline(image, depth)
    pieces, add = outline.pieces, outline.pieces.append
    start_tag, end_tag = Kind.START, Kind.END
    at = 0
    for kind, start, end, name in markup(document):
        if at < start:
            add(document[at:start].replace("<", "&lt;"))
        at = end
        if name in TAGS:
            if kind is start_tag:
                outline.start(name, document[start:end])
            elif kind is end_tag:
                outline.end(name)
        elif name in _IMAGES and kind is start_tag:
            outline.image(Token(document, kind, start, end, name))
    add(document[at:].replace("<", "&lt;"))
    outline.close_down_to(0)
    return "".join(pieces)


class _Outline:
    def __init__(self, image: Callable[[str], str], depth: int) -> None:
        self.pieces: list[str] = []
        self._image = image
        self._depth = depth
        self._open: list[str] = []
        self._too_deep: Counter[str] = Counter()

    def image(self, tag: Token) -> None:
        """Go on by an image."""
        text = html.unescape(tag.value("alt") or "")
        self.pieces.append(self._image(" ".join(text.split())))

    def close_down_to(self, depth: int) -> None:
        """Close the innermost elements until so many are open."""
        while len(self._open) > depth:
            name = self._open.pop()
            if name not in _ENDS_IMPLIED:
                self.pieces.append(f"</{name}>")

    def start(self, name: str, tag: str) -> None:
        """Go on by a start tag."""
        in_table = name in TABLE_TAGS
        if in_table:
            self._leave_cell()
        closed = _CLOSED_BY.get(name)
        if closed is not None:
            self._close_before(closed)
        in_row = bool(self._open) and self._open[-1] in _ROWS
        if in_row != in_table:  # parsers would move it to another place
            return
        if name in _EMPTY:
            self.pieces.append(tag)
        elif len(self._open) < self._depth:
            self._open.append(name)
            self.pieces.append(tag)
        else:
            self._too_deep[name] += 1

    def end(self, name: str) -> None:
        """Go on by an end tag."""
        if self._too_deep and self._too_deep[name]:
            self._too_deep[name] -= 1
            return
        if self._open and self._open[-1] == name:
            self._open.pop()
            self.pieces.append(f"</{name}>")
            return
        for depth in reversed(range(len(self._open))):
            around = self._open[depth]
            if around == name:
                self.close_down_to(depth + 1)
                self._open.pop()
                self.pieces.append(f"</{name}>")
                return
            if name in INLINE_TAGS and around not in INLINE_TAGS:
                return
            if around in _CELLS and name not in TABLE_TAGS | {"table"}:
                return

    def _leave_cell(self) -> None:
        """Close what is open inside the innermost part of a table."""
        for depth in range(len(self._open), 0, -1):
            if self._open[depth - 1] in _PARTS:
                self.close_down_to(depth)
                return

    def _close_before(self, closed: frozenset[str]) -> None:
        """Close these elements, which end where another one begins, and formatting inside them."""
        while True:
            depth = len(self._open)
            while depth and self._open[depth - 1] in INLINE_TAGS:
                depth -= 1
            if not depth or self._open[depth - 1] not in closed:
                return
            self.close_down_to(depth - 1)
