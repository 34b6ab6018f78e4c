"""A disk of its own for a test, and what is left on it when the power fails."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

SIZE = 64 * 1024 * 1024
_REPAIRED = {0, 1}
"""What e2fsck(8) exits with when nothing is wrong any more."""


class NoDiskError(RuntimeError):
    """No disk can be made here: that takes root, e2fsprogs and leave to mount a file."""


class Disk:
    """An ext4 file system in a file, mounted; a context manager.

    Args:
        place: a directory for its files, which is made.
        journal: whether the file system has one.

    Attributes:
        root: where it is mounted.

    Raises:
        NoDiskError: it cannot be made.
    """

    def __init__(self, place: Path, *, journal: bool) -> None:
        self.root = place / "disk"
        self._image = place / "disk.img"
        self._recovered = place / "recovered.img"
        self._after = place / "recovered"
        self._journal = journal
        self._mounted = ExitStack()

    def __enter__(self) -> Self:
        for directory in (self.root, self._after):
            directory.mkdir(parents=True)
        with self._image.open("wb") as image:
            image.truncate(SIZE)
        feature = "has_journal" if self._journal else "^has_journal"
        try:
            _run("mkfs.ext4", "-q", "-O", feature, self._image)
            self._mounted.enter_context(_mounted(self._image, self.root))
        except FileNotFoundError as error:
            raise NoDiskError(str(error)) from error
        except subprocess.CalledProcessError as error:
            raise NoDiskError(f"{error}: {error.stderr.decode().strip()}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._mounted.close()
        for image in (self._image, self._recovered):
            image.unlink(missing_ok=True)

    @contextmanager
    def without_power(self) -> Iterator[Path]:
        """Where to find what a machine would find that lost its power just now.

        It is what the kernel has written to the disk so far, repaired as when a machine starts.
        What the disk itself has in a volatile cache counts as written.
        """
        _run("cp", "--sparse=always", self._image, self._recovered)
        done = subprocess.run(
            ["e2fsck", "-f", "-y", str(self._recovered)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in _REPAIRED:
            raise RuntimeError(f"e2fsck: {done.stdout}{done.stderr}")
        with _mounted(self._recovered, self._after):
            yield self._after


@contextmanager
def _mounted(image: Path, place: Path) -> Iterator[None]:
    _run("mount", "-o", "loop", image, place)
    try:
        yield
    finally:
        _run("umount", "--lazy", place)  # a test that fails may have left a file open


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
