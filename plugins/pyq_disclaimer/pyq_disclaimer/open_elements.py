"""Which elements are open at a place of an HTML document: what is put there stands inside of them.

A hidden element that is never closed would hide what is appended, an open link would make a link
of it. This follows the parser of browsers (HTML standard, 13.2.6.4.7) where people's mistakes
matter; an end tag too many means nothing to it, so none is missed for fear of that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

_VOID = (
    "area base basefont bgsound br col embed frame hr image img input keygen link meta param source"
    " track wbr"
)
_LASTING = "a b big code em font i nobr s small strike strong tt u"
_IMPLIED = "caption colgroup dd dt li optgroup option p rb rp rt rtc tbody td tfoot th thead tr"
_BLOCKS = (
    "address article aside blockquote center dd details dialog dir div dl dt fieldset figcaption"
    " figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr li listing main menu nav ol p plaintext"
    " pre search section summary table ul xmp"
)

_NEVER_OPEN = frozenset(_VOID.split()) | {"body", "head", "html"}
_FORMATTING = frozenset(_LASTING.split())
"""Those that go on behind the end of what they are in, until they are closed themselves."""
_END_IMPLIED = frozenset(_IMPLIED.split())
_END_A_PARAGRAPH = frozenset(_BLOCKS.split())
_NAME = re.compile("[a-z][a-z0-9:_-]*")

_Chain = tuple[str, "_Chain"] | None
"""An element and the one around it; what is inside of it comes and goes without changing it."""


@dataclass(frozen=True, slots=True)
class OpenElements:
    """The elements that were open at a place.

    Attributes:
        innermost: those that end with what they are in.
        formatting: the number of others, by name.
    """

    innermost: _Chain
    formatting: Mapping[str, int]

    def end_tags(self) -> str:
        """Their end tags, the innermost first."""
        names: list[str] = []
        for is_implied, group in groupby(self._names(), _END_IMPLIED.__contains__):
            run = list(group)
            # of <li> after <li> and the like only the last can be open
            names += dict.fromkeys(run) if is_implied else run
        names += Counter(self.formatting).elements()
        return "".join(f"</{name}>" for name in names if _NAME.fullmatch(name))

    def _names(self) -> Iterator[str]:
        element = self.innermost
        while element is not None:
            name, element = element
            yield name


class ElementTracker:
    """Follows the tags of a document from its start."""

    def __init__(self) -> None:
        self._innermost: _Chain = None
        self._count: Counter[str] = Counter()
        self._formatting: Counter[str] = Counter()

    @property
    def now_open(self) -> OpenElements:
        """What is open after the tokens so far."""
        return OpenElements(self._innermost, dict(self._formatting))

    def start(self, name: str) -> None:
        """Go on by a start tag."""
        if name in _FORMATTING:
            self._formatting[name] += 1
        elif name not in _NEVER_OPEN:
            if self._innermost and self._innermost[0] == "p" and name in _END_A_PARAGRAPH:
                self.end("p")
            self._innermost = (name, self._innermost)
            self._count[name] += 1

    def end(self, name: str) -> None:
        """Go on by an end tag."""
        if self._formatting[name]:
            self._formatting[name] -= 1
        elif self._count[name]:
            closed = ""
            while closed != name and self._innermost is not None:
                closed, self._innermost = self._innermost
                self._count[closed] -= 1
