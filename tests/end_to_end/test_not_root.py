"""The daemon and the commands as a user like any other, who owns the directories and no more."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.mta import Mail, MilterConnection, Verdict, send
from pyquarantine_core.testing.processes import PATIENCE, wait_until
from pyquarantine_core.testing.sink import SmtpSink

from .test_email_notifications import SPAM, settings
from .test_reload import await_end

USER = pwd.getpwnam("nobody")
GROUP = grp.getgrnam("mail")
MAIL = Mail("a@x.example", ("u@example.org",), SPAM)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become somebody else")


def becoming() -> list[str]:
    """What runs a program as the user, in the group of the socket, with our Python within reach.

    Ours may be below /root: the user may read everything (CAP_DAC_READ_SEARCH), and nothing else.
    """
    setpriv = shutil.which("setpriv")
    assert setpriv is not None, "it belongs to util-linux"
    reading = "-all,+dac_read_search"
    return [
        *(setpriv, f"--reuid={USER.pw_uid}", f"--regid={USER.pw_gid}", f"--groups={GROUP.gr_gid}"),
        *(f"--bounding-set={reading}", f"--inh-caps={reading}", f"--ambient-caps={reading}"),
    ]


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody can look into, unlike those of pytest, and two of the user's."""
    with tempfile.TemporaryDirectory(prefix="not-root-") as directory:
        path = Path(directory)
        path.chmod(0o755)
        for name in ("run", "state"):
            (path / name).mkdir()
            os.chown(path / name, USER.pw_uid, USER.pw_gid)
        yield path


@pytest.fixture
def python(place: Path) -> Path:
    """Our Python, as the user."""
    path = place / "python"
    path.write_text(f'#!/bin/sh\nexec {" ".join(becoming())} {sys.executable} "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def daemon_config(place: Path, smtp_sink: SmtpSink) -> Path:
    """Of a daemon whose socket is for a group, and whose directories are to be made."""
    config = settings(place, smtp_sink.port)
    config["storages"]["spam"]["directory"] = f"{place}/state/spam"
    config |= {
        "workers": 2,
        "outbox": f"{place}/state/outbox",
        "socket": f"unix:{place}/run/milter.sock",
        "socket_mode": "0660",
        "socket_group": GROUP.gr_name,
    }
    return write_config(place / "pyquarantine.conf", config)


def owners(directory: Path) -> set[int]:
    return {path.lstat().st_uid for path in (directory, *directory.rglob("*"))}


def test_it_holds_tells_reloads_and_replaces_workers(
    daemon_config: Path, python: Path, smtp_sink: SmtpSink, place: Path
) -> None:
    path = place / "run" / "milter.sock"

    def pyquarantine(*arguments: str) -> bytes:
        script = Path(sys.executable).with_name("pyquarantine")
        program: list[Path | str] = [python, script, "-c", daemon_config]
        return subprocess.run([*program, *arguments], check=True, stdout=subprocess.PIPE).stdout

    with Daemon(daemon_config, python=str(python)) as daemon:
        assert Path(f"/proc/{daemon.pid}").stat().st_uid == USER.pw_uid
        status = path.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o660, GROUP.gr_gid)
        assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
        smtp_sink.wait_for(1)

        worker = daemon.workers()[0]
        end = os.pidfd_open(worker)
        os.kill(worker, signal.SIGKILL)
        await_end(end)
        daemon.wait_for_log(f"worker {worker} ended unexpectedly")
        assert send(daemon.address, MAIL).verdict is Verdict.DISCARD

        with MilterConnection(daemon.address) as connection:
            assert pyquarantine("reload") == b"reloaded\n"
            assert connection.send(MAIL).verdict is Verdict.DISCARD
        assert wait_until(lambda: len(daemon.generations()) == 1, PATIENCE)
        assert path.exists()  # no worker that left has taken it away
        assert send(daemon.address, MAIL).verdict is Verdict.DISCARD

        smtp_sink.wait_for(4)
        assert pyquarantine("quarantine", "hold", "list").count(b"u@example.org") == 4
        assert pyquarantine("check") == b"nothing is wrong\n"
        assert daemon.stop() == 0
    assert not path.exists()
    assert owners(place / "state") == {USER.pw_uid}


def test_a_group_that_it_is_not_in_is_refused_in_one_line(
    daemon_config: Path, python: Path
) -> None:
    text = daemon_config.read_text()
    daemon_config.write_text(text.replace(f'"{GROUP.gr_name}"', '"shadow"'))
    done = subprocess.run(
        [python, "-m", "pyquarantine_core.daemon", "-c", daemon_config],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "socket: cannot listen on" in done.stderr
    assert "Operation not permitted" in done.stderr
