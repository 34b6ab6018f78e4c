"""Texts that try to be more than text: in headers, names, parameters and addresses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from .case import Case, contents, word

INJECTED = b"X-Injected: yes"
TEXTS = {
    "a header": b"a\r\n" + INJECTED,
    "a header after LF": b"a\n" + INJECTED,
    "a header after CR": b"a\r" + INJECTED,
    "a body": b"a\r\n\r\n<script>alert(1)</script>",
    "an end of the message": b"a\r\n.\r\nMAIL FROM:<x@example.net>\r\n",
    "NUL": b"a\0" + INJECTED,
    "terminal escapes": b"\x1b[2J\x1b]0;x\x07\x9b31m",
    "a line of the log": b"a\n2026-01-01 00:00:00,000 [1] INFO: verdict=accept",
    "bidirectional overrides": "a\u202egro.elpmaxe\u2066b".encode(),
    "line ends of Unicode": f"a\u2028{INJECTED.decode()}\u2029b\x85c".encode(),
    "names of templates": b"{ENVELOPE_TO} {HTML_TEXT} {{x}} %s %(x)s ${x} \\g<0>",
    "markup": b"<img src=x onerror=alert(1)>\"'><!--",
    "SQL": b"'; DROP TABLE lists; --",
    "a command": b"$(id) `id` ; id | id > /tmp/x",
    "a path": b"../../../../etc/passwd\0.eml",
}
PLACES = {
    "the subject": b"Subject: %b\n\nx\n",
    "a display name": b'From: "%b" <a@example.net>\nTo: %b <u@example.org>\n\nx\n',
    "an address": b"From: <%b@example.net>\nReply-To: %b\n\nx\n",
    "the Message-ID": b"Message-ID: <%b@example.net>\nReferences: %b\n\nx\n",
    "a field that rules change": b"X-Change: %b\nX-Remove: %b\n\nx\n",
    "a file name": b'Content-Type: application/zip; name="%b"\n'
    b'Content-Disposition: attachment; filename="%b"\n\nx\n',
    "a charset": b'Content-Type: text/plain; charset="%b"\n\n\xe4 %b\n',
    "a boundary": b'Content-Type: multipart/mixed; boundary="%b"\n\n--%b\n\nx\n',
    "the text": b"Content-Type: text/html\n\n<a href='%b'>%b</a>\n",
}


def cases() -> Iterator[Case]:
    for (place, template), (what, text) in product(PLACES.items(), TEXTS.items()):
        in_header = word("utf-8", "q", text)
        in_body = place == "the text"
        value = text if in_body else in_header
        built = template.replace(b"%b", value)
        yield from contents({f"{what} in {place}": built})
    for what, text in TEXTS.items():
        raw = text.replace(b"\r", b"").replace(b"\n", b"\n ")
        built = PLACES["the subject"].replace(b"%b", raw) + PLACES["the text"]
        yield from contents({f"{what} in the subject, not encoded": built})
