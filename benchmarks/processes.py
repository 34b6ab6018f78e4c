"""What the kernel says of processes: CPU time to the nanosecond, and memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    with contextlib.suppress(OSError):  # it has ended, or a thread of it has
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                for child in (thread / "children").read_text().split():
                    found += tree(int(child))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time, user and system, that these processes have used, with that of ended threads."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime_ns(_cpu_clock(pid))
    return total / 1e9


def memory(pids: Iterable[int]) -> int:
    """Bytes of memory; what processes share is divided among them (Pss, proc(5))."""
    kilobytes = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
    return kilobytes * 1024


def _cpu_clock(pid: int) -> int:
    """The clock of a process's CPU time, as clock_getcpuclockid(3) makes it on Linux."""
    return (~pid << 3) | 2
