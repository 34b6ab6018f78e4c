"""Files that survive a crash once they are there, and belong to the owner of their directory.

All raise OSError as the system calls do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_EXISTING_OR_NEW = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW


def write_new(path: Path, content: Sequence[bytes], modified: float | None = None) -> None:
    """Write a file that did not exist, for its owner alone; on an error nothing is left.

    Its name is not safe before `sync`.

    Args:
        path: the file.
        content: its bytes.
        modified: its time of modification (time.time); None: now.
    """
    descriptor = os.open(path, _NEW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(content)
            file.flush()
            _give_away(descriptor, path.parent)
            if modified is not None:
                os.utime(descriptor, (modified, modified))
            os.fsync(descriptor)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def write(path: Path, content: Sequence[bytes], modified: float | None = None) -> None:
    """Write a file in one step, in the place of another if there is one; as `write_new`.

    Meanwhile it is `.NAME.TOKEN`, which a crash may leave.
    """
    hidden = path.with_name(f".{path.name.removeprefix('.')}.{token_hex(4)}")
    write_new(hidden, content, modified)
    try:
        hidden.replace(path)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise
    sync(path.parent)


def remove(path: Path) -> None:
    """Delete a file, if it is there."""
    with suppress(FileNotFoundError):
        path.unlink()
        sync(path.parent)


def sync(directory: Path) -> None:
    """Make the names in a directory safe as they are now."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_or_make(path: Path) -> int:
    """A descriptor of a file, to be locked with flock(2) or appended to."""
    descriptor = os.open(path, _EXISTING_OR_NEW, 0o600)
    _give_away(descriptor, path.parent)
    return descriptor


def _give_away(descriptor: int, directory: Path) -> None:
    """What root writes belongs to the owner of the directory."""
    if os.geteuid() == 0:
        owner, file = directory.stat(), os.fstat(descriptor)
        if (file.st_uid, file.st_gid) != (owner.st_uid, owner.st_gid):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
