"""Reloads and stops under load."""

from __future__ import annotations

import os
import signal
import time
from random import Random

from .fault import Fault
from .load import Load
from .scene import Scene

UNFINISHED = "stopping while messages are under way"


class Reloads(Fault):
    """SIGHUP ten times a second: nobody is to notice."""

    name = "reloads"
    may_defer = False

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        for _ in range(80):
            os.kill(scene.daemon.pid, signal.SIGHUP)
            time.sleep(0.1)

    def complaints(self, scene: Scene) -> list[str]:
        # The first one and that after the last are two; in between they coalesce.
        reloaded = scene.daemon.log.count(" reloaded\n")
        return [] if 2 <= reloaded < 80 else [f"reloaded {reloaded} times"]


class Restarts(Fault):
    """SIGTERM with messages under way, and a start."""

    name = "restarts"

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        for _ in range(6):
            load.wait_for(load.sent + 10)
            time.sleep(chance.uniform(0.0, 0.5))
            scene.stop_daemon()
            scene.start_daemon()

    def complaints(self, scene: Scene) -> list[str]:
        return [UNFINISHED] if UNFINISHED in scene.log else []


FAULTS: tuple[Fault, ...] = (Reloads(), Restarts())
