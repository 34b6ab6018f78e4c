"""What templates may say about a message."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from pyq_email_notify.mailbox import Mailbox, shown
from pyq_email_notify.preview import Preview
from pyq_email_notify.wording import one_line, with_ascii_domains
from pyquarantine_core.header import Header
from pyquarantine_core.message import Message

MAX_VALUE = 1000
"""Characters of a value (the rest is cut); a header can have 60,000."""


@dataclass(frozen=True, slots=True)
class Variables:
    """The values for one recipient, each on one line.

    Attributes:
        values: by name; SUBJECT is the message's own.
        sender: the first mailbox of its From header.
    """

    values: Mapping[str, str]
    sender: Mailbox

    @classmethod
    def of(cls, message: Message, recipient: str) -> Self:
        """What is known of a message; no metavariable takes the place of a built-in one."""
        first: dict[str, Header] = {}
        for header in message.headers:
            first.setdefault(header.name.lower(), header)
        sender = first.get("from")
        mailbox = Mailbox.from_header(b"" if sender is None else sender.raw)
        values = {
            **message.variables,
            "ENVELOPE_FROM": message.sender,
            "ENVELOPE_TO": recipient,
            "FROM": shown(_value(sender), mailbox),
            "TO": with_ascii_domains(one_line(_value(first.get("to")), MAX_VALUE)),
            "SUBJECT": _value(first.get("subject")),
        }
        clean = {name: one_line(value, MAX_VALUE) for name, value in values.items()}
        for name in ("ENVELOPE_FROM", "ENVELOPE_TO"):
            clean[f"{name}_URL"] = quote(values[name], safe="@", errors="replace")
        return cls(clean, mailbox)

    def for_html(self, subject: str, preview: Preview) -> Mapping[str, str]:
        """The values as HTML; `subject` is the notification's."""
        escaped = {name: html.escape(value) for name, value in self.values.items()}
        return {**escaped, "SUBJECT": html.escape(subject), "HTML_TEXT": preview.html}

    def for_text(self, subject: str, preview: Preview) -> Mapping[str, str]:
        """The same as text."""
        return {**self.values, "SUBJECT": subject, "HTML_TEXT": preview.text}


def _value(header: Header | None) -> str:
    return "" if header is None else header.value
