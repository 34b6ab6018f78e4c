"""The list: which entry holds for a message, and what people do with entries."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pyq_db_list.last_used import LastUsed
from pyq_db_list.pool import Pool
from pyq_db_list.table import Table
from pyquarantine_core.errors import ListError
from pyquarantine_core.list_entries import as_entry, candidates
from pyquarantine_core.types import ListEntry, ManagedList, NewListEntry, Options, Services

logger = logging.getLogger(__name__)

_LONGEST_ID = 18
"""Digits of what surely is a 64-bit number."""


class DbList(ManagedList):
    """Entries in a table of a database."""

    def __init__(self, pool: Pool, table: str) -> None:
        self._pool = pool
        self._table = Table(pool, table)
        self._last_used = LastUsed(self._table.used)

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> DbList:
        return cls(Pool.of(options["connection"]), options["table"])

    def open(self) -> None:
        self._table.open()

    def open_read_only(self) -> None:
        self._table.open_read_only()

    def close(self) -> None:
        self._last_used.write()
        self._pool.close()

    def covers(self, sender: str, recipient: str) -> bool:
        """Whether an entry holds for these addresses; the most specific one counts as used.

        The null sender is covered only by entries without a sender.
        """
        found = self.covering(sender, recipient)
        if not found:
            return False
        logger.debug("entry %s covers <%s> to <%s>", found[0].id, sender, recipient)
        self._last_used.note(found[0])
        return True

    def covering(self, sender: str, recipient: str) -> Sequence[ListEntry]:
        """The entries that hold; first by how specific the sender is, then the recipient."""
        senders, recipients = candidates(sender), candidates(recipient)

        def generality(entry: ListEntry) -> tuple[int, int]:
            return senders.index(entry.sender.lower()), recipients.index(entry.recipient.lower())

        return sorted(self._table.matching(senders, recipients), key=generality)

    def entries(self) -> Iterator[ListEntry]:
        return self._table.all()

    def as_kept(self, new: NewListEntry) -> NewListEntry:
        return replace(new, sender=as_entry(new.sender), recipient=as_entry(new.recipient))

    def add(self, new: NewListEntry) -> ListEntry:
        return self._table.insert(self.as_kept(new))

    def delete(self, entry_id: str) -> ListEntry:
        if entry_id.isdecimal() and len(entry_id) <= _LONGEST_ID:
            found = self._table.get(int(entry_id))
            if found is not None and self._table.delete(int(entry_id)):
                return found
        raise ListError(f"there is no entry {entry_id!r}")
