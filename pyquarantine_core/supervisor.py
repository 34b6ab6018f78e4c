"""The supervisor: owns the listening socket and runs generations on it. It imports no plugin.

A generation is a program of its own, so that a reload takes up new plugins and new code as well
as a new config. The old one serves until the new one does; nothing of it changes when the new
one cannot start.
"""

from __future__ import annotations

import logging
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pyquarantine_core import systemd
from pyquarantine_core.channel import Child, Report, Word
from pyquarantine_core.config_file import read_config_file
from pyquarantine_core.control import ControlServer
from pyquarantine_core.errors import ConfigError, ListenError
from pyquarantine_core.log import say_last_words, set_up_logging
from pyquarantine_core.sockets import Listener

logger = logging.getLogger(__name__)

STOP_TIMEOUT = 30.0
"""Seconds that generations have to stop; they give their processes less."""
START_TIMEOUT = 120.0
"""Seconds that a new generation has to start while an old one serves."""
STEADY = 60.0
"""Seconds after which a generation counts as having started well."""
LONGEST_DELAY = 30.0

MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(4 << 20),
}
"""How the processes of a generation keep memory, unless the daemon's own environment says so.

Each has one heap, of which up to 4 MB that are free stay with it; only what is larger than 1 MB
goes back to the kernel at once. These are variables of glibc's malloc (mallopt(3)).
"""


@dataclass(slots=True)
class _Generation:
    """A running generation. Times are of `time.monotonic`."""

    process: subprocess.Popen[bytes]
    channel: Child
    started: float = field(default_factory=time.monotonic)
    complaint: str = ""
    replaced: bool = False


