"""What hides files from a filter, and shows them to some mail clients, counts as unreadable."""

from __future__ import annotations

import base64

import pyq_attachments
import pytest

from pyquarantine_core.testing.mail_mix import HEAD, attachment, multipart
from pyquarantine_core.testing.rules import matches, received

TEXT = b"Content-Type: text/plain\n\nHello\n"
INNER = HEAD + multipart("mixed", TEXT, attachment("x.exe", b"MZ", "application/octet-stream"))


@pytest.mark.parametrize(
    "part",
    [
        b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(INNER),
        b'Content-Type: message/partial; id="a"; number=1; total=2\n\n' + INNER[:200],
        b"Content-Type: multipart/mixed\n\nno boundary is named\n",
        b"Content-Type: text/plain\nContent-Type: application/zip\n\nHello\n",
    ],
    ids=["an encoded message", "a fragment of a message", "no boundary", "two types"],
)
def test_a_part_that_clients_read_in_more_than_one_way_is_unreadable(part: bytes) -> None:
    mail = received(HEAD + multipart("mixed", TEXT, part))
    assert matches({"attachments": {"unreadable": True}}, mail, pyq_attachments)
    assert not matches({"attachments": {"names": [r"\.exe$"]}}, mail, pyq_attachments)


def test_an_attached_message_is_looked_into() -> None:
    mail = received(HEAD + multipart("mixed", TEXT, b"Content-Type: message/rfc822\n\n" + INNER))
    assert matches({"attachments": {"names": [r"\.exe$"]}}, mail, pyq_attachments)
    assert not matches({"attachments": {"unreadable": True}}, mail, pyq_attachments)
