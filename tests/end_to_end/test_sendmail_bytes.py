"""Through a real sendmail: what changes is what the rules change, to the byte."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.mail import crlf
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from ..conftest import InstallPlugin
from .conftest import DaemonFactory, SendmailFactory

pytestmark = pytest.mark.sendmail

HEAD = b"Message-ID: <1@x>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nFrom: a@example.net\n"
"""What sendmail would add."""
SPACES = (
    b"X-None:1\nX-One: 1\nX-Two:  1\nX-Tab:\t1 \nX-Void:\n"
    b"X-Raw: \xcf\xf0\nX-Long: one\n\ttwo\n  three\n"
)
"""Headers whose bytes stay."""
EMPTY = """
    from pyquarantine_core.hookspecs import hookimpl
    from pyquarantine_core.types import Action, ActionType, Part, Stage

    class Empty(Action):
        def apply(self, message):
            message.edit_headers([(h, "") for h in message.headers if h.value == "empty me"])

    @hookimpl
    def pyquarantine_actions():
        yield ActionType(name="empty", summary="", needs=Stage.HEADERS, changes=Part.HEADERS,
            build=lambda options, _: Empty(), schema={"type": "object", "properties": {}})
"""

Send = Callable[..., bytes]


def action(kind: str, **options: str) -> dict[str, Any]:
    return {"name": kind, "type": kind, "options": options}


def without_own_received(content: bytes) -> bytes:
    """What sendmail has got: it puts one header before it."""
    own = re.match(rb"Received: from .*\r\n(?:[ \t].*\r\n)+", content)
    assert own
    return content[own.end() :]


@pytest.fixture
def through_sendmail(
    start_daemon: DaemonFactory, throwaway_sendmail: SendmailFactory, smtp_sink: SmtpSink
) -> Send:
    """Sends a message through a daemon with these actions; returns it as delivered."""

    def send(content: bytes, *actions: dict[str, Any]) -> bytes:
        rules = [{"name": "all", "actions": list(actions)}]
        sendmail = throwaway_sendmail(start_daemon({"rules": rules}).address)
        options = ["BODY=8BITMIME"]
        submit(sendmail.port, "a@example.net", ["u@example.org"], content, mail_options=options)
        (delivered,) = smtp_sink.wait_for(1)
        return without_own_received(delivered.content)

    return send


def test_headers_that_no_rule_touches_keep_their_bytes(through_sendmail: Send) -> None:
    content = HEAD + SPACES + b"\nbody\n"
    got = through_sendmail(content, action("add_header", field="X-New", value="new"))
    assert got == crlf(HEAD + SPACES + b"X-New: new\n\nbody\n")


def test_new_headers_come_last_in_their_order(through_sendmail: Send) -> None:
    """Also when the message has others of their name, before which sendmail would put them."""
    long = "green " * 20
    got = through_sendmail(
        HEAD + b"X-A: 1\nX-B: 2\n\nbody\n",
        action("add_header", field="X-A", value="3"),
        action("add_header", field="X-C", value="4"),
        action("add_header", field="x-a", value=long),
    )
    head, new = got.split(b"x-a: ")
    assert head == crlf(HEAD + b"X-A: 1\nX-B: 2\nX-A: 3\nX-C: 4\n")
    lines = new.removesuffix(b"\r\n\r\nbody\r\n").split(b"\r\n ")
    assert len(lines) > 1
    assert b" ".join(lines) == long.strip().encode()


@pytest.mark.parametrize(
    ("headers", "actions", "changed"),
    [
        pytest.param(
            b"X-A: one\nX-B: b\nX-A: two\nX-A: three\n",
            [action("del_header", field="X-A", value="two")],
            b"X-A: one\nX-B: b\nX-A: three\n",
            id="second of three deleted",
        ),
        pytest.param(
            b"X-A: 1\nx-a: 2\nX-A: 3\nX-a: 4\nX-A: 5\n",
            [action("del_header", field="X-A", value="[134]")],
            b"x-a: 2\nX-A: 5\n",
            id="several deleted",
        ),
        pytest.param(
            b"X-A: 1\nX-A: 2\nX-A: 3\nX-A: 4\n",
            [
                action("del_header", field="X-A", value="[13]"),
                action("mod_header", field="X-A", search="4", value="four"),
            ],
            b"X-A: 2\nX-A: four\n",
            id="deleted and changed",
        ),
        pytest.param(
            b"X-A: 1\nX-A:2\nX-A:  3\n",
            [action("mod_header", field="X-A", search="(.+)", value=r"<\1>")],
            b"X-A: <1>\nX-A: <2>\nX-A: <3>\n",
            id="changed",
        ),
        pytest.param(
            b"X-A: one\n two\nX-A: three\n\tfour\n",
            [action("mod_header", field="X-A", search="three", value="3")],
            b"X-A: one\n two\nX-A: 3\tfour\n",
            id="folded",
        ),
        pytest.param(
            b"X-A: 1\nX-A: empty me\nX-A: 3\n",
            [action("empty")],
            b"X-A: 1\nX-A: \nX-A: 3\n",
            id="emptied",
        ),
        pytest.param(
            b"Received: from one\nReceived: from two\nReceived: from three\n",
            [action("del_header", field="Received", value="two")],
            b"Received: from one\nReceived: from three\n",
            id="received",
        ),
        pytest.param(
            b"To: u@example.org\nSubject: one\nSubject: two\n",
            [action("mod_header", field="Subject|To", search="^", value="new@example.org, ")],
            b"To: new@example.org, u@example.org\n"
            b"Subject: new@example.org, one\nSubject: new@example.org, two\n",
            id="headers that sendmail knows",
        ),
    ],
)
@pytest.mark.usefixtures("for_daemons")
def test_headers_are_changed_in_their_places(
    headers: bytes,
    actions: list[dict[str, Any]],
    changed: bytes,
    through_sendmail: Send,
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("empty", EMPTY)
    got = through_sendmail(HEAD + headers + SPACES + b"\nbody\n", *actions)
    assert got == crlf(HEAD + changed + SPACES + b"\nbody\n")


def test_a_new_body_is_delivered_to_the_byte(
    start_daemon: DaemonFactory,
    throwaway_sendmail: SendmailFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> None:
    (tmp_path / "text").write_text("CAUTION: von außen\n")
    (tmp_path / "html").write_text("<p>CAUTION: von <b>außen</b></p>\n")
    templates = {f"{one}_template": f"{tmp_path}/{one}" for one in ("text", "html")}
    disclaimer = action("add_disclaimer", action="prepend", **templates)
    sendmail = throwaway_sendmail(
        start_daemon({"rules": [{"name": "all", "actions": [disclaimer]}]}).address
    )
    head = crlf(
        HEAD + b"Subject: raw \xcf\xf0\nMIME-Version: 1.0\n"
        b"Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n"
    )
    before, after = b"<html><body>", b"\xe4\x80 .\r\n.\r\n..\r\nFrom me \r\n\r\n" * 5000
    content = head + b"\r\n" + before + after
    options = ["BODY=8BITMIME"]
    submit(sendmail.port, "a@example.net", ["u@example.org"], content, mail_options=options)
    (got,) = smtp_sink.wait_for(1)
    new = "<p>CAUTION: von <b>außen</b></p>\r\n".encode("latin-1")
    assert without_own_received(got.content) == head + b"\r\n" + before + new + after
