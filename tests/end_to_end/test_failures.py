"""When something fails, the message is tried again: nothing is lost, nothing is there twice."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.mta import Mail, MilterConnection, Stage, Verdict, send
from pyquarantine_core.testing.processes import PATIENCE
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from ..conftest import InstallPlugin
from .conftest import Admin, DaemonFactory
from .test_recipients import SPAM, config

MAIL = Mail("a@x.example", ("b@x.example",), SPAM)


def two_stores(directory: Path, **second: Any) -> dict[str, Any]:
    def store(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "type": "store", "options": {"storage": name}} | more

    return {
        "storages": {
            name: {"type": "file", "directory": f"{directory}/{name}"} for name in ("one", "two")
        },
        "rules": [{"name": "all", "actions": [store("one"), store("two", **second)]}],
    }


def test_a_storage_that_is_gone_defers_the_mail_and_nothing_is_kept_twice(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> None:
    daemon = start_daemon(two_stores(tmp_path))
    postfix = throwaway_postfix(daemon.address)
    shutil.rmtree(tmp_path / "two")
    refused = submit(postfix.port, "a@x.example", ["b@x.example"], SPAM)
    assert refused.final.code == 451
    assert list((tmp_path / "one").iterdir()) == []
    daemon.wait_for_log("tempfail: all/two: action store of pyq-quarantine")
    daemon.wait_for_log(" in pyq-file-storage ")
    assert "Traceback" not in daemon.log

    (tmp_path / "two").mkdir()
    assert submit(postfix.port, "a@x.example", ["b@x.example"], SPAM).accepted
    assert len(list((tmp_path / "one").iterdir())) == 1
    assert len(list((tmp_path / "two").iterdir())) == 1
    smtp_sink.wait_for(1)


def test_on_error_continue_goes_on_as_before_the_action(
    start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    daemon = start_daemon(two_stores(tmp_path, on_error="continue"))
    shutil.rmtree(tmp_path / "two")
    assert send(daemon.address, MAIL).verdict is Verdict.ACCEPT
    assert len(list((tmp_path / "one").iterdir())) == 1
    daemon.wait_for_log("going on as before it")


PLUGIN = """
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import (
    Action, ActionType, Condition, ConditionType, Effect, Match, Part, Stage)

class Fails(Condition):
    def check(self, message):
        raise RuntimeError("no luck")

class LateEffect(Effect):
    def describe(self): return "fail"
    def prepare(self): pass
    def commit(self): raise RuntimeError("too late")
    def undo(self): pass

class Late(Action):
    def apply(self, message):
        message.add_header("X-Late", "yes")
        message.stage(LateEffect())

class Peek(Action):
    def apply(self, message):
        message.body.read()

class Nonsense(Action):
    def apply(self, message):
        return "accept"

OPTIONS = {"type": "object", "properties": {}}

@hookimpl
def pyquarantine_conditions():
    for stage in Stage:
        yield ConditionType(name=f"fails_{stage.name.lower()}", summary="", decided_at=stage,
            schema={"type": "boolean"}, build=lambda value, services: Fails())

@hookimpl
def pyquarantine_actions():
    for name, action in (("late", Late), ("peek", Peek), ("nonsense", Nonsense)):
        yield ActionType(name=name, summary="", needs=Stage.HEADERS, changes=Part.HEADERS,
            schema=OPTIONS, build=lambda options, services, action=action: action())
