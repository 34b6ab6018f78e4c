"""What a mail client makes of a message, as Python's email package reads it: for benign mail."""

from __future__ import annotations

import email
import hashlib
import re
from collections import Counter
from email import policy
from email.message import EmailMessage

from pyquarantine_core.message import Message

_DASHED_LINE = re.compile(rb"^--.*\n", re.MULTILINE)


def as_sent(message: Message, *, original: bool = False) -> bytes:
    """The bytes of a message as the rules have left it, or as it was received."""
    return b"".join(message.chunks(original=original))


def parsed(content: bytes) -> EmailMessage:
    """The message taken apart."""
    return email.message_from_bytes(content, policy=policy.default)


def shown(content: bytes, kind: str) -> str | None:
    """The text that is shown of a message, `plain` or `html`, in LF; None when it has none."""
    body = parsed(content).get_body((kind,))
    return None if body is None else str(body.get_content()).replace("\r\n", "\n")


def files(content: bytes) -> Counter[tuple[str, str]]:
    """Type and hash of every part that is not a text to read, as they stand in the message."""
    found: Counter[tuple[str, str]] = Counter()
    for part in parsed(content).walk():
        is_text = part.get_content_maintype() == "text" and not part.get_filename()
        if part.is_multipart() or is_text:
            continue
        raw = part.get_payload(decode=False)
        assert isinstance(raw, str)
        data = raw.rstrip("\r\n").encode("utf-8", "surrogateescape")
        found[part.get_content_type(), hashlib.sha256(data).hexdigest()] += 1
    return found


def parts_lost(before: bytes, after: bytes) -> int:
    """How many parts of a message are not in another one to the byte, headers included."""
    return sum((_sections(before) - _sections(after)).values())


def _sections(content: bytes) -> Counter[bytes]:
    """What stands between the lines of a body that look like boundaries."""
    return Counter(_DASHED_LINE.split(content.partition(b"\r\n\r\n")[2]))
