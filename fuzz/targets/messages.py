"""Messages from bytes, and what edits of them must keep."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pyquarantine_core.address import Recipient
from pyquarantine_core.body import View
from pyquarantine_core.client import Client
from pyquarantine_core.message import Message
from pyquarantine_core.mime.structure import MimePart
from pyquarantine_core.testing.hostile import CONTENTS
from pyquarantine_core.testing.mail_mix import MIX

LARGEST = 20_000
"""Bytes of a seed."""
WORDS = (
    *(b"Content-Type: ", b"multipart/mixed", b"multipart/alternative", b"multipart/related"),
    *(b"; boundary=b", b'; boundary="b c"', b"\r\n--b\r\n", b"\n--b\n", b"--b--", b"\r\n\r\n"),
    *(b"text/plain", b"text/html", b"message/rfc822", b"multipart/signed", b"multipart/digest"),
    *(b"; charset=utf-8", b"; charset=utf-7", b"; charset=utf-16", b"; charset=iso-2022-jp"),
    *(b"; format=flowed", b"Content-Transfer-Encoding: ", b"base64", b"quoted-printable", b"8bit"),
    *(b"Content-Disposition: attachment", b"; filename*0*=utf-8''a%22", b"; name=x", b"Subject: "),
    *(
        b"=?utf-8?q?=C3=BC?=",
        b"=?utf-8?b?w7w=?=",
        b"From: ",
        b"<a@b>",
        b"-----BEGIN PGP MESSAGE-----",
    ),
    *(b"<html>", b"<body>", b"</body>", b"<!--", b"-->", b"<a href=", b"<style>", b"</style>"),
    *(
        b"<svg>",
        b"<table>",
        b"<td>",
        b"<img alt=",
        b"<script>",
        b"&lt;",
        b"&#60;",
        b"\x1b$B",
        b"\x1b(B",
    ),
)
SEEDS = tuple(b"\0" + one for one in (*MIX.values(), *CONTENTS.values()) if len(one) <= LARGEST)
"""With a byte of options before them."""

_END_OF_HEADER = re.compile(rb"\r?\n\r?\n|\A\r?\n")
_HEADER = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)")


def message_of(content: bytes) -> Message:
    """A message as an MTA hands it over: headers by name, folds as LF, any bytes as body."""
    end = _END_OF_HEADER.search(content)
    head, body = (content, b"") if end is None else (content[: end.start()], content[end.end() :])
    message = Message(Client.from_text("client.example", "192.0.2.1"), "sender@example.org")
    message.queue_id = "4XyZ1234"
    message.receive_recipient(Recipient.from_mta("<recipient@example.org>"))
    for header in _HEADER.finditer(head):
        raw = header[2].replace(b"\r\n", b"\n").replace(b"\0", b"")
        message.receive_header(header[1].decode(), raw)
    message.received_body.append(body)
    return message


def assert_others_stay(before: View, changed: Iterable[tuple[int, int]], after: View) -> None:
    """All bytes of a body outside of these stretches are in another one, in their order."""
    at = start = 0
    for end, following in [*changed, (len(before), len(before))]:
        piece = before[start:end]
        found = after.find(piece, at)
        assert found >= 0, f"{piece[:200]!r} is gone"
        at = found + len(piece)
        start = following


def places(parts: Iterable[MimePart]) -> list[tuple[int, int]]:
    """Where parts are, with their headers."""
    return [(part.header_start, part.end) for part in parts]
