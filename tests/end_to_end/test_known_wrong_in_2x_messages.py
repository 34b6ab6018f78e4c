"""Faults of 2.x in what it did to messages, each the name of a test.

A test passes because the fault is gone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.daemon import write_config
from pyquarantine_core.testing.mail import crlf
from pyquarantine_core.testing.mail_client import parsed
from pyquarantine_core.testing.mail_mix import HEAD, PDF, attachment, entity, multipart
from pyquarantine_core.testing.mta import Mail, Verdict, send
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from .conftest import Admin, DaemonFactory
from .test_recipients import SPAM, SPELLINGS, config

RECIPIENT = "u@example.org"
COMPLETE = b"Message-ID: <1@example.net>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
"""Headers that Postfix adds to mail without them."""
EIGHT_BIT = COMPLETE + (
    b"From:a@example.net\r\nTo: u@example.org\r\nSubject:   \xcf\xf0\xe8\xe2\xe5\xf2 raw\r\n"
    b"\t \tfolded\r\nX-Spam: Yes\r\nX-Empty:\r\nX-Tab:\tx \r\nDKIM-Signature: a=1;\r\n\tb=2\r\n\r\n"
    b".\r\n..two\r\n\xff\xfe 8-bit\r\n\r\n  end\r\n"
)
STATUS = entity("Content-Type: message/delivery-status", b"Reporting-MTA: dns; mx.example.net\n\n")
FINAL = b"Final-Recipient: rfc822; u@example.net\nAction: failed\n"
REPORTS = {
    "8-bit": STATUS + FINAL + "Diagnostic-Code: smtp; 550 Empfänger gelöscht\n".encode("latin-1"),
    "without a blank line between recipients": STATUS + FINAL + FINAL,
    "without a blank line after the headers": STATUS.replace(b"\n\n", b"\n", 1) + FINAL,
    "without a blank line before the end": STATUS.rstrip() + b"\n" + FINAL.rstrip(),
    "8-bit without a blank line in what says that it is a multipart": STATUS
    + b"Content-Type: multipart/mixed\nno header\nEmpf\xe4nger gel\xf6scht\n",
    "empty": b"Content-Type: message/delivery-status\n",
}
BROKEN_TYPES = {
    "nothing": b"Content-Type:\n",
    "no subtype": b"Content-Type: application\n",
    "rubbish": b"Content-Type: ;.*\n",
    "a colon": b"Content-Type: :;x\n",
    "8-bit": b"Content-Type: application/pdf; name=\xe4\xff.pdf\n",
    "an open quote": b'Content-Type: application/pdf; name="a.pdf\n',
    "the name of an unknown charset": b"Content-Type: text/x; charset=\xff\n",
}


def disclaimer(directory: Path) -> dict[str, Any]:
    """An action that adds CAUTION to the text and wraps what it cannot add it to."""
    for kind in ("text", "html"):
        (directory / kind).write_text("CAUTION\n")
    return {
        "name": "caution",
        "type": "add_disclaimer",
        "options": {
            "action": "prepend",
            "text_template": f"{directory}/text",
            "html_template": f"{directory}/html",
        },
    }


def rule(*actions: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": "all", "actions": actions}]


@pytest.mark.parametrize("patterns", [["^X-Spam: Yes", "^From: "], ["^Subject: ", "^From: "]])
def test_a_pattern_did_not_see_headers_before_the_match_of_the_last_one(
    patterns: list[str],
    start_daemon: DaemonFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    settings = config(tmp_path, smtp_sink.port, milter_action="DISCARD")
    settings["rules"][0]["actions"][0]["conditions"]["headers"] = patterns
    daemon = start_daemon(settings)
    assert send(daemon.address, Mail("a@x", (RECIPIENT,), SPAM)).verdict is Verdict.DISCARD
    assert len(admin.held("hold")) == 1


def test_8_bit_mail_was_released_re_encoded_so_that_its_signature_broke(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    # The config needs Postfix's second port, and Postfix the daemon's: so the port comes first.
    settings = config(tmp_path, 1, milter_action="DISCARD")
    postfix = throwaway_postfix(start_daemon(settings).address)
    settings["rules"][0]["actions"][0]["options"]["smtp_port"] = postfix.reinjection_port
    write_config(admin.config, settings)
    assert submit(postfix.port, "bounce@example.net", SPELLINGS, EIGHT_BIT).accepted
    (entry,) = admin.held("hold")
    assert admin.out("quarantine", "hold", "get", entry["id"]) == EIGHT_BIT
    admin.out("quarantine", "hold", "release", entry["id"], "-a")
    postfix.wait_until_idle()
    (released,) = smtp_sink.received
    assert sorted(released.recipients) == ["U2@Example.ORG", "u1@example.org", "u3@example.org"]
    received, separator, rest = released.content.partition(b"Message-ID:")
    assert received.startswith(b"Received: ")
    assert separator + rest == EIGHT_BIT
    assert "BODY=8BITMIME" in released.mail_options
    assert admin.held("hold") == []


def test_8_bit_headers_of_originals_were_stored_as_question_marks(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> None:
    incoming = tmp_path / "incoming"
    storage = {"type": "file", "directory": str(incoming), "original": True}
    seen = {"name": "add", "type": "add_header", "options": {"field": "X-Seen", "value": "yes"}}
    store = {"name": "store", "type": "store", "options": {"storage": "orig"}}
    daemon = start_daemon({"storages": {"orig": storage}, "rules": rule(seen, store)})
    postfix = throwaway_postfix(daemon.address)
    assert submit(postfix.port, "a@example.net", [RECIPIENT], EIGHT_BIT).accepted
    (stored,) = incoming.iterdir()
    assert stored.read_bytes() == EIGHT_BIT
    (delivered,) = smtp_sink.wait_for(1)
    assert b"\r\nX-Seen: yes\r\n" in delivered.content
    assert b"Subject:   \xcf\xf0\xe8\xe2\xe5\xf2 raw\r\n\t \tfolded\r\n" in delivered.content


def test_bounces_with_a_broken_delivery_status_were_deferred_for_ever(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> None:
    """With whatever reads or changes the body."""
    links = {"name": "links", "type": "rewrite_links", "options": {"repl": "https://x/{URL}"}}
    stored = tmp_path / "all"
    storages = {"all": {"type": "file", "directory": str(stored)}}
    store = {"name": "store", "type": "store", "options": {"storage": "all"}}
    daemon = start_daemon({"storages": storages, "rules": rule(disclaimer(tmp_path), links, store)})
    postfix = throwaway_postfix(daemon.address)
    text = entity("Content-Type: text/plain", b"It could not be delivered.\n")
    for count, (name, status) in enumerate(REPORTS.items(), 1):
        report = HEAD + multipart("report; report-type=delivery-status", text, status)
        sent = submit(postfix.port, "<>", [RECIPIENT], COMPLETE + report)
        assert sent.accepted, (name, sent.final)
        delivered = smtp_sink.wait_for(count)[-1]
        assert b"CAUTION" in delivered.content, name
        assert crlf(status) in delivered.content, name
        kept = [one.read_bytes() for one in sorted(stored.iterdir())]
        assert len(kept) == count
        assert delivered.content.endswith(kept[-1]), name


def test_wrap_made_attachments_of_the_type_plain_text(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> None:
    signature = entity("Content-Type: application/pgp-signature", b"-----BEGIN PGP SIGNATURE-----")
    text = entity("Content-Type: text/plain", b"Hello\n")
    signed = COMPLETE + HEAD + multipart("signed", text, signature)
    daemon = start_daemon({"rules": rule(disclaimer(tmp_path))})
    postfix = throwaway_postfix(daemon.address)
    submit(postfix.port, "a@example.net", [RECIPIENT], signed)
    (delivered,) = smtp_sink.wait_for(1)
    wrapped = parsed(delivered.content)
    assert [part.get_content_type() for part in wrapped.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "message/rfc822",
        "multipart/signed",
        "text/plain",
        "application/pgp-signature",
    ]
    assert crlf(signed) in delivered.content


@pytest.mark.parametrize("where", ["of the attachment", "of a part before it", "of the message"])
def test_a_broken_content_type_lost_attachments(
    where: str, start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    daemon = start_daemon({"rules": rule(disclaimer(tmp_path))})
    pdf = attachment("a.pdf", PDF)
    text = entity("Content-Type: text/plain", b"Hello\n")
    for name, broken in BROKEN_TYPES.items():
        first, last = text, pdf
        if where == "of the attachment":
            last = broken + pdf.partition(b"\n")[2]
        elif where == "of a part before it":
            first = broken + b"\nodd\n"
        mail = multipart("mixed", first, last)
        if where == "of the message":
            mail = broken + mail.partition(b"\n")[2]
        delivered = send(daemon.address, Mail("a@x", (RECIPIENT,), HEAD + mail)).delivered
        assert delivered is not None, name
        assert b"CAUTION" in delivered.content, name
        assert crlf(broken) in delivered.content, name
        assert crlf(last) in delivered.content, name
