"""Where the body of an HTML document begins and ends, to browsers (HTML standard, 13.2.6)."""

from __future__ import annotations

from dataclasses import dataclass

from pyq_disclaimer.open_elements import ElementTracker, OpenElements
from pyquarantine_core.html_tokens import WHITE_SPACE, Kind, Token, markup, tokens

_METADATA = frozenset(
    {"base", "basefont", "bgsound", "link", "meta", "noframes", "script", "style", "title"}
)
_BEFORE_BODY = _METADATA | {"head", "html", "noscript"}


def body_start(html: str) -> int:
    """Offset after the start tag of the body; where that is left out, before its first content."""
    for token in tokens(html):
        if token.kind is Kind.START and token.name == "body":
            return token.end
        if _begins_body(token):
            return token.start
    return len(html)


@dataclass(frozen=True, slots=True)
class BodyEnd:
    """Where a body ends.

    Attributes:
        offset: of the last end tag of the body, else of the document, else where it breaks off.
        open: what is not closed there.
    """

    offset: int
    open: OpenElements


def body_end(html: str) -> BodyEnd:
    """Where the body of a document ends."""
    elements = ElementTracker()
    ends: dict[str, BodyEnd] = {}
    start_tag, end_tag = Kind.START, Kind.END
    for kind, start, _, name in markup(html):
        if kind is start_tag:
            elements.start(name)
        elif kind is end_tag:
            if name in {"body", "html"}:
                ends[name] = BodyEnd(start, elements.now_open)
            elements.end(name)
        elif kind is Kind.UNCLOSED:
            ends["unclosed"] = BodyEnd(start, elements.now_open)
    found = (ends[one] for one in ("body", "html", "unclosed") if one in ends)
    return next(found, BodyEnd(len(html), elements.now_open))


def inside_body(html: str) -> str:
    """What is inside the body of a document; all of what has no body."""
    for token in tokens(html):
        if token.kind is Kind.START and token.name == "body":
            return html[token.end : max(token.end, body_end(html).offset)]
    return html


def _begins_body(token: Token) -> bool:
    """Whether it cannot stand before the body, so that browsers begin one here."""
    match token.kind:
        case Kind.TEXT:
            return bool(token.text.strip(WHITE_SPACE))
        case Kind.START:
            return token.name not in _BEFORE_BODY
        case Kind.END:
            return token.name in {"body", "html", "br"}
        case Kind.UNCLOSED:
            return True
    return False
