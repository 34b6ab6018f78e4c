"""Plugins are loaded in a process of their own first, which one of them may end or hold up.

What a plugin raises can be caught; a crash in a C library, `os._exit` or a wait that never ends
cannot. So a copy of this process loads them all first and tells of each that it is done. Where it
falls silent, the plugin under way is the culprit, and another copy goes on with the next.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

logger = logging.getLogger(__name__)

LONGEST = 60.0
"""Seconds that a plugin has to be loaded; a machine that has just been started is slow."""
PATIENCE = 5.0
"""Seconds after which it is said whom one is waiting for."""
LOOK_AGAIN = 0.005
"""Seconds between two looks at it: all of them together take some hundredths of a second."""


def losses(names: Sequence[str], load: Callable[[int], object]) -> Mapping[int, str]:
    """Find the plugins that would end or hold up this process, without loading any here.

    A process with threads is not copied (its locks may be held): then nothing is found.

    Args:
        names: how messages name them.
        load: loads the one with this index; what it raises is its own affair.

    Returns:
        What each of them does, by its index; those that load, or fail in the usual way, are not
        among them.
    """
    found: dict[int, str] = {}
    first = 0
    while first < len(names) and threading.active_count() == 1:
        try:
            loaded, ended = _try(names, first, load)
        except OSError:  # no process or descriptor is left: loading will tell
            break
        first += loaded
        if first < len(names):
            found[first] = ended
            first += 1
    return found


def _try(names: Sequence[str], first: int, load: Callable[[int], object]) -> tuple[int, str]:
    """Load them in order, from the first one on, in a copy of this process.

    Returns:
        How many were loaded, and how the copy ended with the next.
    """
    told, tell = os.pipe()
    try:
        pid = os.fork()
        if not pid:
            _load_all(range(first, len(names)), load, tell)
    except OSError:
        os.close(told)
        raise
    finally:
        os.close(tell)
    os.set_blocking(told, False)
    try:
        loaded, in_time = _follow(pid, told, names[first:])
    finally:
        _kill(pid)  # with all that it has started
        _, ended = os.waitpid(pid, 0)
        os.close(told)
    if not in_time:
        return loaded, f"it was not loaded within {LONGEST:.0f} s"
    status = os.waitstatus_to_exitcode(ended)
    how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    return loaded, f"it ends the process that loads it ({how})"


def _load_all(indexes: range, load: Callable[[int], object], tell: int) -> NoReturn:
    """In the copy: it has neither terminal nor output, and outlives nobody for long."""
    status = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        for index in indexes:
            signal.alarm(math.ceil(LONGEST) + 1)
            with contextlib.suppress(MemoryError):  # of the machine; loading in earnest will tell
                load(index)
            os.write(tell, b".")
        status = 0
    finally:
        os._exit(status)


def _follow(pid: int, told: int, names: Sequence[str]) -> tuple[int, bool]:
    """Count what the copy loads until it ends (True) or one takes too long (False)."""
    loaded, since, patient = 0, time.monotonic(), True
    while True:
        ended = _has_ended(pid)  # asked first: after that it tells no more
        if news := _heard(told):
            loaded, since, patient = loaded + news, time.monotonic(), True
        if ended:
            return loaded, True
        waited = time.monotonic() - since
        if waited >= LONGEST:
            return loaded, False
        if waited >= PATIENCE and patient:
            patient = False
            logger.warning("%s is still being loaded; it has %.0f s", names[loaded], LONGEST)
        time.sleep(LOOK_AGAIN)


def _heard(told: int) -> int:
    """How many more plugins the copy tells of."""
    try:
        return len(os.read(told, 1024))
    except BlockingIOError:
        return 0


def _has_ended(pid: int) -> bool:
    """Whether a child has; it is not waited for, so that its number stays its own."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill(pid: int) -> None:
    """Kill the copy, and what it has started: all are of one process group once it has begun."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
