"""Whatever bytes a message is made of, its recipient gets a notification that can be read."""

from __future__ import annotations

import email
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pyq_email_notify
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyq_email_notify.html_text import text_of, text_of_clean
from pyq_email_notify.sanitiser import sanitiser

from pyquarantine_core.message import Message
from pyquarantine_core.testing.mail_mix import EDITABLE, PROTECTED
from pyquarantine_core.testing.rules import load, received, rule
from pyquarantine_core.types import Notification

from .test_headers import FIELDS
from .test_hostile_html import assert_harmless

BOX = "<body>{HTML_TEXT}</body>"
NAMES = st.sampled_from(["From", "To", "Subject", "Content-Type", "Content-Transfer-Encoding", "X"])
VALUES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b' multipart/mixed; boundary="b"',
            b" multipart/alternative; boundary=b",
            b" text/html; charset=utf-7",
            b" text/html; charset=utf-16",
            b" text/plain; charset=iso-2022-jp",
            b" base64",
            b" quoted-printable",
            b" x-uuencode",
            b" =?utf-8?q?=0D=0ABcc=3A?= <a@b>",
            b' "a\\" <b@c>, =?x?b?////?= <d@e>',
            b" message/rfc822",
        ]
    ),
)
PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"\r\n--b\r\n", b"\r\n--b--\r\n", b"\r\n\r\n", b"\xff\xfe", b"\x1b$B", b"<p>"]
    ),
    st.sampled_from([b"Content-Type: text/html\r\n\r\n", b"<script>", b"=3Cscript=3E", b"PHNj"]),
)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    message = Message(sender=draw(st.text(max_size=20)))
    for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=6)):
        message.receive_header(name, value.replace(b"\0", b"").replace(b"\n", b"\n "))
    message.received_body.append(b"".join(draw(st.lists(PIECES, max_size=12))))
    message.variables["V"] = draw(st.text(max_size=10))
    return message


@pytest.fixture(scope="module")
def notification(tmp_path_factory: pytest.TempPathFactory) -> Notification:
    template: Path = tmp_path_factory.mktemp("templates") / "t"
    template.write_text(BOX)
    options = {
        "type": "email",
        "smtp_host": "127.0.0.1",
        "smtp_port": 25,
        "envelope_from": "filter@example.org",
        "from_header": "{FROM}",
        "subject": "[{V}] {SUBJECT}",
        "template": str(template),
    }
    config = load(
        {"notifications": {"n": options}, "rules": [rule("nothing", {})]}, pyq_email_notify
    )
    return config.notifications["n"].notification


def read_back(raw: bytes) -> EmailMessage:
    """The notification, which must be without any defect."""
    assert raw.isascii()
    mail = email.message_from_bytes(raw, policy=policy.default)
    assert list(mail.keys()) == FIELDS
    for part in mail.walk():
        assert part.defects == []
        for value in part.values():
            assert getattr(value, "defects", ()) == ()
    assert mail["To"] == "u@example.org"
    assert len(mail["From"].addresses) == 1
    assert mail["Auto-Submitted"] == "auto-generated"
    html = mail.get_body(("html",))
    assert html is not None
    shown = str(html.get_content()).replace("\r\n", "\n").strip()
    assert shown.startswith("<body>")
    assert shown.endswith("</body>")
    assert_harmless(shown.removeprefix("<body>").removesuffix("</body>"), None)
    return mail


@settings(deadline=None)
@given(messages())
def test_any_message_gives_a_notification_without_defects(
    notification: Notification, message: Message
) -> None:
    mail = read_back(notification.prepare(message, "u@example.org"))
    assert mail["Subject"].startswith("[")


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_give_a_notification_without_defects(
    notification: Notification, content: bytes
) -> None:
    read_back(notification.prepare(received(content), "u@example.org"))


@settings(deadline=None)
@given(st.sampled_from(sorted({**EDITABLE, **PROTECTED}.values())), st.data())
def test_damaged_mail_gives_a_notification_without_defects(
    notification: Notification, content: bytes, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 100)))
    damaged = content[:start] + data.draw(st.binary(max_size=10)) + content[end:]
    read_back(notification.prepare(received(damaged), "u@example.org"))


def test_all_recipients_of_a_message_get_one_preview_and_a_changed_message_another(
    notification: Notification,
) -> None:
    message = received(b"Subject: one\n\nfirst\n")
    for recipient in ("u@example.org", "v@example.org"):
        raw = notification.prepare(message, recipient)
        assert email.message_from_bytes(raw)["To"] == f"<{recipient}>"
        assert b"first" in raw
    message.add_header("Content-Type", "image/png")
    assert b"This message has no text." in notification.prepare(message, "u@example.org")


_WORDS = (
    "<p> </p> <table> <tr> <td> </td> </table> <li> <ul> <b> </b> <br> <hr> <pre> </pre> <h1> </h1>"
    " x &lt;b&gt; \" ' <!--c--> <script>a</script> <svg><title>q é <a> < > &amp;lt;"
)
_IMAGES = ("<img alt='a > \"b\" < c'>", '<img alt="x&quot;>y">')
HTML = st.sampled_from([*_WORDS.split(" "), " ", "\n", "\xa0", "<div align=center>", *_IMAGES])


@given(st.lists(HTML, max_size=20).map("".join), st.sampled_from([None, "cid:x"]))
def test_the_text_of_clean_html_is_what_the_text_of_any_html_would_be(
    document: str, image: str | None
) -> None:
    clean = sanitiser(image).clean(document)
    assert text_of_clean(clean) == text_of(clean)
