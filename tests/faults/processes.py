"""What /proc tells of processes (proc(5)); one that has ended has nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    found = []
    for child in _children(pid):
        found += [child, *descendants(child)]
    return found


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has this file open."""
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if descriptor.readlink() == path:
                    return True
    return False


def highest_descriptor(pid: int) -> int:
    """The largest number of a descriptor that a process has open."""
    return max(int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir())


def unnamed_files(pids: Iterable[int]) -> int:
    """How many files these processes have open that have no name, as bodies on disk have."""
    count = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    count += descriptor.readlink().name.endswith(" (deleted)")
    return count


def memory(pids: Iterable[int]) -> int:
    """Bytes of memory of these processes; what they share is counted once (Pss)."""
    kilobytes = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
    return kilobytes * 1024


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