"""


@pytest.fixture
def failing_plugin(install_plugin: InstallPlugin, for_daemons: None) -> None:
    install_plugin("failing", PLUGIN)


@pytest.mark.usefixtures("failing_plugin")
@pytest.mark.parametrize("stage", ["connect", "envelope", "headers", "body"])
def test_an_error_at_any_stage_is_a_tempfail_and_the_connection_goes_on(
    stage: str, start_daemon: DaemonFactory
) -> None:
    rule = {
        "name": "r",
        "conditions": {f"fails_{stage}": True, "envfrom": "^a@"},
        "actions": [
            {"name": "add", "type": "add_header", "options": {"field": "X-A", "value": "b"}}
        ],
    }
    daemon = start_daemon({"rules": [rule]})
    for _ in range(2):
        with MilterConnection(daemon.address) as connection:
            result = connection.send(MAIL)
            assert result.verdict is Verdict.TEMPFAIL
            if stage != "connect":
                assert connection.send(MAIL).verdict is Verdict.TEMPFAIL
    logged = daemon.wait_for_log("tempfail: r: condition fails_")
    assert f"fails_{stage} of failing 1.0 failed: RuntimeError: no luck" in logged


@pytest.mark.usefixtures("failing_plugin")
def test_a_commit_that_fails_undoes_the_ones_before_it(
    start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    late = {"name": "late", "type": "late", "options": {}}
    settings = config(tmp_path, 25, late)
    daemon = start_daemon(settings)
    result = send(daemon.address, MAIL)
    assert (result.verdict, result.modifications) == (Verdict.TEMPFAIL, ())
    assert admin.held("hold") == []
    assert list((tmp_path / "spam").iterdir()) == []
    complaint = "/late: action late of failing 1.0 could not fail: RuntimeError: too late"
    assert f"{result.queue_id}: tempfail: " in daemon.wait_for_log(complaint)


@pytest.mark.usefixtures("failing_plugin")
@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        ("peek", "the body can be read only by what declares Stage.BODY"),
        ("nonsense", "apply() returned 'accept', not a Decision or None"),
    ],
)
def test_an_action_that_breaks_the_contract_is_named(
    action: str, complaint: str, start_daemon: DaemonFactory
) -> None:
    step = {"name": "x", "type": action, "options": {}}
    daemon = start_daemon({"rules": [{"name": "r", "actions": [step]}]})
    assert send(daemon.address, MAIL).verdict is Verdict.TEMPFAIL
    daemon.wait_for_log(f"r/x: action {action} of failing 1.0 failed: {complaint}")


def test_a_connection_that_breaks_off_leaves_nothing(
    start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    daemon = start_daemon(config(tmp_path, 25, milter_action="DISCARD"))
    with MilterConnection(daemon.address) as connection:
        connection.client_connects()
        result = connection.send(Mail("a@x.example", ("b@x.example",), b"Subject: ham\n\n"))
        assert result.stage is Stage.EOH
    assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
    assert len(admin.held("hold")) == 1


def test_many_messages_on_one_connection_do_not_mix(
    start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    daemon = start_daemon(config(tmp_path, 25, milter_action="DISCARD"))
    with MilterConnection(daemon.address) as connection:
        for number in range(20):
            recipients = tuple(f"u{number}-{one}@example.org" for one in range(number + 1))
            content = b"X-Spam: Yes\nSubject: %d\n\n%d\n" % (number, number)
            connection.send(Mail(f"s{number}@example.net", recipients, content))
    entries = admin.held("hold")[::-1]
    assert [one["subject"] for one in entries] == [str(number) for number in range(20)]
    for number, entry in enumerate(entries):
        assert entry["sender"] == f"s{number}@example.net"
        assert len(entry["recipients"]) == number + 1
        metadata = json.loads((tmp_path / "spam" / f"{entry['id']}.metadata").read_text())
        assert metadata["queue_id"] == entry["queue_id"]


OBSERVER = """
import os, time
from pyquarantine_core.hookspecs import hookimpl

@hookimpl
def pyquarantine_message_done(done):
    {body}
"""


COUNTER = """
import sys
from collections import Counter
from pyquarantine_core.hookspecs import hookimpl

FAILED = Counter()

@hookimpl
def pyquarantine_message_done(done):
    FAILED.update(failure.plugin for failure in done.failures)
    print(done.queue_id, done.verdict.value, dict(FAILED), file=sys.stderr, flush=True)
