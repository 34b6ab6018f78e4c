"""Texts that strangers chose steer no terminal, forge no line and hide nothing, wherever they show.

Line breaks, NUL, terminal escapes, bidirectional overrides and invisible characters, in subject,
names and envelope, on their way into the log, tables, JSON, `explain` and notifications.
"""

from __future__ import annotations

import email
import email.policy
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.mta import Mail, MilterConnection, Verdict

from ..conftest import Pyquarantine

UNFIT = re.compile(
    "[\0-\x09\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u3164\uffa0"
    "\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\U000e0000-\U000e007f]"
)
"""What none of it may reach a person as, but LF at the end of a line."""
FORGED = "4FORGED: verdict=accept"
TEXTS = {
    "a screen that is cleared": "a\x1b[2J\x1b[Hb",
    "a title that is set": "a\x1b]0;pwned\x07b",
    "a link of a terminal": "a\x1b]8;;http://x.example/\x1b\\b\x1b]8;;\x1b\\",
    "an answer that is asked for": "a\x1b[6nb\x1bZ\x1b[c",
    "C1 controls": "a\x9b2Jb\x90q\x9c",
    "a line that is written over": f"a\rb {FORGED}",
    "backspaces": "evil\x08\x08\x08\x08good",
    "a bell, a form feed, DEL": "a\x07b\x0cc\x7fd\x0b",
    "a line of the log": f"a\n{FORGED}",
    "line ends of Unicode": f"a\u2028{FORGED}\u2029b\x85c\x1cd",
    "text that runs backwards": "a\u202egro.elpmaxe@b\u202c\u2066\u2069",
    "invisible characters": "a\u200b\u2060\ufeff\u00ad\u3164\U000e0041b",
    "bytes that are not UTF-8": "a\udcff\udc9b2Jb",
    "NUL": "a\0b",
}
"""By what they try."""


def encoded(text: str) -> bytes:
    """As an encoded word, in which any character comes through a header."""
    data = text.encode("utf-8", "surrogateescape")
    return b"=?utf-8?q?" + b"".join(b"=%02X" % byte for byte in data) + b"?="


def mails() -> Iterator[Mail]:
    for text in TEXTS.values():
        in_word = encoded(text)
        raw = re.sub(rb"[\r\n\0]", b"", text.encode("utf-8", "surrogateescape"))
        for value in (in_word, raw):
            content = (
                b"From: "
                + value
                + b" <a@example.net>\nTo: %b\nSubject: %b\n\n"
                % (
                    value,
                    value,
                )
            )
            yield Mail("a@example.net", ("u@example.org",), content + value + b"\n")
        address = re.sub("[\r\n\0<>]", "", text)
        yield Mail(
            f"{address}@example.net", (f"{address}@example.org",), b"Subject: x\n\n" + raw + b"\n"
        )


def config(directory: Path, log_format: str) -> dict[str, Any]:
    (directory / "template").write_text("<p>{FROM} {SUBJECT} {V_all}</p>{HTML_TEXT}")
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": 1}
    hold = {"storage": "held", "notification": "n", "milter_action": "DISCARD", **smtp}
    capture = {"metavar": "V", "headers": ["(?P<all>^Subject: .*)"]}
    rename = {"field": "^(From|Subject)$", "search": "^(.*)$", "value": r"[EXT] \1"}
    held = {"name": "held", "type": "quarantine", "options": hold, "conditions": capture}
    return {
        "log_format": log_format,
        "workers": 1,
        "outbox": f"{directory}/outbox",
        "storages": {"held": {"type": "file", "directory": f"{directory}/held"}},
        "lists": {
            "allow": {
                "type": "db",
                "connection": f"sqlite:///{directory}/lists.db",
                "table": "allow",
            }
        },
        "notifications": {
            "n": {
                "type": "email",
                "envelope_from": "filter@example.org",
                "from_header": "{FROM}",
                "subject": "{SUBJECT} {V_all}",
                "template": f"{directory}/template",
                **smtp,
            }
        },
        "rules": [
            {
                "name": "all",
                "actions": [
                    {"name": "would", "type": "mod_header", "options": rename, "pretend": True},
                    held | {"name": "would-hold", "pretend": True},
                    {"name": "rename", "type": "mod_header", "options": rename},
                    held,
                ],
            }
        ],
    }


@dataclass(frozen=True)
class Site:
    """What a daemon holds that has had all of it, and has stopped."""

    directory: Path
    config: Path
    log: str

    @classmethod
    def made(cls, directory: Path, log_format: str) -> Site:
        path = write_config(directory / "c.conf", config(directory, log_format))
        with Daemon(path, "inet:0@127.0.0.1") as daemon:
            with MilterConnection(daemon.address) as connection:
                for mail in mails():
                    assert connection.send(mail).verdict is Verdict.DISCARD
            daemon.stop()
            return cls(directory, path, daemon.log)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site.made(tmp_path_factory.mktemp("site"), "text")


@pytest.fixture
def pyquarantine(site: Site, capsys: pytest.CaptureFixture[str]) -> Pyquarantine:
    """The program, with the config of the site."""
    return Pyquarantine(capsys, site.config)


def held(pyquarantine: Pyquarantine) -> list[str]:
    """The IDs of all that is held."""
    return pyquarantine("quarantine", "held", "list", "--batch").out.splitlines()


