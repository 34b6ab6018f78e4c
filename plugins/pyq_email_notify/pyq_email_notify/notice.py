"""A notification as a message (RFC 5322, RFC 2045)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate, make_msgid

from pyq_email_notify.mailbox import Mailbox
from pyquarantine_core.mime.entities import header_lines, multipart_entity, text_entity


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification to be written.

    Attributes:
        sender: for the From header.
        recipient: bare address.
        subject: on one line.
        domain: of its Message-ID.
        html: the body, lines in LF.
        text: its plain alternative.
        images: parts that the HTML refers to.
    """

    sender: Mailbox
    recipient: str
    subject: str
    domain: str
    html: str
    text: str
    images: Sequence[bytes]

    def content(self) -> bytes:
        """The message in 7 bits (addresses beyond ASCII apart), lines in CRLF."""
        page = text_entity("html", _crlf(self.html))
        if self.images:
            page = multipart_entity('related; type="text/html"', [page, *self.images])
        return (
            self._header()
            + multipart_entity("alternative", [text_entity("plain", _crlf(self.text)), page])
            + b"\r\n"
        )

    def _header(self) -> bytes:
        return header_lines(
            {
                "From": self.sender.written(),
                "To": self._to(),
                "Subject": self.subject,
                "Date": formatdate(localtime=True),
                "Message-ID": make_msgid(domain=self.domain),
                "Auto-Submitted": "auto-generated",  # RFC 3834, section 5: nobody answers by itself
                "MIME-Version": "1.0",
            }
        )

    def _to(self) -> str:
        """The recipient, where the angle brackets around it end where it does."""
        unfit = set(self.recipient) & set("<>")
        return "undisclosed-recipients:;" if unfit else f"<{self.recipient}>"


def _crlf(text: str) -> str:
    return text.rstrip("\n").replace("\n", "\r\n") + "\r\n"
