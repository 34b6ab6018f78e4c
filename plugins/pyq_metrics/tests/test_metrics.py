"""What Prometheus and a load balancer see of a real daemon."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.spool import Spool
from pyquarantine_core.testing.daemon import Daemon, DaemonFailed, write_config
from pyquarantine_core.testing.mta import Mail, Verdict, send
from pyquarantine_core.testing.processes import PATIENCE, wait_until
from pyquarantine_core.testing.sockets import free_port
from pyquarantine_core.types import Delivery

MAIL = Mail("a@x.example", ("b@x.example",), b"Subject: x\n\nx\n")
ACTIONS = """
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Action, ActionType, ConditionType, Condition
from pyquarantine_core.types import Decision, Effect, EffectPhase, Match, Part, Stage, Verdict

class Kept(Effect):
    def __init__(self, phase): self.phase = phase
    def describe(self): return "do nothing"
    def prepare(self): pass
    def commit(self): pass
    def undo(self): pass

class Reject(Action):
    "Stores one copy and tells two recipients, as far as the core can see."

    def apply(self, message):
        for phase in (EffectPhase.STORAGE, EffectPhase.NOTIFICATION, EffectPhase.NOTIFICATION):
            message.stage(Kept(phase))
        return Decision(Verdict.REJECT)

class FromSpammer(Condition):
    def check(self, message):
        if message.sender == "odd@x.example":
            raise RuntimeError("no luck")
        return Match(message.sender == "spam@x.example", "")

OPTIONS = {"type": "object", "properties": {}}

@hookimpl
def pyquarantine_actions():
    yield ActionType(name="reject", summary="", schema=OPTIONS, needs=Stage.ENVELOPE,
        changes=Part.NOTHING, build=lambda options, services: Reject())

@hookimpl
def pyquarantine_conditions():
    yield ConditionType(name="spammer", summary="", schema={"type": "boolean"},
        decided_at=Stage.ENVELOPE, build=lambda value, services: FromSpammer())
"""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def config(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Rejects what spam@x.example sends."""
    site_packages = tmp_path / "site-packages"
    metadata = site_packages / "rejecting-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site_packages / "rejecting.py").write_text(ACTIONS)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: rejecting\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[pyquarantine]\nrejecting = rejecting\n")
    monkeypatch.setenv("PYTHONPATH", str(site_packages))
    reject = {"name": "no", "type": "reject", "options": {}}
    return {
        "workers": 2,
        "outbox": f"{tmp_path}/outbox",
        "metrics": f"127.0.0.1:{port}",
        "rules": [{"name": "spam", "conditions": {"spammer": True}, "actions": [reject]}],
    }


