"""A process that dies or hangs is replaced; the MTA tries again what only that one knew."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.mta import Mail, MilterConnection, Verdict, send
from pyquarantine_core.testing.processes import PATIENCE, wait_until
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from ..conftest import InstallPlugin
from .conftest import DaemonFactory
from .test_reload import MAIL, added, adds, await_end

HELD_UP = Mail("late@x.example", ("b@x.example",), b"Subject: late\n\nx\n")

LATE = """
import re
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Action, ActionType, Part, Stage

class Late(Action):
    def apply(self, message):
        if message.sender == "late@x.example":
            {work}

@hookimpl
def pyquarantine_actions():
    yield ActionType(name="late", summary="", needs=Stage.ENVELOPE, changes=Part.NOTHING,
        schema={{"type": "object", "properties": {{}}}}, build=lambda options, services: Late())
"""


def runs(*actions: str, **more: Any) -> dict[str, Any]:
    steps = [{"name": one, "type": one, "options": {}} for one in actions]
    add = {"name": "add", "type": "add_header", "options": {"field": "X-A", "value": "b"}}
    return {"workers": 1, "rules": [{"name": "r", "actions": [*steps, add]}], **more}


def test_a_worker_that_dies_is_replaced(
    start_daemon: DaemonFactory, throwaway_postfix: PostfixFactory, smtp_sink: SmtpSink
) -> None:
    daemon = start_daemon(adds("x", workers=1))
    postfix = throwaway_postfix(daemon.address)
    for _ in range(3):
        (worker,) = daemon.workers()
        pidfd = os.pidfd_open(worker)
        os.kill(worker, signal.SIGKILL)
        await_end(pidfd)
        daemon.wait_for_log(f"worker {worker} ended unexpectedly (signal 9); replacing it")
        assert submit(postfix.port, "a@x.example", ["b@x.example"], MAIL.content).accepted
    assert len(smtp_sink.wait_for(3)) == 3


def test_a_generation_that_dies_is_replaced(start_daemon: DaemonFactory) -> None:
    daemon = start_daemon(adds("x"))
    (generation,) = daemon.generations()
    ends = [os.pidfd_open(pid) for pid in daemon.workers()]
    os.kill(generation, signal.SIGKILL)
    for pidfd in ends:
        await_end(pidfd)
    assert added(send(daemon.address, MAIL)) == ["x"]
    daemon.wait_for_log(f"generation {generation} ended (-9)")


@pytest.mark.usefixtures("for_daemons")
def test_a_plugin_that_hangs_is_named_and_its_worker_replaced_while_other_mail_flows(
    install_plugin: InstallPlugin, start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    install_plugin("late", LATE.format(work=f"open({str(fifo)!r}).close()"))
    daemon = start_daemon(runs("late", timeout=3))
    (worker,) = daemon.workers()
    end = os.pidfd_open(worker)
    with MilterConnection(daemon.address) as other, MilterConnection(daemon.address) as stuck:
        assert added(other.send(MAIL)) == ["b"]
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(stuck.send(HELD_UP)))
        waiting.start()
        line = daemon.wait_for_log(f"worker {worker} hangs: ")
        daemon.wait_for_log(" in apply")  # where it hangs
        assert added(other.send(MAIL)) == ["b"]
        assert added(send(daemon.address, MAIL)) == ["b"]
        assert wait_until(lambda: len(daemon.workers()) == 2, PATIENCE)
        fifo.open("w").close()  # it may go on
        waiting.join()
    assert [one.verdict for one in answers] == [Verdict.ACCEPT]
    assert f"hangs: {answers[0].queue_id}: r/late: action late of late 1.0: for " in line
    await_end(end)


UNDO = """
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Action, ActionType, Effect, Part, Stage

class Slow(Effect):
    def describe(self): return "be slow"
    def prepare(self): pass
    def commit(self): pass
    def undo(self): open({fifo!r}).close()

class Stages(Action):
    def apply(self, message):
        message.stage(Slow())

class Fails(Action):
    def apply(self, message):
        raise RuntimeError("no luck")

@hookimpl
def pyquarantine_actions():
    for name, action in (("stages", Stages), ("fails", Fails)):
        yield ActionType(name=name, summary="", needs=Stage.ENVELOPE, changes=Part.NOTHING,
            schema={{"type": "object", "properties": {{}}}},
            build=lambda options, services, action=action: action())
"""


@pytest.mark.usefixtures("for_daemons")
def test_one_that_hangs_while_something_is_undone_is_noticed_too(
    install_plugin: InstallPlugin, start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    install_plugin("undo", UNDO.format(fifo=str(fifo)))
    daemon = start_daemon(runs("stages", "fails", timeout=1))
    (worker,) = daemon.workers()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(send, daemon.address, MAIL)
        daemon.wait_for_log(f"worker {worker} hangs: ")
        daemon.wait_for_log(" in undo")
        fifo.open("w").close()
        assert answer.result().verdict is Verdict.TEMPFAIL


@pytest.mark.usefixtures("for_daemons")
def test_a_plugin_that_stops_all_threads_costs_its_own_worker_alone(
    install_plugin: InstallPlugin, start_daemon: DaemonFactory
) -> None:
    install_plugin("late", LATE.format(work='re.match("(a|a)*$", "a" * 64 + "b")'))
    daemon = start_daemon(runs("late", timeout=3))
    (worker,) = daemon.workers()
    end = os.pidfd_open(worker)
    with (
        MilterConnection(daemon.address) as connection,
        pytest.raises(ConnectionError),
    ):
        connection.send(HELD_UP)
    await_end(end)
    daemon.wait_for_log(f"worker {worker} hangs: no sign of life for ")
    daemon.wait_for_log(" in apply")
    assert added(send(daemon.address, MAIL)) == ["b"]
