"""The installed unit under a real systemd: all of it works in the sandbox, and stays in there."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.mta import Mail, Verdict, send
from pyquarantine_core.testing.processes import wait_until
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.sockets import free_port

from .systemd import UNIT, Systemd, why_not

pytestmark = pytest.mark.skipif(why_not() != "", reason=why_not() or "it can")

STATE = Path("/var/lib/pyquarantine")
CONFIG = Path("/etc/pyquarantine/pyquarantine.conf")
SOCKET = Path("/run/pyquarantine/milter.sock")
HTML = b"""\
From: a@example.net
Subject: hello
Content-Type: text/html

<p><a href="http://example.com/">x</a></p>
"""


def config(smtp_port: int, metrics_port: int) -> dict[str, Any]:
    """All actions on the mail of everybody, and a quarantine with an allowlist."""
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": smtp_port}
    templates = "/etc/pyquarantine/templates"
    disclaimer = {
        "action": "append",
        "error_policy": "wrap",
        "text_template": f"{templates}/disclaimer_text.template",
        "html_template": f"{templates}/disclaimer_html.template",
    }
    hold = {"storage": "held", "notification": "email", "allowlist": "allow", **smtp}
    touching: list[tuple[str, dict[str, Any]]] = [
        ("store", {"storage": "copies"}),
        ("mod_header", {"field": "^Subject$", "search": "hello", "value": "changed"}),
        ("add_header", {"field": "X-Seen", "value": "yes"}),
        ("rewrite_links", {"repl": "https://check.example/?{URL}"}),
        ("add_disclaimer", disclaimer),
        ("notify", {"notification": "email"}),
        ("quarantine", {**hold, "milter_action": "DISCARD"}),
    ]
    return {
        "socket": f"unix:{SOCKET}",
        "socket_mode": "0666",
        "workers": 2,
        "metrics": f"127.0.0.1:{metrics_port}",
        "outbox": f"{STATE}/outbox",
        "lists": {
            "allow": {"type": "db", "connection": f"sqlite:///{STATE}/lists.db", "table": "a"}
        },
        "storages": {
            one: {"type": "file", "directory": f"{STATE}/{one}"} for one in ("held", "copies")
        },
        "notifications": {
            "email": {
                "type": "email",
                "envelope_from": "filter@example.org",
                "from_header": "filter@example.org",
                "subject": "held",
                "template": f"{templates}/notification.template",
                **smtp,
            }
        },
        "rules": [
            {
                "name": "all",
                "actions": [
                    {"name": kind, "type": kind, "options": options} for kind, options in touching
                ],
            }
        ],
    }


class Service:
    """The service, and what its admin does."""

    def __init__(self, systemd: Systemd) -> None:
        self.systemd = systemd

    def configure(self, config: dict[str, Any]) -> None:
        self.here(CONFIG).write_text(json.dumps(config))

    def here(self, path: Path) -> Path:
        """Where this side finds what the service has as `path`."""
        return self.systemd.root / path.relative_to("/")

    def supervisor(self) -> int:
        """Its process ID on this side."""
        processes = self.systemd.processes()
        (first,) = (one for one in processes if _parent(one) not in processes)
        return first

    def command(self, *arguments: str) -> str:
        """Run `pyquarantine` as the service's user, where the service is."""
        program = Path(sys.executable).with_name("pyquarantine")
        user = ("setpriv", "--reuid=pyquarantine", "--regid=pyquarantine", "--clear-groups")
        return self.systemd.inside(self.supervisor(), *user, str(program), *arguments)

    def send(self, sender: str) -> Verdict:
        return send(f"unix:{self.here(SOCKET)}", Mail(sender, ("b@example.org",), HTML)).verdict


@pytest.fixture
def service() -> Iterator[Service]:
    with Systemd() as systemd:
        yield Service(systemd)
        sys.stdout.write(systemd.log)


def _parent(pid: int) -> int:
    status = Path(f"/proc/{pid}/stat").read_text()
    return int(status.rpartition(")")[2].split()[1])


def test_everything_works_in_the_sandbox(service: Service, smtp_sink: SmtpSink) -> None:
    metrics = free_port()
    service.configure(config(smtp_sink.port, metrics))
    systemd = service.systemd
    systemd.systemctl("start", UNIT)
    assert systemd.show("StatusText") == f"Listening at unix:{SOCKET}"
    assert service.send("a@example.net") is Verdict.DISCARD
    smtp_sink.wait_for(2)  # by `notify` and by `quarantine`
    (held,) = json.loads(service.command("quarantine", "quarantine", "list", "--json"))
    service.command("quarantine", "quarantine", "release", "-a", held["id"])
    smtp_sink.wait_for(3)
    service.command("list", "allow", "add", "-f", "a@example.net")
    assert service.send("a@example.net") is Verdict.ACCEPT
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics") as reply:
        assert b'pyquarantine_messages_total{stage="body",verdict="accept"} 1.0' in reply.read()
    systemd.systemctl("reload", UNIT)
    assert service.send("b@example.net") is Verdict.DISCARD
    systemd.systemctl("stop", UNIT)
    assert (systemd.show("Result"), systemd.processes()) == ("success", [])
    assert "ERROR" not in systemd.log


def test_the_sandbox_holds(service: Service, smtp_sink: SmtpSink) -> None:
    service.configure(config(smtp_sink.port, free_port()))
    systemd = service.systemd
    systemd.systemctl("start", UNIT)
    assert len(systemd.processes()) > 3
    for pid in systemd.processes():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = {name: value.split() for name, _, value in (one.partition(":") for one in lines)}
        assert status["NoNewPrivs"] == ["1"]
        assert status["Seccomp"] == ["2"]
        assert int(status["CapEff"][0], 16) == int(status["CapBnd"][0], 16) == 0
        assert "0" not in status["Uid"] + status["Gid"] + status["Groups"]
        for where in ("/usr", "/etc", "/root"):
            with pytest.raises(subprocess.CalledProcessError):
                systemd.inside(pid, "touch", f"{where}/pyquarantine-test")
        assert systemd.inside(pid, "find", "/dev", "-type", "b") == ""


def test_a_config_that_is_wrong_is_not_tried_again_and_what_was_killed_is(
    service: Service, smtp_sink: SmtpSink
) -> None:
    systemd = service.systemd
    service.configure({})
    with pytest.raises(subprocess.CalledProcessError):
        systemd.systemctl("start", UNIT)
    assert (systemd.show("ActiveState"), systemd.show("ExecMainStatus")) == ("failed", "78")
    service.configure(config(smtp_sink.port, free_port()))
    systemd.systemctl("start", UNIT)
    killed = service.supervisor()
    systemd.systemctl("kill", "--signal=KILL", UNIT)
    wait_until(
        lambda: systemd.show("NRestarts") == "1" and systemd.show("ActiveState") == "active", 60
    )
    assert service.supervisor() != killed
    assert service.send("a@example.net") is Verdict.DISCARD
