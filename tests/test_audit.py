"""What people change by commands is in the mail log, with their name."""

from __future__ import annotations

import json
import os
import pwd
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pyquarantine_core.cli import audit
from pyquarantine_core.spool import Spool
from pyquarantine_core.testing.rules import rule
from pyquarantine_core.types import Delivery

if TYPE_CHECKING:
    from .conftest import Pyquarantine

ENTRY = "20261125120000000000_4XYZ"
ACCOUNT = pwd.getpwuid(os.geteuid()).pw_name

Logged = Callable[[], list[str]]


@pytest.fixture
def logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Logged]:
    """What a syslogd has heard; its marks of priority and process are looked at here."""
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(audit, "SYSLOG_SOCKET", tmp_path / "log")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as syslogd:
        syslogd.bind(str(tmp_path / "log"))
        syslogd.setblocking(False)

        def heard() -> list[str]:
            lines: list[str] = []
            while True:
                try:
                    line = syslogd.recv(65536).decode()
                except BlockingIOError:
                    return lines
                head = f"<22>pyquarantine[{os.getpid()}]: "  # mail.info
                assert line.startswith(head)
                lines.append(line.removeprefix(head).rstrip("\0"))

        yield heard


@pytest.fixture
def held(pyquarantine: Pyquarantine, tmp_path: Path) -> Pyquarantine:
    """A quarantine with one message for two recipients."""
    directory = tmp_path / "held"
    directory.mkdir()
    options = {"storage": "held", "smtp_host": "127.0.0.1", "smtp_port": 9}
    pyquarantine.configure(
        {
            "outbox": str(tmp_path / "outbox"),
            "storages": {"held": {"type": "file", "directory": str(directory)}},
            "lists": {
                "allow": {"type": "db", "connection": f"sqlite:///{tmp_path}/l", "table": "l"}
            },
            "rules": [rule("quarantine", options)],
        }
    )
    metadata = {"mailfrom": "a@example.net", "recipients": ["b@example.org", "c@example.org"]}
    (directory / f"{ENTRY}.metadata").write_text(json.dumps(metadata))
    (directory / ENTRY).write_bytes(b"Subject: x\r\n\r\n")
    return pyquarantine


def test_it_says_who_deleted_what(held: Pyquarantine, logged: Logged) -> None:
    assert held("quarantine", "action", "delete", ENTRY, "-t", "b@example.org").status == 0
    assert held("quarantine", "action", "delete", ENTRY, "-a").status == 0
    assert logged() == [
        f"{ACCOUNT}: rule/action: deleted {ENTRY} for b@example.org; others remain",
        f"{ACCOUNT}: rule/action: deleted {ENTRY}; it is gone",
    ]


def test_it_says_that_all_old_mail_was_deleted(held: Pyquarantine, logged: Logged) -> None:
    os.utime(held.config.parent / "held" / ENTRY, (0, 0))
    held("quarantine", "action", "purge", "--older-than", "1", "--dry-run")
    assert logged() == []
    held("quarantine", "action", "purge", "--older-than", "1")
    assert logged() == [f"{ACCOUNT}: rule/action: deleted 1: all that were held for 1 days"]


def test_it_says_what_became_of_lists_and_outbox(
    held: Pyquarantine, logged: Logged, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "outbox")
    spool.make()
    (item_id,) = spool.stage("4XyZ", Delivery("note", "u@example.org", b""))
    spool.commit(item_id)
    held("list", "allow", "add", "-f", "a@example.net")
    held("outbox", "drop", "--all", "--json")
    assert logged() == [
        f"{ACCOUNT}: allow: added entry 1 (from a@example.net to anyone)",
        f"{ACCOUNT}: outbox: dropped: {item_id} (to <u@example.org>)",
    ]


def test_what_only_looks_is_not_logged(held: Pyquarantine, logged: Logged) -> None:
    for command in ("list", "get", "metadata"):
        held("quarantine", "action", command, *([] if command == "list" else [ENTRY]))
    assert held("quarantine", "action", "delete", "no-such-entry", "-a").status == 1
    assert logged() == []


def test_who_became_root_is_named(
    held: Pyquarantine, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "anna\x1b[31m")
    held("quarantine", "action", "delete", ENTRY, "-a")
    assert logged() == [
        f"anna\\x1b[31m as {ACCOUNT}: rule/action: deleted {ENTRY}; it is gone",
    ]


@pytest.mark.parametrize("there", ["nothing", "a file", "a syslogd that does not read"])
def test_a_command_goes_well_without_a_log(
    held: Pyquarantine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    path = tmp_path / "log"
    monkeypatch.setattr(audit, "SYSLOG_SOCKET", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslogd:
        if there == "a file":
            path.write_text("")
        elif there == "a syslogd that does not read":
            monkeypatch.setattr(audit, "SYSLOG_TIMEOUT", 0.01)
            syslogd.bind(str(path))
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
                other.setblocking(False)
                with suppress(BlockingIOError):  # then it takes no more
                    while True:
                        other.sendto(b"x", str(path))
        done = held("quarantine", "action", "delete", ENTRY, "-a")
    assert done == (0, f"deleted {ENTRY}; it is gone\n", "")
