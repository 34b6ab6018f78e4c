"""Lists whose entries people manage: what an entry is, and what such a list can do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyquarantine_core.types.components import MailList


@dataclass(frozen=True, slots=True, kw_only=True)
class NewListEntry:
    """An entry about to be added.

    Attributes:
        sender: whom it is for, in the list's own notation; empty means anyone.
        recipient: likewise.
        comment: for people.
        permanent: says that no clean-up may remove it.
    """

    sender: str
    recipient: str
    comment: str = ""
    permanent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEntry(NewListEntry):
    """An entry of a list.

    Attributes:
        id: names the entry within its list.
        created: when, with its time zone.
        last_used: when it was last found, to about an hour; likewise.
    """

    id: str
    created: datetime
    last_used: datetime


class ManagedList(MailList):
    """A list that the command `pyquarantine list` manages."""

    @abstractmethod
    def entries(self) -> Iterator[ListEntry]:
        """All entries, oldest first."""

    @abstractmethod
    def covering(self, sender: str, recipient: str) -> Sequence[ListEntry]:
        """The entries that hold for these addresses, the most specific first.

        Args:
            sender: an address, or an entry's notation: then the entries that hold for all it means.
            recipient: likewise.
        """

    @abstractmethod
    def as_kept(self, new: NewListEntry) -> NewListEntry:
        """The entry in the spelling in which the list would keep it.

        Raises:
            ListError: one of the two is not fit for an entry; the text says what would be.
        """

    @abstractmethod
    def add(self, new: NewListEntry) -> ListEntry:
        """Add an entry, even where another covers it.

        Raises:
            ListError: there is an entry for exactly these two, or one of them is not fit.
        """

    @abstractmethod
    def delete(self, entry_id: str) -> ListEntry:
        """Remove an entry; returns what it was.

        Raises:
            ListError: there is no such entry.
        """
