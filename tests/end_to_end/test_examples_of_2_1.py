"""The examples in the documentation of 2.1.0: accepted as they are, and they do what it says.

They are read from its package: its description has them, each as a block of JSON.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pyquarantine_core.testing.daemon import Daemon
from pyquarantine_core.testing.mail import crlf
from pyquarantine_core.testing.mail_client import parsed
from pyquarantine_core.testing.postfix import Postfix
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from .conftest import Admin
from .version_2_1 import PROGRAMS

pytestmark = pytest.mark.old

DESCRIPTION = "lib/python*/site-packages/pyquarantine-2.1.0.dist-info/METADATA"
NAMES = ("virus and spam quarantine", "subject mark", "store originals")
OUTSIDE = {"ADDR": "192.0.2.25"}
INSIDE = {"ADDR": "10.0.0.7"}
HEAD = b"Message-ID: <1@x>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nFrom: a@example.net\nTo: u@x\n"

Start = Callable[[str], Postfix]


def example(name: str) -> str:
    """The text of an example."""
    (file,) = PROGRAMS.parent.glob(DESCRIPTION)
    texts = re.findall(r"^```json\n(.*?)^```", file.read_text(), re.DOTALL | re.MULTILINE)
    return str(dict(zip(NAMES, texts, strict=True))[name])


@pytest.fixture
def start(
    admin: Admin, throwaway_postfix: PostfixFactory, smtp_sink: SmtpSink, tmp_path: Path
) -> Iterator[Start]:
    """Starts an example behind Postfix, with directories and ports of the test."""
    with ExitStack() as running:

        def run(name: str) -> Postfix:
            text = example(name).replace("/mnt/data", str(tmp_path))
            text = text.replace("2525", str(smtp_sink.port))
            admin.config.write_text(text.replace("{", f'{{"outbox": "{tmp_path}/outbox",', 1))
            daemon = running.enter_context(Daemon(admin.config, "inet:0@127.0.0.1"))
            return throwaway_postfix(daemon.address)

        yield run


def send(postfix: Postfix, content: bytes, client: dict[str, str]) -> str:
    done = submit(postfix.port, "a@example.net", ["u@example.org"], HEAD + content, xclient=client)
    return str(done.final)


def without_received(content: bytes) -> bytes:
    received, separator, rest = content.partition(b"Message-ID:")
    assert received.startswith(b"Received:")
    return separator + rest


@pytest.mark.parametrize("name", NAMES)
def test_it_is_accepted_as_it_is(name: str, tmp_path: Path) -> None:
    config = tmp_path / "pyquarantine.conf"
    config.write_text(example(name))
    done = subprocess.run(
        [sys.executable, "-m", "pyquarantine_core.daemon", "-c", config, "-t"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Configuration OK\n", "")


def test_virus_is_rejected_spam_discarded_and_recipients_are_told(
    start: Start, smtp_sink: SmtpSink, admin: Admin
) -> None:
    postfix = start("virus and spam quarantine")
    virus = b"Subject: v\nX-Virus: Yes\n\ntext\n"
    spam = b"Subject: s\nX-Spam: Yes\n\ntext\n"
    assert send(postfix, virus, OUTSIDE) == "554 5.7.0 Message rejected due to virus"
    assert send(postfix, spam, OUTSIDE).startswith("250 ")
    told = smtp_sink.wait_for(2)
    assert {one.sender for one in told} == {"notifications@example.com"}
    assert sorted(parsed(one.content)["Subject"] for one in told) == ["[SPAM] s", "[VIRUS] v"]
    smtp_sink.clear()
    assert send(postfix, virus, INSIDE).startswith("250 ")
    (delivered,) = smtp_sink.wait_for(1)
    assert without_received(delivered.content) == crlf(HEAD + virus)
    for name, content in (("virus", virus), ("spam", spam)):
        (entry,) = admin.held(name)
        assert admin.out("quarantine", name, "get", entry["id"]) == crlf(HEAD + content)


def test_subjects_are_marked_on_the_way_in_and_cleared_on_the_way_out(
    start: Start, smtp_sink: SmtpSink
) -> None:
    postfix = start("subject mark")
    send(postfix, b"Subject: hello\nThread-Topic: x\n\ntext\n", OUTSIDE)
    send(postfix, b"Subject: Re: [EXTERNAL] hello\n\ntext\n", INSIDE)
    delivered = sorted(without_received(one.content) for one in smtp_sink.wait_for(2))
    assert delivered == [
        crlf(HEAD + b"Subject: Re: hello\n\ntext\n"),
        crlf(HEAD + b"Subject: [EXTERNAL] hello\nThread-Topic: [EXTERNAL] x\n\ntext\n"),
    ]


def test_originals_are_stored_byte_for_byte(
    start: Start, smtp_sink: SmtpSink, tmp_path: Path
) -> None:
    postfix = start("store originals")
    content = b"Subject:   raw \xcf\xf0\nX-Empty:\n\n.dot\n\xff\xfe 8-bit\n\n  last line\n"
    assert send(postfix, content, OUTSIDE).startswith("250 ")
    (stored,) = (tmp_path / "incoming").iterdir()
    assert stored.read_bytes() == crlf(HEAD + content)
    (delivered,) = smtp_sink.wait_for(1)
    assert without_received(delivered.content) == crlf(HEAD + content)
