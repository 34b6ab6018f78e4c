"""The connections of one process to one database.

libmilter moves a message between threads, so a connection belongs to none: it is taken, used and
given back within one call. Nothing is connected before the first call, which is after the fork.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from peewee import Database, InterfaceError, OperationalError, PeeweeException, PostgresqlDatabase

from pyq_db_list.url import LIMIT, DatabaseUrl
from pyq_db_list.watchdog import Watchdog
from pyquarantine_core.errors import ListError

T = TypeVar("T")

SIZE: Final = 8
"""Connections that one process has at most to one database."""
MAX_IDLE: Final = 60.0
"""Seconds after which an idle connection is not trusted: firewalls forget it without a word."""

_pools: WeakValueDictionary[str, Pool] = WeakValueDictionary()


class Pool:
    """Connections to one database, for any number of threads."""

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url
        self._idle: deque[tuple[float, Database]] = deque()
        self._slots = threading.BoundedSemaphore(SIZE)
        self._watchdog = Watchdog()

    @classmethod
    def of(cls, url: str) -> Pool:
        """The pool of this URL: lists in one database share it.

        Raises:
            ConfigError: the URL cannot be used.
        """
        found = _pools.get(url)
        if found is None:
            found = _pools[url] = cls(DatabaseUrl.parse(url))
        return found

    def run(self, work: Callable[[Database], T]) -> T:
        """Do some work on a connection.

        When a connection that was idle turns out to be dead (the server was restarted), the work
        is done again, once, on a fresh one. It takes `LIMIT` seconds at most to get a turn, to
        connect and for each statement.

        Raises:
            ListError: it cannot be done; the text names database and reason.
        """
        if not self._slots.acquire(timeout=LIMIT):
            raise ListError(f"{self.url.shown}: all {SIZE} connections are busy")
        try:
            return self._run(work)
        except PeeweeException as error:
            raise self.url.failure(error) from None
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close what is idle; a later call connects again."""
        with suppress(IndexError):
            while True:
                _close(self._idle.pop()[1])

    def _run(self, work: Callable[[Database], T]) -> T:
        started = time.monotonic()
        idle = self._take()
        if idle is not None:
            try:
                return self._use(idle, work)
            except (OperationalError, InterfaceError):
                if time.monotonic() - started >= LIMIT:
                    raise
                self.close()
        return self._use(self.url.connect(), work)

    def _take(self) -> Database | None:
        """The connection that was used last, unless that was too long ago."""
        try:
            since, database = self._idle.pop()
        except IndexError:
            return None
        if time.monotonic() - since < MAX_IDLE:
            return database
        _close(database)
        self.close()
        return None

    def _use(self, database: Database, work: Callable[[Database], T]) -> T:
        try:
            with self._in_time(database):
                result = work(database)
        except BaseException:
            _close(database)
            raise
        self._idle.append((time.monotonic(), database))
        return result

    def _in_time(self, database: Database) -> AbstractContextManager[None]:
        if not isinstance(database, PostgresqlDatabase):
            return nullcontext()
        driver: Any = database.connection()  # type: ignore[no-untyped-call] # the stubs
        return self._watchdog.watch(driver.fileno())


def _close(database: Database) -> None:
    with suppress(PeeweeException, OSError):  # it may be dead
        database.close()
