"""What an action has done to a message, in words: for the log of pretended ones, and to explain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyquarantine_core.errors import why

if TYPE_CHECKING:
    from pyquarantine_core.message import Message, Snapshot
    from pyquarantine_core.types import Effect


def describe_changes(before: Snapshot, message: Message) -> Iterator[str]:
    """A line for each change since the snapshot, such as `add the header 'X-A: b'`."""
    yield from _describe_headers(before, message)
    if message.current_body is not before.body:
        yield "replace the body"
    yield from describe_others(before, message)


def describe_others(before: Snapshot, message: Message) -> Iterator[str]:
    """A line for each change that is none of headers and body: envelope, and what is to last."""
    left = set(map(id, message.current_recipients))
    gone = [one.address for one in before.recipients if id(one) not in left]
    if gone:
        yield f"take out the recipients {', '.join(gone)}"
    known = set(map(id, before.recipients))
    new = [one.address for one in message.current_recipients if id(one) not in known]
    if new:
        yield f"add the recipients {', '.join(new)}"
    for effect in message.effects[before.effects :]:
        yield described(effect)


def described(effect: Effect) -> str:
    """What an effect says of itself, or that it cannot."""
    try:
        return effect.describe()
    except Exception as error:
        return f"do what {type(effect).__name__} does, which cannot say it ({why(error)})"


def _describe_headers(before: Snapshot, message: Message) -> Iterator[str]:
    old = {header.origin: header for header in before.headers if header.origin is not None}
    old_ids = set(map(id, before.headers))
    kept_ids = set(map(id, message.current_headers))
    kept_origins = {header.origin for header in message.current_headers}
    for header in before.headers:
        replaced = header.origin is not None and header.origin in kept_origins
        if id(header) not in kept_ids and not replaced:
            yield f"delete the header {header.text!r}"
    for header in message.current_headers:
        if id(header) in old_ids:
            continue
        if header.origin in old:
            yield f"change the header {old[header.origin].text!r} to {header.text!r}"
        else:
            yield f"add the header {header.text!r}"
