"""MTAs that hang up, connections that idle, and messages that are large."""

from __future__ import annotations

import contextlib
import threading
from random import Random

from pyquarantine_core.testing.answers import Answer
from pyquarantine_core.testing.delivery import Modification
from pyquarantine_core.testing.events import EVENTS, Stage
from pyquarantine_core.testing.mta import Mail, MilterConnection

from .fault import Fault
from .load import Load
from .processes import memory, unnamed_files
from .scene import SPAM, Scene

MEGABYTE = 1024 * 1024
STAGES = tuple(set(Stage) - {Stage.UNKNOWN})
MEMORY = 150 * MEGABYTE
"""Bytes that all processes of the daemon together may take, with two workers."""


class HungUp(Exception):  # noqa: N818 - not an error, a way out
    """The MTA is gone."""


class LeavingMta(MilterConnection):
    """An MTA that says a step of a message and hangs up without waiting for the answer."""

    def __init__(self, address: str, last: Stage) -> None:
        super().__init__(address)
        self._last = last

    def __exit__(self, *exc: object) -> None:
        self._channel.close()

    def _tell(
        self, stage: Stage, data: bytes = b"", modifications: list[Modification] | None = None
    ) -> Answer:
        if stage is self._last:
            self._channel.write(EVENTS[stage].command, data)
            self._channel.flush()
            raise HungUp
        return super()._tell(stage, data, modifications)


class Disconnects(Fault):
    """MTAs hang up at every stage; only what came whole may be held, as they do not know of it."""

    name = "mta-disconnects"
    may_defer = False

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        content = b"From: a@load.example\nSubject: %b\n\n" % SPAM.encode() + b"0123456789" * 20_000
        self._unfinished: set[str] = set()
        for number in range(10):
            for stage in STAGES:
                recipient = f"{number}@{stage.name.lower()}.gone.example"
                mail = Mail("a@load.example", (recipient,), content)
                with LeavingMta(scene.daemon.address, stage) as mta:
                    try:
                        mta.send(mail)
                    except HungUp:
                        self._unfinished |= {recipient} if stage is not Stage.EOM else set()

    def complaints(self, scene: Scene) -> list[str]:
        held = scene.held().keys() & self._unfinished
        return [f"held, though its MTA hung up before the end: {one}" for one in sorted(held)]


class IdleConnections(Fault):
    """Five hundred MTAs are connected and say nothing."""

    name = "idle-connections"
    may_defer = False

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        with contextlib.ExitStack() as idle:
            for _ in range(500):
                idle.enter_context(MilterConnection(scene.daemon.address))
            load.wait_for(load.sent + 150)


class HugeMessage(Fault):
    name = "message-of-100-mb"

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        load.send_large(1, 100 * MEGABYTE)


class LargeMessages(Fault):
    """Twenty at once, all of them held: memory stays where it is."""

    name = "20-messages-of-10-mb"

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        self._most = self._at_once = 0
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.02):
                processes = scene.processes()
                self._most = max(self._most, memory(processes))
                self._at_once = max(self._at_once, unnamed_files(processes))

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            load.send_large(20, 10 * MEGABYTE)
            scene.wait_for(lambda: sum(".large" in one for one in scene.held()) == 20, "all 20")
        finally:
            done.set()
            watching.join()

    def remark(self) -> str:
        used = f"at most {self._most // MEGABYTE} MB of memory"
        return f"{used}, with at most {self._at_once} bodies on disk at a time"

    def complaints(self, scene: Scene) -> list[str]:
        return [self.remark()] if self._most > MEMORY else []


FAULTS: tuple[Fault, ...] = (Disconnects(), IdleConnections(), HugeMessage(), LargeMessages())
