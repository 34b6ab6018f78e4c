"""Keeps `last_used` without a write for each message."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pyquarantine_core.errors import ListError
from pyquarantine_core.types import ListEntry

logger = logging.getLogger(__name__)

ACCURACY: Final = timedelta(hours=1)
"""An entry is noted again when its `last_used` is older than this."""
DELAY: Final = 60.0
"""Seconds for which used entries are collected before they are written together."""


class LastUsed:
    """Collects the entries in use; another thread writes them, so that no message waits.

    Args:
        write: sets `last_used` of the entries with these IDs to now.
    """

    def __init__(self, write: Callable[[Sequence[int]], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._ids: set[int] = set()
        self._timer: threading.Timer | None = None

    def note(self, entry: ListEntry) -> None:
        """The entry was used just now."""
        if datetime.now(UTC) - entry.last_used < ACCURACY:
            return
        with self._lock:
            self._ids.add(int(entry.id))
            if self._timer is None:
                self._timer = threading.Timer(DELAY, self.write)
                self._timer.daemon = True
                self._timer.start()

    def write(self) -> None:
        """Write what was collected; what cannot be written is noted again at its next use."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            ids, self._ids = sorted(self._ids), set()
        try:
            self._write(ids)
        except ListError as error:
            logger.warning("last_used of %d entries is not written: %s", len(ids), error)
