"""Notifications wait in the outbox until they are delivered, and are there with the mail or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.mta import Mail, MilterConnection, Verdict, send

from ..conftest import InstallPlugin
from .conftest import Admin, DaemonFactory
from .test_recipients import SPAM, config

MAIL = Mail("a@x.example", ("u@example.org", "V@example.org"), SPAM)
NOTES = """
import os
from pathlib import Path
from pyquarantine_core.errors import RefusedError
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Notification, NotificationType

class Notes(Notification):
    "One file per notification; it fails as long as the directory is not there."

    def __init__(self, directory):
        self.directory = Path(directory)

    def prepare(self, message, recipient):
        return f"{recipient}: {message.subject} {message.variables['Q_ID']}".encode()

    def deliver(self, item):
        if (self.directory / "refuse").exists():
            raise RefusedError("no thanks")
        with (self.directory / item.recipient).open("ab") as file:
            file.write(item.content)

@hookimpl
def pyquarantine_notifications():
    yield NotificationType(name="notes", summary="", build=lambda o, _: Notes(o["directory"]),
        schema={"type": "object", "properties": {"directory": {"type": "string"}}})
"""

pytestmark = pytest.mark.usefixtures("for_daemons")


@pytest.fixture
def told(tmp_path: Path, install_plugin: InstallPlugin) -> Path:
    """Where the delivered notifications are."""
    install_plugin("notes", NOTES)
    (tmp_path / "told").mkdir()
    return tmp_path / "told"


def settings(directory: Path, told: Path, **more: Any) -> dict[str, Any]:
    held = config(
        directory, 25, notification="note", milter_action="DISCARD"
    )  # the port is not used
    held["storages"]["spam"]["metavar"] = "Q"
    notifications = {"note": {"type": "notes", "directory": str(told)}}
    return held | {"notifications": notifications, "outbox": f"{directory}/outbox"} | more


def waiting(directory: Path) -> list[str]:
    return [one.name for one in (directory / "outbox").glob("[0-9]*")]


def test_each_recipient_of_held_mail_is_told_once(
    told: Path, start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    daemon = start_daemon(settings(tmp_path, told))
    assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
    (entry,) = admin.held("hold")
    for recipient in entry["recipients"]:
        daemon.wait_for_log(f"notified <{recipient}>")
        assert (told / recipient).read_text() == f"{recipient}: spam {entry['id']}"
    assert waiting(tmp_path) == []


def test_what_cannot_be_delivered_waits_for_the_next_daemon(
    told: Path, start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    told.rmdir()
    daemon = start_daemon(settings(tmp_path, told))
    send(daemon.address, MAIL)
    daemon.wait_for_log("is tried again in ")
    daemon.stop()
    assert len(waiting(tmp_path)) == 2
    told.mkdir()
    again = start_daemon(settings(tmp_path, told))
    admin.out("outbox", "retry", "--all")
    again.wait_for_log("notified <u@example.org>")
    again.wait_for_log("notified <V@example.org>")
    assert waiting(tmp_path) == []


def test_a_tempfail_tells_nobody(
    told: Path, start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    daemon = start_daemon(settings(tmp_path, told))
    (tmp_path / "outbox").rename(tmp_path / "away")  # not rmtree: the sender is at work in there
    assert send(daemon.address, MAIL).verdict is Verdict.TEMPFAIL
    assert admin.held("hold") == []
    (tmp_path / "outbox").mkdir()
    (tmp_path / "spam").rename(tmp_path / "gone")
    assert send(daemon.address, MAIL).verdict is Verdict.TEMPFAIL
    assert list((tmp_path / "outbox").glob("*[0-9]*")) == []
    assert list(told.iterdir()) == []


def test_a_pretended_quarantine_tells_nobody(
    told: Path, start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    daemon = start_daemon(settings(tmp_path, told, pretend=True))
    assert send(daemon.address, MAIL).verdict is Verdict.ACCEPT
    daemon.wait_for_log("pretend: would notify u@example.org, V@example.org (note)")
    assert waiting(tmp_path) == []


def test_a_full_outbox_does_not_keep_mail_from_being_held(
    told: Path, start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    told.rmdir()
    daemon = start_daemon(settings(tmp_path, told, outbox_max_items=1, workers=1))
    assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
    daemon.wait_for_log("the outbox is full: not notified (note): <V@example.org>")
    (entry,) = admin.held("hold")
    assert entry["recipients"] == list(MAIL.recipients)
    assert len(waiting(tmp_path)) == 1
    assert json.loads(admin.out("outbox", "list", "--json"))["dropped"] == 1


def test_an_admin_sees_what_failed_and_has_it_tried_again(
    told: Path, start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    (told / "refuse").touch()
    daemon = start_daemon(settings(tmp_path, told))
    send(daemon.address, MAIL)
    daemon.wait_for_log("<u@example.org> is not notified (note, outbox ")
    daemon.wait_for_log("<V@example.org> is not notified (note, outbox ")
    items = json.loads(admin.out("outbox", "list", "--json"))["items"]
    assert {one["recipient"]: (one["state"], one["error"]) for one in items} == {
        "u@example.org": ("failed", "no thanks"),
        "V@example.org": ("failed", "no thanks"),
    }
    (told / "refuse").unlink()
    admin.out("outbox", "retry", "--failed", "--all")
    daemon.wait_for_log("notified <u@example.org>")
    daemon.wait_for_log("notified <V@example.org>")
    assert admin.out("outbox", "list") == b"the outbox is empty\n"


def test_after_a_reload_the_new_sender_delivers_what_old_connections_bring(
    told: Path, start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    daemon = start_daemon(settings(tmp_path, told))
    with MilterConnection(daemon.address) as connection:
        connection.send(Mail("a@x.example", ("before@example.org",), SPAM))
        daemon.wait_for_log("notified <before@example.org>")
        daemon.reload()
        connection.send(Mail("a@x.example", ("old@example.org",), SPAM))
        daemon.wait_for_log("notified <old@example.org>")
        send(daemon.address, Mail("a@x.example", ("new@example.org",), SPAM))
        daemon.wait_for_log("notified <new@example.org>")
    assert waiting(tmp_path) == []
