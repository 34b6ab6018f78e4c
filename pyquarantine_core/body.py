"""A message body, in memory while it is small and in an unnamed file when it is not."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

SPOOL_LIMIT = 1024 * 1024
"""Bytes of a body that are kept in memory."""
CHUNK = 64 * 1024

View = bytes | mmap.mmap
"""Bytes to search and to slice; slices are bytes."""


class Body:
    """Bytes to append to and to read by offset; lines end in CRLF, as the MTA sends them."""

    def __init__(self, chunks: Iterable[bytes] = (), *, spool_limit: int = SPOOL_LIMIT) -> None:
        self._parts: list[bytes] = []
        self._file: BinaryIO | None = None
        self._limit = spool_limit
        self._size = 0
        for chunk in chunks:
            self.append(chunk)

    def __len__(self) -> int:
        return self._size

    @property
    def spooled(self) -> bool:
        """Whether it has moved to disk."""
        return self._file is not None

    def append(self, chunk: bytes) -> None:
        """Add bytes at the end.

        Raises:
            OSError: the disk is full; what was there before is still readable.
        """
        if self._file is None and self._size + len(chunk) > self._limit:
            self._spool()
        if self._file is None:
            self._parts.append(chunk)
        else:
            _write(self._file, chunk, self._size)
        self._size += len(chunk)

    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """The bytes from `offset`, at most `size` of them."""
        end = self._size if size is None else min(self._size, offset + size)
        if self._file is None:
            return self._joined()[offset:end]
        parts = []
        while offset < end:
            part = os.pread(self._file.fileno(), end - offset, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """All bytes in order, at most `size` at a time."""
        if all(len(part) <= size for part in self._parts) and self._file is None:
            yield from self._parts
            return
        for offset in range(0, self._size, size):
            yield self.read(offset, size)

    @contextmanager
    def viewed(self) -> Iterator[View]:
        """All bytes, valid within the context; those on disk are not copied into memory.

        Raises:
            OSError: there is no descriptor left.
        """
        if self._file is None:
            yield self._joined()
        else:
            with mmap.mmap(self._file.fileno(), self._size, access=mmap.ACCESS_READ) as mapped:
                yield mapped

    def close(self) -> None:
        """Give the file back; nothing can be read afterwards."""
        if self._file is not None:
            with suppress(OSError):  # it is thrown away, and its message may be held already
                self._file.close()
        self._parts.clear()
        self._size = 0

    def _joined(self) -> bytes:
        """What is in memory, from now on in one piece."""
        if len(self._parts) != 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0]

    def _spool(self) -> None:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as the body
        try:
            _write(file, self._joined(), 0)
        except BaseException:
            file.close()
            raise
        self._file = file
        self._parts.clear()


def _write(file: BinaryIO, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file.fileno(), rest, offset)
        offset += written
        rest = rest[written:]
