"""SVG and MathML inside of HTML, where tags mean other things (HTML standard, 13.2.6.5)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyquarantine_core.html_tokens import Token

_HTML_INSIDE = {
    "math": frozenset({"annotation-xml", "mi", "mn", "mo", "ms", "mtext"}),
    "svg": frozenset({"desc", "foreignobject", "title"}),
}
"""Elements in which there is HTML again."""
FOREIGN = frozenset(_HTML_INSIDE)
"""The elements that it begins with."""
_HTML_TAGS = (
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i"
    " img li listing menu meta nobr ol p pre ruby s small span strike strong sub sup table tt u ul"
    " var"
)
_BACK_TO_HTML = frozenset(_HTML_TAGS.split())
"""Start tags that end SVG and MathML."""
_OF_HTML_FONTS = ("color", "face", "size")


class ForeignContent:
    """Follows the tags of a document: is this place in SVG or MathML?

    It knows the elements of these two alone, so it is wrong where only the tree of the HTML inside
    of them would tell.
    """

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []  # root and name
        self._count: Counter[str] = Counter()

    @property
    def is_open(self) -> bool:
        """Whether this place is in SVG or MathML, or in HTML inside of it."""
        return bool(self._open)

    @property
    def is_here(self) -> bool:
        """Whether this place is in SVG or MathML, and not in HTML inside of it."""
        if not self._open:
            return False
        root, name = self._open[-1]
        return name not in _HTML_INSIDE[root]

    def start(self, tag: Token) -> None:
        """Go on after a start tag."""
        if not self._open and tag.name not in FOREIGN:
            return
        if self.is_here and _is_html(tag):
            self._leave()
        elif (self.is_here or tag.name in FOREIGN) and not _is_closed(tag):
            self._open.append((self._open[-1][0] if self.is_here else tag.name, tag.name))
            self._count[tag.name] += 1

    def end(self, name: str) -> None:
        """Go on after an end tag."""
        if not self._open:
            return
        if self.is_here and name in {"br", "p"}:
            self._leave()
        elif self._count[name]:
            while self._pop() != name:
                pass

    def _leave(self) -> None:
        while self.is_here:
            self._pop()

    def _pop(self) -> str:
        _, name = self._open.pop()
        self._count[name] -= 1
        return name


def _is_html(tag: Token) -> bool:
    if tag.name == "font":
        return any(tag.attribute(name) for name in _OF_HTML_FONTS)
    return tag.name in _BACK_TO_HTML


def _is_closed(tag: Token) -> bool:
    """Whether it ends in `/>`, and this is not the end of a value."""
    if not tag.text.endswith("/>"):
        return False
    return not tag.attributes or tag.attributes[-1].end < tag.end - 1
