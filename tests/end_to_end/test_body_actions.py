"""What reaches the next server after a change of the body, byte for byte, through real Postfix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.mail import crlf
from pyquarantine_core.testing.mail_client import files, parsed, shown
from pyquarantine_core.testing.mail_mix import MIX, PROTECTED
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from .conftest import DaemonFactory

OUTSIDE = {"ADDR": "192.0.2.25", "NAME": "mail.example.net"}
SENT = {name: crlf(content.replace(b"Subject: ", b"Message-ID: <%d@x>\nSubject: " % number, 1))
        for number, (name, content) in enumerate(MIX.items())}  # fmt: skip
"""The mix, with something to tell the messages apart that no action changes."""


def config(directory: Path) -> dict[str, Any]:
    (directory / "text").write_text("CAUTION: von außen\n")
    (directory / "html").write_text("<p>CAUTION: von <b>außen</b></p>\n")
    disclaimer = {
        "action": "prepend",
        "text_template": str(directory / "text"),
        "html_template": str(directory / "html"),
    }
    links = {"repl": "https://check.example/?u={URL}"}
    return {
        "rules": [
            {
                "name": "inbound",
                "conditions": {"local": False},
                "actions": [
                    {"name": "disclaimer", "type": "add_disclaimer", "options": disclaimer},
                    {"name": "links", "type": "rewrite_links", "options": links},
                ],
            }
        ]
    }


@pytest.mark.parametrize("local", [False, True], ids=["inbound", "outbound"])
def test_the_mix_is_delivered_with_the_changes_alone(
    local: bool,
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> None:
    postfix = throwaway_postfix(start_daemon(config(tmp_path)).address)
    client = {"ADDR": "10.0.0.7"} if local else OUTSIDE
    for content in SENT.values():
        assert submit(
            postfix.port, "a@example.net", ["u@example.org"], content, xclient=client
        ).accepted
    smtp_sink.wait_for(len(SENT), 60)
    delivered = {parsed(one.content)["Message-ID"]: one.content for one in smtp_sink.received}
    for name, content in SENT.items():
        got = delivered[parsed(content)["Message-ID"]]
        body = content.partition(b"\r\n\r\n")[2]
        if local:
            assert got.partition(b"\r\n\r\n")[2] == body
            continue
        if name in PROTECTED:
            (attached,) = list(parsed(got).iter_attachments())
            assert attached.get_content_type() == "message/rfc822"
            assert body in got
        else:
            assert files(got) == files(content)
        text, html = shown(got, "plain"), shown(got, "html")
        assert "CAUTION: von außen\n" in text if text else html
        if html:
            assert "<p>CAUTION: von <b>außen</b></p>\n" in html
            assert "http://example.com" not in html


def test_8_bit_mail_is_delivered_to_the_byte(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> None:
    postfix = throwaway_postfix(start_daemon(config(tmp_path)).address)
    head = (
        b"Message-ID: <1@x>\r\nFrom: a@x\r\nSubject: raw \xcf\xf0\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n"
    )
    before, after = b"<html><body>", b"\xe4\x80 .\r\n.\r\n..\r\nFrom me \r\n\r\n</body></html>\r\n"
    submit(
        postfix.port,
        "a@example.net",
        ["u@example.org"],
        head + b"\r\n" + before + after,
        xclient=OUTSIDE,
    )
    smtp_sink.wait_for(1, 30)
    (got,) = smtp_sink.received
    assert head in got.content
    new = "<p>CAUTION: von <b>außen</b></p>\r\n".encode("latin-1")
    assert got.content.partition(b"\r\n\r\n")[2] == before + new + after
