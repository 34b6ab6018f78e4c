"""What the daemon tells systemd: on a real datagram socket, in place of systemd's."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.mta import Mail, send
from pyquarantine_core.testing.processes import PATIENCE

ADD = {"name": "add", "type": "add_header", "options": {"field": "X-A", "value": "b"}}
MAIL = Mail("a@x.example", ("b@x.example",), b"Subject: x\n\nx\n")


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_systemd_hears_when_the_daemon_serves_and_when_it_stops(
    abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"@pyquarantine-{secrets.token_hex(8)}" if abstract else f"{tmp_path}/notify"
    milter = f"unix:{tmp_path}/milter.sock"
    config = write_config(
        tmp_path / "c.conf",
        {"socket": milter, "workers": 2, "rules": [{"name": "r", "actions": [ADD]}]},
    )
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    program = Path(sys.executable).with_name("pyquarantine-milter")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name.replace("@", "\0") if abstract else name)
        systemd.settimeout(PATIENCE)
        with subprocess.Popen([program, "-c", config]) as daemon:
            try:
                ready = systemd.recv(1024).decode()
                assert ready.splitlines() == ["READY=1", f"STATUS=Listening at {milter}"]
                assert send(milter, MAIL).modifications != ()
                daemon.send_signal(signal.SIGTERM)
                assert systemd.recv(1024) == b"STOPPING=1"
                assert daemon.wait(PATIENCE) == 0
            finally:
                daemon.kill()


def test_a_daemon_that_systemd_does_not_hear_serves_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/nobody")
    config = write_config(tmp_path / "c.conf", {"rules": [{"name": "r", "actions": [ADD]}]})
    with Daemon(config, "inet:0@127.0.0.1") as daemon:
        daemon.wait_for_log("cannot tell systemd 'READY=1")
        assert send(daemon.address, MAIL).modifications != ()
