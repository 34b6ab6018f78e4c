"""The messages that are measured with; each is of the size that its name says."""

from __future__ import annotations

import base64
import random

SENDER = "joe@example.net"
RECIPIENT = "user@example.org"

_TEXT = (
    "the message that you are reading was made for a measurement and says nothing at all about the"
    " weather or money"
)
_WORDS = _TEXT.split()


def headers(content_type: str = "text/plain; charset=utf-8", *extra: str) -> bytes:
    """Thirteen header fields, as a message has that came over one other server, and `extra`."""
    lines = [
        "Received: from mx.example.net (mx.example.net [192.0.2.1])",
        "\tby mail.example.org (Postfix) with ESMTPS id 4XyZ1234",
        "\tfor <user@example.org>; Wed, 25 Nov 2026 10:00:00 +0000 (UTC)",
        "Received: from [198.51.100.7] (unknown [198.51.100.7])",
        "\tby mx.example.net (Postfix) with ESMTPSA id 3AbC;",
        "\tWed, 25 Nov 2026 09:59:58 +0000 (UTC)",
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=mail;",
        f"\th=from:to:subject:date; bh={'b' * 43}=;",
        f"\tb={'B' * 60}",
        f"\t {'C' * 70}==",
        'From: "Joe Sender" <joe@example.net>',
        "To: user@example.org",
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from a measurement",
        "Date: Wed, 25 Nov 2026 09:59:58 +0000",
        "Message-ID: <20261125095958.1234@example.net>",
        "MIME-Version: 1.0",
        f"Content-Type: {content_type}",
        "Content-Transfer-Encoding: 7bit",
        "User-Agent: Measurement 1.0",
        "X-Rspamd-Server: filter",
        *extra,
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


def message(size: int, *extra: str) -> bytes:
    """A plain text of so many bytes in all."""
    head = headers("text/plain; charset=utf-8", *extra) + b"\r\n"
    return head + text(size - len(head))


def html_message(size: int, *extra: str) -> bytes:
    """HTML of so many bytes, as newsletters have it."""
    return headers("text/html; charset=utf-8", *extra) + b"\r\n" + html(size)


def with_attachment(size: int, *extra: str) -> bytes:
    """A short text with an attachment of so many bytes."""
    return _mixed([_part("text/plain; charset=utf-8", text(2000)), attachment(size)], *extra)


def text_html_and_attachment(size: int) -> bytes:
    """A text in both forms, and an attachment of so many bytes."""
    both = [_part("text/plain; charset=utf-8", text(2000))]
    both.append(_part("text/html; charset=utf-8", html(6000)))
    inner = b"Content-Type: multipart/alternative; boundary=inner\r\n\r\n" + _joined(both, "inner")
    return _mixed([inner, attachment(size)])


def many_parts(count: int) -> bytes:
    """A message of so many parts, the first one with a text of 1 kB, the others tiny."""
    small = _part("text/plain; name=note.txt", b"x\r\n")
    return _mixed([_part("text/plain; charset=utf-8", text(1000)), *[small] * (count - 1)])


def text(size: int) -> bytes:
    """Lines of words, exactly so many bytes."""
    chance = random.Random(size)
    lines: list[str] = []
    length = 0
    while length < size:
        line = " ".join(chance.choices(_WORDS, k=11)) + "\r\n"
        lines.append(line)
        length += len(line)
    return ("".join(lines)[: max(0, size - 2)] + "\r\n").encode()


def html(size: int) -> bytes:
    """A newsletter: tables, styles, links, images and text."""
    chance = random.Random(size)
    head = (
        '<!DOCTYPE html>\r\n<html><head><meta charset="utf-8"><title>News</title>\r\n'
        "<style>body { font-family: sans-serif } .x { color: #333 }</style></head>\r\n"
        '<body bgcolor="#ffffff"><table width="600" cellpadding="0">\r\n'
    )
    tail = "</table></body></html>\r\n"
    rows: list[str] = []
    length = len(head) + len(tail)
    while length < size:
        words = " ".join(chance.choices(_WORDS, k=30))
        row = (
            f'<tr><td class="x" style="padding: 4px"><h2>{words[:20]}</h2>\r\n'
            f'<p>{words}<br><a href="https://news.example.net/{chance.getrandbits(64):x}?a=1&amp;'
            f'b=2">Read on</a></p>\r\n'
            f'<img src="https://img.example.net/{chance.getrandbits(32):x}.png" alt="Picture"'
            ' width="60"></td></tr>\r\n'
        )
        rows.append(row)
        length += len(row)
    return (head + "".join(rows) + tail).encode()


def attachment(size: int) -> bytes:
    """A part of about so many bytes, in base64."""
    data = random.Random(size).randbytes(size * 57 // 78)
    encoded = base64.encodebytes(data).replace(b"\n", b"\r\n")
    return (
        b"Content-Type: application/pdf; name=paper.pdf\r\nContent-Transfer-Encoding: base64\r\n"
        b"Content-Disposition: attachment; filename=paper.pdf\r\n\r\n" + encoded
    )


def _mixed(parts: list[bytes], *extra: str) -> bytes:
    head = headers("multipart/mixed; boundary=outer", *extra)
    return head + b"\r\n" + _joined(parts, "outer")


def _part(content_type: str, content: bytes) -> bytes:
    return f"Content-Type: {content_type}\r\n\r\n".encode() + content


def _joined(parts: list[bytes], boundary: str) -> bytes:
    lines = [b"--%b\r\n%b" % (boundary.encode(), part) for part in parts]
    return b"".join(lines) + b"--%b--\r\n" % boundary.encode()
