"""A reload takes up config and plugins anew, and no message notices."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.delivery import HeaderInserted
from pyquarantine_core.testing.mta import Mail, MilterConnection, Result, Verdict, send
from pyquarantine_core.testing.processes import PATIENCE
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from ..conftest import InstallPlugin
from .conftest import Admin, DaemonFactory

MAIL = Mail("a@x.example", ("b@x.example",), b"Subject: x\n\nx\n")


def adds(value: str, **more: Any) -> dict[str, Any]:
    add = {"name": "add", "type": "add_header", "options": {"field": "X-A", "value": value}}
    return {"workers": 2, "rules": [{"name": "r", "actions": [add]}]} | more


def added(result: Result) -> list[str]:
    return [
        one.value.strip().decode()
        for one in result.modifications
        if isinstance(one, HeaderInserted)
    ]


def rewrite(tmp_path: Path, config: Mapping[str, Any]) -> None:
    write_config(tmp_path / "pyquarantine.conf", config)


def await_end(pidfd: int) -> None:
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    assert poller.poll(1000 * PATIENCE), "still running"
    os.close(pidfd)


def test_a_new_config_holds_for_new_connections_and_old_ones_are_served_to_their_end(
    start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    daemon = start_daemon(adds("old"))
    (old,) = daemon.generations()
    pidfd = os.pidfd_open(old)
    with MilterConnection(daemon.address) as connection:
        assert added(connection.send(MAIL)) == ["old"]
        rewrite(tmp_path, adds("new"))
        daemon.reload()
        assert added(connection.send(MAIL)) == ["old"]
        for _ in range(8):
            assert added(send(daemon.address, MAIL)) == ["new"]
        assert old in daemon.generations()
    await_end(pidfd)
    daemon.wait_for_log(f"generation {old} has left")
    assert len(daemon.generations()) == 1
    daemon.wait_for_log(f"generation {old} has left")


def test_an_idle_old_connection_is_closed_after_drain_timeout(
    start_daemon: DaemonFactory,
) -> None:
    daemon = start_daemon(adds("old", drain_timeout=1))
    (old,) = daemon.generations()
    pidfd = os.pidfd_open(old)
    with MilterConnection(daemon.address) as connection:
        assert added(connection.send(MAIL)) == ["old"]
        daemon.reload()
        await_end(pidfd)
    assert added(send(daemon.address, MAIL)) == ["old"]


def test_the_command_reloads_and_says_so(
    start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    daemon = start_daemon(adds("old"))
    rewrite(tmp_path, adds("new"))
    assert admin.out("reload") == b"reloaded\n"
    assert added(send(daemon.address, MAIL)) == ["new"]


def test_a_changed_socket_is_said_to_take_a_restart(
    start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    daemon = start_daemon(adds("old"))
    rewrite(tmp_path, adds("new", socket_mode="0600"))
    done = admin.run("reload")
    note = f"socket_mode: takes a restart; until then it listens at {daemon.address}"
    assert (done.returncode, done.stdout) == (0, b"reloaded\n")
    assert done.stderr.decode() == f"warning: {note}\n"
    daemon.wait_for_log(note)
    assert added(send(daemon.address, MAIL)) == ["new"]


def test_the_command_says_when_no_daemon_runs(admin: Admin) -> None:
    write_config(admin.config, adds("x"))
    done = admin.run("reload")
    assert done.returncode == 1
    assert done.stderr.decode() == f"pyquarantine: no daemon runs with {admin.config}\n"


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (adds("new", sockte=1), "unknown key; did you mean 'socket'?"),
        (
            adds("new", storages={"s": {"type": "file", "directory": "/proc/nowhere"}}),
            "storages.s: ",
        ),
    ],
    ids=["cannot be read", "cannot start"],
)
def test_a_config_that_cannot_run_changes_nothing_and_the_command_says_why(
    config: dict[str, Any],
    complaint: str,
    start_daemon: DaemonFactory,
    admin: Admin,
    tmp_path: Path,
) -> None:
    daemon = start_daemon(adds("old"))
    before = daemon.workers()
    rewrite(tmp_path, config)
    done = admin.run("reload")
    assert done.returncode == 1
    assert "not reloaded, nothing has changed" in done.stderr.decode()
    assert complaint in done.stderr.decode()
    daemon.wait_for_log("not reloaded, nothing has changed")
    assert daemon.workers() == before
    assert added(send(daemon.address, MAIL)) == ["old"]


STAMP = """
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Action, ActionType, Part, Stage

class Stamp(Action):
    def apply(self, message):
        message.add_header("X-Stamp", "{value}")

@hookimpl
def pyquarantine_actions():
    yield ActionType(name="stamp", summary="", needs=Stage.ENVELOPE, changes=Part.HEADERS,
        schema={{"type": "object", "properties": {{}}}}, build=lambda options, services: Stamp())
