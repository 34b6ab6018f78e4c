"""Values of MIME header fields: a word, then parameters (RFC 2045, section 5.1; RFC 2231).

Reading takes any bytes, in linear time, as mail clients do; writing is plain ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

from pyquarantine_core.encoded_words import decode_charset
from pyquarantine_core.header_text import decode_value

MAX_VALUE = 64 * 1024
"""Bytes of a field's value that are looked at."""

_BREAKS = re.compile(r"[\r\n]+")
_MEDIA_TYPE = re.compile(r"[ \t]*([\w!#$&^.+-]+)[ \t]*/[ \t]*([\w!#$&^.+-]+)", re.ASCII)
_WORD = re.compile(r"[ \t]*(?:\([^()]*\)[ \t]*)?([^ \t;()]*)")
_PARAMETER = re.compile(r'[ \t]*([^ \t=;"]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)|([^;]*))')
_SECTION = re.compile(r"(.*?)(?:\*(\d{1,4}))?(\*)?", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")
_EXTENDED = re.compile(r"([^']*)'[^']*'(.*)", re.DOTALL)
_TOKEN = re.compile(r"[\w!#$&+.^`{|}~-]+", re.ASCII)
_QUOTABLE = re.compile(r"[ !-~]*")


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A field's value taken apart.

    Attributes:
        word: what stands before the parameters, in lower case: `text/plain`, `attachment`.
        parameters: decoded, by their names in lower case; of equal ones the first.
        raw: the bytes of the same parameters, as a boundary needs them.
        unclear: parameters of which clients read different values: named twice, extended as
            RFC 2231 has it (which not all know), or with blanks outside of quotes.
    """

    word: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    raw: Mapping[str, bytes] = field(default_factory=dict)
    unclear: frozenset[str] = frozenset()

    def with_parameter(self, name: str, value: str) -> str:
        """This value in writing, one parameter changed or added at its end."""
        return write_value(self.word, {**self.parameters, name: value})


def read_media_type(value: bytes | None, default: str = "text/plain") -> FieldValue:
    """The value of Content-Type; one without type and subtype is the default (RFC 2045, 5.2)."""
    if value is None:
        return FieldValue(default)
    text = _unfolded(value)
    match = _MEDIA_TYPE.match(text)
    if match is None:
        return FieldValue(default)
    return _with_parameters(f"{match[1]}/{match[2]}".lower(), text)


def read_word(value: bytes | None) -> FieldValue:
    """The value of Content-Disposition or Content-Transfer-Encoding; empty when there is none."""
    if value is None:
        return FieldValue("")
    text = _unfolded(value)
    match = _WORD.match(text)
    return _with_parameters(match[1].lower() if match else "", text)


def write_value(word: str, parameters: Mapping[str, str]) -> str:
    """A value in ASCII: quoted where a token does not do (RFC 2045), else as RFC 2231 has it.

    A parameter whose name is no token is left out: what could be written of it is another's name.
    """
    known = [one for one in parameters.items() if _TOKEN.fullmatch(one[0])]
    return "; ".join([word, *(_write_parameter(*one) for one in known)])


def _write_parameter(name: str, value: str) -> str:
    if _TOKEN.fullmatch(value):
        return f"{name}={value}"
    if _QUOTABLE.fullmatch(value):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}="{escaped}"'
    return f"{name}*=utf-8''{quote(value, safe='', errors='replace')}"


def _unfolded(value: bytes) -> str:
    return _BREAKS.sub("", value[:MAX_VALUE].decode("latin-1"))


def _with_parameters(word: str, text: str) -> FieldValue:
    sections: dict[str, dict[int, tuple[bool, str]]] = {}
    plain: dict[str, str] = {}
    unclear: set[str] = set()
    at = text.find(";") + 1
    while at:
        match = _PARAMETER.match(text, at)
        if match is not None:
            at = match.end()
            value = match[3].rstrip(" \t") if match[2] is None else _ESCAPED.sub(r"\1", match[2])
            section = _SECTION.fullmatch(match[1].lower())
            assert section is not None  # every part of the pattern may be empty
            name, number, extended = section.groups()
            if number is None and extended is None:
                if plain.setdefault(name, value) != value or (match[2] is None and " " in value):
                    unclear.add(name)
            else:
                unclear.add(name)
                place = (bool(extended), value)
                sections.setdefault(name, {}).setdefault(int(number or 0), place)
        at = text.find(";", at) + 1
    parameters = {name: decode_value(value.encode("latin-1")) for name, value in plain.items()}
    raw = {name: value.encode("latin-1") for name, value in plain.items()}
    for name, numbered in sections.items():
        charset, raw[name] = _joined(numbered)
        parameters[name] = decode_charset(bytearray(raw[name]), charset)
    return FieldValue(word, parameters, raw, frozenset(unclear))


def _joined(numbered: Mapping[int, tuple[bool, str]]) -> tuple[str, bytes]:
    """Charset and bytes of a value in sections (RFC 2231, 3 and 4); what follows a gap is lost."""
    charset, data, number = "utf-8", bytearray(), min(numbered)
    while number in numbered:
        extended, value = numbered[number]
        if extended and not data and (named := _EXTENDED.fullmatch(value)):
            charset, value = named[1].lower() or charset, named[2]
        data += unquote_to_bytes(value.encode("latin-1")) if extended else value.encode("latin-1")
        number += 1
    return charset, bytes(data)
