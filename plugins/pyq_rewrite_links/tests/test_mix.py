"""Every kind of mail: links in HTML lead elsewhere, and nothing else has changed."""

from __future__ import annotations

import pyq_rewrite_links
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core.message import Message
from pyquarantine_core.testing.mail_client import as_sent, files, parts_lost, shown
from pyquarantine_core.testing.mail_mix import EDITABLE, MIX, PROTECTED, WITHOUT_TEXT
from pyquarantine_core.testing.rules import judge, load, received, rule

CONFIG = load(
    {"rules": [rule("rewrite_links", {"repl": "https://check.example/{URL}"})]}, pyq_rewrite_links
)
OLD = 'href="http://example.com/?a=1&amp;b=2"'
NEW = 'href="https://check.example/http%3A%2F%2Fexample.com%2F%3Fa%3D1%26b%3D2"'


def rewritten(content: bytes) -> Message:
    message = received(content)
    judge(CONFIG, message)
    return message


@pytest.mark.parametrize("name", EDITABLE)
def test_links_are_rewritten_and_all_else_stays(name: str) -> None:
    message = rewritten(MIX[name])
    before, after = as_sent(message, original=True), as_sent(message)
    assert files(after) == files(before)
    html = shown(before, "html")
    if html is None:
        assert after == before
    else:
        assert OLD in html
        assert parts_lost(before, after) == 1
        assert shown(after, "html") == html.replace(OLD, NEW)
        assert message.headers == tuple(message.received_headers)
    assert shown(after, "plain") == shown(before, "plain")


@pytest.mark.parametrize("name", [*WITHOUT_TEXT, *PROTECTED])
def test_files_and_signed_or_encrypted_mail_stay_byte_for_byte(name: str) -> None:
    message = rewritten(MIX[name])
    assert as_sent(message) == as_sent(message, original=True)


def test_html_in_a_transfer_encoding_that_nobody_knows_stays() -> None:
    content = MIX["HTML"].replace(b"7bit", b"x-unknown")
    message = rewritten(content)
    assert as_sent(message) == as_sent(message, original=True)


LINK = b'<a href="http://x/">'
HTML = b"Content-Type: text/html\n\n" + LINK


@pytest.mark.parametrize(
    "mail",
    [
        b"Content-Type: multipart/signed; boundary=b\n\n--b\n" + HTML + b"\n--b--\n",
        b"Content-Type: message/rfc822\n\n" + HTML + b"\n",
        b"Content-Disposition: attachment\n" + HTML + b"\n",
        HTML + b"\n<pre>-----BEGIN PGP SIGNED MESSAGE-----\n",
        b"Content-Transfer-Encoding: x-unknown\n" + HTML + b"\n",
    ],
)
def test_html_that_is_signed_attached_or_unreadable_stays(mail: bytes) -> None:
    message = rewritten(mail)
    assert LINK in as_sent(message)
    assert as_sent(message) == as_sent(message, original=True)


@given(st.binary())
def test_any_message_is_taken(content: bytes) -> None:
    rewritten(content if content.strip(b"\r\n") else b"\n")
