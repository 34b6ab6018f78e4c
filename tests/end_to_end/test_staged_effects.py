"""Whatever fails before the answer: nothing is left, and the retry leaves one of everything."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.spool import Spool
from pyquarantine_core.testing.daemon import Daemon
from pyquarantine_core.testing.mta import Mail, Verdict, send
from pyquarantine_core.types import Delivery

from ..conftest import InstallPlugin
from .conftest import Admin, DaemonFactory
from .test_notifications import settings, waiting
from .test_recipients import SPAM

RECIPIENTS = ("u@example.org", "V@example.org")
UNSENDABLE = "\udcff@example.org"
PLUGIN = """
import resource
from pathlib import Path
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import (
    Action, ActionType, Effect, EffectPhase, Notification, NotificationType, Part, Stage)

class Notes(Notification):
    "One file per notification; none can be made as long as there is a directory `broken`."

    def __init__(self, directory):
        self.directory = Path(directory)

    def prepare(self, message, recipient):
        if self.directory.with_name("broken").exists() and recipient.startswith("V"):
            raise RuntimeError("no words")
        return b"once;"

    def deliver(self, item):
        with (self.directory / item.recipient).open("ab") as file:
            file.write(item.content)

class Move(Action):
    "Moves a directory away, once all before it is prepared, if there is one `moving`."

    def __init__(self, directory):
        self.directory = Path(directory)

    def apply(self, message):
        if self.directory.with_name("moving").exists():
            self.directory.rename(self.directory.with_name("gone"))

class Starve(Action):
    "From now on the worker can open nothing more, if there is a directory `starving`."

    def __init__(self, directory):
        self.directory = Path(directory)

    def apply(self, message):
        if self.directory.with_name("starving").exists():
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))

class Last(Effect):
    "Waits for the other end of a FIFO when all before it is committed, then fails."

    phase = EffectPhase.NOTIFICATION

    def __init__(self, fifo):
        self.fifo = fifo

    def describe(self): return "be the last"
    def prepare(self): pass
    def undo(self): pass

    def commit(self):
        self.fifo.read_bytes()
        raise RuntimeError("too late")

class FailLast(Action):
    "Stages that, if there is such a FIFO."

    def __init__(self, directory):
        self.fifo = Path(directory).with_name("fifo")

    def apply(self, message):
        if self.fifo.exists():
            message.stage(Last(self.fifo))

class TakeOut(Action):
    "Takes a recipient out of the envelope whom libmilter cannot name."

    def apply(self, message):
        message.remove_recipients([one for one in message.addresses if not one.isascii()])

PATH = {"type": "object", "properties": {"directory": {"type": "string"}}}

@hookimpl
def pyquarantine_notifications():
    yield NotificationType(name="notes", summary="", build=lambda o, _: Notes(o["directory"]),
        schema=PATH)

@hookimpl
def pyquarantine_actions():
    for name, action in (("move", Move), ("starve", Starve), ("fail_last", FailLast)):
        yield ActionType(name=name, summary="", needs=Stage.BODY, changes=Part.NOTHING,
            schema=PATH, build=lambda o, _, action=action: action(o["directory"]))
    yield ActionType(name="take_out", summary="", needs=Stage.BODY, changes=Part.RECIPIENTS,
        schema={"type": "object", "properties": {}}, build=lambda o, _: TakeOut())
