"""E-mail notifications: any message gives one that is harmless and in order."""

from __future__ import annotations

import email
import re
import tempfile
from email import policy
from email.message import EmailMessage
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pyq_email_notify
from pyq_email_notify.sanitiser import ATTRIBUTE_VALUES, TAGS

from fuzz.targets.messages import SEEDS, WORDS, message_of
from pyquarantine_core.testing.rules import load, rule
from pyquarantine_core.types import Notification

__all__ = ["SEEDS", "WORDS", "check"]

_IMAGE = resources.files(pyq_email_notify) / "defaults" / "removed.png"
_PAGE = "<body>{HTML_TEXT}</body>"
_FIELDS = ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version")
_UNFIT = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _notification(*, image: bool) -> Notification:
    with tempfile.TemporaryDirectory() as directory:
        template = Path(directory) / "template"
        template.write_text(_PAGE)
        options = {
            "type": "email",
            "smtp_host": "127.0.0.1",
            "smtp_port": 25,
            "envelope_from": "filter@example.org",
            "from_header": "{FROM}",
            "subject": "[x] {SUBJECT}",
            "template": str(template),
            **({"repl_img": str(_IMAGE)} if image else {}),
        }
        config = load(
            {"notifications": {"n": options}, "rules": [rule("nothing", {})]}, pyq_email_notify
        )
        return config.notifications["n"].notification


_NOTIFICATIONS = [_notification(image=image) for image in (False, True)]


class _Reader(HTMLParser):
    """Refuses what is not in the allow-list, as another parser than the sanitiser's sees it."""

    def __init__(self, document: str, *, image: bool) -> None:
        super().__init__()
        self._image = image
        self.depth = 0
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            assert self._image
            assert {name for name, _ in attrs} <= {"alt", "src"}
            assert str(dict(attrs)["src"]).startswith("cid:")
            return
        assert tag in TAGS
        for name, value in attrs:
            assert str(value).lower() in ATTRIBUTE_VALUES[tag][name]
        self.depth += tag not in {"br", "hr"}

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - as it is inherited
        self.depth -= 1
        assert self.depth >= 0

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)


def check(data: bytes) -> None:
    """The first byte says whether an image stands for those of the message."""
    image = bool(data[:1]) and bool(data[0] & 1)
    message = message_of(data[1:])
    raw = _NOTIFICATIONS[image].prepare(message, "u@example.org")
    message.close()
    assert raw.isascii()
    assert re.search(rb"(?<!\r)\n|\r(?!\n)|\0", raw) is None
    mail = email.message_from_bytes(raw, policy=policy.default)
    assert tuple(mail.keys())[:-1] == _FIELDS
    assert len(mail["From"].addresses) == 1
    shown = _text(mail, "html").strip()
    assert shown.startswith("<body>")
    assert shown.endswith("</body>")
    preview = shown.removeprefix("<body>").removesuffix("</body>")
    assert _Reader(preview, image=image).depth == 0
    for text in (preview, _text(mail, "plain"), str(mail["Subject"])):
        assert _UNFIT.search(text) is None


def _text(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    assert body.defects == []
    return str(body.get_content()).replace("\r\n", "\n")
