"""Messages and texts that nobody sends in good faith: whatever reads mail must survive them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pyquarantine_core.address import Recipient
from pyquarantine_core.client import Client
from pyquarantine_core.message import Message
from pyquarantine_core.testing.mail_mix import MIX
from pyquarantine_core.testing.rules import received

INJECTED = "X-Injected: yes"
"""A header that no text of a message may bring into something that is made from it."""

TEXTS: Mapping[str, str] = {
    "NUL": "a\0b",
    "line breaks": f"a\r\n{INJECTED}\r\n\r\nb\n{INJECTED}\r{INJECTED}",
    "bytes that are not UTF-8": "a\udcff\udc80b",
    "a lone surrogate": "a\ud800b",
    "text that runs backwards": "a\u202egro.elpmaxe@b\u2066\u2069",
    "all scripts": "Grüße Привет こんにちは \U0001f4e7",
    "control characters": "a\x1b[2J\x07\x08\x7f\x85\u2028b",
    "quotes": "'; DROP TABLE mail; --\"`\\",
    "markup": "<script>alert(1)</script>{FROM}{0}%s${x}",
    "much": "x" * 60_000,
}
"""Texts by what is odd about them."""

CONTENTS: Mapping[str, bytes] = {
    "nothing": b"",
    "headers without an end": b"Subject: x",
    "no headers": b"\nBody\n",
    "NUL and all other bytes": b"Subject: a\0b\n\n" + bytes(range(256)),
    "8-bit headers": b"Subject: \xff\xfe\xe4\nFrom: \xe4 <\xff@example.org>\n\n\xff\n",
    "a line break in an encoded word": b"Subject: =?utf-8?q?a=0D=0AX-Injected:_yes?=\n"
    b"From: =?utf-8?b?YQ0KWC1JbmplY3RlZDogeWVz?= <a@example.org>\n\nx\n",
    "broken encoded words": b"Subject: =?utf-8?b?////=?= =?x-none?q?=ZZ?= =?utf-8?b?YQ?=\n\nx\n",
    "a Content-Type of semicolons": b"Content-Type: text/plain" + b";" * 30_000 + b"\n\nx\n",
    "a From of commas": b"From: " + b"," * 30_000 + b"\n\nx\n",
    "a Content-Type that is none": b"Content-Type: ;.*\n\nx\n",
    "an unknown charset": b'Content-Type: text/plain; charset="x\\"\0"\n\n\xff\n',
    "an unknown transfer encoding": b"Content-Type: text/html\n"
    b"Content-Transfer-Encoding: x-none\n\n<a href=x>\n",
    "base64 that is none": b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n===a\n",
    "a multipart without parts": b"Content-Type: multipart/mixed; boundary=b\n\n--b--\n",
    "a multipart without a boundary": b"Content-Type: multipart/mixed\n\n--b\n\nx\n",
    "a multipart that ends early": b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Ty",
    "parts that are nested deep": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (one, one) for one in range(500)
    ),
    "messages that are nested deep": b"Content-Type: message/rfc822\n\n" * 500,
    "many headers": b"X-A: b\n" * 5_000 + b"\nx\n",
    "a deep HTML": b"Content-Type: text/html\n\n" + b"<div>" * 5_000 + b"x",
    "a file name that leads away": b'Content-Type: application/zip; name="../../\0etc"\n'
    b"Content-Disposition: attachment; filename*0*=utf-8''%FF%0D%0A; filename*9999=x\n\nPK\x03\x04",
}
"""Contents by what is odd about them."""


def messages() -> Iterator[tuple[str, Message]]:
    """Each message of the mix and each hostile one, with its name; the caller closes them."""
    for name, content in {**MIX, **CONTENTS}.items():
        yield name, received(content)
    for name, text in TEXTS.items():
        yield f"{name} in the envelope", with_text(text)
    yield "no recipients", received(MIX["plain"], recipients=())
    yield "the null sender", received(MIX["plain"], sender="")
    yield "a local submission", received(MIX["plain"], client=None)


def with_text(text: str) -> Message:
    """A message that carries a text wherever the MTA can put one."""
    message = Message(Client.from_text(text, "192.0.2.1"), text)
    message.queue_id = "4XyZ1234"
    message.receive_recipient(Recipient(text, (f"<{text}>",)))
    message.receive_recipient(Recipient("u@example.org", ("<u@example.org>",)))
    raw = text.encode("utf-8", "surrogatepass").replace(b"\n", b"\n ").replace(b"\r", b"")
    for name in ("From", "To", "Subject", "X-Text"):
        message.receive_header(name, b" " + raw)
    message.received_body.append(raw + b"\r\n")
    return message
