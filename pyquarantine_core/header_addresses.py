"""Address lists in headers (RFC 5322, section 3.4): what of them is encoded, and how."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby

from pyquarantine_core.encoded_words import all_plain, encode_text, is_plain_word

_BLANK = " \t"

_Token = tuple[str, str]  # kind and text
_KINDS = {
    '"': "quoted",
    "(": "comment",
    "<": "angle",
    " ": "blank",
    "\t": "blank",
    ",": "separator",
    ";": "separator",
    ":": "separator",
}
_SYNTAX = {
    "quoted": re.compile(r'"(?:[^"\\]|\\.)*+"'),
    "angle": re.compile(r"<[^<>]*+>"),
    "blank": re.compile(r"[ \t]+"),
    "separator": re.compile(r"."),
    "atom": re.compile(r'.[^ \t"(<,:;]*'),
}
_PARENTHESES = re.compile(r"[()]|\\.")
_ATEXT = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")


def encode_addresses(text: str, room: int) -> str:
    """Encode an address list (RFC 5322, section 3.4) piece by piece; separators stay."""
    tokens = list(_tokens(text))
    group_ends = sum(value == ";" for _, value in tokens)
    in_group = complete = False
    parts: list[str] = []
    piece: list[_Token] = []
    for kind, value in tokens:
        group_ends -= value == ";"
        opens = value == ":" and not in_group and group_ends > 0
        closes = value == ";" and in_group
        if opens or closes or (value in (",", ";") and complete):
            parts += [_encode_address(piece, room), value]
            piece, complete = [], False
            in_group = opens or (in_group and not closes)
        else:
            piece.append((kind, value))
            complete |= kind == "angle" or (kind == "atom" and "@" in value)
    parts.append(_encode_address(piece, room))
    return "".join(parts)


def _tokens(text: str) -> Iterator[_Token]:
    """Quoted strings, comments, `<...>`, blanks, separators, atoms.

    What begins one of the first three and is never closed counts as an atom.
    """
    position = 0
    unclosed: set[str] = set()  # kinds that were open to the end once are not tried again
    while position < len(text):
        kind = _KINDS.get(text[position], "atom")
        if kind in unclosed:
            end = 0
        elif kind == "comment":
            end = _end_of_comment(text, position)
        else:
            end = _end(kind, text, position)
        if not end:
            if kind != "angle":
                unclosed.add(kind)
            kind, end = "atom", _end("atom", text, position)
        yield kind, text[position:end]
        position = end


def _end(kind: str, text: str, position: int) -> int:
    match = _SYNTAX[kind].match(text, position)
    return match.end() if match else 0


def _end_of_comment(text: str, position: int) -> int:
    depth = 0
    for match in _PARENTHESES.finditer(text, position):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return 0


def _encode_address(tokens: list[_Token], room: int) -> str:
    """Encode `name <address>`, or what stands where there is no `<...>`."""
    angles = [index for index, (kind, _) in enumerate(tokens) if kind == "angle"]
    if angles:
        name = _encode_runs(tokens[: angles[-1]], _encode_name, room)
        gap = " " if name.endswith("?=") else ""
        rest = _encode_runs(tokens[angles[-1] + 1 :], _encode_other, room)
        return f"{name}{gap}{tokens[angles[-1]][1]}{rest}"
    parts: list[str] = []
    for separator, run in groupby(tokens, key=lambda token: token[0] == "separator"):
        if separator:
            parts += [token for _, token in run]
        else:
            parts.append(_encode_runs(list(run), _encode_other, room))
    return "".join(parts)


def _encode_runs(
    tokens: list[_Token], encode: Callable[[list[_Token], int], str], room: int
) -> str:
    """Encode comments as such, and what stands between them with `encode`."""
    result = ""
    for is_comment, run in groupby(tokens, key=lambda token: token[0] == "comment"):
        if is_comment:
            part = "".join(_encode_comment(token, room) for _, token in run)
        else:
            part = encode(list(run), room)
        if result.endswith("?=") or (part.startswith("=?") and result.endswith(")")):
            result += "" if part[:1] in _BLANK else " "
        result += part
    return result


def _encode_name(tokens: list[_Token], room: int) -> str:
    text = "".join(token for _, token in tokens)
    legal = all(kind in ("quoted", "blank") or _ATEXT.fullmatch(token) for kind, token in tokens)
    if legal and all_plain(text):
        return text
    content = "".join(
        _unescape(token[1:-1]) if kind == "quoted" else token for kind, token in tokens
    ).strip(_BLANK)
    if all_plain(content):
        name = '"' + re.sub(r'(["\\])', r"\\\1", content) + '"' if content else ""
    else:
        name = encode_text(content, _is_name_word, room)
    leading = text[: len(text) - len(text.lstrip(_BLANK))]
    trailing = text[len(text.rstrip(_BLANK)) :]
    return f"{leading}{name}{trailing}"


def _encode_other(tokens: list[_Token], room: int) -> str:
    text = "".join(token for _, token in tokens)
    if text.isascii():
        return text
    trailing = text[len(text.rstrip(_BLANK)) :]
    return encode_text(text, lambda word: word.isascii() or "@" in word, room) + trailing


def _encode_comment(comment: str, room: int) -> str:
    if all_plain(comment):
        return comment
    return f"({encode_text(_unescape(comment[1:-1]), _is_comment_word, room - 1)})"


def _is_name_word(word: str) -> bool:
    return is_plain_word(word) and _ATEXT.fullmatch(word) is not None


def _is_comment_word(word: str) -> bool:
    return is_plain_word(word) and not set(word) & set("()\\")


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
