"""Every kind of mail, with each setting: the disclaimer shows, and nothing else has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pyquarantine_core.message import Message
from pyquarantine_core.testing.mail_client import as_sent, files, parsed, parts_lost, shown
from pyquarantine_core.testing.mail_mix import EDITABLE, HTML, MIX, PROTECTED, WITHOUT_TEXT
from pyquarantine_core.types import Verdict

if TYPE_CHECKING:
    from .conftest import AddDisclaimer

CYRILLIC = "ВНИМАНИЕ: снаружи, {ENVELOPE_FROM}\n"
SHOWN = {
    "plain": "CAUTION: from outside, by sender@example.org",
    "html": '<div class="d">CAUTION: <b>from outside</b>, by sender@example.org</div>\n',
}


EDGES = ("", HTML.partition("<p>")[0].strip(), "</body></html>")
"""What stands outside a disclaimer."""


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def before_and_after(message: Message) -> tuple[bytes, bytes]:
    return as_sent(message, original=True), as_sent(message)


@pytest.mark.parametrize("action", ["append", "prepend"])
@pytest.mark.parametrize("name", EDITABLE)
def test_a_mail_client_shows_it_with_the_text(
    name: str, action: str, add_disclaimer: AddDisclaimer
) -> None:
    message, judged = add_disclaimer(MIX[name], action=action)
    assert judged.decision.verdict is Verdict.ACCEPT
    before, after = before_and_after(message)
    assert files(after) == files(before)
    assert parts_lost(before, after) == sum(shown(before, kind) is not None for kind in SHOWN)
    for kind, disclaimer in SHOWN.items():
        old, new = shown(before, kind), shown(after, kind)
        if old is None or new is None:
            assert old is new
            continue
        first, last = new.split(disclaimer)
        assert lines(first + last) == lines(old)
        assert (first if action == "prepend" else last).strip() in EDGES


@pytest.mark.parametrize("name", EDITABLE)
def test_headers_that_do_not_describe_the_text_stay(
    name: str, add_disclaimer: AddDisclaimer
) -> None:
    message, _ = add_disclaimer(MIX[name], text=CYRILLIC, html=CYRILLIC)
    old = [one.line for one in message.received_headers if not one.name.startswith("Content-")]
    kept = [one.line for one in message.headers if not one.name.startswith("Content-")]
    assert kept[: len(old)] == old
    assert kept[len(old) :] in ([], [b"MIME-Version: 1.0\r\n"])


@pytest.mark.parametrize("action", ["append", "prepend"])
@pytest.mark.parametrize("name", EDITABLE)
def test_one_that_does_not_fit_the_charset_shows_as_well(
    name: str, action: str, add_disclaimer: AddDisclaimer
) -> None:
    message, _ = add_disclaimer(MIX[name], text=CYRILLIC, html=CYRILLIC, action=action)
    before, after = before_and_after(message)
    assert files(after) == files(before)
    assert parts_lost(before, after) == sum(shown(before, kind) is not None for kind in SHOWN)
    texts = [text for kind in SHOWN if (text := shown(after, kind)) is not None]
    assert texts
    for text in texts:
        assert "ВНИМАНИЕ: снаружи, sender@example.org" in text
        assert "\ufffd" not in text


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("name", WITHOUT_TEXT)
def test_a_message_without_text_gets_one_and_keeps_its_files(
    name: str, html: bool, add_disclaimer: AddDisclaimer
) -> None:
    message, _ = add_disclaimer(MIX[name], add_html_body=html)
    before, after = before_and_after(message)
    assert files(after) == files(before)
    assert SHOWN["plain"] in (shown(after, "plain") or "")
    assert (SHOWN["html"] in (shown(after, "html") or "")) is html
    names = [one.get_filename() for one in parsed(before).walk() if one.get_filename()]
    assert [one.get_filename() for one in parsed(after).walk() if one.get_filename()] == names


@pytest.mark.parametrize("name", PROTECTED)
def test_signed_or_encrypted_mail_is_wrapped_unchanged(
    name: str, add_disclaimer: AddDisclaimer
) -> None:
    message, judged = add_disclaimer(MIX[name])
    original, after = before_and_after(message)
    assert judged.decision.verdict is Verdict.ACCEPT
    assert original in after
    outer = parsed(after)
    assert outer.get_content_type() == "multipart/mixed"
    for kind, disclaimer in SHOWN.items():
        assert disclaimer in (shown(after, kind) or "")
    (attached,) = list(outer.iter_attachments())
    assert attached.get_content_type() == "message/rfc822"
    assert attached.get_filename() == "4XyZ1234.eml"
    eight_bit = None if original.isascii() else "8bit"
    assert attached["Content-Transfer-Encoding"] == eight_bit
    assert outer["Content-Transfer-Encoding"] == eight_bit
    for header in ("From", "To", "Subject", "MIME-Version"):
        assert outer.get_all(header) == parsed(original).get_all(header)
    assert len(outer.get_all("Content-Type", [])) == 1


@pytest.mark.parametrize("name", PROTECTED)
@pytest.mark.parametrize(("policy", "verdict"), [("ignore", "ACCEPT"), ("REJECT", "REJECT")])
def test_signed_or_encrypted_mail_is_ignored_or_rejected_as_configured(
    name: str, policy: str, verdict: str, add_disclaimer: AddDisclaimer
) -> None:
    message, judged = add_disclaimer(MIX[name], error_policy=policy)
    before, after = before_and_after(message)
    assert judged.decision.verdict is Verdict[verdict]
    assert after == before


@pytest.mark.parametrize("action", ["append", "prepend"])
@pytest.mark.parametrize("name", [*EDITABLE, *WITHOUT_TEXT])
def test_with_add_html_body_every_message_shows_it_in_html(
    name: str, action: str, add_disclaimer: AddDisclaimer
) -> None:
    message, _ = add_disclaimer(MIX[name], add_html_body=True, action=action)
    before, after = before_and_after(message)
    assert files(after) == files(before)
    html, plain = shown(after, "html"), shown(after, "plain")
    assert html is not None
    assert SHOWN["html"] in html
    assert plain is None or SHOWN["plain"] in plain
    if shown(before, "html") is None:
        old = lines(shown(before, "plain") or "")
        assert all(line in html for line in old if "\ufffd" not in line)
