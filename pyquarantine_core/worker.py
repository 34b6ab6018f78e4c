"""One generation: loads the plugins and the config, then forks the workers that run libmilter.

The supervisor executes it with the listening socket inherited, so that it always runs the code
and the config that are installed now: `python -m pyquarantine_core.worker`.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import select
import signal
import socket
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pyquarantine_core import config as configuration
from pyquarantine_core import milter
from pyquarantine_core.config import Config
from pyquarantine_core.errors import ConfigError, PyquarantineError
from pyquarantine_core.log import set_up_logging
from pyquarantine_core.types import Component

logger = logging.getLogger(__name__)

STOP_TIMEOUT = 30.0
"""Seconds that a message under way has to be finished after SIGTERM."""
READY = b"+"


class MessagesUnderWay:
    """Counts messages, so that a worker can end when there is none (`milter.Activity`)."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._closed = False

    def begin(self) -> None:
        """A message has begun.

        Raises:
            PyquarantineError: the worker ends; it must be tried again.
        """
        with self._changed:
            if self._closed:
                raise PyquarantineError("the daemon is stopping")
            self._count += 1

    def end(self) -> None:
        """A message is answered or given up."""
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def close(self, timeout: float) -> bool:
        """Wait, at most so many seconds, until none is under way; none can begin afterwards."""
        with self._changed:
            idle = self._changed.wait_for(lambda: self._count == 0, timeout)
            self._closed = True
            return idle


class StopRequest:
    """SIGTERM, SIGINT, or the end of the supervisor (its pipe is closed)."""

    def __init__(self, supervisor: int) -> None:
        self.made = False
        self._supervisor = supervisor
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGTERM, self.make)
        signal.signal(signal.SIGINT, self.make)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, self.wake)

    def make(self, *_: object) -> None:
        """Ask to stop; `wait` returns."""
        self.made = True
        self.wake()

    def wake(self, *_: object) -> None:
        """Make `wait` return."""
        with contextlib.suppress(BlockingIOError):  # full: it will return anyway
            os.write(self._wake, b".")

    def wait(self) -> None:
        """Return when a stop was asked for or a child ended."""
        watched = [self._woken] if self.made else [self._woken, self._supervisor]
        ready, _, _ = select.select(watched, [], [])
        if self._supervisor in ready:
            self.made = True
        if self._woken in ready:
            os.read(self._woken, 1024)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a generation until it is told to stop; returns the exit status."""
    options = _parse(arguments)
    set_up_logging(debug=options.debug)
    stop = StopRequest(options.supervisor)
    try:
        config = configuration.load(Path(options.config), debug=options.debug)
    except ConfigError as error:
        for line in str(error).splitlines():
            logger.error("%s", line)
        return os.EX_CONFIG
    underway = MessagesUnderWay()
    rules = milter.make_filter(config.rules, underway, config.registry.message_done)
    listener = _give_to_libmilter(options.listener, rules)
    count = config.settings.get("workers") or os.cpu_count() or 1
    ready, report = os.pipe()
    workers = {
        _fork(lambda: _work(config, underway, listener, options.supervisor, report))
        for _ in range(count)
    }
    os.close(report)
    if _read_all(ready) == READY * count:
        os.write(options.ready, READY)
        logger.info("ready with %d workers", count)
    else:
        stop.make()
    return _watch(workers, stop)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pyquarantine_core.worker")
    parser.add_argument("--config", required=True)
    parser.add_argument("--debug", action="store_true")
    for name in ("--listener", "--supervisor", "--ready"):
        parser.add_argument(name, type=int, required=True, help="an inherited descriptor")
    return parser.parse_args(arguments)


def _watch(workers: set[int], stop: StopRequest) -> int:
    """Wait for the workers to end; pass a stop on to them."""
    status = 0
    told = False
    while workers:
        if stop.made and not told:
            told = True
            for pid in workers:
                os.kill(pid, signal.SIGTERM)
        for pid in tuple(workers):
            ended, result = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            workers.remove(pid)
            code = os.waitstatus_to_exitcode(result)
            status = max(status, code if code >= 0 else 1)
            if not stop.made:
                logger.error("worker %d ended unexpectedly (%d), %d left", pid, code, len(workers))
        if workers:
            stop.wait()
    return status if stop.made else status or 1


def _fork(run: Callable[[], int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        status = run()
    except BaseException:
        logger.exception("a worker failed")
    finally:
        logging.shutdown()
        os._exit(status)


def _work(
    config: Config, underway: MessagesUnderWay, listener: int, supervisor: int, report: int
) -> int:
    """A worker: open what the plugins need, serve, and end between two messages."""
    stop = StopRequest(supervisor)
    opened: list[Component] = []
    try:
        for component in config.components():
            opened.append(component)
            component.open()
    except (PyquarantineError, OSError) as error:
        logger.error("cannot start: %s", error)
        return 1
    server = threading.Thread(target=_serve, args=(stop,), name="libmilter", daemon=True)
    server.start()
    os.write(report, READY)
    os.close(report)
    while not stop.made:
        stop.wait()
    _stop_listening(listener)
    if not underway.close(STOP_TIMEOUT):
        logger.warning("stopping while messages are under way; the MTA will try them again")
    for component in reversed(opened):
        component.close()
    return 0


def _serve(stop: StopRequest) -> None:
    try:
        milter.serve()
    except Exception:
        logger.exception("libmilter stopped")
    finally:
        stop.make()


def _give_to_libmilter(inherited: int, rules: milter.Filter) -> int:
    """Make libmilter listen on the inherited socket; returns its descriptor for it.

    libmilter only opens sockets itself: it gets a private one, which is then replaced. The
    socket is non-blocking, for a worker that loses the race for a connection must not wait in
    accept().
    """
    with socket.socket(fileno=os.dup(inherited)) as listener:
        family = listener.family
    before = _listeners()
    with tempfile.TemporaryDirectory() as directory:
        private = {
            socket.AF_UNIX: f"unix:{directory}/milter",
            socket.AF_INET: "inet:0@127.0.0.1",
            socket.AF_INET6: "inet6:0@::1",
        }
        milter.prepare(rules, private[family])
        (descriptor,) = _listeners() - before
    os.dup2(inherited, descriptor)
    os.set_blocking(descriptor, False)
    return descriptor


def _listeners() -> set[int]:
    """The descriptors of this process that are sockets."""
    found = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - descriptors, not paths
        with contextlib.suppress(OSError):  # the listing's own descriptor is gone by now
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                found.add(int(name))
    return found


def _stop_listening(descriptor: int) -> None:
    """Put a socket that nobody can reach in the place of the listening one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nobody:
        nobody.bind("")
        nobody.listen()
        nobody.setblocking(False)
        os.dup2(nobody.fileno(), descriptor)


def _read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb") as pipe:
        return pipe.read()


if __name__ == "__main__":
    sys.exit(main())
