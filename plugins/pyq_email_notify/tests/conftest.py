"""Notifications as their recipients read them."""

from __future__ import annotations

import email
from collections.abc import Callable
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pyq_email_notify
import pytest

from pyquarantine_core.message import Message
from pyquarantine_core.testing.rules import load, received, rule
from pyquarantine_core.types import Notification

TEMPLATE = "<p>{SUBJECT}</p><div>{HTML_TEXT}</div>"
GIF = b"GIF89a" + bytes(range(64))
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(255))


@dataclass(frozen=True)
class Told:
    """A notification.

    Attributes:
        raw: as it is sent.
        mail: as a mail client takes it apart.
    """

    raw: bytes
    mail: EmailMessage

    @property
    def html(self) -> str:
        """What is shown, up to the end of the HTML."""
        return self._body("html")

    @property
    def text(self) -> str:
        """The plain alternative."""
        return self._body("plain")

    @property
    def images(self) -> dict[str, bytes]:
        """The inline images, by Content-ID."""
        return {
            str(part["Content-ID"]): part.get_content()
            for part in self.mail.walk()
            if part.get_content_maintype() == "image"
        }

    def _body(self, kind: str) -> str:
        body = self.mail.get_body((kind,))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")


class Notifier:
    """A notification of a config, and what it makes of messages."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def build(
        self, template: str = TEMPLATE, *, template_path: str = "", **options: Any
    ) -> Notification:
        path = self.directory / "mail.template"
        path.write_text(template, encoding="utf-8")
        given = {
            "type": "email",
            "smtp_host": "127.0.0.1",
            "smtp_port": 25,
            "envelope_from": "filter@example.org",
            "from_header": "Mail filter <filter@example.org>",
            "subject": "[SPAM] {SUBJECT}",
            "template": template_path or str(path),
            **options,
        }
        config = load(
            {"notifications": {"n": given}, "rules": [rule("nothing", {})]}, pyq_email_notify
        )
        return config.notifications["n"].notification

    def __call__(
        self,
        content: bytes | Message = b"Subject: hello\n\nHello\n",
        *,
        template: str = TEMPLATE,
        recipient: str = "u@example.org",
        sender: str = "a@example.net",
        variables: dict[str, str] | None = None,
        **options: Any,
    ) -> Told:
        """The notification of a message."""
        message = received(content, sender=sender) if isinstance(content, bytes) else content
        message.variables.update(variables or {})
        raw = self.build(template, **options).prepare(message, recipient)
        message.close()
        return Told(raw, email.message_from_bytes(raw, policy=policy.default))


@pytest.fixture
def notify(tmp_path: Path) -> Notifier:
    return Notifier(tmp_path)


Image = Callable[[str, bytes], str]


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """Writes an image file; returns its path."""

    def write(name: str, data: bytes) -> str:
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return write