class Supervisor:
    """Keeps one generation serving, and starts another on SIGHUP or `pyquarantine reload`.

    Args:
        config: path of the config file.
        listener: the socket that the MTA connects to.
        listening: the settings that it was made with, which no reload changes.
        debug: log everything, to standard error.
    """

    def __init__(
        self, config: Path, listener: Listener, listening: Mapping[str, object], *, debug: bool
    ) -> None:
        self._config = config
        self._listener = listener
        self._listening = listening
        self._debug = debug
        self._serving: _Generation | None = None
        self._starting: _Generation | None = None
        self._leaving: list[_Generation] = []
        self._failures = 0
        self._start_at = 0.0
        self._reload_wanted = False
        self._stopping = False
        self._status: int | None = None
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._control: ControlServer | None = None
        try:
            self._control = ControlServer(config, self._ask_to_reload)
        except ListenError as error:
            logger.warning("`pyquarantine reload` will not reach this daemon: %s", error)

    def run(self) -> int:
        """Run until SIGTERM, or until the first generation could not start; the exit status."""
        for number, handler in (
            (signal.SIGTERM, self._ask_to_stop),
            (signal.SIGINT, self._ask_to_stop),
            (signal.SIGHUP, self._ask_to_reload),
            (signal.SIGCHLD, self._woke),
        ):
            signal.signal(number, handler)
        while not self._stopping and self._status is None:
            self._start_what_is_due()
            self._listen()
            self._hear()
            self._reap()
        if self._stopping:
            logger.info("stopping")
            systemd.notify("STOPPING=1")
        self._listener.close()
        if self._control is not None:
            self._control.close()
        self._stop_all()
        return self._status or 0

    # -- generations -------------------------------------------------------------------------

    def _start_what_is_due(self) -> None:
        if self._starting is not None or time.monotonic() < self._start_at:
            return
        if self._serving is None:
            self._start()
        elif self._reload_wanted:
            self._reload_wanted = False
            logger.info("reloading")
            systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            self._start()

    def _start(self) -> None:
        try:
            channel = Child()
        except OSError as error:
            self._not_executed(f"there is no descriptor for it: {error.strerror}")
            return
        descriptors = (self._listener.fileno(), channel.theirs.fileno())
        try:
            process = subprocess.Popen(
                [
                    # -P: what lies in the directory that the daemon was started from is no module.
                    *(sys.executable, "-P", "-m", "pyquarantine_core.worker"),
                    *("--config", str(self._config)),
                    *("--listener", str(descriptors[0]), "--supervisor", str(descriptors[1])),
                    *(["--debug"] if self._debug else []),
                ],
                pass_fds=descriptors,
                env=MALLOC | os.environ,
            )
        except OSError as error:  # no process, memory or descriptor is left, or Python is gone
            channel.close()
            self._not_executed(f"{sys.executable} cannot be run: {error.strerror}")
            return
        finally:
            channel.theirs.close()
        self._starting = _Generation(process, channel)

    def _take_over(self, new: _Generation) -> None:
        """The new generation serves: the old one may leave."""
        old, self._serving, self._starting = self._serving, new, None
        if old is None:
            logger.info("listening at %s", self._listener)
            systemd.notify(f"READY=1\nSTATUS=Listening at {self._listener}")
            self._answer("")
        else:
            old.channel.leave()
            self._leaving.append(old)

    def _reloaded(self, old: _Generation) -> None:
        """The old generation takes no new connection any more, or has ended."""
        if old.replaced:
            return
        old.replaced = True
        note = self._take_up()
        logger.info("reloaded")
        if note:
            logger.warning("%s", note)
        systemd.notify(f"READY=1\nSTATUS=Listening at {self._listener}")
        self._answer("", note)

    def _take_up(self) -> str:
        """Log as the config says now; which settings of the socket have changed, if any."""
        try:
            now = read_config_file(self._config).data
        except ConfigError:  # it has been changed once more, and the next reload will say it
            return ""
        set_up_logging(debug=self._debug, as_json=now.get("log_format") == "json")
        changed = [key for key, value in self._listening.items() if now.get(key) != value]
        if not changed:
            return ""
        return f"{', '.join(changed)}: takes a restart; until then it listens at {self._listener}"

    def _ended(self, generation: _Generation, status: int) -> None:
        generation.channel.close()
        if generation is self._starting:
            self._starting = None
            self._not_started(generation.complaint or f"it ended with status {status}", status)
        elif generation is self._serving:
            self._serving = None
            logger.error("generation %d ended (%d)", generation.process.pid, status)
            steady = time.monotonic() - generation.started >= STEADY
            self._put_off(0 if steady else self._failures)
        else:
            self._leaving.remove(generation)
            self._reloaded(generation)
            logger.info("generation %d has left", generation.process.pid)

    def _not_started(self, why: str, status: int) -> None:
        if self._serving is not None:
            logger.error("not reloaded, nothing has changed: %s", why)
            systemd.notify(f"READY=1\nSTATUS=Not reloaded: {why.splitlines()[0]}")
            self._answer(why)
        elif self._failures == 0:
            say_last_words(why)
            self._status = status if status > 0 else 1
        else:
            self._put_off(self._failures)
            systemd.notify(f"STATUS=Cannot start: {why.splitlines()[0]}")
            systemd.still_alive()  # with another start by systemd it would be no better
            self._answer(why)

    def _not_executed(self, why: str) -> None:
        if self._serving is None:  # else that is logged as a reload that failed
            logger.error("cannot start: %s", why)
        self._not_started(why, 1)

    def _put_off(self, failures: int) -> None:
        """Start again after a pause, which grows with the failures."""
        self._failures = failures + 1
        delay = 0.0 if failures == 0 else min(2.0 ** (failures - 1), LONGEST_DELAY)
        self._start_at = time.monotonic() + delay

    def _stop_all(self) -> None:
        running = [*self._leaving, *filter(None, (self._serving, self._starting))]
        for one in running:
            one.channel.close()
            if one is self._starting:
                one.process.terminate()  # it loads plugins and does not look
        deadline = time.monotonic() + STOP_TIMEOUT
        for one in running:
            try:
                one.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("generation %d does not stop; killing it", one.process.pid)
                one.process.kill()
                one.process.wait()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # too late to be told anything

    # -- events ------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Wait for something to happen."""
        wakes = [self._woken, *(one.channel.fileno() for one in self._generations())]
        if self._control is not None:
            wakes += self._control.descriptors()
        until = math.inf
        if self._starting is None and self._serving is None:
            until = self._start_at
        elif self._starting is not None and self._serving is not None:
            until = self._starting.started + START_TIMEOUT
        pause = until - time.monotonic()
        wakes = [one for one in wakes if one >= 0]
        ready, _, _ = select.select(wakes, [], [], None if pause == math.inf else max(0.0, pause))
        if self._woken in ready:
            os.read(self._woken, 1024)
        if self._control is not None:
            self._control.serve(ready)

    def _hear(self) -> None:
        for generation in self._generations():
            if generation.channel.fileno() >= 0:
                for report in generation.channel.reports():
                    self._take(generation, report)

    def _take(self, generation: _Generation, report: Report) -> None:
        match report.word:
            case Word.READY if generation is self._starting:
                self._take_over(generation)
            case Word.ALIVE if generation is self._serving:
                systemd.still_alive()
            case Word.LEAVING if generation in self._leaving:
                self._reloaded(generation)
            case Word.FAILED:
                generation.complaint = report.text

    def _reap(self) -> None:
        for generation in self._generations():
            status = generation.process.poll()
            if status is not None:
                self._hear()
                self._ended(generation, status)
        late = self._starting
        if (
            late is not None
            and self._serving is not None
            and time.monotonic() >= late.started + START_TIMEOUT
        ):
            late.complaint = f"the plugins were not ready within {START_TIMEOUT:.0f} s"
            late.process.kill()

    def _generations(self) -> list[_Generation]:
        return [*self._leaving, *filter(None, (self._serving, self._starting))]

    # -- what is asked for -------------------------------------------------------------------

    def _ask_to_stop(self, *_: object) -> None:
        self._stopping = True
        self._woke()

    def _ask_to_reload(self, *_: object) -> None:
        self._reload_wanted = True
        self._woke()

    def _woke(self, *_: object) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake, b".")

    def _answer(self, complaint: str, note: str = "") -> None:
        """Tell those who asked for a reload, unless another one will follow."""
        another = self._reload_wanted or self._starting is not None
        if self._control is not None and not another:
            self._control.answer(complaint, note)
