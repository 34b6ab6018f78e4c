"""A daemon that is killed while it stores leaves nothing that looks like held mail."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.mta import Mail, Verdict, send

from ..conftest import InstallPlugin
from .conftest import Admin
from .test_recipients import SPAM, config

MAIL = Mail("a@x.example", ("u@example.org",), SPAM)
PLUGIN = """
import os, signal
from pathlib import Path
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Action, ActionType, Part, Stage

class Obey(Action):
    "Once all before it is prepared: dies, or waits for the other end of a FIFO, if told so."

    def __init__(self, directory):
        self.directory = Path(directory)

    def apply(self, message):
        if (self.directory / "die").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if (self.directory / "wait").exists():
            (self.directory / "wait").read_bytes()

@hookimpl
def pyquarantine_actions():
    yield ActionType(name="obey", summary="", needs=Stage.BODY, changes=Part.NOTHING,
        schema={"type": "object", "properties": {"directory": {"type": "string"}}},
        build=lambda options, services: Obey(options["directory"]))
"""

pytestmark = pytest.mark.usefixtures("for_daemons")


@pytest.fixture
def path(install_plugin: InstallPlugin, tmp_path: Path) -> Path:
    install_plugin("obey", PLUGIN)
    obey = {"name": "obey", "type": "obey", "options": {"directory": str(tmp_path)}}
    settings = config(tmp_path, 25, obey) | {"workers": 1}
    return write_config(tmp_path / "pyquarantine.conf", settings)


def test_a_worker_killed_while_it_stores_leaves_nothing_in_sight(
    path: Path, admin: Admin, tmp_path: Path
) -> None:
    (tmp_path / "die").touch()
    with Daemon(path, "inet:0@127.0.0.1") as daemon, pytest.raises(ConnectionError):
        send(daemon.address, MAIL)
    (tmp_path / "die").unlink()
    assert admin.held("hold") == []
    with Daemon(path, "inet:0@127.0.0.1") as daemon:
        assert send(daemon.address, MAIL).verdict is Verdict.ACCEPT
        assert admin.out("check") == b"nothing is wrong\n"
    (entry,) = admin.held("hold")
    left = {one.name for one in (tmp_path / "spam").iterdir()}
    assert left == {".aside", entry["id"], f"{entry['id']}.metadata"}


def test_what_a_crash_has_left_hidden_is_moved_aside_when_the_daemon_starts(
    path: Path, admin: Admin, tmp_path: Path
) -> None:
    spam = tmp_path / "spam"
    spam.mkdir()
    (spam / ".20200101000000_HALF.tmp").write_text("half")
    (spam / "20200101000000_HALF.metadata").write_text("{}")
    assert admin.held("hold") == []
    assert admin.run("check", "--dry-run").returncode == 1
    with Daemon(path, "inet:0@127.0.0.1") as daemon:
        daemon.wait_for_log(f"the MTA was not told that it is held; moved to {spam}/.aside")
    assert admin.out("check") == b"nothing is wrong\n"
    data, _metadata, _reasons = sorted((spam / ".aside").iterdir())
    assert data.read_text() == "half"


def test_a_daemon_that_starts_leaves_alone_what_another_is_storing(
    path: Path, admin: Admin, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "wait")
    with Daemon(path, "inet:0@127.0.0.1") as old:
        sender = threading.Thread(target=send, args=(old.address, MAIL))
        sender.start()
        with (tmp_path / "wait").open("wb"):  # the other end is there: the message is prepared
            with Daemon(path, "inet:0@127.0.0.1"):
                assert admin.out("check") == b"nothing is wrong\n"
                assert admin.held("hold") == []
            (tmp_path / "wait").unlink()
        sender.join()
    assert len(admin.held("hold")) == 1
    assert admin.out("check") == b"nothing is wrong\n"