"""


@pytest.mark.usefixtures("failing_plugin")
def test_an_observer_can_count_the_errors_of_each_plugin(
    install_plugin: InstallPlugin, tmp_path: Path
) -> None:
    install_plugin("counter", COUNTER)
    peek = {"name": "x", "type": "peek", "options": {}}
    late = {"name": "late", "type": "late", "options": {}}
    rules = [{"name": "r", "actions": [{**peek, "on_error": "continue"}, late]}]
    settings = write_config(tmp_path / "c.conf", {"workers": 1, "rules": rules})
    with Daemon(settings, "inet:0@127.0.0.1") as daemon:
        for number in (1, 2):
            result = send(daemon.address, MAIL)
            counted = {"failing 1.0": 2 * number}
            daemon.wait_for_log(f"{result.queue_id} tempfail {counted}")


@pytest.mark.usefixtures("for_daemons")
def test_an_observer_changes_no_answer(
    install_plugin: InstallPlugin, start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    install_plugin("observer", OBSERVER.format(body="raise SystemExit"))
    daemon = start_daemon(config(tmp_path, 25, milter_action="DISCARD"))
    assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
    assert len(admin.held("hold")) == 1


@pytest.mark.usefixtures("for_daemons")
def test_what_was_held_when_the_daemon_stops_was_answered(
    install_plugin: InstallPlugin, start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    # The observer is slow, so that there is a time between commit and answer.
    install_plugin("observer", OBSERVER.format(body="time.sleep(1.5)"))
    daemon = start_daemon(config(tmp_path, 25, milter_action="DISCARD"))
    answered: list[Verdict] = []

    def send_until_it_ends() -> None:
        with contextlib.suppress(OSError):
            while True:
                answered.append(send(daemon.address, MAIL).verdict)

    senders = [threading.Thread(target=send_until_it_ends) for _ in range(4)]
    for one in senders:
        one.start()
    daemon.wait_for_log("verdict=discard")
    assert daemon.stop() == 0
    for one in senders:
        one.join()
    assert len(admin.held("hold")) == answered.count(Verdict.DISCARD)


LEAK = """
import subprocess
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Action, ActionType, Part, Stage

class Leak(Action):
    def apply(self, message):
        self.child = subprocess.Popen(["sleep", "20"], close_fds=False)

    def close(self):
        pass

@hookimpl
def pyquarantine_actions():
    yield ActionType(name="leak", summary="", needs=Stage.ENVELOPE, changes=Part.NOTHING,
        schema={"type": "object"}, build=lambda options, services: Leak())
"""


@pytest.mark.usefixtures("for_daemons")
def test_a_child_of_a_plugin_does_not_keep_the_socket(
    install_plugin: InstallPlugin, start_daemon: DaemonFactory
) -> None:
    install_plugin("leak", LEAK)
    step = {"name": "x", "type": "leak", "options": {}}
    daemon = start_daemon({"rules": [{"name": "r", "actions": [step]}]})
    assert send(daemon.address, MAIL).verdict is Verdict.ACCEPT
    assert daemon.stop() == 0
    with pytest.raises(ConnectionRefusedError):
        send(daemon.address, MAIL)


HANG = """
import time
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Action, ActionType, Part, Stage

class Hang(Action):
    def open(self):
        print("opening", flush=True)
        time.sleep(600)

    def apply(self, message):
        pass

@hookimpl
def pyquarantine_actions():
    yield ActionType(name="hang", summary="", needs=Stage.ENVELOPE, changes=Part.NOTHING,
        schema={"type": "object"}, build=lambda options, services: Hang())
"""


@pytest.mark.usefixtures("for_daemons")
def test_sigterm_ends_a_daemon_whose_plugin_hangs_while_it_opens(
    install_plugin: InstallPlugin, tmp_path: Path
) -> None:
    install_plugin("hang", HANG)
    step = {"name": "x", "type": "hang", "options": {}}
    rules = {"workers": 1, "rules": [{"name": "r", "actions": [step]}]}
    path = write_config(tmp_path / "c.conf", rules)
    program = [sys.executable, "-m", "pyquarantine_core.daemon", "-s", "inet:0@127.0.0.1"]
    with subprocess.Popen([*program, "-c", path], stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == b"opening\n"
        daemon.terminate()
        assert daemon.wait(PATIENCE) == 0
