"""Starting and ending: sockets, signals, mistakes on the command line and in the config."""

from __future__ import annotations

import os
import select
import signal
import smtplib
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.daemon import Daemon, DaemonFailed, write_config
from pyquarantine_core.testing.mta import Mail, MilterConnection, Verdict, send
from pyquarantine_core.testing.processes import PATIENCE
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink

from .conftest import DaemonFactory

MAIL = Mail("a@x.example", ("b@x.example",), b"Subject: x\n\nx\n")
RULES: dict[str, Any] = {
    "rules": [
        {
            "name": "r",
            "actions": [
                {"name": "add", "type": "add_header", "options": {"field": "X-A", "value": "b"}}
            ],
        }
    ]
}


def milter(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("pyquarantine-milter")
    return subprocess.run(
        [program, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_all_workers_serve_one_socket(start_daemon: DaemonFactory) -> None:
    daemon = start_daemon(RULES | {"workers": 3})
    assert len(daemon.workers()) == 3
    with MilterConnection(daemon.address) as one, MilterConnection(daemon.address) as other:
        assert one.send(MAIL).modifications == other.send(MAIL).modifications != ()


def test_sigterm_ends_with_status_0_while_connections_are_idle(start_daemon: DaemonFactory) -> None:
    daemon = start_daemon(RULES)
    with MilterConnection(daemon.address) as connection:
        assert connection.send(MAIL).verdict is Verdict.ACCEPT
        workers = daemon.workers()
        assert daemon.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    with pytest.raises(ConnectionError):
        send(daemon.address, MAIL)


def test_a_message_under_way_is_answered_before_the_end(
    start_daemon: DaemonFactory, throwaway_postfix: PostfixFactory, smtp_sink: SmtpSink
) -> None:
    (rule,) = RULES["rules"]
    daemon = start_daemon({"rules": [rule | {"conditions": {"envfrom": "^a@"}}]})
    postfix = throwaway_postfix(daemon.address)
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=PATIENCE) as client:
        client.ehlo()
        client.mail("a@x.example")
        client.rcpt("b@x.example")
        assert client.docmd("DATA")[0] == 354
        os.kill(daemon.pid, signal.SIGTERM)
        daemon.wait_for_log("stopping")
        client.send(MAIL.content.replace(b"\n", b"\r\n") + b".\r\n")
        code, reply = client.getreply()
    assert code == 250, reply
    smtp_sink.wait_for(1)
    assert b"X-A: b" in smtp_sink.received[0].content
    assert daemon.stop() == 0


def test_workers_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.conf", RULES | {"workers": 2})
    daemon = Daemon(config, "inet:0@127.0.0.1").start()
    pidfds = [os.pidfd_open(pid) for pid in daemon.workers()]
    os.kill(daemon.pid, signal.SIGKILL)
    for pidfd in pidfds:
        await_end(pidfd)
    assert daemon.stop() == -signal.SIGKILL


def test_a_unix_socket_has_its_mode_and_goes_with_the_daemon(tmp_path: Path) -> None:
    path = tmp_path / "milter.sock"
    left_over = socket.socket(socket.AF_UNIX)
    left_over.bind(str(path))
    left_over.close()
    config = write_config(
        tmp_path / "c.conf", RULES | {"socket": f"unix:{path}", "socket_mode": "0662"}
    )
    with Daemon(config) as daemon:
        assert daemon.address == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o662
        assert send(daemon.address, MAIL).verdict is Verdict.ACCEPT
    assert sorted(one.name for one in tmp_path.iterdir()) == ["c.conf"]


def test_an_ipv6_socket_serves(tmp_path: Path) -> None:
    with Daemon(write_config(tmp_path / "c.conf", RULES), "inet6:0@::1") as daemon:
        assert daemon.address.startswith("inet6:")
        assert send(daemon.address, MAIL).verdict is Verdict.ACCEPT


def test_a_second_daemon_does_not_take_the_socket_away(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.conf", RULES | {"socket": f"unix:{tmp_path}/m.sock"})
    with Daemon(config) as first:
        second = milter("-c", config)
        assert second.returncode == 1
        assert "socket: cannot listen on" in second.stderr
        assert "another process listens there" in second.stderr
        assert send(first.address, MAIL).verdict is Verdict.ACCEPT


def test_the_config_is_tested_without_listening(tmp_path: Path) -> None:
    good = write_config(tmp_path / "good.conf", RULES | {"socket": "unix:/nowhere/at/all"})
    done = milter("-t", "-c", good)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Configuration OK\n", "")


def test_a_bad_config_is_one_line_and_status_78(tmp_path: Path) -> None:
    bad = write_config(tmp_path / "bad.conf", RULES | {"socket": "inet:0@127.0.0.1", "sockte": 1})
    for arguments in (("-t", "-c", bad), ("-d", "-c", bad)):
        done = milter(*arguments)
        assert done.returncode == os.EX_CONFIG
        assert "unknown key; did you mean 'socket'?" in done.stderr
        assert "Traceback" not in done.stderr
    with pytest.raises(DaemonFailed, match="unknown key"):
        Daemon(bad).start()


@pytest.mark.parametrize(
    ("config", "arguments", "complaint"),
    [
        ({}, (), "'socket' is missing"),
        ({}, ("-s", "tcp:1"), "'tcp:1' is not a socket"),
        ({"socket": "inet:99999@x"}, (), "'inet:99999@x' is not a socket"),
        ({"socket": "unix:/tmp/x", "socket_mode": "rw"}, (), "socket_mode"),
        ({"socket": "unix:/tmp/x", "socket_group": "nobody-has-it"}, (), "nobody-has-it"),
    ],
)
def test_a_socket_that_cannot_be_is_one_line(
    config: dict[str, str], arguments: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    path = write_config(tmp_path / "c.conf", RULES | config)
    done = milter("-c", path, *arguments)
    assert done.returncode == os.EX_CONFIG
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_socket_that_cannot_be_listened_on_now_is_worth_another_try(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.conf", RULES | {"socket": "unix:/nowhere/s"})
    done = milter("-c", config)
    assert done.returncode == 1
    assert "socket: cannot listen on /nowhere/s: No such file" in done.stderr


def test_version_and_wrong_usage() -> None:
    assert milter("-v").stdout.startswith("pyquarantine-milter 3.")
    assert milter("--nonsense").returncode == 2


def test_a_worker_that_cannot_open_its_storage_ends_the_daemon_with_the_reason(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    store = {"name": "s", "type": "store", "options": {"storage": "s"}}
    config = write_config(
        tmp_path / "c.conf",
        {
            "socket": "inet:0@127.0.0.1",
            "storages": {"s": {"type": "file", "directory": f"{tmp_path}/file"}},
            "rules": [{"name": "r", "actions": [store]}],
        },
    )
    done = milter("-d", "-c", config)
    assert done.returncode == 1
    assert f"{tmp_path}/file" in done.stderr
    assert "Traceback" not in done.stderr


def await_end(pidfd: int) -> None:
    """Wait until a process that is not our child has ended."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    assert poller.poll(1000 * PATIENCE), "still running"
    os.close(pidfd)
