"""kill -9 of the daemon's processes, at random moments."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from abc import abstractmethod
from collections.abc import Sequence
from random import Random

from .fault import Fault
from .load import Load
from .scene import Scene

PATIENCE = 3
"""Kills after which a fresh start is made: what dies again and again is replaced ever later."""


class Kill(Fault):
    """Kills again and again, as soon as there is something to kill again, and a random time."""

    may_double = True
    may_leave = True
    may_tell_twice = True
    times: int

    @abstractmethod
    def victims(self, scene: Scene) -> Sequence[int]:
        """The processes of which one is killed."""

    def renew(self, scene: Scene) -> None:
        """Make a fresh start."""
        scene.daemon.reload()

    def kill(self, scene: Scene, victim: int) -> None:
        """Kill it; a ProcessLookupError if it has ended by itself meanwhile."""
        os.kill(victim, signal.SIGKILL)

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        killed = 0
        while killed < self.times:
            if killed and killed % PATIENCE == 0:
                self.renew(scene)
            scene.wait_for(lambda: bool(self.victims(scene)), f"a victim of {self.name}")
            time.sleep(chance.uniform(0.0, 0.6))
            if victims := self.victims(scene):
                with contextlib.suppress(ProcessLookupError):
                    self.kill(scene, chance.choice(victims))
                    killed += 1


class KillWorker(Kill):
    name = "kill-worker"
    times = 15

    def victims(self, scene: Scene) -> Sequence[int]:
        return scene.workers()


class KillSupervisorAlone(Kill):
    """What it leaves ends by itself, while another daemon tries to start."""

    name = "kill-supervisor-alone"
    times = 3

    def victims(self, scene: Scene) -> Sequence[int]:
        return [scene.daemon.pid]

    def kill(self, scene: Scene, victim: int) -> None:
        old = scene.daemon
        os.kill(victim, signal.SIGKILL)
        scene.start_daemon()
        old.stop()
        scene.log += old.log


class KillSender(Kill):
    name = "kill-outbox-sender"
    times = 12

    def victims(self, scene: Scene) -> Sequence[int]:
        return scene.senders()


class KillGeneration(Kill):
    name = "kill-generation"
    times = 12

    def victims(self, scene: Scene) -> Sequence[int]:
        return scene.generations()

    def renew(self, scene: Scene) -> None:
        scene.stop_daemon()
        scene.start_daemon()


class KillSupervisor(Kill):
    """With all that belongs to it, and a start afterwards, as systemd does."""

    name = "kill-supervisor"
    times = 8

    def victims(self, scene: Scene) -> Sequence[int]:
        return [scene.daemon.pid]

    def kill(self, scene: Scene, victim: int) -> None:
        scene.crash_daemon()
        scene.start_daemon()


class KillEach(Fault):
    """One worker, one generation, one outbox sender: the short form of the others."""

    name = "kill-each"
    messages = 80
    may_double = True
    may_leave = True
    may_tell_twice = True

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        for kind in (KillWorker, KillGeneration, KillSender):
            kill = kind()
            kill.times = 1
            kill.strike(scene, load, chance)


FAULTS: tuple[Fault, ...] = (
    KillWorker(),
    KillGeneration(),
    KillSupervisor(),
    KillSupervisorAlone(),
    KillSender(),
)
