"""One generation: loads the plugins and the config, then forks the workers that run libmilter.

The supervisor executes it with the listening socket inherited, so that it always runs the code
and the config that are installed now: `python -m pyquarantine_core.worker`.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from pyquarantine_core import config as configuration
from pyquarantine_core import milter
from pyquarantine_core.config import Config
from pyquarantine_core.engine import is_bug
from pyquarantine_core.errors import ConfigError
from pyquarantine_core.listening import give_to_libmilter, stop_listening
from pyquarantine_core.log import set_level, set_up_logging
from pyquarantine_core.sender import Sender
from pyquarantine_core.stopping import StopRequest
from pyquarantine_core.types import Component
from pyquarantine_core.underway import MessagesUnderWay

logger = logging.getLogger(__name__)

STOP_TIMEOUT = 10.0
"""Seconds that messages under way have to be finished after SIGTERM."""
KILL_TIMEOUT = 15.0
"""Seconds after which a worker that was told to stop is killed."""
READY = b"+"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a generation until it is told to stop; returns the exit status."""
    options = _parse(arguments)
    for inherited in (options.listener, options.supervisor, options.ready):
        os.set_inheritable(inherited, False)
    set_up_logging(debug=options.debug)
    stop = StopRequest(options.supervisor)
    try:
        config = configuration.load(Path(options.config), debug=options.debug)
    except ConfigError as error:
        for line in str(error).splitlines():
            logger.error("%s", line)
        return os.EX_CONFIG
    set_level(config.settings["loglevel"], debug=options.debug)
    if not _each(config.components(), "set_up"):
        return 1
    underway = MessagesUnderWay()
    rules = milter.make_filter(config.rules, underway, config.registry.message_done)
    generation = _Generation(give_to_libmilter(options.listener, rules), stop, options.ready)
    for _ in range(config.settings.get("workers") or os.cpu_count() or 1):
        generation.fork(lambda report: _work(config, underway, generation, report))
    if config.notifications:
        generation.fork(lambda report: _send(config, generation.alive, report))
    return generation.watch()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pyquarantine_core.worker")
    parser.add_argument("--config", required=True)
    parser.add_argument("--debug", action="store_true")
    for name in ("--listener", "--supervisor", "--ready"):
        parser.add_argument(name, type=int, required=True, help="an inherited descriptor")
    return parser.parse_args(arguments)


class _Generation:
    """The forked processes; the parent of them all has no threads."""

    def __init__(self, listener: int, stop: StopRequest, ready: int) -> None:
        self.listener = listener
        self._stop = stop
        self._tell_supervisor = ready
        self.alive, self._held = os.pipe()
        self._ready, self._report = os.pipe()
        self._missing = 0
        self._running: set[int] = set()

    def fork(self, run: Callable[[int], int]) -> None:
        """Fork a process that runs this; it is given a pipe on which to report READY."""
        pid = os.fork()
        if pid:
            self._running.add(pid)
            self._missing += 1
            return
        os.close(self._held)
        status = 1
        try:
            status = run(self._report)
        except BaseException:
            logger.exception("a worker failed")
        finally:
            logging.shutdown()
            os._exit(status)

    def watch(self) -> int:
        """Wait for all to end, and pass a stop on to them; returns the exit status."""
        status = 0
        deadline: float | None = None
        while self._running:
            if self._stop.made and deadline is None:
                deadline = time.monotonic() + KILL_TIMEOUT
                stop_listening(self.listener)
                os.close(self._held)
                if self._missing:
                    self._signal(signal.SIGTERM)  # those that open something do not look
            if deadline is not None and time.monotonic() >= deadline:
                logger.error("killing %d workers that do not stop", len(self._running))
                self._signal(signal.SIGKILL)
            status = max(status, *self._reap(), 0)
            if self._running:
                pause = None if deadline is None else max(0.1, deadline - time.monotonic())
                if self._stop.wait(pause, [self._ready] if self._missing else []):
                    self._note_ready()
        return status if self._stop.made else status or 1

    def _signal(self, number: int) -> None:
        for pid in self._running:
            os.kill(pid, number)

    def _note_ready(self) -> None:
        self._missing -= len(os.read(self._ready, self._missing))
        if not self._missing:
            os.write(self._tell_supervisor, READY)
            logger.info("ready with %d processes", len(self._running))

    def _reap(self) -> list[int]:
        """The exit statuses of those that have ended."""
        statuses = []
        for pid in tuple(self._running):
            ended, result = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            self._running.remove(pid)
            code = os.waitstatus_to_exitcode(result)
            stopped = self._stop.made and code == -signal.SIGTERM
            statuses.append(0 if stopped else code if code >= 0 else 1)
            if self._missing:
                self._stop.make()
            elif not self._stop.made:
                left = len(self._running)
                logger.error("worker %d ended unexpectedly (%d), %d left", pid, code, left)
        return statuses


def _work(config: Config, underway: MessagesUnderWay, generation: _Generation, report: int) -> int:
    """A worker: open what the plugins need, serve, and end between two messages."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # nothing can be lost before it serves
    components = list(config.components())
    if not _each(components, "open"):
        return 1
    stop = StopRequest(generation.alive)
    server = threading.Thread(target=_serve, args=(stop,), name="libmilter", daemon=True)
    server.start()
    os.write(report, READY)
    while not stop.made:
        stop.wait()
    stop_listening(generation.listener)
    if not underway.close(STOP_TIMEOUT):
        logger.warning("stopping while messages are under way; the MTA will try them again")
    for one in reversed(components):
        _each([one], "close")
    return 0


def _send(config: Config, alive: int, report: int) -> int:
    """The outbox sender: deliver notifications until told to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # what is not delivered stays in the outbox
    notifications = {name: one.notification for name, one in config.notifications.items()}
    components = [(f"notifications.{name}", one) for name, one in notifications.items()]
    if not _each(components, "open"):
        return 1
    stop = StopRequest(alive)
    os.write(report, READY)

    def wait(seconds: float) -> bool:
        if not stop.made:
            stop.wait(seconds, [config.outbox.woken])
        return not stop.made

    Sender(config.outbox, notifications).run(wait)
    _each(components, "close")
    return 0


def _each(
    components: Iterable[tuple[str, Component]], step: Literal["set_up", "open", "close"]
) -> bool:
    """Set up, open or close components in order, until one fails; that one is logged."""
    for label, component in components:
        try:
            getattr(component, step)()
        except Exception as error:
            logger.error("%s: %s", label, error, exc_info=is_bug(error))
            return False
    return True


def _serve(stop: StopRequest) -> None:
    try:
        milter.serve()
    except Exception:
        logger.exception("libmilter stopped")
    finally:
        stop.make()


if __name__ == "__main__":
    ended = main()
    logging.shutdown()
    os._exit(ended)  # a thread that a plugin started must not keep it
