"""Messages of which the body is on the disk while rules change it."""

from __future__ import annotations

import base64
import random
from pathlib import Path
from typing import Any

from pyquarantine_core.body import SPOOL_LIMIT
from pyquarantine_core.testing.mail_client import files, shown
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from .conftest import DaemonFactory

ATTACHED = base64.encodebytes(random.Random(1).randbytes(3 * SPOOL_LIMIT)).replace(b"\n", b"\r\n")
MAIL = (
    b"From: a@example.com\r\nSubject: large\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p><a href='http://x.example/'>x</a></p>\r\n"
    b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + ATTACHED
    + b"--b--\r\n"
)


def config(directory: Path) -> dict[str, Any]:
    (directory / "text").write_text("CAUTION\n", encoding="utf-8")
    (directory / "html").write_text("<p>CAUTION</p>\n", encoding="utf-8")
    templates = {"text_template": f"{directory}/text", "html_template": f"{directory}/html"}
    disclaimer = {"action": "append", "error_policy": "reject", **templates}
    actions = {
        "original": ("store", {"storage": "originals"}),
        "disclaimer": ("add_disclaimer", disclaimer),
        "links": ("rewrite_links", {"repl": "https://safe.example/?u={URL}"}),
        "changed": ("store", {"storage": "changed"}),
    }
    kinds = {"originals": True, "changed": False}
    return {
        "storages": {
            name: {"type": "file", "directory": f"{directory}/{name}", "original": original}
            for name, original in kinds.items()
        },
        "rules": [
            {
                "name": "all",
                "actions": [
                    {"name": name, "type": kind, "options": options}
                    for name, (kind, options) in actions.items()
                ],
            }
        ],
    }


def test_what_the_rules_leave_alone_arrives_as_it_was_sent(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> None:
    postfix = throwaway_postfix(start_daemon(config(tmp_path)).address)
    submit(postfix.port, "a@example.com", ["b@example.org"], MAIL)
    (received,) = smtp_sink.wait_for(1)
    html = shown(received.content, "html")
    assert html is not None
    assert "CAUTION" in html
    assert "https://safe.example/?u=http%3A%2F%2Fx.example%2F" in html
    assert ATTACHED in received.content
    assert files(received.content) == files(MAIL)
    original, changed = stored(tmp_path / "originals"), stored(tmp_path / "changed")
    assert original.endswith(MAIL[MAIL.index(b"\r\n\r\n") :])
    assert changed.partition(b"\r\n\r\n")[2] == received.content.partition(b"\r\n\r\n")[2]


def stored(directory: Path) -> bytes:
    (data,) = (one for one in directory.iterdir() if not one.suffix)
    return data.read_bytes()
