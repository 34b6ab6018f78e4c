"""How a generation watches its processes and replaces them; each one is a program of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from pyquarantine_core.testing.processes import PATIENCE, wait_until

BEGIN = """
import os, signal, sys, time
from pyquarantine_core import generation
from pyquarantine_core.channel import Parent, Word
from pyquarantine_core.generation import Generation, Role

fork, forks = os.fork, [0]

def count_forks():
    forks[0] += 1
    return fork()

os.fork = count_forks

def work(parent):
    parent.report(Word.READY)
    while not parent.stop:
        parent.wait(0.05)
        parent.report(Word.ALIVE)
    return 0
"""
RUN = """
parent = Parent.inherited(int(sys.argv[1]))
parent.take_signals()
roles = [Role("worker", work, lingers=True)] * int(sys.argv[2])
sys.exit(Generation(roles, parent, lambda: None, 1.0, 9.0).run())
"""


class Running:
    """A generation, seen from the supervisor's end of its channel."""

    def __init__(self, channel: socket.socket, pid: int, log: Path) -> None:
        self.pid = pid
        self._channel = channel
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def hear(self, word: bytes) -> None:
        """Wait until it says so."""
        while self._channel.recv(1000).split()[:1] != [word]:
            pass


Run = Callable[[str, int], AbstractContextManager[Running]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a generation of so many workers; it must end well when it is told to stop."""
    log = tmp_path / "log"

    @contextmanager
    def running(program: str, workers: int) -> Iterator[Running]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs, log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", BEGIN + program + RUN, str(theirs.fileno()), str(workers)],
                pass_fds=[theirs.fileno()],
                stderr=errors,
            )
            theirs.close()
            ours.settimeout(PATIENCE)
            try:
                yield Running(ours, process.pid, log)
            finally:
                ours.close()
                status = process.wait(PATIENCE)
            assert status == 0

    return running


FORK_FAILS_TWICE = """
calls = [0]

def fork_or_fail():
    calls[0] += 1
    if calls[0] in {1, 3}:
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()

os.fork = fork_or_fail
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_cannot_be_forked_is_forked_later_and_awaited(run: Run, workers: int) -> None:
    with run(FORK_FAILS_TWICE, workers) as generation:
        generation.hear(b"ready")
        children = Path(f"/proc/{generation.pid}/task/{generation.pid}/children").read_text()
        assert len(children.split()) == workers
    assert "cannot start worker (Resource temporarily unavailable); trying again" in generation.log


# What does not run sees of that no more than a clock that has gone on.
TIME_GOES_ON = """
class Clock:
    ahead = 0.0
    monotonic = classmethod(lambda cls: time.monotonic() + cls.ahead)

def go_on(*_):
    Clock.ahead += 1000.0

generation.time = Clock
signal.signal(signal.SIGUSR2, go_on)
"""


def test_after_all_were_frozen_for_a_while_none_counts_as_hanging(run: Run) -> None:
    """As a container that is paused, or a virtual machine that is moved."""
    with run(TIME_GOES_ON, 5) as generation:
        generation.hear(b"ready")
        os.kill(generation.pid, signal.SIGUSR2)
        for _ in range(50):
            generation.hear(b"alive")
    assert generation.log == ""


SECOND_OPENS_FOR_EVER = """
generation.OPENING = 0.5
generation.TO_TELL = 0.5

def work_or_hang(parent, work=work):
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    number = forks[0]
    if number == 2:
        time.sleep(3600)
    if number == 1:
        parent.report(Word.READY)
        return 1
    print("serves:", number, file=sys.stderr, flush=True)
    return work(parent)

work = work_or_hang
"""


def test_one_that_never_comes_to_serve_is_replaced_as_well(run: Run) -> None:
    with run(SECOND_OPENS_FOR_EVER, 1) as generation:
        generation.hear(b"ready")
        assert wait_until(lambda: "serves: 3" in generation.log, PATIENCE), generation.log
    assert " hangs: no sign of life for " in generation.log
