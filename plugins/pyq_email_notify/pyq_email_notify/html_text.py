"""The text of HTML, for the plain alternative; linear in time, whatever the HTML."""

from __future__ import annotations

import html
import re

from pyquarantine_core.html_tokens import Kind, Token, tokens

_BLANKS = re.compile("[ \t\r\n\f]+")
_APART = "blockquote dl h1 h2 h3 h4 h5 h6 ol p pre table ul"
_OWN_LINE = "address article body br caption center dd div dt footer header hr li section tr"
_PARAGRAPHS = frozenset(_APART.split())
_LINES = frozenset(_OWN_LINE.split())
_CELLS = frozenset({"td", "th"})
_PREFIXES = {"li": "- ", "hr": "----------------"}


def text_of(document: str) -> str:
    """What a reader sees of an HTML document, in lines of LF.

    Links are followed by their target in angle brackets; of an image its alternative text is left.
    """
    writer = _Writer()
    for token in tokens(document):
        writer.add(token)
    return writer.text


class _Writer:
    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._breaks = 0
        self._blank = False
        self._pre = 0
        self._target = ""

    @property
    def text(self) -> str:
        lines = "".join(self._pieces).replace("\xa0", " ").split("\n")
        return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"

    def add(self, token: Token) -> None:
        if token.kind is Kind.TEXT:
            self._write(html.unescape(token.text))
        elif token.kind is Kind.START:
            self._start(token)
        elif token.kind is Kind.END:
            self._end(token.name)

    def _start(self, token: Token) -> None:
        self._break(token.name)
        self._pre += token.name == "pre"
        if token.name in _PREFIXES:
            self._put(_PREFIXES[token.name])
            self._breaks = int(token.name == "hr")
        elif token.name == "img":
            alt = _value(token, "alt")
            self._write(f"[{alt}]" if alt else "")
        elif token.name == "a":
            self._target = _value(token, "href")

    def _end(self, name: str) -> None:
        if name == "a" and self._target:
            if not "".join(self._pieces[-1:]).endswith(self._target):
                self._write(f" <{self._target}>")
            self._target = ""
        elif name == "pre":
            self._pre = max(0, self._pre - 1)
        if name in _CELLS:
            self._blank = True
        elif name != "br":
            self._break(name)

    def _break(self, name: str) -> None:
        if name == "br":
            self._breaks += 1
        elif name in _PARAGRAPHS:
            self._breaks = max(self._breaks, 2)
        elif name in _LINES:
            self._breaks = max(self._breaks, 1)

    def _write(self, text: str) -> None:
        if self._pre:
            self._put(text)
            return
        words = _BLANKS.sub(" ", text)
        self._blank |= words.startswith(" ")
        if words.strip(" "):
            self._put(words.strip(" "))
            self._blank = words.endswith(" ")

    def _put(self, text: str) -> None:
        if self._pieces:
            blank = " " if self._blank else ""
            self._pieces.append("\n" * self._breaks or blank)
        self._breaks, self._blank = 0, False
        self._pieces.append(text)


def _value(token: Token, name: str) -> str:
    found = token.attribute(name)
    text = "" if found is None else html.unescape(token.html[found.start : found.end])
    return " ".join(text.split())
