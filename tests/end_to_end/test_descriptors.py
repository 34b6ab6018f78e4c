"""A daemon that has no descriptors left goes on with what it has, and recovers by itself."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from pyquarantine_core.testing.mta import MilterConnection, send

from .conftest import DaemonFactory
from .test_reload import MAIL, added, adds


@contextmanager
def no_descriptors(pid: int) -> Iterator[None]:
    """The process cannot open anything beside what it has open."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_a_reload_that_needs_them_changes_nothing(start_daemon: DaemonFactory) -> None:
    daemon = start_daemon(adds("x"))
    generations = daemon.generations()
    with no_descriptors(daemon.pid):
        os.kill(daemon.pid, signal.SIGHUP)
        daemon.wait_for_log("not reloaded, nothing has changed: there is no descriptor for it: ")
        assert added(send(daemon.address, MAIL)) == ["x"]
        assert daemon.generations() == generations
    daemon.reload()
    assert added(send(daemon.address, MAIL)) == ["x"]


def test_a_worker_is_replaced_as_soon_as_there_are_some(start_daemon: DaemonFactory) -> None:
    daemon = start_daemon(adds("x", workers=1))
    (generation,) = daemon.generations()
    (worker,) = daemon.workers()
    with no_descriptors(generation):
        os.kill(worker, signal.SIGKILL)
        daemon.wait_for_log("cannot start worker (Too many open files); trying again")
    assert added(send(daemon.address, MAIL)) == ["x"]
    assert daemon.generations() == [generation]


def test_a_worker_without_any_serves_its_connections_after_a_reload(
    start_daemon: DaemonFactory,
) -> None:
    daemon = start_daemon(adds("x", workers=1))
    with MilterConnection(daemon.address) as connection:
        assert added(connection.send(MAIL)) == ["x"]
        with no_descriptors(*daemon.workers()):
            daemon.reload()
            assert added(connection.send(MAIL)) == ["x"]
