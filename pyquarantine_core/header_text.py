"""Header values: from the bytes on the wire to text and back (RFC 5322, RFC 2047).

Both directions take any input in linear time. Reading is as forgiving as mail clients are, because
a filter must see what the recipient will see; writing is strict.
"""

from __future__ import annotations

import re

from pyquarantine_core.encoded_words import (
    LONG,
    WORD,
    WORD_FRAME,
    WORDS,
    decode_charset,
    decode_payload,
    encode_text,
    encoded_words,
    is_plain_word,
)
from pyquarantine_core.header_addresses import encode_addresses

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

LONGEST = 65_000
"""Bytes of a header that is changed or added: libmilter takes no more (MILTER_MAX_DATA_SIZE)."""
_LINE = 78


def decode_value(raw: bytes) -> str:
    """The text that a mail client shows for a header value.

    Folds are undone (RFC 5322, section 2.2.3) and encoded words decoded (RFC 2047, with the
    language suffix of RFC 2231) wherever they stand, even inside quoted strings and inside other
    words. Consecutive ones of one charset may share a character, whatever their encodings, as in
    Thunderbird. Bytes beyond ASCII are taken for UTF-8 if the whole value is, else for Latin-1, as
    is an encoded word whose charset is unknown. What a charset does not know becomes U+FFFD.

    Args:
        raw: As the MTA sent it: with or without the leading space, folds as LF or CRLF.

    Returns:
        Text without white space at its ends and without CR, LF, NUL or surrogates.
    """
    if b"\n" in raw:
        raw = _FOLD.sub(b"", raw)
    if raw.isascii() and b"=?" not in raw:
        return _BREAKS.sub(" ", raw.decode("ascii")).strip(_BLANK)
    try:
        codec, text = "utf-8", raw.decode("utf-8")
    except UnicodeDecodeError:
        codec, text = "latin-1", raw.decode("latin-1")
    parts: list[str] = []
    pending, pending_charset = bytearray(), ""
    end = 0
    for start, stop, charset, encoding, payload in encoded_words(text):
        gap = text[end:start]
        adjacent = pending_charset and not gap.strip(_BLANK)
        if not adjacent or charset != pending_charset:
            parts.append(decode_charset(pending, pending_charset))
            pending = bytearray()
        if not adjacent:
            parts.append(gap)
        pending += decode_payload(payload.encode(codec), encoding)
        pending_charset, end = charset, stop
    parts += [decode_charset(pending, pending_charset), text[end:]]
    return _SURROGATES.sub("\ufffd", _BREAKS.sub(" ", "".join(parts))).strip(_BLANK)


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

    What would come to more than `LONGEST` with the name is cut: nothing sends a longer one.
    """
    text = clean_text(text)
    value = _encoded(name, text)
    room = LONGEST - len(name)
    while len(value) > room:
        text = clean_text(text[: len(text) * room // len(value) - 1])
        value = _encoded(name, text)
    return value


def _encoded(name: str, text: str) -> bytes:
    lower = name.lower()
    room = max(WORD_FRAME + 12, min(WORD, _LINE - len(name) - len(": ")))
    if lower in ADDRESS_HEADERS:
        line = encode_addresses(text, room)
    elif lower in STRUCTURED_HEADERS or lower.startswith(("arc-", "list-")):
        line = text
    else:
        line = encode_text(text, is_plain_word, room)
    return _fold(name, line)


def _fold(name: str, line: str) -> bytes:
    parts = [" "]
    used = len(name) + len(": ")
    for space, word in WORDS.findall(line):
        gap = space if len(space) <= LONG else " "  # only where white space has no meaning
        width = len(gap) + len(word.encode())
        if used + width > _LINE and gap:
            parts.append("\n")
            used = 0
        parts += [gap, word]
        used += width
    return "".join(parts).encode()
