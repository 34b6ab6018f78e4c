"""The processor cores that the workers run on.

In a process one thread at a time runs Python code. Spread over cores, its threads wake one another
from core to core at nearly every system call: a message costs up to twice as much, and none is
answered sooner (docs/performance.md). So each worker keeps its threads on one core.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from contextlib import suppress

_HAVE_AFFINITY = hasattr(os, "sched_setaffinity")


def allowed() -> Sequence[int]:
    """The cores that this process may use: by its affinity (sched_getaffinity(2)), else all."""
    if _HAVE_AFFINITY:
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def dealt(workers: int) -> Sequence[int]:
    """A core for each worker, by turns; daemons with fewer workers than cores begin anywhere."""
    cores = allowed()
    first = random.randrange(len(cores))  # process IDs are the same in all containers
    return [cores[(first + number) % len(cores)] for number in range(workers)]


def keep_to(core: int) -> None:
    """Run this thread, and those that it starts, on that core from now on.

    Where the system cannot, or does not allow it any more, nothing changes.
    """
    if _HAVE_AFFINITY:
        with suppress(OSError):
            os.sched_setaffinity(0, {core})
