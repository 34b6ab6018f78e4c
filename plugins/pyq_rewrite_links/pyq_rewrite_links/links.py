"""Finds the links of an HTML document and makes them lead elsewhere."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote, urljoin

from pyquarantine_core.html_tokens import Attribute, Kind, Token, tokens
from pyquarantine_core.mime.text import PartText, TextEdit

LEFT_ALONE = frozenset(
    {"cid", "geo", "mailto", "mid", "sip", "sips", "sms", "tel", "xmpp"}  # they open no page
)
"""Schemes of URLs that stay."""

_LINKS = {"a": ("href", "xlink:href"), "area": ("href",)}
_VML = "v:"
"""How the names of Outlook's shapes begin, such as `v:roundrect`, of which buttons are made."""
_COMMENT = "<!--"
_CONDITIONAL = re.compile(r"<!--\[if\b", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_HOST = re.compile(r"[/\\]{2}")
_LINE_BREAKS = re.compile(r"[\t\r\n]")
_ENDS = "".join(map(chr, range(0x21)))
_SURROGATES = re.compile("[\ud800-\udfff]")


def link_edits(text: PartText, replacement: str) -> list[TextEdit]:
    """The edits that replace the targets of all links in an HTML text."""
    edits = []
    base = ""
    for tag, offset in _start_tags(text.view):
        if tag.name == "base" and not base and not offset:
            base = _value(text, tag.attribute("href"), offset)
        for attribute in _targets(tag):
            url = target(_value(text, attribute, offset), base)
            if url:
                edits.append(_edit(attribute, offset, replaced(replacement, url)))
    return edits


def target(value: str, base: str = "") -> str:
    """The URL that a link with this value leads to; empty where the link is to stay.

    What begins with `#`, has one of the schemes `LEFT_ALONE`, or is relative in a document without
    a `base`, stays.
    """
    if not value or value.startswith("#"):
        return ""
    if base and not _SCHEME.match(value):
        try:
            value = urljoin(base, value)
        except ValueError:  # a base that is no URL
            return ""
    scheme = _SCHEME.match(value)
    if scheme is None:
        return value if _HOST.match(value) else ""
    return "" if scheme[1].lower() in LEFT_ALONE else value


def replaced(replacement: str, url: str) -> str:
    """The new target for a link to this URL."""
    data = _SURROGATES.sub("\ufffd", url).encode()
    # Queries read a bare + as a blank; / and = mean themselves there (RFC 3986, section 3.4).
    values = {"{URL}": quote(data, safe=""), "{URL_B64}": quote(b64encode(data), safe="/=")}
    return re.sub(r"\{URL(?:_B64)?\}", lambda match: values[match[0]], replacement)


def _start_tags(document: str) -> Iterator[tuple[Token, int]]:
    """Start tags, and where the HTML begins that their offsets refer to.

    Those in conditional comments are among them: Outlook shows what is in there.
    """
    for token in tokens(document):
        if token.kind is Kind.START:
            yield token, 0
        elif token.kind is Kind.COMMENT and _CONDITIONAL.match(token.text):
            start = token.start + len(_COMMENT)
            for inner in tokens(document[start : token.end]):
                if inner.kind is Kind.START:
                    yield inner, start


def _targets(tag: Token) -> Iterator[Attribute]:
    names = ("href",) if tag.name.startswith(_VML) else _LINKS.get(tag.name, ())
    for name in names:
        attribute = tag.attribute(name)
        if attribute is not None:
            yield attribute


def _value(text: PartText, attribute: Attribute | None, offset: int) -> str:
    """The value of an attribute as a URL: browsers drop line breaks, and blanks at its ends."""
    if attribute is None:
        return ""
    value = html.unescape(text.decoded(offset + attribute.start, offset + attribute.end))
    return _LINE_BREAKS.sub("", value.strip(_ENDS))


def _edit(attribute: Attribute, offset: int, value: str) -> TextEdit:
    """A new value, escaped for the quotes that the old one has, or gets if it has none."""
    escaped = html.escape(value)
    new = escaped if attribute.quote else f'"{escaped}"'
    return TextEdit(offset + attribute.start, offset + attribute.end, new)
