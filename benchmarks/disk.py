"""Where on the disk filters store, so that what others did there is not measured."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from pathlib import Path

CANDIDATES = 8
"""Directories of which the one is used where files cost least."""
FILES = 20
"""How many are made to find that out."""


def quiet_directory(where: str) -> Path:
    """A new directory in this one in which making files is cheap.

    ext4 without a journal takes up to a hundred times as long to make a file where many were
    deleted in the last minutes, since it passes over each of their inodes. So of some directories
    in different parts of the disk this is the one in which a few files were made fastest.
    """
    with contextlib.suppress(OSError):  # there may be no chattr(1); other file systems refuse it
        subprocess.run(["chattr", "+T", where], stderr=subprocess.DEVNULL, check=False)
    return min((Path(tempfile.mkdtemp(dir=where)) for _ in range(CANDIDATES)), key=_cost_of_files)


def file_system(where: str) -> str:
    """The type of a directory's file system, as mount(8) calls it; empty if unknown."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return ""
    types = {one.split()[4]: one.partition(" - ")[2].split()[0] for one in mounts}  # proc(5)
    path = Path(where).resolve()
    return next((types[str(one)] for one in (path, *path.parents) if str(one) in types), "")


def _cost_of_files(directory: Path) -> int:
    """Nanoseconds of CPU time."""
    began = time.thread_time_ns()
    for number in range(FILES):
        (directory / f"{number}").touch()
    return time.thread_time_ns() - began
