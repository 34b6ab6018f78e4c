"""Whether the header that comes in is larger than what is kept of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyquarantine_core.header import Header
    from pyquarantine_core.limits import Limits

_AROUND = 3
"""Bytes of a field beside name and value: its colon and line end."""
_LONGEST = 65_536 + _AROUND
"""No MTA sends a longer field: libmilter takes no larger packet."""


class HeaderMeter:
    """Adds up the bytes of a header, once for each field.

    Args:
        headers: the fields so far; more may be added to them.
    """

    def __init__(self, headers: Sequence[Header]) -> None:
        self._headers = headers
        self._counted = 0
        self._bytes = 0

    def excess(self, limits: Limits) -> tuple[str, str]:
        """What is over a bound now, and the setting of it; empty when nothing is."""
        count = len(self._headers)
        if count > limits.header_count:
            return f"more than {limits.header_count} header fields", "header_count"
        if count * _LONGEST > limits.header_bytes and self._size() > limits.header_bytes:
            return f"a header of more than {limits.header_bytes} bytes", "header_bytes"
        return "", ""

    def _size(self) -> int:
        new = self._headers[self._counted :]
        self._counted += len(new)
        self._bytes += sum(len(one.name) + len(one.raw) + _AROUND for one in new)
        return self._bytes
