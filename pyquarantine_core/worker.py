"""The program of one generation: loads the plugins and the config, then forks what serves them.

The supervisor executes it with the listening socket inherited, so that it always runs the code
and the config that are installed now: `python -m pyquarantine_core.worker`.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

from pyquarantine_core import config as configuration
from pyquarantine_core import cores, milter
from pyquarantine_core.channel import Parent, Word
from pyquarantine_core.config import Config
from pyquarantine_core.errors import ConfigError, is_bug, why
from pyquarantine_core.generation import BEAT, Generation, Role
from pyquarantine_core.listening import LibmilterSocket
from pyquarantine_core.log import set_level, set_up_logging
from pyquarantine_core.registry import Plugin, Status
from pyquarantine_core.sender import Sender
from pyquarantine_core.types import Component, Service
from pyquarantine_core.underway import MessagesUnderWay

logger = logging.getLogger(__name__)

FINISH_TIMEOUT = 10.0
"""Seconds that messages under way have to be finished when a worker is told to stop."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a generation until it is told to stop or to leave; returns the exit status."""
    options = _parse(arguments)
    os.set_inheritable(options.listener, False)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if sys.__stderr__ is not None:
        faulthandler.register(signal.SIGUSR1, sys.__stderr__)
    set_up_logging(debug=options.debug)
    parent = Parent.inherited(options.supervisor)
    parent.take_signals()
    try:
        config = configuration.load(Path(options.config), debug=options.debug)
    except ConfigError as error:
        for line in str(error).splitlines():
            logger.error("%s", line)
        parent.report(Word.FAILED, str(error))
        return os.EX_CONFIG
    set_up_logging(debug=options.debug, as_json=config.settings["log_format"] == "json")
    set_level(config.settings["loglevel"], debug=options.debug)
    _report_plugins(config.registry.plugins)
    if not _each(config.components(), "set_up", parent):
        return 1
    underway = MessagesUnderWay()
    rules = milter.make_filter(config.rules, underway, config.message_done)
    listener = LibmilterSocket.take(options.listener, rules)
    workers = [
        Role("worker", partial(_work, config, underway, listener, core), lingers=True)
        for core in cores.dealt(config.settings.get("workers") or len(cores.allowed()))
    ]
    sender = Role("outbox sender", partial(_send, config))
    services = [
        Role(name, partial(_serve, name, one), vital=False) for name, one in config.services.items()
    ]
    return Generation(
        roles=[
            *workers,
            *[sender] * bool(config.notifications),
            *services,
        ],
        parent=parent,
        stop_listening=listener.stop,
        timeout=config.settings["timeout"],
        drain_timeout=config.settings["drain_timeout"],
    ).run()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pyquarantine_core.worker")
    parser.add_argument("--config", required=True)
    parser.add_argument("--debug", action="store_true")
    for name in ("--listener", "--supervisor"):
        parser.add_argument(name, type=int, required=True, help="an inherited descriptor")
    return parser.parse_args(arguments)


def _work(
    config: Config, underway: MessagesUnderWay, listener: LibmilterSocket, core: int, parent: Parent
) -> int:
    """A worker: open what the plugins need, serve, and end between two messages."""
    components = list(config.components())
    if not _each(components, "open", parent):
        return 1
    timeout = config.settings["timeout"]
    shown = False

    def beat() -> None:
        nonlocal shown
        parent.wait(BEAT)
        stuck = underway.longer_than(timeout)
        if stuck and not shown:
            shown = True
            _show_threads()
        parent.report(Word.STUCK if stuck else Word.ALIVE, stuck)

    def serve() -> None:
        if config.settings["pin_workers"]:
            cores.keep_to(core)
        milter.serve()

    _beside(serve, "libmilter", parent)
    parent.report(Word.READY)
    while not (parent.leave or parent.stop):
        beat()
    listener.stop()
    parent.report(Word.LEAVING)
    while not parent.stop and _connected(listener):
        beat()
    if not underway.close(FINISH_TIMEOUT):
        logger.warning("stopping while messages are under way; the MTA will try them again")
    for one in reversed(components):
        _each([one], "close", parent)
    return 0


def _show_threads() -> None:
    """Write to standard error where all threads are.

    faulthandler must not be asked for that while they run: it reads what they change, and crashes.
    """
    stacks = [f"{''.join(traceback.format_stack(one))}\n" for one in sys._current_frames().values()]
    with suppress(OSError):
        sys.stderr.write("".join(stacks))


def _connected(listener: LibmilterSocket) -> bool:
    """Whether there is a connection, or so many that they cannot be counted."""
    try:
        return listener.connections() > 0
    except OSError:
        return True


def _send(config: Config, parent: Parent) -> int:
    """The outbox sender: deliver notifications until told to stop."""
    notifications = {name: one.notification for name, one in config.notifications.items()}
    components = [(f"notifications.{name}", one) for name, one in notifications.items()]
    if not _each(components, "open", parent):
        return 1
    stopped, stop = os.pipe()

    def wait(seconds: float, woken: Sequence[int]) -> bool:
        ready, _, _ = select.select([stopped, *woken], [], [], seconds)
        return stopped not in ready

    sender = Sender(config.outbox.spool, notifications, config.outbox.settings)
    parent.report(Word.READY)  # before any code of a plugin can end the process: mail is served
    thread = _beside(lambda: sender.run(wait), "outbox sender", parent)
    while not parent.stop:
        parent.wait(BEAT)
        parent.report(Word.ALIVE)
    os.close(stop)
    thread.join(FINISH_TIMEOUT)  # what is not delivered stays in the outbox
    _each(components, "close", parent)
    return 0


def _serve(name: str, service: Service, parent: Parent) -> int:
    """A service, until told to stop."""
    stopping = threading.Event()
    thread = _beside(lambda: service.run(stopping), name, parent)
    parent.report(Word.READY)
    while not parent.stop:
        parent.wait(BEAT)
        parent.report(Word.ALIVE)
    stopping.set()
    thread.join(FINISH_TIMEOUT)
    return 0


def _beside(work: Callable[[], object], name: str, parent: Parent) -> threading.Thread:
    """Work in a thread, whose end ends the process, while the main one hears of orders."""

    def run() -> None:
        try:
            work()
        except BaseException:
            logger.exception("%s stopped", name)
        finally:
            parent.ask_to_stop()

    parent.take_signals()
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def _report_plugins(plugins: Iterable[Plugin]) -> None:
    """Log what the admin or the author of a plugin should mend, one line each."""
    for plugin in plugins:
        if plugin.status is Status.FAILED:
            logger.warning("plugin %s failed: %s", plugin.label, plugin.cause)
        for text in plugin.warnings:
            logger.warning("plugin %s is outdated: %s", plugin.label, text)


def _each(
    components: Iterable[tuple[str, Component]],
    step: Literal["set_up", "open", "close"],
    parent: Parent,
) -> bool:
    """Set up, open or close components in order, until one fails; that one is reported."""
    for label, component in components:
        try:
            getattr(component, step)()
        except BaseException as error:  # a plugin's SystemExit must not end this without a word
            raised = f"{step}() raised " if is_bug(error) else ""
            text = f"{label}: {raised}{why(error)}"
            logger.error("%s", text, exc_info=is_bug(error))
            parent.report(Word.FAILED, text)
            return False
    return True


if __name__ == "__main__":
    ended = main()
    logging.shutdown()
    os._exit(ended)  # a thread that a plugin started must not keep it
