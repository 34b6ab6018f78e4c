"""A new message around one that must not be edited."""

from __future__ import annotations

from pyq_disclaimer.template import Disclaimer
from pyquarantine_core.message import Message
from pyquarantine_core.mime.edit import set_mime_headers
from pyquarantine_core.mime.entities import (
    header_lines,
    multipart_entity,
    new_boundary,
    text_entity,
)


def wrap(message: Message, disclaimer: Disclaimer) -> None:
    """Make the disclaimer the text of the message and attach the message as it was.

    The attached bytes are unchanged (message/rfc822, RFC 2046, section 5.2.1: 7-bit or 8-bit). The
    headers that say from whom, to whom and what about stay on the outside, too.
    """
    encoding = {} if _is_ascii(message) else {"Content-Transfer-Encoding": "8bit"}
    boundary = new_boundary()
    line = b"--" + boundary.encode()
    attached = {
        "Content-Type": "message/rfc822",
        "Content-Disposition": f'attachment; filename="{message.queue_id or "message"}.eml"',
        **encoding,
    }
    text = multipart_entity(
        "alternative",
        [
            text_entity("plain", disclaimer.text.replace("\n", "\r\n")),
            text_entity("html", disclaimer.html.replace("\n", "\r\n")),
        ],
    )
    header = next(message.chunks())
    before = [line, b"\r\n", text, b"\r\n", line, b"\r\n", header_lines(attached), b"\r\n", header]
    after = b"\r\n" + line + b"--\r\n"
    end = len(message.body)
    body = message.body.spliced([(0, 0, b"".join(before)), (end, end, after)])
    fields = {"Content-Type": f'multipart/mixed; boundary="{boundary}"', **encoding}
    set_mime_headers(message, fields, drop_others=True)
    message.replace_body(body)


def _is_ascii(message: Message) -> bool:
    return all(chunk.isascii() for chunk in message.chunks())