"""


@pytest.mark.usefixtures("for_daemons")
def test_an_upgraded_plugin_takes_effect(
    start_daemon: DaemonFactory, install_plugin: InstallPlugin
) -> None:
    install_plugin("stamping", STAMP.format(value="1.0"))
    step = {"name": "s", "type": "stamp", "options": {}}
    daemon = start_daemon({"rules": [{"name": "r", "actions": [step]}]})
    assert added(send(daemon.address, MAIL)) == ["1.0"]
    install_plugin("stamping", STAMP.format(value="2.0 or later"))
    assert added(send(daemon.address, MAIL)) == ["1.0"]
    daemon.reload()
    assert added(send(daemon.address, MAIL)) == ["2.0 or later"]


def test_the_outbox_goes_on_after_a_reload(
    start_daemon: DaemonFactory, smtp_sink: SmtpSink, tmp_path: Path
) -> None:
    notify = {"name": "n", "type": "notify", "options": {"notification": "mail"}}
    mail = {
        "type": "email",
        "smtp_host": "127.0.0.1",
        "smtp_port": smtp_sink.port,
        "envelope_from": "postmaster@x.example",
        "from_header": "postmaster@x.example",
        "subject": "held",
        "template": "/etc/pyquarantine/templates/notification.template",
    }
    daemon = start_daemon(
        {
            "outbox": f"{tmp_path}/outbox",
            "notifications": {"mail": mail},
            "rules": [{"name": "r", "actions": [notify]}],
        }
    )
    send(daemon.address, MAIL)
    smtp_sink.wait_for(1)
    daemon.reload()
    send(daemon.address, MAIL)
    smtp_sink.wait_for(2)


def test_no_message_is_refused_or_deferred_while_reloads_follow_each_other(
    start_daemon: DaemonFactory, throwaway_postfix: PostfixFactory, smtp_sink: SmtpSink
) -> None:
    daemon = start_daemon(adds("x"))
    postfix = throwaway_postfix(daemon.address)
    done = threading.Event()
    refused: list[str] = []
    sent = [0, 0, 0]

    def load(sender: int) -> None:
        while not done.is_set():
            result = submit(postfix.port, "a@x.example", ["b@x.example"], MAIL.content)
            sent[sender] += 1
            if not result.accepted:
                refused.append(str(result.final))

    senders = [threading.Thread(target=load, args=(number,)) for number in range(len(sent))]
    for one in senders:
        one.start()
    try:
        reloads = 0
        while reloads < 5 or (min(sent) <= 5 and all(one.is_alive() for one in senders)):
            daemon.reload()
            reloads += 1
    finally:
        done.set()
        for one in senders:
            one.join()
    assert refused == []
    assert min(sent) > 5
    received = smtp_sink.wait_for(sum(sent))
    assert all(b"X-A: x" in one.content for one in received)
    assert b"tempfail" not in json.dumps(daemon.log).encode()


def test_a_reload_on_an_inet_socket_of_all_addresses(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.conf", adds("x"))
    with Daemon(config, "inet:0") as daemon:
        port = daemon.address.partition(":")[2].partition("@")[0]
        with MilterConnection(f"inet:{port}@127.0.0.1") as connection:
            daemon.reload()
            assert added(connection.send(MAIL)) == ["x"]


def test_a_signal_to_each_process_alone_is_no_stop(start_daemon: DaemonFactory) -> None:
    """As `pkill -HUP pyquarantine` does."""
    daemon = start_daemon(adds("x"))
    for pid in (*daemon.workers(), *daemon.generations()):
        os.kill(pid, signal.SIGHUP)
    daemon.reload()
    assert added(send(daemon.address, MAIL)) == ["x"]


def test_a_second_daemon_of_the_same_config_says_that_it_cannot_be_reloaded_by_command(
    start_daemon: DaemonFactory, admin: Admin
) -> None:
    first = start_daemon(adds("x"))
    with Daemon(admin.config, "inet:0@127.0.0.1") as second:
        second.wait_for_log("`pyquarantine reload` will not reach this daemon")
        assert admin.out("reload") == b"reloaded\n"
        first.wait_for_log(" reloaded")


NextWord = Callable[[str], list[str]]


@pytest.fixture
def next_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NextWord]:
    """In place of systemd, hears the next message that begins with a word."""
    monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/notify")
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"{tmp_path}/notify")
        systemd.settimeout(PATIENCE)

        def hear(word: str) -> list[str]:
            while True:
                lines = systemd.recv(1024).decode().splitlines()
                if lines[0].startswith(word):
                    return lines

        yield hear


def test_systemd_hears_of_a_reload(next_word: NextWord, tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.conf", adds("x"))
    with Daemon(config, "inet:0@127.0.0.1") as daemon:
        assert next_word("READY")
        assert next_word("WATCHDOG")
        daemon.reload()
        reloading = next_word("RELOADING")
        assert reloading[1].startswith("MONOTONIC_USEC=")
        assert next_word("READY")
        write_config(config, adds("x", sockte=1))
        subprocess.run(["kill", "-HUP", str(daemon.pid)], check=True)
        assert "Not reloaded" in next_word("READY")[1]


def test_systemd_leaves_alone_a_daemon_whose_config_was_broken_when_its_generation_died(
    next_word: NextWord, tmp_path: Path
) -> None:
    """Its watchdog would end what tries again; and not start it, since the config is bad."""
    config = write_config(tmp_path / "c.conf", adds("x"))
    with Daemon(config, "inet:0@127.0.0.1") as daemon:
        assert next_word("READY")
        write_config(config, adds("x", sockte=1))
        (generation,) = daemon.generations()
        os.kill(generation, signal.SIGKILL)
        for _ in range(2):
            assert "unknown key; did you mean 'socket'?" in next_word("STATUS=Cannot start: ")[0]
            assert next_word("WATCHDOG")
        write_config(config, adds("mended"))
        assert next_word("READY")
        assert added(send(daemon.address, MAIL)) == ["mended"]


def test_verdicts_go_on_while_a_generation_that_cannot_start_is_tried(
    start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    daemon = start_daemon(adds("x"))
    rewrite(tmp_path, {"rules": []})
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for_log("not reloaded")
    assert send(daemon.address, MAIL).verdict is Verdict.ACCEPT
