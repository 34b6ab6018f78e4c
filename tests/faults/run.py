"""One fault after another: load, fault, count."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from pyquarantine_core.testing.daemon import DaemonFailed

from .fault import Fault
from .load import Load
from .scene import Scene, Stalled
from .tally import Tally, count


@dataclass(frozen=True)
class Outcome:
    """What came of a fault.

    Attributes:
        fault: its name.
        tally: None when nothing could be counted.
        complaints: what is not as promised; none: all is well.
        remark: what else was seen.
        seconds: how long it took.
    """

    fault: str
    tally: Tally | None
    complaints: tuple[str, ...]
    remark: str
    seconds: float


def run(fault: Fault, seed: str, logs: Path) -> Outcome:
    """Let a fault happen under load, and count what has become of all mail.

    Args:
        fault: what happens.
        seed: decides the random moments.
        logs: a directory for what was logged, if a promise was broken.
    """
    begun = time.monotonic()
    tally = None
    remark = ""
    complaints: list[str] = []
    with Scene() as scene:
        try:
            fault.prepare(scene)
            scene.start()
            with Load(scene) as load:
                fault.strike(scene, load, Random(f"{seed} {fault.name}"))
                load.wait_for(fault.messages)
            try:
                scene.settle()
            except Stalled as error:
                complaints.append(str(error))
            tally = count(scene, load)
            complaints += [*_broken(fault, tally), *fault.complaints(scene)]
            if (left := scene.leftovers()) and not fault.may_leave:
                complaints.append(f"left unfinished: {', '.join(left)}")
            remark = fault.remark()
        except (Stalled, DaemonFailed) as error:
            complaints.append(str(error).partition("\n")[0])
        finally:
            if complaints:
                _keep(logs / fault.name, scene)
    return Outcome(fault.name, tally, tuple(complaints), remark, time.monotonic() - begun)


def _broken(fault: Fault, tally: Tally) -> list[str]:
    """Promises that a tally shows to be broken."""
    broken = []
    if tally.lost:
        broken.append(f"lost or misled: {', '.join(tally.lost)}")
    if tally.untold:
        broken.append(f"held, but nobody was told: {', '.join(tally.untold)}")
    if tally.doubled and not fault.may_double:
        broken.append(f"{tally.doubled} messages are there twice")
    if tally.told_twice and not fault.may_tell_twice:
        broken.append(f"{tally.told_twice} were told twice")
    if tally.deferred and not fault.may_defer:
        broken.append(f"{tally.deferred} deliveries were put off")
    return broken


def _keep(directory: Path, scene: Scene) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in scene.logs().items():
        (directory / f"{name}.log").write_text(text)
