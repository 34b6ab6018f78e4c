"""Text of strangers, fit to stand in a notification."""

from __future__ import annotations

import re

import regex

MAX_MARKS = 6
"""Marks on one character; living languages need no more, stacks of them reach into other lines."""

_CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]+")
_LINE_END = re.compile("\r\n?|[\u0085\u2028\u2029]")
_CONTROLS_IN_ASCII = {code: None for code in range(0x20) if chr(code) not in "\t\n"} | {0x7F: None}
_INTERNATIONAL = re.compile(r"@([\w.-]{0,253}[^\x00-\x7f][\w.-]{0,253})")
_UNFIT = re.compile("[\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_STACKED = regex.compile(rf"([\p{{Mn}}\p{{Me}}]{{{MAX_MARKS}}})[\p{{Mn}}\p{{Me}}]+")


def readable(text: str) -> str:
    """Lines in LF, without control characters; U+FFFD for surrogates and what turns text around.

    The marks and joiners that languages need stay (U+200C to U+200F); overrides, embeddings and
    isolates (UAX #9, section 2) could make a text look like another one. Of the marks on a
    character those beyond `MAX_MARKS` go.
    """
    if text.isascii():  # most texts, in a fraction of the time
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text.translate(_CONTROLS_IN_ASCII)
    clean = _UNFIT.sub("\ufffd", _CONTROLS.sub("", _LINE_END.sub("\n", text)))
    return _STACKED.sub(r"\1", clean)


def with_ascii_domains(text: str) -> str:
    """The text with each international domain in ASCII behind it, as in `bücher.example [xn--...]`.

    Letters of other scripts look like those of the domain that a reader expects.
    """
    return _INTERNATIONAL.sub(_with_ascii, text)


def _with_ascii(found: re.Match[str]) -> str:
    try:
        return f"{found[0]} [{found[1].encode('idna').decode()}]"
    except UnicodeError:  # it is no domain
        return found[0]


def one_line(text: str, limit: int) -> str:
    """The same on one line, cut after so many characters."""
    line = " ".join(readable(text[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "\u2026"
