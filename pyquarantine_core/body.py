"""A message body, in memory while it is small and in an unnamed file when it is not."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

SPOOL_LIMIT = 1024 * 1024
"""Bytes of a body that are kept in memory."""
CHUNK = 65535
"""The most bytes of a body in one packet (libmilter's MILTER_CHUNK_SIZE)."""

View = bytes | mmap.mmap
"""Bytes to search and to slice; slices are bytes."""
_Part = bytes | range
"""Bytes of a body, or which bytes of its file they are."""


class Body:
    """Bytes to append to and to read by offset; lines end in CRLF, as the MTA sends them."""

    def __init__(self, chunks: Iterable[bytes] = (), *, spool_limit: int = SPOOL_LIMIT) -> None:
        self._parts: list[_Part] = []
        self._size = 0
        self._file: BinaryIO | None = None  # writable unless it is shared
        self._limit = spool_limit
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
        file = self._file
        is_shared = file is not None and not file.writable()
        if is_shared or (file is None and self._size + len(chunk) > self._limit):
            file = self._spool()
        if file is None:
            self._add(chunk)
        else:
            _write(file, chunk, self._size)
            self._add(range(self._size, self._size + len(chunk)))

    def spliced(self, splices: Iterable[tuple[int, int, bytes]]) -> Body:
        """A body like this one but for some of its bytes; what is on disk is shared, not copied.

        Args:
            splices: where what is replaced starts and ends, in ascending order, and what by.

        Raises:
            OSError: there is no descriptor left, or the disk is full.
        """
        new = Body(spool_limit=self._limit)
        if self._file is not None:
            new._file = os.fdopen(os.dup(self._file.fileno()), "rb", buffering=0)
        at = 0
        for start, end, data in (*splices, (self._size, self._size, b"")):
            for part in (*self._between(at, start), data):
                new._add(part)
            at = end
        if sum(len(part) for part in new._parts if isinstance(part, bytes)) > new._limit:
            try:
                new._spool()
            except OSError:
                new.close()
                raise
        return new

    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """The bytes from `offset`, at most `size` of them."""
        end = self._size if size is None else min(self._size, offset + size)
        return b"".join(map(self._bytes, self._between(offset, end)))

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """All bytes in order, so many at a time; the last ones may be fewer."""
        some: list[bytes] = []
        room = size
        for part in self._parts:
            at = 0
            while at < len(part):
                piece = part[at : at + room]
                some.append(self._bytes(piece))
                at += len(piece)
                room -= len(piece)
                if not room:
                    yield b"".join(some)
                    some, room = [], size
        if some:
            yield b"".join(some)

    def view(self) -> View:
        """All bytes; those on disk are mapped for as long as the view is kept, not copied.

        Raises:
            OSError: there is no descriptor left, or the disk is full.
        """
        file = self._file
        if file is None or not self._size:  # of size 0 a map would be the whole file
            self._parts = [self.read()]  # in one piece from now on
            return self.read()
        if self._parts != [range(self._size)]:
            file = self._spool()
        # Private, since not every file system shares maps of what is open for writing.
        return mmap.mmap(file.fileno(), self._size, mmap.MAP_PRIVATE, mmap.PROT_READ)

    def close(self) -> None:
        """Give the file back; nothing can be read afterwards."""
        self._close_file()
        self._parts.clear()
        self._size = 0

    def _add(self, part: _Part) -> None:
        self._size += len(part)
        last = self._parts[-1] if self._parts else b""
        if isinstance(part, range) and isinstance(last, range) and last.stop == part.start:
            part = range(last.start, part.stop)
            self._parts.pop()
        if part:
            self._parts.append(part)

    def _between(self, start: int, end: int) -> Iterator[_Part]:
        """The parts from one offset to another, cut to fit."""
        at = 0
        for part in self._parts:
            if at >= end:
                break
            if start < at + len(part):
                yield part[max(0, start - at) : end - at]
            at += len(part)

    def _bytes(self, part: _Part) -> bytes:
        if isinstance(part, bytes):
            return part
        assert self._file is not None
        pieces = []
        while part:
            piece = os.pread(self._file.fileno(), len(part), part.start)
            if not piece:
                break
            pieces.append(piece)
            part = part[len(piece) :]
        return b"".join(pieces)

    def _spool(self) -> BinaryIO:
        """Move everything into a file of its own, in one piece."""
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as the body
        try:
            at = 0
            for chunk in self.chunks():
                _write(file, chunk, at)
                at += len(chunk)
        except BaseException:
            file.close()
            raise
        self._close_file()
        self._file, self._parts = file, [range(self._size)]
        return file

    def _close_file(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # it is thrown away, and its message may be held already
                self._file.close()


def _write(file: BinaryIO, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file.fileno(), rest, offset)
        offset += written
        rest = rest[written:]
