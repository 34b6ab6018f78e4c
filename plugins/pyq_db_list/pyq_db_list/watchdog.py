"""Ends statements whose server is silent.

PyMySQL and SQLite limit how long they wait. libpq does not while the server's machine is alive, and
`statement_timeout` needs a server that is. So the socket of such a statement is shut down.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from pyq_db_list.url import LIMIT

INTERVAL: Final = 1.0
"""Seconds between two looks; a statement that `statement_timeout` ends in time is never cut."""


class Watchdog:
    """Watches statements of any number of threads from one, which lives while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[socket.socket, float] = {}
        self._awake = False

    @contextmanager
    def watch(self, descriptor: int) -> Iterator[None]:
        """Shut down the socket with this descriptor unless the block ends in time."""
        # A descriptor of our own: the driver may close its one at any time.
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            with self._lock:
                self._watched[connection] = time.monotonic() + LIMIT + INTERVAL
                if not self._awake:
                    self._awake = True
                    threading.Thread(target=self._look, daemon=True).start()
            try:
                yield
            finally:
                with self._lock:
                    del self._watched[connection]

    def _look(self) -> None:
        while True:
            time.sleep(INTERVAL)
            with self._lock:
                if not self._watched:
                    self._awake = False
                    return
                for connection, end in self._watched.items():
                    if time.monotonic() > end:
                        with suppress(OSError):  # it was shut down at the last look, or by the peer
                            connection.shutdown(socket.SHUT_RDWR)
