"""The threads of a worker keep to one core, each worker to another."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pyquarantine_core.testing.mta import MilterConnection
from pyquarantine_core.testing.processes import PATIENCE, wait_until

from .conftest import DaemonFactory
from .test_reload import MAIL, added, adds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads are pinned on Linux only")


def serving(worker: int) -> set[frozenset[int]]:
    """Where the threads of a worker may run that serve mail: all but its first."""
    threads = {int(path.name) for path in Path(f"/proc/{worker}/task").iterdir()} - {worker}
    return {frozenset(os.sched_getaffinity(thread)) for thread in threads}


def test_each_worker_keeps_to_a_core_of_its_own(start_daemon: DaemonFactory) -> None:
    cores = os.sched_getaffinity(0)
    daemon = start_daemon(adds("x", workers=len(cores)))
    one_each = {frozenset({core}) for core in cores}
    assert wait_until(lambda: set().union(*map(serving, daemon.workers())) == one_each, PATIENCE)
    with MilterConnection(daemon.address) as connection:
        assert added(connection.send(MAIL)) == ["x"]
        assert set().union(*map(serving, daemon.workers())) == one_each


def test_workers_beyond_the_cores_share_them(start_daemon: DaemonFactory) -> None:
    cores = os.sched_getaffinity(0)
    daemon = start_daemon(adds("x", workers=len(cores) + 1))

    def kept() -> list[frozenset[int]]:
        return [one for worker in daemon.workers() for one in serving(worker)]

    assert wait_until(lambda: sum(len(one) == 1 for one in kept()) == len(cores) + 1, PATIENCE)
    assert frozenset().union(*kept()) == cores


def test_workers_that_are_not_pinned_run_anywhere(start_daemon: DaemonFactory) -> None:
    daemon = start_daemon(adds("x", workers=1, pin_workers=False))
    with MilterConnection(daemon.address) as connection:
        assert added(connection.send(MAIL)) == ["x"]
        (worker,) = daemon.workers()
        assert serving(worker) == {frozenset(os.sched_getaffinity(0))}
