"""The action: what every action keeps to, and what this one does, in the daemon, too."""

from __future__ import annotations

import pytest
from pyquarantine_core.testing.contracts import ActionContract
from pyquarantine_core.testing.mta import Mail, send
from pyquarantine_core.testing.pytest_plugin import DaemonFactory
from pyquarantine_core.testing.rules import act, received, rule

import pyq_sample as plugin


class TestContract(ActionContract):
    plugin = plugin
    type = "sample"
    bad_options = (({"tag": ""}, "tag: must not be empty"),)


@pytest.mark.parametrize(
    ("content", "subject"),
    [
        (b"Subject: Hello\n\n", "[external] Hello"),
        (b"subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\n", "[external] Grüße"),
        (b"Subject: [external] Hello\n\n", "[external] Hello"),
        (b"From: a@example.org\n\n", "[external]"),
    ],
    ids=["plain", "encoded", "tagged already", "without a subject"],
)
def test_the_subject_is_tagged_once(content: bytes, subject: str) -> None:
    message = received(content)
    act("sample", {}, message, plugin)
    assert message.subject == subject


def test_the_tag_can_be_configured_and_all_else_stays() -> None:
    message = received(b"From: a@example.org\nSubject: Hello\n\nBody\n")
    done = act("sample", {"tag": "***"}, message, plugin)
    assert done.content == b"From: a@example.org\r\nSubject: *** Hello\r\n\r\nBody\r\n"


def test_the_daemon_tags_mail(start_daemon: DaemonFactory) -> None:
    daemon = start_daemon({"rules": [rule("sample", {})]})
    mail = Mail("a@example.org", ("b@example.org",), b"Subject: Hello\n\nBody\n")
    result = send(daemon.address, mail)
    assert result.delivered is not None, result.verdict
    assert result.delivered.content == b"Subject: [external] Hello\r\n\r\nBody\r\n"
