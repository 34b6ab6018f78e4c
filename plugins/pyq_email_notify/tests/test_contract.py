"""The notification keeps the contract of all notifications."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyq_email_notify
import pytest

from pyquarantine_core.testing.contracts import NotificationContract
from pyquarantine_core.testing.contracts.notifications import Inbox
from pyquarantine_core.testing.sink import SmtpSink

from .conftest import TEMPLATE


class TestEmailNotification(NotificationContract):
    plugin = pyq_email_notify
    type = "email"

    @pytest.fixture
    def options(self, tmp_path: Path, smtp_sink: SmtpSink) -> dict[str, Any]:
        template = tmp_path / "mail.template"
        template.write_text(TEMPLATE)
        return {
            "smtp_host": "127.0.0.1",
            "smtp_port": smtp_sink.port,
            "envelope_from": "filter@example.org",
            "from_header": "{FROM}",
            "subject": "[SPAM] {SUBJECT}",
            "template": str(template),
        }

    @pytest.fixture
    def inbox(self, smtp_sink: SmtpSink) -> Inbox:
        return lambda: [
            (recipient, one.content) for one in smtp_sink.received for recipient in one.recipients
        ]
