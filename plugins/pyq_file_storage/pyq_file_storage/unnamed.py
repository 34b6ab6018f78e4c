"""Files that have no name until they get one: a crash before that leaves nothing of them."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

_OPEN_FILES = "/proc/self/fd"
_SOUND = frozenset({"ext4", "xfs", "tmpfs"})

UNNAMED = getattr(os, "O_TMPFILE", 0) if Path(_OPEN_FILES).is_dir() else 0
"""Opens a file without a name (open(2)); 0 where there is none, or no way to name it later."""


def create(directory: int, device: int) -> int | None:
    """A descriptor for writing a file that has no name.

    Args:
        directory: a descriptor of the directory where it will have one.
        device: of the directory.

    Returns:
        None where there are no such files, or none to be relied on.
    """
    if not UNNAMED or not _is_sound(device):
        return None
    return os.open(".", os.O_WRONLY | UNNAMED, 0o600, dir_fd=directory)


def give_name(file: int, directory: int, name: str) -> None:
    """Give a file its first name; FileExistsError when that is taken."""
    os.link(f"{_OPEN_FILES}/{file}", name, dst_dir_fd=directory, follow_symlinks=True)


@cache
def _is_sound(device: int) -> bool:
    """Whether the file system makes a file last that is synced before it gets its first name.

    Others are not trusted: fsync(2) of such a file does nothing on btrfs before Linux 6.16, and
    ZFS waits for a whole transaction group to name it.
    """
    try:
        mounts = Path("/proc/self/mountinfo").read_text(errors="replace")  # proc_pid_mountinfo(5)
    except OSError:
        return False
    wanted = f"{os.major(device)}:{os.minor(device)}"
    found = [line.split() for line in mounts.splitlines()]
    kinds = {one[one.index("-") + 1] for one in found if one[2] == wanted}
    return bool(kinds) and kinds <= _SOUND
