"""Numbers for processes: each living one has its own, and the dead leave theirs to others."""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Slot:
    """A number that no other living process has; its file is locked for as long as this lives.

    Attributes:
        number: from 0.
        descriptor: of the locked file.
    """

    number: int
    descriptor: int

    @classmethod
    def claim(cls, directory: Path) -> Slot:
        """Take the lowest number that is free.

        Raises:
            OSError: the directory cannot be written to.
        """
        with _alone(directory):
            for number in itertools.count():
                descriptor = os.open(directory / f"slot_{number}", os.O_RDWR | os.O_CREAT, 0o600)
                if _locked(descriptor):
                    return cls(number, descriptor)
                os.close(descriptor)
        raise AssertionError

    def free(self) -> None:
        """Leave it to others."""
        os.close(self.descriptor)


def living(directory: Path) -> int:
    """How many processes have a number."""
    count = 0
    with _alone(directory):
        for path in directory.glob("slot_*"):
            descriptor = os.open(path, os.O_RDONLY)
            count += not _locked(descriptor)
            os.close(descriptor)
    return count


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Nobody else looks at the numbers: to look at one is to lock it, for a moment."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Lock it, unless another process has (flock(2)); the kernel frees it when that dies."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
