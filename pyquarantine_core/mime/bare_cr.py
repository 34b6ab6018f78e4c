"""Boundaries after a bare CR, which ends a line to Thunderbird and to nobody else."""

from __future__ import annotations

import re

from pyquarantine_core.body import View

_DASHES_AFTER_CR = re.compile(rb"\r--")
_COMPARED = 1024 * 1024
"""Bytes of boundaries that dashes after bare CRs are compared with; what is left is in doubt."""
_AT_LEAST = 100
"""Bytes that each such place counts for, however short the boundaries are."""


class BareCrs:
    """Looks through a body for what begins like a boundary of it, but after a bare CR.

    To a client that ends lines there, other dashes mean nothing either, such as those of a list or
    of a signed text: it knows of no other boundary unless a header or a boundary that it reads in
    another way, which is a doubt of its own, has named one.

    Args:
        body: what is looked through.
    """

    def __init__(self, body: View) -> None:
        self._body = body
        self._delimiters: set[bytes] = set()
        self._looked_through = 0
        self._left = _COMPARED

    def know(self, delimiter: bytes) -> None:
        """Look for this one, too: a boundary with its dashes."""
        self._delimiters.add(delimiter)

    def begin_a_boundary(self, end: int) -> bool:
        """Whether one does, from where the last look has ended up to here.

        Where there are too many dashes, or boundaries, the rest is unread, and the answer yes.
        """
        start, self._looked_through = self._looked_through, end
        cost = 0
        while found := first_dashes(self._body, _DASHES_AFTER_CR, start, end):
            start = found.start() + 1
            cost = cost or max(_AT_LEAST, sum(map(len, self._delimiters)))
            self._left -= cost
            if self._left < 0 or self._is_boundary(start):
                return True
        return False

    def _is_boundary(self, at: int) -> bool:
        return any(self._body[at : at + len(one)] == one for one in self._delimiters)


def first_dashes(
    body: View, dashes: re.Pattern[bytes], start: int, end: int
) -> re.Match[bytes] | None:
    """The first dashes after the break of a line, in these bytes.

    One byte is found in a twentieth of the time, and base64 has no dashes.
    """
    first = body.find(b"-", start, end)
    return None if first < 0 else dashes.search(body, max(start, first - 1), end)
