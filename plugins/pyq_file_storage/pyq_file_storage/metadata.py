"""The metadata of an entry: JSON that this and earlier versions of pyquarantine have written.

Keys are `mailfrom`, `recipients`, `subject`, `timestamp` (seconds since the epoch), `queue_id`,
`vars`, and since version 3 `quarantine`, `smtputf8` and `in_doubt` (some of the recipients).
Version 1 had `headers` for the subject, `date` for the timestamp, `named_subgroups` for `vars`;
its `subgroups` are not used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

from pyquarantine_core.errors import StorageError
from pyquarantine_core.types import Entry, NewEntry

LIMIT = 16 * 1024 * 1024
"""Bytes of metadata that are read; more are not written either."""

_LATEST = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())

# A value a line, for those who read it. (With `indent`, json takes ten times as long.)
_encoded = json.JSONEncoder(separators=(",\n  ", ": ")).encode

T = TypeVar("T")


class BrokenMetadataError(StorageError):
    """These bytes are not the metadata of an entry."""


def describe(
    new: NewEntry, stored_at: datetime, variables: Mapping[str, str]
) -> Mapping[str, object]:
    """The metadata of a new entry."""
    message = new.message
    described: dict[str, object] = {
        "mailfrom": message.sender,
        "recipients": list(new.recipients),
        "subject": message.subject,
        "timestamp": int(stored_at.timestamp()),
        "queue_id": message.queue_id,
        "vars": dict(variables),
    }
    if new.quarantine is not None:
        described["quarantine"] = new.quarantine
    if message.smtputf8:
        described["smtputf8"] = True
    return described


def encode(stored: Mapping[str, object]) -> bytes:
    """As a file; ASCII, so that any text survives, lone surrogates too.

    Raises:
        StorageError: it is too large to be read again.
    """
    content = _encoded(stored).encode("ascii")
    if len(content) > LIMIT:
        raise StorageError(f"metadata of {len(content)} bytes is too large; {LIMIT} may be stored")
    return content


def decode(content: bytes) -> dict[str, Any]:
    """From a file.

    Raises:
        BrokenMetadataError: it is too large or not a JSON object.
    """
    if len(content) > LIMIT:
        raise BrokenMetadataError(f"more than {LIMIT} bytes")
    try:
        stored = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BrokenMetadataError(f"not JSON: {error}") from error
    if not isinstance(stored, dict):
        raise BrokenMetadataError("not a JSON object")
    return stored


def entry(entry_id: str, data: os.stat_result, stored: Mapping[str, Any]) -> Entry:
    """The entry that data and metadata make up; without metadata its envelope is unknown.

    Raises:
        BrokenMetadataError: a value has the wrong type.
    """
    headers = _value(stored, "headers", dict) or {}
    timestamp = _number(stored, "timestamp", "date")
    sender = _value(stored, "mailfrom", str)
    return Entry(
        id=entry_id,
        size=data.st_size,
        stored_at=_moment(data.st_mtime if timestamp is None else timestamp),
        sender="" if sender == "<>" else sender,
        recipients=_addresses(stored, "recipients"),
        subject=_value(stored, "subject", str) or _value(headers, "subject", str) or "",
        queue_id=_value(stored, "queue_id", str) or "",
        variables=_variables(stored),
        quarantine=_value(stored, "quarantine", str),
        smtputf8=_value(stored, "smtputf8", bool) or False,
        in_doubt=_addresses(stored, "in_doubt") or (),
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _value(stored: Mapping[str, Any], key: str, kind: type[T]) -> T | None:
    value = stored.get(key)
    if value is None or isinstance(value, kind):
        return value
    raise BrokenMetadataError(f"{key} is not of type {kind.__name__}")


def _number(stored: Mapping[str, Any], *keys: str) -> float | None:
    for key in keys:
        value = stored.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        if value is not None:
            raise BrokenMetadataError(f"{key} is not a number")
    return None


def _addresses(stored: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    addresses = _value(stored, key, list)
    if addresses is None:
        return None
    if not all(isinstance(one, str) for one in addresses):
        raise BrokenMetadataError(f"{key} are not strings")
    return tuple(addresses)


def _variables(stored: Mapping[str, Any]) -> dict[str, str]:
    variables = _value(stored, "vars", dict) or _value(stored, "named_subgroups", dict) or {}
    return {name: value for name, value in variables.items() if isinstance(value, str)}


def _moment(seconds: float) -> datetime:
    """Within the years that every time zone can show."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LATEST), UTC)