"""

pytestmark = pytest.mark.usefixtures("for_daemons")
Start = Callable[..., Daemon]
OWN = {".sender", ".changes", ".wake", ".deferred", "failed", "filler"}
"""What the outbox has besides notifications."""


@pytest.fixture
def start(install_plugin: InstallPlugin, start_daemon: DaemonFactory, tmp_path: Path) -> Start:
    """Starts a daemon that holds, notifies, stores, and then does what is given."""
    install_plugin("staged", PLUGIN)
    (tmp_path / "told").mkdir()

    def started(*more: dict[str, Any]) -> Daemon:
        config = settings(tmp_path, tmp_path / "told")
        config["storages"]["second"] = {"type": "file", "directory": f"{tmp_path}/second"}
        actions = config["rules"][0]["actions"]
        del actions[0]["options"]["milter_action"]
        actions += [{"name": "s", "type": "store", "options": {"storage": "second"}}, *more]
        return start_daemon(config)

    return started


def mail(*more: str) -> Mail:
    return Mail("a@x.example", (*RECIPIENTS, *more), SPAM)


def does(what: str, directory: Path) -> dict[str, Any]:
    return {"name": "m", "type": what, "options": {"directory": str(directory)}}


def nothing_is_left(directory: Path) -> bool:
    """No entry, no notification, and nothing hidden beside them."""
    left = [
        one.name
        for name in ("spam", "second", "outbox")
        if (directory / name).is_dir()
        for one in (directory / name).iterdir()
        if one.name not in OWN
    ]
    return not left and nothing_is_told(directory)


def nothing_is_told(directory: Path) -> bool:
    return not list((directory / "told").iterdir())


def retry_leaves_one_of_each(daemon: Daemon, admin: Admin, directory: Path) -> bool:
    assert send(daemon.address, mail()).verdict is Verdict.ACCEPT
    for one in RECIPIENTS:
        daemon.wait_for_log(f"notified <{one}>")
    told = {one.name: one.read_text() for one in (directory / "told").iterdir()}
    held = admin.held("hold")
    assert waiting(directory) == []
    assert admin.out("check") == b"nothing is wrong\n"
    return (
        told == dict.fromkeys(RECIPIENTS, "once;")
        and len(held) == 1
        and held[0]["recipients"] == list(RECIPIENTS)
        and len(list((directory / "second").iterdir())) == 1
    )


def test_a_second_storage_that_fails_at_its_commit(
    start: Start, admin: Admin, tmp_path: Path
) -> None:
    daemon = start(does("move", tmp_path / "second"))
    (tmp_path / "moving").mkdir()
    assert send(daemon.address, mail()).verdict is Verdict.TEMPFAIL
    daemon.wait_for_log(f": cannot store in {tmp_path}/second: No such file")
    assert nothing_is_left(tmp_path)
    (tmp_path / "moving").rmdir()
    (tmp_path / "gone").rename(tmp_path / "second")
    assert list((tmp_path / "second").iterdir()) == []
    assert retry_leaves_one_of_each(daemon, admin, tmp_path)


def test_an_outbox_that_fails_at_its_commit(start: Start, admin: Admin, tmp_path: Path) -> None:
    daemon = start(does("move", tmp_path / "outbox"))
    (tmp_path / "moving").mkdir()
    assert send(daemon.address, mail()).verdict is Verdict.TEMPFAIL
    assert nothing_is_left(tmp_path)
    (tmp_path / "moving").rmdir()
    (tmp_path / "gone").rename(tmp_path / "outbox")
    assert retry_leaves_one_of_each(daemon, admin, tmp_path)


def test_no_descriptors_that_are_left_at_the_commit(
    start: Start, admin: Admin, tmp_path: Path
) -> None:
    daemon = start(does("starve", tmp_path / "second"))
    (tmp_path / "starving").mkdir()
    assert send(daemon.address, mail()).verdict is Verdict.TEMPFAIL
    daemon.wait_for_log("Too many open files")
    assert nothing_is_left(tmp_path)
    (tmp_path / "starving").rmdir()
    for pid in daemon.workers():
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    assert retry_leaves_one_of_each(daemon, admin, tmp_path)


def test_what_fails_when_the_notifications_are_committed(
    start: Start, admin: Admin, tmp_path: Path
) -> None:
    """Nobody is told before all is committed, or the retry would tell them once more."""
    daemon = start(does("fail_last", tmp_path / "second"))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    answers = []
    sending = threading.Thread(target=lambda: answers.append(send(daemon.address, mail())))
    sending.start()
    with fifo.open("wb"):  # the other end is there: both notifications are committed
        assert len(waiting(tmp_path)) == len(RECIPIENTS)
        spool = Spool(tmp_path / "outbox")
        (later,) = spool.stage("", Delivery("note", "later@example.org", b""))
        spool.commit(later)
        spool.conclude(later)
        daemon.wait_for_log("notified <later@example.org>")
        (tmp_path / "told" / "later@example.org").unlink()
        assert nothing_is_told(tmp_path)
    sending.join()
    fifo.unlink()
    assert [one.verdict for one in answers] == [Verdict.TEMPFAIL]
    assert nothing_is_left(tmp_path)
    assert retry_leaves_one_of_each(daemon, admin, tmp_path)


def test_a_notification_that_cannot_be_prepared(start: Start, admin: Admin, tmp_path: Path) -> None:
    daemon = start()
    (tmp_path / "broken").mkdir()
    assert send(daemon.address, mail()).verdict is Verdict.TEMPFAIL
    daemon.wait_for_log("no words")
    assert nothing_is_left(tmp_path)
    (tmp_path / "broken").rmdir()
    assert retry_leaves_one_of_each(daemon, admin, tmp_path)


def test_a_change_that_cannot_be_sent(start: Start, admin: Admin, tmp_path: Path) -> None:
    daemon = start({"name": "t", "type": "take_out", "options": {}})
    result = send(daemon.address, mail(UNSENDABLE))
    assert (result.verdict, result.modifications) == (Verdict.TEMPFAIL, ())
    daemon.wait_for_log("is not UTF-8 and cannot be taken out of the envelope")
    assert nothing_is_left(tmp_path)
    assert retry_leaves_one_of_each(daemon, admin, tmp_path)


@pytest.fixture
def small_outbox(tmp_path: Path) -> Iterator[Path]:
    """An outbox on a disk of its own, with room for one notification."""
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", outbox], check=True)
    try:
        yield outbox
    finally:
        subprocess.run(["umount", outbox], check=True)


def fill_but_for_a_page(disk: Path) -> Path:
    filler = disk / "filler"
    size = 0
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                size += file.write(bytes(4096))
        except OSError:
            file.truncate(size - 4096)
    return filler


def test_an_outbox_whose_disk_is_full_for_the_second_recipient(
    small_outbox: Path, start: Start, admin: Admin, tmp_path: Path
) -> None:
    daemon = start()
    filler = fill_but_for_a_page(small_outbox)
    assert send(daemon.address, mail()).verdict is Verdict.TEMPFAIL
    daemon.wait_for_log("No space left on device")
    assert nothing_is_left(tmp_path)
    filler.unlink()
    assert retry_leaves_one_of_each(daemon, admin, tmp_path)
