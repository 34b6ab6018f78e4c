"""What is in the outbox: notifications, and the waiting of all of one kind.

A file of a notification has a line of JSON and then its content.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyquarantine_core.errors import OutboxError
from pyquarantine_core.types import Delivery

_UNREADABLE = (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError)
"""What comes of JSON that is none, nested without end, or not what is wanted there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A notification in the outbox.

    Attributes:
        id: names it; sorts by time.
        queue_id: of the message that it is about.
        delivery: what is to be delivered.
        since: from when its lifetime counts (time.time).
        attempts: how many deliveries have failed since then.
        error: why the last one has.
    """

    id: str
    queue_id: str
    delivery: Delivery
    since: float
    attempts: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class ItemFile:
    """What a directory tells of an item.

    Attributes:
        id: of the item.
        time: of one that waits: when it is tried next; of one that failed: when that was.
        size: in bytes.
        committed: when it was, if it is not known to be concluded (time.time).
    """

    id: str
    time: float
    size: int
    committed: float | None = None


@dataclass(frozen=True, slots=True)
class Deferral:
    """That no item of a notification is tried for a while.

    Attributes:
        notification: its name in the config.
        attempts: how many have failed in a row.
        next_try: until when (time.time).
        error: why.
    """

    notification: str
    attempts: int
    next_try: float
    error: str


def decode(item_id: str, head: bytes, content: bytes) -> Item:
    """An item from its file: the first line and the rest.

    Raises:
        OutboxError: it is not one that was written here.
    """
    try:
        known = json.loads(head)
        return Item(
            id=item_id,
            queue_id=str(known["queue_id"]),
            delivery=Delivery(str(known["notification"]), str(known["recipient"]), content),
            since=_time(known["since"]),
            attempts=int(known["attempts"]),
            error=str(known["error"]),
        )
    except _UNREADABLE as error:
        raise OutboxError(f"{item_id} is no notification: {error}") from error


def decode_deferral(content: bytes) -> Deferral:
    """A deferral from its file.

    Raises:
        OutboxError: it is not one that was written here.
    """
    try:
        known = json.loads(content)
        return Deferral(
            notification=str(known["notification"]),
            attempts=int(known["attempts"]),
            next_try=_time(known["next_try"]),
            error=str(known["error"]),
        )
    except _UNREADABLE as error:
        raise OutboxError(f"no deferral: {error}") from error


def _time(value: Any) -> float:
    """A time of the clock that can be shown; `fromtimestamp` refuses all others."""
    datetime.fromtimestamp(value, UTC)
    return float(value)


def encode(item: Item) -> Sequence[bytes]:
    """The content of an item's file."""
    head = {
        "notification": item.delivery.notification,
        "recipient": item.delivery.recipient,
        "queue_id": item.queue_id,
        "since": item.since,
        "attempts": item.attempts,
        "error": item.error,
    }
    return json.dumps(head).encode(), b"\n", item.delivery.content
