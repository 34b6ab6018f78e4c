"""The example configs, through a real sendmail, for clients inside and outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.mail import crlf
from pyquarantine_core.testing.mail_client import parsed
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from .conftest import Admin, DaemonFactory, SendmailFactory
from .sendmail import Sendmail
from .test_sendmail_bytes import HEAD, SPACES, without_own_received

pytestmark = pytest.mark.sendmail

CONFIGS = Path(__file__).parents[1] / "configs"
INSIDE, OUTSIDE = "127.0.0.1", "127.0.0.25"

Start = Callable[[str], Sendmail]


@pytest.fixture
def start(
    start_daemon: DaemonFactory,
    throwaway_sendmail: SendmailFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> Start:
    """Starts an example behind sendmail, with paths and ports of the test."""

    def example(name: str) -> Sendmail:
        lines = (CONFIGS / name).read_text().splitlines()
        text = "\n".join(line for line in lines if not line.startswith("#"))
        for documented, here in (
            ("/var/lib/pyquarantine", str(tmp_path)),
            ("/etc/pyquarantine/templates", str(tmp_path)),
            ("2525", str(smtp_sink.port)),
        ):
            text = text.replace(documented, here)
        (tmp_path / "notification.template").write_text("<p>{SUBJECT} is held</p>")
        (tmp_path / "removed.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        config: dict[str, Any] = json.loads(text)
        return throwaway_sendmail(start_daemon(config | {"local_addrs": [INSIDE]}).address)

    return example


def send(sendmail: Sendmail, content: bytes, source: str) -> str:
    done = submit(sendmail.port, "a@example.net", ["u@example.org"], content, source=source)
    sendmail.wait_until_delivered()
    return str(done.final)


def test_virus_is_rejected_spam_discarded_and_both_are_held(
    start: Start, smtp_sink: SmtpSink, admin: Admin
) -> None:
    sendmail = start("virus-and-spam.conf")
    virus = HEAD + b"Subject: v\nX-Virus: Yes\n\ntext\n"
    spam = HEAD + b"Subject: s\nX-Spam: Yes\n\ntext\n"
    ham = HEAD + b"Subject: h\n\ntext\n"
    assert send(sendmail, virus, OUTSIDE) == "554 5.7.0 Message rejected due to virus"
    assert send(sendmail, spam, OUTSIDE).startswith("250 ")
    told = [parsed(one.content)["Subject"] for one in smtp_sink.wait_for(2)]
    assert sorted(told) == ["[SPAM] s", "[VIRUS] v"]
    smtp_sink.clear()

    assert send(sendmail, ham, OUTSIDE).startswith("250 ")
    assert send(sendmail, virus, INSIDE).startswith("250 ")
    assert [without_own_received(one.content) for one in smtp_sink.received] == [
        crlf(ham),
        crlf(virus),
    ]
    for name, content in (("virus", virus), ("spam", spam)):
        (entry,) = admin.held(name)
        assert entry["recipients"] == ["u@example.org"]
        assert admin.out("quarantine", name, "get", entry["id"]) == crlf(content)


def test_subjects_are_marked_on_the_way_in_and_cleared_on_the_way_out(
    start: Start, smtp_sink: SmtpSink
) -> None:
    sendmail = start("subject-mark.conf")
    send(sendmail, HEAD + b"Subject: hello\nThread-Topic:x\n" + SPACES + b"\nbody\n", OUTSIDE)
    send(sendmail, HEAD + b"Subject: Re: [EXTERNAL] hello\n" + SPACES + b"\nbody\n", INSIDE)
    marked, cleared = (without_own_received(one.content) for one in smtp_sink.received)
    subjects = b"Subject: [EXTERNAL] hello\nThread-Topic: [EXTERNAL] x\n"
    assert marked == crlf(HEAD + subjects + SPACES + b"\nbody\n")
    assert cleared == crlf(HEAD + b"Subject: Re: hello\n" + SPACES + b"\nbody\n")


def test_originals_are_stored_byte_for_byte(
    start: Start, smtp_sink: SmtpSink, tmp_path: Path
) -> None:
    sendmail = start("store-originals.conf")
    content = crlf(HEAD + SPACES + b"\n.dot\n\xff\xfe 8-bit\n\n  last line\n")
    assert send(sendmail, content, OUTSIDE).startswith("250 ")
    (stored,) = (tmp_path / "incoming").iterdir()
    assert stored.read_bytes() == content
    assert [without_own_received(one.content) for one in smtp_sink.received] == [content]
