"""Header values: from the bytes on the wire to text and back (RFC 5322, RFC 2047).

Both directions take any input in linear time. Reading is as forgiving as mail clients are, because
a filter must see what the recipient will see; writing is strict.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from encodings.aliases import aliases
from itertools import groupby

_ADDRESSES = (
    "from sender reply-to to cc bcc resent-from resent-sender resent-reply-to resent-to resent-cc"
    " resent-bcc disposition-notification-to return-receipt-to"
)
_STRUCTURED = (
    "authentication-results auto-submitted content-disposition content-id content-language"
    " content-length content-location content-md5 content-transfer-encoding content-type date"
    " delivered-to dkim-signature domainkey-signature errors-to in-reply-to message-id"
    " mime-version original-message-id received received-spf references resent-date"
    " resent-message-id return-path"
)
ADDRESS_HEADERS = frozenset(_ADDRESSES.split())
"""Names, in lower case, of the headers that hold addresses (RFC 5322, section 3.6)."""

STRUCTURED_HEADERS = frozenset(_STRUCTURED.split())
"""Names, in lower case, of the other headers where RFC 2047 has no encoded words in the text."""

_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_BREAKS = re.compile("[\r\n\0]+")
_CONTROLS = re.compile("[\0-\x08\x0a-\x1f\x7f-\x9f]+")
_SURROGATES = re.compile("[\ud800-\udfff]")
_BLANK = " \t"

_LINE = 78
_LONG = 400  # words and gaps beyond it would make lines of more than 998 characters
_WORD = 75
_WORD_FRAME = len("=?utf-8?q??=")
_OPENING = re.compile(r"=\?([^?*\s]{1,100})(?:\*[^?\s]{0,100})?\?([bq])\?", re.IGNORECASE)
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_Q_UNSAFE = re.compile(rb"[^A-Za-z0-9!*+/-]")  # RFC 2047, section 5 (3): safe even in phrases
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]")

_WORDS = re.compile(r"([ \t]*)([^ \t]+)")

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

_SINGLE_BYTE = (
    "ascii cp437 cp850 cp852 cp855 cp858 cp866 cp874 cp1125 cp1250 cp1251 cp1252 cp1253 cp1254"
    " cp1255 cp1256 cp1257 cp1258 iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7"
    " iso8859_8 iso8859_9 iso8859_10 iso8859_11 iso8859_13 iso8859_14 iso8859_15 iso8859_16 koi8_r"
    " koi8_t koi8_u kz1048 latin_1 mac_cyrillic mac_greek mac_iceland mac_latin2 mac_roman"
    " mac_turkish tis_620"
)
_MULTI_BYTE = (
    "big5 big5hkscs cp932 cp949 cp950 euc_jis_2004 euc_jisx0213 euc_jp euc_kr gb18030 gb2312 gbk hz"
    " iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext iso2022_kr"
    " johab shift_jis shift_jis_2004 shift_jisx0213 utf_7 utf_8"
)
# Where senders name a charset and use a larger one, as the WHATWG encoding standard has it.
_LARGER = {"euc_kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}
_OTHER_NAMES = {
    "iso_8859_6_i": "iso8859_6",
    "iso_8859_8_i": "iso8859_8",
    "unicode_1_1_utf_7": "utf_7",
    "windows_874": "cp874",
    "x_gbk": "gbk",
    "x_mac_cyrillic": "mac_cyrillic",
    "x_mac_roman": "mac_roman",
    "x_sjis": "shift_jis",
}


def _charsets() -> dict[str, str]:
    codecs = {name: name for name in (_SINGLE_BYTE + " " + _MULTI_BYTE).split()}
    known = {**{alias: name for alias, name in aliases.items() if name in codecs}, **codecs}
    return {
        alias.replace("_", ""): _LARGER.get(name, name)
        for alias, name in {**known, **_OTHER_NAMES}.items()
    }


_CHARSETS = _charsets()


def decode_value(raw: bytes) -> str:
    """The text that a mail client shows for a header value.

    Folds are undone (RFC 5322, section 2.2.3) and encoded words decoded (RFC 2047, with the
    language suffix of RFC 2231) wherever they stand, even inside quoted strings and inside other
    words. Consecutive ones of one charset and encoding may share a character. Bytes beyond ASCII
    are taken for UTF-8 if the whole value is, else for Latin-1, as is an encoded word whose
    charset is unknown. What a charset does not know becomes U+FFFD.

    Args:
        raw: As the MTA sent it: with or without the leading space, folds as LF or CRLF.

    Returns:
        Text without white space at its ends and without CR, LF, NUL or surrogates.
    """
    raw = _FOLD.sub(b"", raw)
    try:
        codec, text = "utf-8", raw.decode("utf-8")
    except UnicodeDecodeError:
        codec, text = "latin-1", raw.decode("latin-1")
    parts: list[str] = []
    pending, pending_key = bytearray(), ("", "")
    end = 0
    for start, stop, charset, encoding, payload in _encoded_words(text):
        gap = text[end:start]
        key = (charset, encoding)
        adjacent = pending_key[0] and not gap.strip(_BLANK)
        if not adjacent or key != pending_key:
            parts.append(_decode_charset(pending, pending_key[0]))
            pending = bytearray()
        if not adjacent:
            parts.append(gap)
        pending += _decode_payload(payload.encode(codec), encoding)
        pending_key, end = key, stop
    parts += [_decode_charset(pending, pending_key[0]), text[end:]]
    return _SURROGATES.sub("\ufffd", _BREAKS.sub(" ", "".join(parts))).strip(_BLANK)


def _encoded_words(text: str) -> Iterator[tuple[int, int, str, str, str]]:
    """Start, end, charset, encoding and payload of each; a payload may hold blanks and `?`."""
    opening, closing = _OPENING.search(text), 0
    while opening:
        begin = opening.end()
        if closing < begin:
            closing = text.find("?=", begin)
            if closing < 0:
                return
        another = text.find("=?", begin, closing)
        if another >= 0:  # this one was never closed
            opening = _OPENING.search(text, another)
            continue
        charset, encoding = opening[1].lower(), opening[2].lower()
        yield opening.start(), closing + 2, charset, encoding, text[begin:closing]
        opening = _OPENING.search(text, closing + 2)


def _decode_payload(payload: bytes, encoding: str) -> bytes:
    if encoding == "q":
        return _HEX.sub(lambda match: bytes.fromhex(match[1].decode()), payload.replace(b"_", b" "))
    decoded = bytearray()
    for chunk in _NOT_BASE64.sub(b"", payload).split(b"="):
        sound = chunk[:-1] if len(chunk) % 4 == 1 else chunk
        decoded += base64.b64decode(sound + b"=" * (-len(sound) % 4))
    return bytes(decoded)


def _decode_charset(data: bytearray, charset: str) -> str:
    name = re.sub("[-_.:]", "", charset)
    return data.decode(_CHARSETS.get(name, "latin_1"), "replace")


def clean_text(text: str) -> str:
    """Text as a header can hold it.

    Each run of control characters other than TAB becomes one space, a surrogate U+FFFD; white
    space at the ends goes.
    """
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub(" ", text)).strip(_BLANK)


def encode_value(name: str, text: str) -> bytes:
    """A new value for header `name`: one leading space, `clean_text(text)`, folds as LF.

    Lines, the first with the name, have at most 78 characters where white space or an encoded
    word allows a fold, and never more than 998 where text can be encoded. White space is kept as
    it is, so `decode_value` gives back the text of a header without structure.

    * Where the name is not known as structured, words become encoded words (RFC 2047) in UTF-8
      if they are not ASCII, look like an encoded word, or are too long for a line.
    * In address headers only display names and comments are encoded. A display name in ASCII with
      specials outside quotes is quoted. Commas in it are recognised when it is followed by
      `<...>`: `Müller, Jörg <j@example.org>` is one address. An internationalised address stays
      UTF-8 (RFC 6532), for it has no other spelling.
    * Other structured headers are only folded: what is not ASCII stays UTF-8 (RFC 6532), because
      no encoding of theirs would be right for all of them.
    """
    text = clean_text(text)
    lower = name.lower()
    room = max(_WORD_FRAME + 12, min(_WORD, _LINE - len(name) - len(": ")))
    if lower in ADDRESS_HEADERS:
        line = _encode_addresses(text, room)
    elif lower in STRUCTURED_HEADERS or lower.startswith(("arc-", "list-")):
        line = text
    else:
        line = _encode_text(text, _is_plain, room)
    return _fold(name, line)


def _is_plain(word: str) -> bool:
    return word.isascii() and "=?" not in word and len(word) <= _LONG


def _all_plain(text: str) -> bool:
    return all(_is_plain(word) for word in text.split())


def _encode_text(text: str, is_plain: Callable[[str], bool], room: int = _WORD) -> str:
    """Encode the words that are not plain, together with the white space between two of them.

    Args:
        text: Cleaned text.
        is_plain: Says which words may stay as they are.
        room: How long an encoded word at the start of the text may be.
    """
    parts: list[str] = []
    coded: list[str] = []
    for space, word in _WORDS.findall(text):
        long_gap = len(space) > _LONG
        if is_plain(word) and not long_gap:
            if coded:
                parts.append(_encode_words("".join(coded), room))
                coded = []
            parts += [space, word]
            room = _WORD
        elif coded:
            coded += [space, word]
        else:
            parts.append(space[:1] if long_gap else space)
            coded = [space[1:] if long_gap else "", word]
    if coded:
        parts.append(_encode_words("".join(coded), room))
    return "".join(parts)


def _encode_words(text: str, room: int = _WORD) -> str:
    """Encoded words with blanks between, in the shorter encoding, none cutting a character."""
    data = text.encode()
    q_cost = len(data) + 2 * len(_Q_UNSAFE.findall(data.replace(b" ", b"")))
    use_q = q_cost <= (len(data) + 2) // 3 * 4
    words: list[str] = []
    chunk, cost = bytearray(), 0
    limit = _payload_limit(room, use_q=use_q)
    for character in text:
        encoded = character.encode()
        size = 1 if character == " " else len(encoded)
        if use_q and _Q_UNSAFE.match(encoded) and character != " ":
            size *= 3
        if chunk and cost + size > limit:
            words.append(_encode_word(bytes(chunk), use_q=use_q))
            chunk, cost = bytearray(), 0
            limit = _payload_limit(_WORD, use_q=use_q)
        chunk += encoded
        cost += size
    words.append(_encode_word(bytes(chunk), use_q=use_q))
    return " ".join(words)


def _payload_limit(room: int, *, use_q: bool) -> int:
    """What fits into an encoded word: characters for Q, bytes for B."""
    return room - _WORD_FRAME if use_q else (room - _WORD_FRAME) // 4 * 3


def _encode_word(data: bytes, *, use_q: bool) -> str:
    if use_q:
        payload = _Q_UNSAFE.sub(lambda match: b"=%02X" % match[0][0], data).replace(b"=20", b"_")
        return f"=?utf-8?q?{payload.decode()}?="
    return f"=?utf-8?b?{base64.b64encode(data).decode()}?="


def _fold(name: str, line: str) -> bytes:
    parts = [" "]
    used = len(name) + len(": ")
    for space, word in _WORDS.findall(line):
        gap = space if len(space) <= _LONG else " "  # only where white space has no meaning
        width = len(gap) + len(word.encode())
        if used + width > _LINE and gap:
            parts.append("\n")
            used = 0
        parts += [gap, word]
        used += width
    return "".join(parts).encode()


def _encode_addresses(text: str, room: int) -> str:
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
    if legal and _all_plain(text):
        return text
    content = "".join(
        _unescape(token[1:-1]) if kind == "quoted" else token for kind, token in tokens
    ).strip(_BLANK)
    if _all_plain(content):
        name = '"' + re.sub(r'(["\\])', r"\\\1", content) + '"' if content else ""
    else:
        name = _encode_text(content, _is_name_word, room)
    leading = text[: len(text) - len(text.lstrip(_BLANK))]
    trailing = text[len(text.rstrip(_BLANK)) :]
    return f"{leading}{name}{trailing}"


def _encode_other(tokens: list[_Token], room: int) -> str:
    text = "".join(token for _, token in tokens)
    if text.isascii():
        return text
    trailing = text[len(text.rstrip(_BLANK)) :]
    return _encode_text(text, lambda word: word.isascii() or "@" in word, room) + trailing


def _encode_comment(comment: str, room: int) -> str:
    if _all_plain(comment):
        return comment
    return f"({_encode_text(_unescape(comment[1:-1]), _is_comment_word, room - 1)})"


def _is_name_word(word: str) -> bool:
    return _is_plain(word) and _ATEXT.fullmatch(word) is not None


def _is_comment_word(word: str) -> bool:
    return _is_plain(word) and not set(word) & set("()\\")


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
