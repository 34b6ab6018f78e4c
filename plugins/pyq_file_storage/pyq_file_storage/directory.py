"""A directory whose plain files are read and written by name, durably and never outside of it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

from pyquarantine_core.durable import NotPlainError, write_all
from pyquarantine_core.errors import StorageError

# O_NONBLOCK: opening a FIFO must not wait for its writer (open(2)).
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
_NOT_PLAIN = frozenset({errno.ELOOP, errno.ENXIO, errno.ENODEV})


class explained:  # noqa: N801 - reads as what it does; a generator costs three times as much
    """Turn errors of the system into one line that starts with `failure`; a context manager.

    Raises:
        StorageError: an OSError occurred.
    """

    __slots__ = ("_failure",)

    def __init__(self, failure: str) -> None:
        self._failure = failure

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, OSError):
            raise StorageError(f"{self._failure}: {error.strerror or error}") from error


class Directory:
    """An open directory; all names are looked up in it, wherever its path leads meanwhile.

    Names have no slash and are not links: the callers check the former, this class the latter.

    Raises:
        OSError: from every method, as the system calls do.
    """

    _opened: os.stat_result | None = None

    def __init__(self, path: str | Path, *, parent: Directory | None = None) -> None:
        if parent is None:
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        else:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            self._fd = os.open(path, flags, dir_fd=parent._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._fd)

    def check_is_at(self, path: Path) -> None:
        """Raise a FileNotFoundError unless the path still leads here."""
        if not os.path.samestat(path.stat(), self.opened):
            raise FileNotFoundError(errno.ENOENT, "it is another directory now")

    def lock(self) -> bool:
        """Take its exclusive lock while it is open; False when another process has it."""
        return lock(self._fd, wait=False)

    def share(self) -> None:
        """Wait until no other process has its exclusive lock, and let none have it meanwhile."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def names(self) -> list[str]:
        return os.listdir(self._fd)  # noqa: PTH208 - pathlib cannot list a descriptor

    def each_name(self) -> Iterator[str]:
        """The same, without all of them in memory."""
        with os.scandir(self._fd) as found:
            for one in found:
                yield one.name

    def status(self) -> os.stat_result:
        """Its own status, as it is now."""
        return os.fstat(self._fd)

    @property
    def opened(self) -> os.stat_result:
        """Its own status, as it was when somebody asked first."""
        if self._opened is None:
            self._opened = self.status()
        return self._opened

    def writable(self) -> bool:
        wanted = os.R_OK | os.W_OK | os.X_OK
        return os.access(".", wanted, dir_fd=self._fd, effective_ids=True)

    def is_ours(self) -> bool:
        """Whether what we write in it can belong to its owner."""
        return os.geteuid() in {0, self.status().st_uid}

    def stat(self, name: str) -> os.stat_result:
        """Status of what has this name, of a link itself."""
        return os.stat(name, dir_fd=self._fd, follow_symlinks=False)

    def exists(self, name: str) -> bool:
        """Whether something has this name, if only a link that leads nowhere."""
        try:
            self.stat(name)
        except FileNotFoundError:
            return False
        return True

    def is_visible(self, name: str) -> bool:
        """The same in less time; False, too, where that cannot be told."""
        return os.access(name, os.F_OK, dir_fd=self._fd, follow_symlinks=False)

    def leads_to(self, name: str, file: int) -> bool:
        """Whether this is a name of the open file."""
        return self.is_named(name, os.fstat(file))

    def is_named(self, name: str, status: os.stat_result) -> bool:
        """Whether this is a name of the file that has this status."""
        try:
            return os.path.samestat(self.stat(name), status)
        except FileNotFoundError:
            return False

    def same_file(self, name: str, other: str, *, of: Directory | None = None) -> bool:
        """Whether both names are there, the other one in `of` if given, and lead to one file."""
        try:
            return os.path.samestat(self.stat(name), (of or self).stat(other))
        except FileNotFoundError:
            return False

    def is_plain(self, name: str) -> bool:
        """Whether this is a regular file, and no link to one."""
        try:
            return stat.S_ISREG(self.stat(name).st_mode)
        except FileNotFoundError:
            return False

    def inner(self, name: str) -> Directory:
        """A directory in it."""
        return Directory(name, parent=self)

    def subdirectory(self, name: str) -> Directory:
        """A directory in it, made for the owner of this one if it is missing."""
        try:
            os.mkdir(name, 0o700, dir_fd=self._fd)
        except FileExistsError:
            return self.inner(name)
        made = self.inner(name)
        self._give(made._fd, os.fstat(made._fd), None)
        self.sync()
        return made

    def open_file(self, name: str) -> BinaryIO:
        """Open a plain file to read it.

        Raises:
            NotPlainError: it is none.
        """
        try:
            fd = os.open(name, _READ, dir_fd=self._fd)
        except OSError as error:
            if error.errno in _NOT_PLAIN:
                raise NotPlainError(error.errno, "Not a plain file") from error
            raise
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise NotPlainError(errno.EINVAL, "Not a plain file")
        return os.fdopen(fd, "rb")

    def create(self, name: str) -> int:
        """A descriptor for writing a file that did not exist."""
        return os.open(name, _CREATE, 0o600, dir_fd=self._fd)

    def fill(
        self,
        fd: int,
        chunks: Iterable[bytes],
        *,
        mode: int = 0o600,
        like: os.stat_result | None = None,
    ) -> None:
        """Write a file that is open for it, sync and close it.

        Args:
            fd: closed in any case.
            chunks: its bytes.
            mode: its permissions, whatever the umask.
            like: whose owner it gets when root writes it; None: that of the directory.
        """
        try:
            self.write(fd, os.fstat(fd), chunks, mode=mode, like=like)
            os.fsync(fd)
        finally:
            os.close(fd)

    def write(
        self,
        fd: int,
        created: os.stat_result,
        chunks: Iterable[bytes],
        *,
        mode: int,
        like: os.stat_result | None = None,
    ) -> int:
        """The same for a file that stays open; `sync_files` makes it last.

        Args:
            fd: of the file.
            created: its status, or that of another file made by this process just before.
            chunks: as for `fill`.
            mode: likewise.
            like: likewise.

        Returns:
            How many bytes it has.
        """
        self._give(fd, created, like)
        if stat.S_IMODE(created.st_mode) != mode:
            os.fchmod(fd, mode)
        return write_all(fd, chunks)

    def publish(self, hidden: str, name: str) -> None:
        """Give a file a second name; FileExistsError when that is taken (link(2))."""
        os.link(hidden, name, src_dir_fd=self._fd, dst_dir_fd=self._fd, follow_symlinks=False)

    def hide(self, name: str, hidden: str) -> None:
        """Take a file's name, if it is there, for a hidden one; on a full disk for none at all."""
        with suppress(OSError):
            self.replace(name, hidden)
        self.remove(name)  # also where it has both: rename(2) does nothing then

    def move(self, name: str, to: Directory, new_name: str) -> None:
        """Move a file to another directory; FileExistsError when that name is taken."""
        os.link(name, new_name, src_dir_fd=self._fd, dst_dir_fd=to._fd, follow_symlinks=False)
        self.remove(name)

    def append(self, name: str, content: bytes) -> None:
        """Add to the end of a file, which is made if it is missing.

        Raises:
            NotPlainError: it is none, or has another name elsewhere: root would write there, too.
        """
        self.fill(self._open_to_append(name, os.O_CREAT), [content])

    def append_line(self, name: str, line: bytes, *, limit: int) -> None:
        """Add a line to a file that is there and has fewer bytes than `limit`, at once; not synced.

        What processes append at the same time is not mixed (O_APPEND). When the file is replaced
        meanwhile, the new one gets the line, too.

        Raises:
            NotPlainError: as `append`.
            OSError: the line is not there, or only some of it.
        """
        replaced = True
        while replaced:
            fd = self._open_to_append(name)
            try:
                if os.fstat(fd).st_size >= limit:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
                if os.write(fd, line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                replaced = os.fstat(fd).st_nlink == 0
            finally:
                os.close(fd)

    def _open_to_append(self, name: str, flags: int = 0) -> int:
        fd = os.open(name, _APPEND | flags, 0o600, dir_fd=self._fd)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            os.close(fd)
            raise NotPlainError(errno.EINVAL, "Not a plain file")
        return fd

    def replace(self, name: str, other: str) -> None:
        """Put a file in the place of another."""
        os.replace(name, other, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def remove(self, *names: str) -> None:
        """Remove files in this order; those not there are passed over."""
        for name in names:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._fd)

    def sync(self) -> None:
        """Make all names as they are now survive a crash."""
        os.fsync(self._fd)

    def _give(self, fd: int, created: os.stat_result, like: os.stat_result | None) -> None:
        owner = like or self.opened
        is_foreign = (created.st_uid, created.st_gid) != (owner.st_uid, owner.st_gid)
        if is_foreign and os.geteuid() == 0:
            os.fchown(fd, owner.st_uid, owner.st_gid)


def lock(file: int, *, wait: bool = True) -> bool:
    """Take the exclusive flock(2) of an open file; it ends with `unlock`, or with the process.

    Returns:
        Whether it is ours; False only without `wait`, when another process has it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(file: int) -> None:
    """Give a lock back, even if a forked process has the file open too, and close the file."""
    try:
        fcntl.flock(file, fcntl.LOCK_UN)
    finally:
        os.close(file)