def assert_safe(text: str) -> str:
    assert UNFIT.search(text) is None, UNFIT.search(text)
    assert not re.search("[\ud800-\udfff]", text)
    assert not any(line.startswith(FORGED) for line in text.splitlines())
    return text


def test_the_log_has_a_line_for_each_thing_and_nothing_in_it_that_acts(site: Site) -> None:
    text = assert_safe(site.log)
    beginning = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[\d+\] [A-Z]+: ")
    assert all(beginning.match(line) for line in text.splitlines())
    assert "pretend: would change the header" in text
    assert "Traceback" not in text


def test_the_log_in_json_is_printable_ascii(tmp_path: Path) -> None:
    log = assert_safe(Site.made(tmp_path, "json").log)
    assert log.isascii()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert sum("verdict" in line for line in lines) == 3 * len(TEXTS)


@pytest.mark.parametrize(
    "command",
    [
        ("quarantine", "held", "list"),
        ("quarantine", "held", "list", "--json"),
        ("quarantine", "held", "list", "--batch"),
        ("quarantine", "held", "purge", "--older-than", "0", "--dry-run"),
        ("outbox", "list"),
        ("outbox", "list", "--json"),
        ("check", "--dry-run"),
        ("check", "--dry-run", "--json"),
    ],
)
def test_listings_are_safe_and_have_a_line_or_object_for_each_entry(
    pyquarantine: Pyquarantine, command: tuple[str, ...]
) -> None:
    done = pyquarantine(*command)
    text = assert_safe(done.out)
    assert_safe(done.error)
    count = 3 * len(TEXTS)
    if "--json" in command and command[0] == "quarantine":
        assert len(json.loads(text)) == count
        assert text.isascii()
    elif "--batch" in command:
        assert len(text.splitlines()) == count


def test_what_is_known_of_each_is_safe(pyquarantine: Pyquarantine) -> None:
    for entry in held(pyquarantine):
        assert assert_safe(pyquarantine("quarantine", "held", "metadata", entry).out).isascii()


def test_on_a_terminal_the_message_is_safe_too(site: Site, pyquarantine: Pyquarantine) -> None:
    for entry in held(pyquarantine)[:2]:
        master, slave = pty.openpty()
        program = Path(sys.executable).with_name("pyquarantine")
        get = ("quarantine", "held", "get", entry)
        subprocess.run([program, "-c", site.config, *get], check=True, stdout=slave, timeout=60)
        os.close(slave)
        shown = os.read(master, 65536).replace(b"\r\n", b"\n")
        os.close(master)
        assert "Subject: " in assert_safe(shown.decode())


def test_what_a_command_does_is_told_safely(pyquarantine: Pyquarantine) -> None:
    entry = held(pyquarantine)[-1]
    everything = pyquarantine("quarantine", "held", "release", entry, "-a")
    assert everything.status == 1  # nobody listens there
    hostile = "\x1b[2J\u202e@x\n"
    for command in (
        ("quarantine", "held", "release", entry, "-t", hostile),
        ("quarantine", "held", "delete", hostile, "-a"),
        ("quarantine", "held", "get", f"../{hostile}"),
        ("quarantine", hostile, "list"),
        ("list", "allow", "delete", hostile),
        ("outbox", "drop", hostile),
        ("explain", hostile),
    ):
        done = pyquarantine(*command)
        assert done.status != 0
        assert_safe(done.out)
        assert_safe(done.error)
    assert_safe(everything.error)


def test_entries_of_lists_are_shown_safely(pyquarantine: Pyquarantine) -> None:
    texts = [one for name, one in TEXTS.items() if name != "bytes that are not UTF-8"]
    for number, text in enumerate(texts):
        address = f"u{number}@example.org"
        assert pyquarantine("list", "allow", "add", "-t", address, "-c", text).status == 0
    assert_safe(pyquarantine("list", "allow", "list").out)
    as_json = assert_safe(pyquarantine("list", "allow", "list", "--json").out)
    assert [one["comment"] for one in json.loads(as_json)] == texts


def test_an_explanation_is_safe(site: Site, pyquarantine: Pyquarantine) -> None:
    for mail in mails():
        (site.directory / "mail").write_bytes(mail.content)
        for options in ((), ("--json",)):
            done = pyquarantine("explain", str(site.directory / "mail"), *options)
            assert done.status == 0
            assert "Subject" in assert_safe(done.out)


def test_notifications_have_no_headers_but_their_own_and_turn_nothing_around(site: Site) -> None:
    items = [one for one in (site.directory / "outbox").iterdir() if one.name[0] == "2"]
    assert len(items) == 3 * len(TEXTS)
    turning = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
    for item in items:
        content = item.read_bytes().partition(b"\n")[2]
        mail = email.message_from_bytes(content, policy=email.policy.default)
        assert not mail.defects
        assert sorted(mail.keys()) == sorted(
            ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version",
             "Content-Type")
        )  # fmt: skip
        texts: Mapping[str, str] = {
            kind: body.get_content()
            for kind in ("plain", "html")
            if (body := mail.get_body((kind,)))
        }
        assert len(texts) == 2
        for text in (*texts.values(), str(mail["Subject"]), str(mail["From"])):
            assert turning.search(text.replace("\r\n", "\n")) is None
        assert FORGED not in str(mail["Subject"]).splitlines()
