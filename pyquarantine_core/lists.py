"""What can be done with lists: asked by rules, managed by commands, which print it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyquarantine_core.address import any_like, same_address
from pyquarantine_core.errors import ListError, WrongResultError
from pyquarantine_core.printable import shown
from pyquarantine_core.types import ListEntry, MailList, ManagedList, NewListEntry

if TYPE_CHECKING:
    from pyquarantine_core.config import Config


class CoveredError(ListError):
    """Nothing was added: other entries hold for all that the new one means.

    Attributes:
        entries: those, the most specific first.
    """

    def __init__(self, entries: Sequence[ListEntry]) -> None:
        super().__init__(f"already covered by {', '.join(map(described, entries))}")
        self.entries = entries


class AskedList(MailList):
    """A list of the config as conditions and actions have it, to be asked.

    An answer that is neither True nor False is an error: None, where a plugin forgot to return
    something, would let mail pass a list that should have stopped it.

    Args:
        name: its key under `lists`.
        mail_list: what the list type built; set up, opened and closed by the core.
    """

    def __init__(self, name: str, mail_list: MailList) -> None:
        self._name = name
        self._list = mail_list

    def covers(self, sender: str, recipient: str) -> bool:
        found: object = self._list.covers(sender, recipient)
        if not isinstance(found, bool):
            text = f"covers() of the list {self._name!r} returned {shown(found)}"
            raise WrongResultError(f"{text}, not True or False", self._list)
        return found


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which entries to find; each filter that is not empty must match.

    Attributes:
        senders: the entry's sender is one of these; `*` stands for anything, case is ignored.
        recipients: likewise.
        unused_for: days since it was last used.
    """

    senders: Sequence[str] = ()
    recipients: Sequence[str] = ()
    unused_for: float | None = None

    def matches(self, entry: ListEntry) -> bool:
        """Whether an entry is meant."""
        if self.unused_for is not None:
            limit = datetime.now(UTC) - timedelta(days=self.unused_for)
            if entry.last_used > limit:
                return False
        return (not self.senders or any_like([entry.sender], self.senders)) and (
            not self.recipients or any_like([entry.recipient], self.recipients)
        )


def find_list(config: Config, name: str) -> ManagedList:
    """A list of the config, to be managed.

    Raises:
        ListError: there is none of that name, or its type cannot be managed.
    """
    if name not in config.lists:
        raise ListError(f"no list is named {name!r}; there is {', '.join(config.lists) or 'none'}")
    found = config.lists[name]
    if not isinstance(found, ManagedList):
        kind = config.settings["lists"][name]["type"]
        raise ListError(f"the entries of {name!r}, a list of type {kind!r}, cannot be managed here")
    return found


def find(entries: ManagedList, query: ListQuery | None = None) -> Iterator[ListEntry]:
    """The entries that match, oldest first."""
    wanted = query or ListQuery()
    return (entry for entry in entries.entries() if wanted.matches(entry))


def add(entries: ManagedList, new: NewListEntry, *, force: bool = False) -> ListEntry:
    """Add an entry that means something new.

    Args:
        entries: the list.
        new: what to add.
        force: add it even where others hold for all that it means.

    Raises:
        CoveredError: they do.
        ListError: there is an entry for exactly these two, or one of them is not fit.
    """
    new = entries.as_kept(new)
    covering = entries.covering(new.sender, new.recipient)
    for one in covering:
        if same_address(one.sender, new.sender) and same_address(one.recipient, new.recipient):
            raise ListError(f"there already is {described(one)}")
    if covering and not force:
        raise CoveredError(covering)
    return entries.add(new)


def described(entry: ListEntry) -> str:
    """An entry in a few words."""
    return f"entry {entry.id} (from {entry.sender or 'anyone'} to {entry.recipient or 'anyone'})"
