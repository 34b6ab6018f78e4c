"""The entries of a directory: what they are called, and which files make up one.

An entry is a plain file `ID`, its data, and beside it `ID.metadata` if it has any. An entry is
there as long as its data is, and metadata alone is none: data gets its name last, when both files
are on the disk, and loses it first.
"""

from __future__ import annotations

import os
import re
import stat
from datetime import datetime
from secrets import token_hex
from typing import Any

from pyq_file_storage.directory import Directory
from pyq_file_storage.metadata import LIMIT, BrokenMetadataError, decode, entry
from pyquarantine_core.durable import NotPlainError
from pyquarantine_core.printable import printable
from pyquarantine_core.types import Entry

SUFFIX = ".metadata"
_LONGEST = 255 - len(f".{SUFFIX}.tmp")
_HIDDEN = re.compile(r"\.([0-9]{14,20}_[A-Za-z0-9]+)(?:\.tmp|\.metadata\.new)")

_SEPARATORS = str.maketrans("", "", "-T:.")
_UNREADABLE = re.compile("[^A-Za-z0-9]+")
_QUEUE_ID = 64
"""Characters of a queue ID that an entry's ID shows; those of MTAs are shorter."""
_USUAL = 16 * 1024
"""Bytes that hold most metadata. Memory for all that is allowed takes as long as the reading."""


def new_id(now: datetime, queue_id: str) -> str:
    """Time (UTC) to the microsecond and queue ID, such as `20261122115501123456_4XYZ`.

    A message without a queue ID gets a random one, since others may come in that microsecond.
    """
    time = now.replace(tzinfo=None).isoformat(timespec="microseconds").translate(_SEPARATORS)
    readable = _UNREADABLE.sub("", queue_id)[:_QUEUE_ID]
    return f"{time}_{readable or f'NOQUEUE{token_hex(4)}'}"


def is_entry_id(name: str) -> bool:
    """Whether an entry can have this name; there may be none.

    No name that holds line breaks, or steers a terminal, is one: scripts read IDs line by line.
    """
    try:
        length = len(os.fsencode(name))
    except UnicodeEncodeError:
        return False
    outside = "/" in name or printable(name) != name
    return 0 < length <= _LONGEST and not outside and name[0] != "." and not name.endswith(SUFFIX)


def hidden(name: str) -> str:
    """What data is called before it is published."""
    return f".{name}.tmp"


def hidden_update(name: str) -> str:
    """What the new content of a published file is called."""
    return f".{name}.new"


def id_of_hidden(name: str) -> str | None:
    """The entry that a name belongs to, if it is one that we hide files under."""
    found = _HIDDEN.fullmatch(name)
    return None if found is None else found[1]


def read_metadata(directory: Directory, entry_id: str) -> dict[str, Any]:
    """The metadata as stored; empty when there is none.

    Raises:
        BrokenMetadataError: there is something else.
    """
    try:
        with directory.open_file(entry_id + SUFFIX) as file:
            content = file.read(_USUAL)
            if len(content) == _USUAL:
                content += file.read(LIMIT + 1 - _USUAL)
            return decode(content)
    except FileNotFoundError:
        return {}
    except NotPlainError as error:
        raise BrokenMetadataError("not a plain file") from error


def read_entry(directory: Directory, entry_id: str, broken: list[str]) -> Entry:
    """An entry; with broken metadata as if it had none.

    Args:
        directory: where it is.
        entry_id: which one; `is_entry_id` holds.
        broken: gets a line for broken metadata.

    Raises:
        FileNotFoundError: there is none.
        NotPlainError: it is not a plain file.
    """
    stored, reason = _usable_metadata(directory, entry_id)
    data = directory.stat(entry_id)  # after the metadata, since removing starts with the data
    if not stored:  # and once more, since storing ends with it
        stored, reason = _usable_metadata(directory, entry_id)
    if not stat.S_ISREG(data.st_mode):
        raise NotPlainError(entry_id)
    try:
        found = entry(entry_id, data, stored)
    except BrokenMetadataError as error:
        found, reason = entry(entry_id, data, {}), str(error)
    if reason:
        broken.append(f"{entry_id}: {reason}")
    return found


def _usable_metadata(directory: Directory, entry_id: str) -> tuple[dict[str, Any], str]:
    """The metadata, or none and why."""
    try:
        return read_metadata(directory, entry_id), ""
    except BrokenMetadataError as error:
        return {}, str(error)
