"""The processor cores that the workers run on.

In a process one thread at a time runs Python code. Spread over cores, its threads wake one another
from core to core at nearly every system call: a message costs up to twice as much, and none is
answered sooner (docs/performance.md). So each worker keeps its threads on one core. On one that a
disk or a network card interrupts, it is held up by what they do for everybody.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

INTERRUPTS = Path("/proc/interrupts")
FEW = 10_000
"""Interrupts since the machine has started that say nothing of a core."""
MANY_TIMES = 10
"""As many as those of the core that has the fewest: what comes in on several is no reason."""
_HAVE_AFFINITY = hasattr(os, "sched_setaffinity")


def allowed() -> Sequence[int]:
    """The cores that this process may use: by its affinity (sched_getaffinity(2)), else all."""
    if _HAVE_AFFINITY:
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def dealt(workers: int) -> Sequence[int]:
    """A core for each worker, by turns; one that devices interrupt far more than others comes last.

    Among the rest it is drawn by lot who is first, for the process IDs of daemons that have fewer
    workers than there are cores are the same in all containers.
    """
    cores = list(allowed())
    random.shuffle(cores)
    interrupts = _device_interrupts()
    counts = {one: interrupts.get(one, 0) for one in cores}
    many = MANY_TIMES * max(FEW, min(counts.values()))
    cores.sort(key=lambda one: counts[one] > many)
    return [cores[number % len(cores)] for number in range(workers)]


def keep_to(core: int) -> None:
    """Run this thread, and those that it starts, on that core from now on.

    Where the system cannot, or does not allow it any more, nothing changes.
    """
    if _HAVE_AFFINITY:
        with suppress(OSError):
            os.sched_setaffinity(0, {core})


def _device_interrupts() -> Mapping[int, int]:
    """By core, how often devices have interrupted it; empty where that is not known (proc(5))."""
    totals: dict[int, int] = {}
    try:
        heading, *lines = INTERRUPTS.read_text().splitlines()
        cores = [int(name.removeprefix("CPU")) for name in heading.split()]
        for line in lines:
            source, *counts = line.split()
            # Others are what cores tell each other, and timers; on arm64 these have numbers, too.
            if source.rstrip(":").isdecimal() and "timer" not in line:
                for core, count in zip(cores, counts, strict=False):
                    totals[core] = totals.get(core, 0) + int(count)
    except (OSError, ValueError):
        return {}
    return totals
