"""Files that survive a crash once they are there, and belong to the owner of their directory.

All raise OSError as the system calls do.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_EXISTING_OR_NEW = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
# O_NONBLOCK: opening a FIFO must not wait for its writer (open(2)).
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_AT_ONCE = 16
"""Pieces for one writev(2), which takes that many everywhere (limits.h(0p), IOV_MAX)."""


class NotPlainError(OSError):
    """A name leads to something other than a regular file of its own, such as a link or a FIFO."""


def write_new(path: Path, content: Sequence[bytes], modified: float | None = None) -> None:
    """Write a file that did not exist, for its owner alone; on an error nothing is left.

    Its name is not safe before `sync`.

    Args:
        path: the file.
        content: its bytes.
        modified: its time of modification (time.time); None: now.
    """
    write_several_new({path: content}, modified)


def write_several_new(files: Mapping[Path, Sequence[bytes]], modified: float | None = None) -> None:
    """The same for several files: on an error none is left."""
    written: list[int] = []
    made: list[Path] = []
    try:
        for path, content in files.items():
            written.append(os.open(path, _NEW, 0o600))
            made.append(path)
            write_all(written[-1], content)
            _give_away(written[-1], path.parent)
            if modified is not None:
                os.utime(written[-1], (modified, modified))
        sync_files(*written)
    except OSError:
        for path in made:
            path.unlink(missing_ok=True)
        raise
    finally:
        for descriptor in written:
            os.close(descriptor)


def write_all(file: int, chunks: Iterable[bytes]) -> int:
    """Write all of it to an open file: a full disk cuts writev(2) short before it fails.

    Returns:
        How many bytes.
    """
    written = 0
    remaining = iter(chunks)
    while some := list(islice(remaining, _AT_ONCE)):
        size = sum(map(len, some))
        written += size
        left = size - os.writev(file, some)
        while left:
            left -= os.write(file, b"".join(some)[-left:])
    return written


def sync_files(*files: int) -> None:
    """Make what is in these open files survive a crash.

    All are on their way to the disk before the first is waited for: many take little longer than
    one.
    """
    if len(files) > 1:
        for file in files:
            _begin_to_write(file)
    for file in files:
        os.fsync(file)


def _begin_to_write(file: int) -> None:
    """Let the disk begin, where that can be: on Linux what is let go of is written first."""
    release_cache(file)


def release_cache(file: int) -> None:
    """Let go of the memory that caches a synced file which nobody is going to read soon."""
    with suppress(OSError):
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)


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


def make_directory(path: Path) -> None:
    """Make a directory and what is missing above it, for the owner alone, if it is missing.

    What root makes belongs to the owner of the directory that it is in, as the daemon's user
    will need it.
    """
    if path.exists():
        return
    make_directory(path.parent)
    with suppress(FileExistsError):  # another process was faster
        path.mkdir(mode=0o700)
        if os.geteuid() == 0:
            above = path.parent.stat()
            os.chown(path, above.st_uid, above.st_gid)
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
    """A descriptor of a file, to be locked with flock(2) or appended to.

    Raises:
        NotPlainError: it is none, or has another name elsewhere: what root does to it would be
            done there.
    """
    descriptor = os.open(path, _EXISTING_OR_NEW, 0o600)
    try:
        _refuse_unless(_is_plain(descriptor) and os.fstat(descriptor).st_nlink < 2, path)
        _give_away(descriptor, path.parent)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_plain(path: Path) -> BinaryIO:
    """A regular file, open to be read.

    Raises:
        NotPlainError: it is none.
    """
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        _refuse_unless(error.errno not in {errno.ELOOP, errno.ENXIO}, path)
        raise
    if not _is_plain(descriptor):
        os.close(descriptor)
        _refuse_unless(False, path)
    return os.fdopen(descriptor, "rb")


def _is_plain(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _refuse_unless(plain: bool, path: Path) -> None:
    if not plain:
        raise NotPlainError(errno.EINVAL, "Not a plain file", str(path))


def _give_away(descriptor: int, directory: Path) -> None:
    """What root writes belongs to the owner of the directory."""
    if os.geteuid() == 0:
        owner, file = directory.stat(), os.fstat(descriptor)
        if (file.st_uid, file.st_gid) != (owner.st_uid, owner.st_gid):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
