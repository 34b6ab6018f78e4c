"""A stored message as a message again, for what tells or shows something about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pyquarantine_core.address import Recipient
from pyquarantine_core.limits import DEFAULT_LIMITS, Limits
from pyquarantine_core.message import Message

if TYPE_CHECKING:
    from pyquarantine_core.types import Entry

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*(?:\n[ \t].*)*)\n?")


def stored_message(entry: Entry, content: bytes, limits: Limits = DEFAULT_LIMITS) -> Message:
    """The message of an entry, as the rules had left it when it was stored.

    Args:
        entry: its envelope and metavariables; what is unknown of them is empty.
        content: the stored bytes. The header ends at the first line that is none of a header.
        limits: of the config.
    """
    message = Message(sender=entry.sender or "")
    message.limits = limits
    message.queue_id = entry.queue_id
    message.smtputf8 = entry.smtputf8
    message.variables.update(entry.variables)
    for address in entry.recipients or ():
        message.receive_recipient(Recipient(address))
    start = 0
    text = content.replace(b"\r\n", b"\n")
    while field := _FIELD.match(text, start):
        message.receive_header(field[1].decode("ascii"), field[2])
        start = field.end()
    if text.startswith(b"\n", start):
        start += 1
    message.received_body.append(text[start:].replace(b"\n", b"\r\n"))
    return message
