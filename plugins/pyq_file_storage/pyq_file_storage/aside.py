"""Where files go that belong to no entry: `.aside` in the storage. None is deleted.

The leading dot hides it from listings: of this version, of earlier ones, and of a shell.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from types import TracebackType
from typing import Self

from pyq_file_storage.directory import Directory

ASIDE = ".aside"
REASONS = "reasons.txt"


class Aside:
    """The subdirectory, made when it is first needed; a context manager.

    Args:
        directory: of the storage.

    Raises:
        OSError: from every method, as the system calls do.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def __enter__(self) -> Self:
        self._aside = self._directory.subdirectory(ASIDE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._aside.__exit__(kind, error, traceback)

    def take(self, name: str, reason: str) -> None:
        """Move a file here, under the name it would have as part of an entry.

        If it is here already, it only loses its name there. Nothing is overwritten. Call `sync`
        at the end.
        """
        public = name.removeprefix(".").removesuffix(".tmp")
        for number in count():
            new_name = f"{public}.{number}" if number else public
            if self._directory.same_file(name, new_name, of=self._aside):
                self._directory.remove(name)
                return
            with suppress(FileExistsError):
                self._directory.move(name, self._aside, new_name)
                break
        line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {new_name}: {reason}\n"
        self._aside.append(REASONS, line.encode())

    def sync(self) -> None:
        """Make what was moved survive a crash, in both directories."""
        self._aside.sync()
        self._directory.sync()
