"""Encoded words (RFC 2047): which charsets they may name, how they are read and written."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from encodings.aliases import aliases
from functools import lru_cache

WORD = 75
"""Characters that an encoded word may have (RFC 2047, section 2)."""
WORD_FRAME = len("=?utf-8?q??=")
LONG = 400
"""Words and gaps beyond it would make lines of more than 998 characters."""
WORDS = re.compile(r"([ \t]*)([^ \t]+)")
"""White space and the word after it."""

_OPENING = re.compile(r"=\?([^?*\s]{1,100})(?:\*[^?\s]{0,100})?\?([bq])\?", re.IGNORECASE)
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_Q_UNSAFE = re.compile(rb"[^A-Za-z0-9!*+/-]")  # RFC 2047, section 5 (3): safe even in phrases
_DESIGNATION = re.compile(rb"(?=\x1b[$(])")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]")

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
    " johab shift_jis shift_jis_2004 shift_jisx0213 utf_16 utf_16_be utf_16_le utf_7 utf_8"
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
    return {alias.replace("_", ""): name for alias, name in {**known, **_OTHER_NAMES}.items()}


_CHARSETS = _charsets()


@lru_cache(maxsize=256)
def codec_of(charset: str, *, to_read: bool = True) -> str | None:
    """Python's codec for a charset; None for one that is not known or not fit for mail.

    Args:
        charset: as senders spell it, in any case.
        to_read: take the larger charset that senders mean; what is written keeps to the name.
    """
    codec = _CHARSETS.get(re.sub("[-_.:]", "", charset.lower()))
    return _LARGER.get(codec, codec) if to_read and codec is not None else codec


def encoded_words(text: str) -> Iterator[tuple[int, int, str, str, str]]:
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


def decode_payload(payload: bytes, encoding: str) -> bytes:
    if encoding == "q":
        return _HEX.sub(lambda match: bytes.fromhex(match[1].decode()), payload.replace(b"_", b" "))
    decoded = bytearray()
    for chunk in _NOT_BASE64.sub(b"", payload).split(b"="):
        sound = chunk[:-1] if len(chunk) % 4 == 1 else chunk
        decoded += base64.b64decode(sound + b"=" * (-len(sound) % 4))
    return bytes(decoded)


def decode_charset(data: bytearray, charset: str) -> str:
    return decode_known(data, codec_of(charset) or "latin_1")


def decode_known(data: bytes | bytearray, codec: str) -> str:
    """Text in one of Python's codecs, with U+FFFD for what it does not know.

    In ISO-2022-JP an escape sequence counts wherever it stands, as in browsers: Python's codec may
    take the one after half a character for text, and all that follows for Japanese.
    """
    if not codec.startswith("iso2022_jp"):
        return data.decode(codec, "replace")
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return "".join(piece.decode(codec, "replace") for piece in _DESIGNATION.split(data))


def is_plain_word(word: str) -> bool:
    return word.isascii() and "=?" not in word and len(word) <= LONG


def all_plain(text: str) -> bool:
    return all(is_plain_word(word) for word in text.split())


def encode_text(text: str, is_plain: Callable[[str], bool], room: int = WORD) -> str:
    """Encode the words that are not plain, together with the white space between two of them.

    Args:
        text: Cleaned text.
        is_plain: Says which words may stay as they are.
        room: How long an encoded word at the start of the text may be.
    """
    parts: list[str] = []
    coded: list[str] = []
    for space, word in WORDS.findall(text):
        long_gap = len(space) > LONG
        if is_plain(word) and not long_gap:
            if coded:
                parts.append(_encode_words("".join(coded), room))
                coded = []
            parts += [space, word]
            room = WORD
        elif coded:
            coded += [space, word]
        else:
            parts.append(space[:1] if long_gap else space)
            coded = [space[1:] if long_gap else "", word]
    if coded:
        parts.append(_encode_words("".join(coded), room))
    return "".join(parts)


def _encode_words(text: str, room: int = WORD) -> str:
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
            limit = _payload_limit(WORD, use_q=use_q)
        chunk += encoded
        cost += size
    words.append(_encode_word(bytes(chunk), use_q=use_q))
    return " ".join(words)


def _payload_limit(room: int, *, use_q: bool) -> int:
    """What fits into an encoded word: characters for Q, bytes for B."""
    return room - WORD_FRAME if use_q else (room - WORD_FRAME) // 4 * 3


def _encode_word(data: bytes, *, use_q: bool) -> str:
    if use_q:
        payload = _Q_UNSAFE.sub(lambda match: b"=%02X" % match[0][0], data).replace(b"=20", b"_")
        return f"=?utf-8?q?{payload.decode()}?="
    return f"=?utf-8?b?{base64.b64encode(data).decode()}?="
