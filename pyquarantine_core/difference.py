"""The net difference between headers as received and as they are now, as a milter sends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyquarantine_core.header import Header


@dataclass(frozen=True, slots=True)
class HeaderChange:
    """One `smfi_chgheader`: the index counts headers of that name, any case, from 1."""

    name: str
    index: int
    raw: bytes | None
    """None deletes it."""


@dataclass(frozen=True, slots=True)
class HeaderDifference:
    """What to send, in this order.

    Attributes:
        edits: at their original indexes.
        deletions: from the highest index down, for deleting one renumbers those after it.
        additions: headers to put at the end.
    """

    edits: tuple[HeaderChange, ...]
    deletions: tuple[HeaderChange, ...]
    additions: tuple[Header, ...]


def header_difference(received: Sequence[Header], now: Sequence[Header]) -> HeaderDifference:
    """What turns the received headers into the present ones; untouched ones are not named."""
    kept = {header.origin: header for header in now if header.origin is not None}
    edits, deletions = [], []
    count: Counter[str] = Counter()
    for place, header in enumerate(received):
        count[header.name.lower()] += 1
        index = count[header.name.lower()]
        present = kept.get(place)
        if present is None:
            deletions.append(HeaderChange(header.name, index, None))
        elif present.raw != header.raw:
            edits.append(HeaderChange(header.name, index, present.raw))
    return HeaderDifference(
        tuple(edits),
        tuple(reversed(deletions)),
        tuple(header for header in now if header.origin is None),
    )
