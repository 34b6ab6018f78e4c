"""The text of HTML, for the plain alternative; linear in time, whatever the HTML."""

from __future__ import annotations

import html
import re

from pyquarantine_core.html_tokens import WHITE_SPACE, Kind, Token, tokens

_CLEAN = re.compile(r"""([^<]*)(?:<(/?)([a-z0-9]+)((?:[^">]|"[^"]*")*)>)?""")
"""A text, and the tag after it: its slash, name and attributes. No links are left in there."""
_BLANKS = re.compile("[\t\r\n\f][ \t\r\n\f]*| [ \t\r\n\f]+")
"""What is shown as one blank, save where it is one."""
_APART = "blockquote dl h1 h2 h3 h4 h5 h6 ol p pre table ul"
_OWN_LINE = "address article body br caption center dd div dt footer header hr li section tr"
_BREAKS = {**dict.fromkeys(_OWN_LINE.split(), 1), **dict.fromkeys(_APART.split(), 2)}
"""By element, the line breaks before and after it, at least."""
_CELLS = frozenset({"td", "th"})
_PREFIXES = {"li": "- ", "hr": "----------------"}


def text_of(document: str) -> str:
    """What a reader sees of an HTML document, in lines of LF.

    Links are followed by their target in angle brackets; of an image its alternative text is left.
    """
    writer = TextWriter()
    for token in tokens(document):
        if token.kind is Kind.TEXT:
            writer.write(token.text)
        elif token.kind is Kind.START:
            writer.start(token.name)
            if token.name == "img":
                writer.image(_value(token, "alt"))
            elif token.name == "a":
                writer.target = _value(token, "href")
        elif token.kind is Kind.END:
            writer.end(token.name)
    return writer.text


def text_of_clean(document: str) -> str:
    """The same, of HTML that nh3 has written: it is so regular that one pattern takes it apart."""
    writer = TextWriter()
    for text, slash, name, attributes in _CLEAN.findall(document):
        if text:
            writer.write(text)
        if slash:
            writer.end(name)
        elif name:
            writer.start(name)
            if name == "img":
                tag = f"<img{attributes}>"
                writer.image(_value(Token(tag, Kind.START, 0, len(tag), name), "alt"))
    return writer.text


class TextWriter:
    """Writes down what a reader sees of HTML, as its tokens come.

    Attributes:
        target: where the link leads that is open.
    """

    def __init__(self) -> None:
        self.target = ""
        self._pieces: list[str] = []
        self._breaks = 0
        self._blank = False
        self._pre = 0

    @property
    def text(self) -> str:
        """All of it; lines end in LF."""
        lines = "".join(self._pieces).replace("\xa0", " ").split("\n")
        return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"

    def start(self, name: str) -> None:
        """Go on by a start tag."""
        self._break(name)
        if name in _PREFIXES:
            self._put(_PREFIXES[name])
            self._breaks = int(name == "hr")
        elif name == "pre":
            self._pre += 1

    def image(self, alternative: str) -> None:
        """Go on by an image with this alternative text."""
        if alternative:
            self._write(f"[{alternative}]")

    def end(self, name: str) -> None:
        """Go on by an end tag."""
        if name == "a" and self.target:
            if not "".join(self._pieces[-1:]).endswith(self.target):
                self._write(f" <{self.target}>")
            self.target = ""
        elif name == "pre":
            self._pre = max(0, self._pre - 1)
        if name in _CELLS:
            self._blank = True
        elif name != "br":
            self._break(name)

    def write(self, text: str) -> None:
        """Go on by a text, as it stands in HTML."""
        self._write(html.unescape(text) if "&" in text else text)

    def _break(self, name: str) -> None:
        if name == "br":
            self._breaks += 1
        elif _BREAKS.get(name, 0) > self._breaks:
            self._breaks = _BREAKS[name]

    def _write(self, text: str) -> None:
        if self._pre:
            self._put(text)
            return
        shown = text.strip(WHITE_SPACE)
        self._blank = self._blank or text[:1] != shown[:1]
        if shown:
            self._put(shown if _has_single_spaces(shown) else _BLANKS.sub(" ", shown))
            self._blank = text[-1] != shown[-1]

    def _put(self, text: str) -> None:
        if self._pieces:
            blank = " " if self._blank else ""
            self._pieces.append("\n" * self._breaks or blank)
        self._breaks, self._blank = 0, False
        self._pieces.append(text)


def _has_single_spaces(text: str) -> bool:
    """Whether no other blanks are in it; told much faster than by a pattern."""
    return not ("  " in text or "\n" in text or "\t" in text or "\r" in text or "\f" in text)


def _value(tag: Token, name: str) -> str:
    return " ".join(html.unescape(tag.value(name) or "").split())
