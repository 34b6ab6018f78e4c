"""How an action has changed what is in a message, as a diff for people."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pyquarantine_core.mime.structure import scan
from pyquarantine_core.mime.text import read_text

if TYPE_CHECKING:
    from pyquarantine_core.body import Body
    from pyquarantine_core.header import Header
    from pyquarantine_core.message import Message, Snapshot

MAX_LINES = 40
"""Lines of a difference that are shown."""
LONGEST_COMPARED = 1_000_000
"""Bytes of a body that is compared line by line."""

_BREAK = re.compile("\r?\n")


def difference(before: Snapshot, message: Message) -> tuple[str, ...]:
    """How headers and body differ from what they were, in lines of a unified diff.

    Headers, and texts in the body, are decoded.
    """
    return (
        *_header_difference(before.headers, message.current_headers),
        *_body_difference(before, message),
    )


def _header_difference(old: Sequence[Header], new: Sequence[Header]) -> Iterator[str]:
    if new is not old:
        yield from _diff([header.text for header in old], [header.text for header in new])


def _body_difference(before: Snapshot, message: Message) -> Iterator[str]:
    old, new = before.body, message.current_body
    if new is old:
        return
    if max(len(old), len(new)) > LONGEST_COMPARED:
        yield f"(the body has {len(new)} bytes instead of {len(old)})"
        return
    yield from _diff(_lines(before.headers, old), _lines(message.current_headers, new))


def _diff(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    lines = list(difflib.unified_diff(old, new, lineterm="", n=1))[2:]  # without file names
    yield from lines[:MAX_LINES]
    if len(lines) > MAX_LINES:
        yield f"({len(lines) - MAX_LINES} more lines)"


def _lines(headers: Sequence[Header], body: Body) -> Sequence[str]:
    """The lines of a body, its texts as a reader sees them."""
    data = body.read()
    pieces: list[str] = []
    at = 0
    for part in scan(((header.name, header.raw) for header in headers), data).root.walk():
        if not part.parts and part.type.startswith("text/"):
            pieces += [data[at : part.start].decode("utf-8", "replace"), read_text(part, data)]
            at = part.end
    pieces.append(data[at:].decode("utf-8", "replace"))
    return _BREAK.split("".join(pieces).removesuffix("\n").removesuffix("\r"))
