"""The processes of one generation: forked, watched, replaced, and ended.

The parent of them all has no threads, so that it can fork at any time. A process that ends
without being told to is replaced; so is one that hangs, and the MTA tries again what only that
one knew.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pyquarantine_core.channel import Child, Parent, Report, Word

logger = logging.getLogger(__name__)

BEAT = 1.0
"""Seconds between two signs of life."""
SILENCE = 5.0
"""Seconds of silence that a busy machine may cause, however short `timeout` is."""
OPENING = 120.0
"""Seconds that a process which takes the place of another one has to open what it needs."""
STOP_TIMEOUT = 15.0
"""Seconds after which a process that was told to stop is killed."""
TO_TELL = 2.0
"""Seconds that a silent process has to write where it hangs, before it is killed."""
SPARED = 30.0
"""Seconds that a worker with a stuck message has for its other connections."""
STEADY = 60.0
"""Seconds after which a process counts as having started well."""
LONGEST_DELAY = 30.0


@dataclass(frozen=True, slots=True)
class Role:
    """What a process does.

    Attributes:
        name: for the log.
        run: does it until the parent orders an end; returns the exit status.
        lingers: whether it serves connections, and finishes those it has when told to leave;
            another one stops, and does not have the listening socket.
        vital: whether the generation does not start when it cannot; else it is tried again.
    """

    name: str
    run: Callable[[Parent], int]
    lingers: bool = False
    vital: bool = True


@dataclass(slots=True)
class _Process:
    """A process, and what is known of it. Times are of `time.monotonic`."""

    pid: int
    role: Role
    channel: Child
    started: float
    failures: int
    heard: float
    ready: bool = False
    leaving: bool = False
    given_up: bool = False
    complained: bool = False
    kill_at: float = math.inf


@dataclass(slots=True)
class _Vacancy:
    """A role to be filled again, not before this time."""

    role: Role
    at: float
    failures: int


@dataclass(slots=True)
class Generation:
    """Runs these roles, each in a process of its own, until told to stop or to leave.

    Attributes:
        roles: what to run.
        parent: orders come from there, reports go there.
        stop_listening: called when no connection may be accepted any more.
        timeout: seconds without a sign of life after which a process is replaced.
        drain_timeout: seconds that processes have to leave.
    """

    roles: Sequence[Role]
    parent: Parent
    stop_listening: Callable[[], None]
    timeout: float
    drain_timeout: float
    _processes: dict[int, _Process] = field(default_factory=dict)
    _vacancies: list[_Vacancy] = field(default_factory=list)
    _ready: bool = False
    _failed: bool = False
    _leaving: bool = False
    _told: bool = False
    _stopping: bool = False
    _leave_until: float = math.inf
    _looked: float = math.inf

    def run(self) -> int:
        """Run all; returns the exit status: 0, or 1 when they could not be started."""
        for role in self.roles:
            self._start(role, 0)
        while self._processes or self._vacancies:
            self._follow_orders()
            self._reap()
            self._fill_vacancies()
            self._watch()
            self._tell_of_leaving()
            self._listen()
        return 1 if self._failed else 0

    # -- orders ------------------------------------------------------------------------------

    def _follow_orders(self) -> None:
        if self.parent.leave and not self._leaving:
            self._leaving = True
            self._leave_until = time.monotonic() + self.drain_timeout
            self._vacancies.clear()
            self.stop_listening()
            for process in self._processes.values():
                self._end(process, gently=process.role.lingers)
        if time.monotonic() >= self._leave_until and not self.parent.stop:
            logger.info("%d processes have not left in time; stopping them", len(self._processes))
            self.parent.stop = True
        if self.parent.stop and not self._stopping:
            self._stopping = True
            self._vacancies.clear()
            self.stop_listening()
            for process in self._processes.values():
                self._end(process, gently=False)

    def _tell_of_leaving(self) -> None:
        """As soon as nobody takes new work, the next generation has it all."""
        if (
            self._leaving
            and not self._told
            and all(
                one.leaving or one.given_up or not one.role.lingers
                for one in self._processes.values()
            )
        ):
            self._told = True
            self.parent.report(Word.LEAVING)

    def _end(self, process: _Process, *, gently: bool) -> None:
        if gently:
            process.channel.leave()
            return
        process.channel.close()
        process.kill_at = min(process.kill_at, time.monotonic() + STOP_TIMEOUT)
        if not process.ready:
            _signal(process, signal.SIGTERM)  # those that open something do not look

    # -- processes ---------------------------------------------------------------------------

    def _start(self, role: Role, failures: int) -> None:
        try:
            channel = Child()
        except OSError as error:
            self._not_started(role, failures, error)
            return
        try:
            pid = os.fork()
        except OSError as error:
            channel.close()
            channel.theirs.close()
            self._not_started(role, failures, error)
            return
        if not pid:
            self._be(role, channel)
        channel.theirs.close()
        now = time.monotonic()
        self._processes[pid] = _Process(pid, role, channel, now, failures, now)

    def _be(self, role: Role, channel: Child) -> None:
        """In the child: run the role, and never return."""
        status = 1
        try:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for process in self._processes.values():
                process.channel.close()  # its end must come when the parent closes it
            if not role.lingers:
                self.stop_listening()
            self.parent.close()
            channel.close()
            status = role.run(Parent(channel.theirs))
        except BaseException:
            logger.exception("%s failed", role.name)
        finally:
            logging.shutdown()
            os._exit(status)

    def _reap(self) -> None:
        for process in list(self._processes.values()):
            ended, result = os.waitpid(process.pid, os.WNOHANG)
            if ended:
                self._hear(process)
                process.channel.close()
                del self._processes[process.pid]
                self._replace(process, os.waitstatus_to_exitcode(result))

    def _replace(self, process: _Process, status: int) -> None:
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        what = f"{process.role.name} {process.pid} ended unexpectedly ({how})"
        if process.given_up and status and process.kill_at < math.inf:
            logger.error("%s, before its time was up", what)
        if self._stopping or self._leaving or process.given_up:
            return
        early = process.role.lingers or (process.role.vital and not process.ready)
        if not self._ready and early:
            if not process.complained:
                text = f"{process.role.name} {process.pid} ended before it was ready ({how})"
                logger.error("%s", text)
                self.parent.report(Word.FAILED, text)
            self._failed = True
            self.parent.ask_to_stop()
            return
        steady = time.monotonic() - process.started >= STEADY
        failures = 0 if steady else process.failures + 1
        self._try_again(process.role, failures, f"{what}; replacing it")
        self._look_who_is_ready()

    def _not_started(self, role: Role, failures: int, error: OSError) -> None:
        what = f"cannot start {role.name} ({error.strerror}); trying again"
        self._try_again(role, failures + 1, what)

    def _try_again(self, role: Role, failures: int, what: str) -> None:
        """Fill a role again after a pause, which grows with the failures."""
        delay = 0.0 if failures <= 1 else min(2.0 ** (failures - 2), LONGEST_DELAY)
        logger.error("%s%s", what, f" in {delay:.0f} s" if delay else "")
        self._vacancies.append(_Vacancy(role, time.monotonic() + delay, failures))

    def _fill_vacancies(self) -> None:
        due = [one for one in self._vacancies if one.at <= time.monotonic()]
        for vacancy in due:
            self._vacancies.remove(vacancy)
            self._start(vacancy.role, vacancy.failures)

    # -- watching ----------------------------------------------------------------------------

    def _watch(self) -> None:
        now = time.monotonic()
        if now - self._looked > SILENCE:  # it was not running itself, and they may not have been
            for process in self._processes.values():
                process.heard = now
        self._looked = now
        for process in list(self._processes.values()):
            if now >= process.kill_at:
                logger.error("killing %s %d, which does not end", process.role.name, process.pid)
                process.kill_at = math.inf
                _signal(process, signal.SIGKILL)
            elif not process.given_up and (process.ready or self._ready):
                silence = now - process.heard
                if silence > max(self.timeout, SILENCE if process.ready else OPENING):
                    _signal(process, signal.SIGUSR1)  # faulthandler writes where it is
                    self._give_up(process, f"no sign of life for {silence:.0f} s", TO_TELL)

    def _give_up(self, process: _Process, why: str, spared: float) -> None:
        """Replace a process, and kill it when its time is up."""
        process.given_up = True
        process.kill_at = min(process.kill_at, time.monotonic() + spared)
        what = f"{process.role.name} {process.pid} hangs: {why}"
        if self._stopping or self._leaving:
            logger.error("%s", what)
            return
        process.channel.leave()
        failures = 0 if process.ready else process.failures + 1
        self._try_again(process.role, failures, f"{what}; replacing it")

    def _listen(self) -> None:
        """Wait for something to happen, at most until the next beat."""
        now = time.monotonic()
        times = [one.kill_at for one in self._processes.values()]
        times += [one.at for one in self._vacancies]
        pause = max(0.0, min([BEAT, self._leave_until - now, *(one - now for one in times)]))
        open_ = {one.channel.fileno(): one for one in self._processes.values()}
        self.parent.wait(pause, [descriptor for descriptor in open_ if descriptor >= 0])
        for process in open_.values():
            self._hear(process)
        if self._ready:
            self.parent.report(Word.ALIVE)

    def _hear(self, process: _Process) -> None:
        if process.channel.fileno() < 0:
            return
        for report in process.channel.reports():
            process.heard = time.monotonic()
            self._take(process, report)

    def _take(self, process: _Process, report: Report) -> None:
        match report.word:
            case Word.READY:
                process.ready = True
                self._look_who_is_ready()
            case Word.LEAVING:
                process.leaving = True
            case Word.FAILED:
                process.complained = True
                if not self._ready:
                    self.parent.report(Word.FAILED, report.text)
            case Word.STUCK if not process.given_up:
                self._give_up(process, report.text, SPARED)

    def _look_who_is_ready(self) -> None:
        """Be ready when all processes are; of those that are not vital, one try is awaited."""
        running = self._processes.values()
        tried = (one.ready or (one.failures > 0 and not one.role.vital) for one in running)
        vacant = any(one.role.vital for one in self._vacancies)
        if self._ready or vacant or not all(tried):
            return
        self._ready = True
        logger.info("ready with %d processes", len(running))
        self.parent.report(Word.READY)


def _signal(process: _Process, number: int) -> None:
    os.kill(process.pid, number)  # it is our child and not waited for: the number is its own