@pytest.fixture
def daemon(config: dict[str, Any], tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(write_config(tmp_path / "c.conf", config), "inet:0@127.0.0.1") as running:
        running.wait_for_log("metrics at http://127.0.0.1:")
        yield running


def get(port: int, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as reply:
        text: str = reply.read().decode()
        return text


def value(port: int, name: str) -> float:
    """A sample by its name with labels."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", get(port), re.MULTILINE)
    return float(found[1]) if found else 0.0


REJECTED = 'pyquarantine_messages_total{stage="body",verdict="reject"}'
ACCEPTED = 'pyquarantine_messages_total{stage="envelope",verdict="accept"}'


def mail(daemon: Daemon, *, spam: int, ham: int) -> None:
    for sender, count, verdict in (
        ("spam@x.example", spam, Verdict.REJECT),
        ("a@x.example", ham, Verdict.ACCEPT),
    ):
        for _ in range(count):
            assert send(daemon.address, replace(MAIL, sender=sender)).verdict is verdict


def test_messages_of_all_workers_are_counted_by_verdict_rule_and_action(
    daemon: Daemon, port: int
) -> None:
    mail(daemon, spam=5, ham=7)
    assert value(port, REJECTED) == 5
    assert value(port, ACCEPTED) == 7
    assert value(port, 'pyquarantine_rule_matches_total{rule="spam"}') == 5
    assert value(port, 'pyquarantine_actions_total{action="no",rule="spam"}') == 5
    assert value(port, "pyquarantine_stored_total") == 5
    assert value(port, "pyquarantine_notified_total") == 10
    assert value(port, "pyquarantine_message_seconds_count") == 12
    assert value(port, 'pyquarantine_message_seconds_bucket{le="+Inf"}') == 12
    assert value(port, "pyquarantine_message_seconds_sum") > 0
    assert value(port, "pyquarantine_workers") == 2
    assert value(port, "pyquarantine_outbox_items") == 0
    assert value(port, "pyquarantine_outbox_failed") == 0
    assert value(port, "pyquarantine_outbox_dropped_total") == 0


def test_what_the_outbox_has_is_told(daemon: Daemon, port: int, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "outbox")
    spool.make()
    ids = spool.stage("4XyZ", *[Delivery("gone", "u@example.org", b"x")] * 3)
    spool.commit(*ids)
    spool.fail(spool.read(ids[0]))
    spool.count_dropped()
    assert 0 < value(port, "pyquarantine_outbox_oldest_seconds") < 3600
    old = tmp_path / "outbox" / "20200101000000000000_0123abcd"
    (tmp_path / "outbox" / ids[1]).rename(old)
    since = datetime.now(UTC) - datetime(2020, 1, 1, tzinfo=UTC)
    age = value(port, "pyquarantine_outbox_oldest_seconds")
    assert age == pytest.approx(since.total_seconds(), abs=3600)
    assert value(port, "pyquarantine_outbox_items") == 2
    assert value(port, "pyquarantine_outbox_failed") == 1
    assert value(port, "pyquarantine_outbox_dropped_total") == 1


def test_errors_are_counted_by_plugin(daemon: Daemon, port: int) -> None:
    odd = replace(MAIL, sender="odd@x.example")
    assert send(daemon.address, odd).verdict is Verdict.TEMPFAIL
    labels = 'action="",plugin="rejecting",rule="spam",tempfail="true"'
    assert value(port, f"pyquarantine_errors_total{{{labels}}}") == 1


def test_counts_go_on_after_reloads_and_files_do_not_pile_up(
    daemon: Daemon, port: int, tmp_path: Path
) -> None:
    for round_ in range(1, 5):
        mail(daemon, spam=1, ham=0)
        assert value(port, REJECTED) == round_
        (old, *_) = daemon.generations()
        pidfd = os.pidfd_open(old)
        daemon.reload()
        await_end(pidfd)
    assert value(port, REJECTED) == 4
    assert len(list((tmp_path / "metrics").glob("counter_*.db"))) <= 4


def test_counts_go_on_after_a_worker_was_killed(daemon: Daemon, port: int) -> None:
    mail(daemon, spam=4, ham=0)
    for worker in daemon.workers()[:2]:
        pidfd = os.pidfd_open(worker)
        os.kill(worker, signal.SIGKILL)
        await_end(pidfd)
    mail(daemon, spam=4, ham=0)
    assert value(port, REJECTED) == 8


def test_files_that_a_crash_has_spoilt_are_made_anew(
    daemon: Daemon, port: int, tmp_path: Path
) -> None:
    mail(daemon, spam=4, ham=4)
    assert daemon.stop() == 0
    for path in (tmp_path / "metrics").glob("*.db"):
        path.write_bytes(b"\xff" * 64)
    with Daemon(tmp_path / "c.conf", "inet:0@127.0.0.1") as again:
        again.wait_for_log("metrics at")
        mail(again, spam=3, ham=0)
        assert value(port, REJECTED) == 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with place for the files of one worker."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small], check=True)
    yield small
    subprocess.run(["umount", small], check=True)


def fill(directory: Path) -> None:
    with (directory / "fill").open("wb", buffering=0) as file:
        while os.statvfs(directory).f_bavail:
            file.write(bytes(65536))


def test_a_disk_that_becomes_full_kills_no_worker(
    config: dict[str, Any], small_disk: Path, tmp_path: Path, port: int
) -> None:
    config |= {"workers": 1, "outbox": f"{small_disk}/outbox"}
    (rule,) = config["rules"]
    names = [f"{number}{'x' * 200}" for number in range(100)]
    config["rules"] = [{**rule, "name": name, "pretend": True} for name in names] + [rule]
    with Daemon(write_config(tmp_path / "c.conf", config), "inet:0@127.0.0.1") as daemon:
        fill(small_disk)
        mail(daemon, spam=2, ham=0)
        assert value(port, f'pyquarantine_rule_matches_total{{rule="{names[99]}"}}') == 2


def test_a_full_disk_stops_no_worker(
    config: dict[str, Any], small_disk: Path, tmp_path: Path, port: int
) -> None:
    config["outbox"] = f"{small_disk}/outbox"
    fill(small_disk)
    with Daemon(write_config(tmp_path / "c.conf", config), "inet:0@127.0.0.1") as daemon:
        daemon.wait_for_log("metrics: this worker counts nothing: ")
        mail(daemon, spam=1, ham=1)
        assert get(port, "/health") == "ok\n"


def test_health_says_whether_a_worker_lives(daemon: Daemon, port: int) -> None:
    assert get(port, "/health") == "ok\n"
    (generation,) = daemon.generations()
    os.kill(generation, signal.SIGSTOP)  # it replaces nobody
    for worker in daemon.workers()[:2]:
        pidfd = os.pidfd_open(worker)
        os.kill(worker, signal.SIGKILL)
        await_end(pidfd)
    with pytest.raises(urllib.error.HTTPError) as unhealthy:
        get(port, "/health")
    assert unhealthy.value.code == 503
    unhealthy.value.close()
    assert value(port, "pyquarantine_workers") == 0
    os.kill(generation, signal.SIGCONT)
    assert wait_until(lambda: value(port, "pyquarantine_workers") == 2, PATIENCE)
    assert get(port, "/health") == "ok\n"


def test_other_paths_are_not_there(daemon: Daemon, port: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(port, "/etc/passwd")
    assert refused.value.code == 404
    refused.value.close()


def test_an_address_in_use_stops_no_mail(config: dict[str, Any], tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        config["metrics"] = f"127.0.0.1:{other.getsockname()[1]}"
        with Daemon(write_config(tmp_path / "c.conf", config), "inet:0@127.0.0.1") as daemon:
            daemon.wait_for_log("metrics: cannot listen at 127.0.0.1 port")
            mail(daemon, spam=1, ham=1)


@pytest.mark.parametrize("address", ["9797", "localhost", "http://x:1/", "[::1]", 9797])
def test_an_address_that_is_none_is_one_line(
    address: object, config: dict[str, Any], tmp_path: Path
) -> None:
    path = write_config(tmp_path / "c.conf", {**config, "metrics": address})
    complaint = r"metrics: .* (is not HOST:PORT, such as 127\.0\.0\.1:9797|should be a text)"
    with pytest.raises(DaemonFailed, match=complaint):
        Daemon(path, "inet:0@127.0.0.1").start()


def test_a_port_that_is_none_is_one_line(config: dict[str, Any], tmp_path: Path) -> None:
    path = write_config(tmp_path / "c.conf", {**config, "metrics": "127.0.0.1:65536"})
    with pytest.raises(DaemonFailed, match="metrics: 65536 is not a port; the highest is 65535"):
        Daemon(path, "inet:0@127.0.0.1").start()


def await_end(pidfd: int) -> None:
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    assert poller.poll(1000 * PATIENCE), "still running"
    os.close(pidfd)
