"""What is in ZIP archives, as far as one message may ask: never an exception, never a bomb."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

MAX_DEPTH = 3
"""Archives inside each other."""
MAX_NAMES = 2_000
"""Names in all archives of a message."""
MAX_BYTES = 32 * 1024 * 1024
"""Bytes unpacked from all archives of a message, to look into archives in them."""

_LOCAL_HEADER = b"PK\x03\x04"
_CENTRAL_HEADER = b"PK\x01\x02"
_ENCRYPTED = 0x1
_SUFFIXES = (".zip", ".jar")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Others need memory that the archive chooses."""
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, LookupError, OSError, OverflowError, RuntimeError, ValueError),
)
"""What zipfile raises for what is no archive."""


def looks_like_archive(name: str, content: bytes) -> bool:
    """Whether a file is an archive, by its name or its first bytes."""
    return name.lower().endswith(_SUFFIXES) or content.startswith(_LOCAL_HEADER)


class Archives:
    """The archives of one message, and what is left of its limits."""

    def __init__(self) -> None:
        self._names = MAX_NAMES
        self._bytes = MAX_BYTES

    def names(self, content: bytes, path: str, depth: int = 1) -> Iterator[tuple[str, str]]:
        """The names in an archive and in those in it.

        Args:
            content: of the archive.
            path: its name.
            depth: how many archives it is in, itself among them.

        Yields:
            Name with path, and why an archive could not be looked into, if one could not.
        """
        # Each name has such a header, so that zipfile need not read too many to count them.
        if content.count(_CENTRAL_HEADER) > self._names:
            yield path, f"more than {MAX_NAMES} names"
            return
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                entries = archive.infolist()
                self._names -= len(entries)
                for entry in entries:
                    name = f"{path}/{entry.filename}"
                    yield name, "encrypted" if entry.flag_bits & _ENCRYPTED else ""
                    if entry.filename.lower().endswith(_SUFFIXES):
                        yield from self._inner(archive, entry, name, depth + 1)
        except _BROKEN as error:
            yield path, f"broken: {error}"

    def _inner(
        self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str, depth: int
    ) -> Iterator[tuple[str, str]]:
        if depth > MAX_DEPTH:
            yield path, f"more than {MAX_DEPTH} archives inside each other"
            return
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
            yield path, "encrypted, or packed in an unusual way"
            return
        with archive.open(entry) as file:
            content = file.read(self._bytes + 1)
        if len(content) > self._bytes:
            yield path, f"more than {MAX_BYTES} bytes"
            return
        self._bytes -= len(content)
        yield from self.names(content, path, depth)
