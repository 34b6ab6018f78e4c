"""Storages: what is put into them, what listings show, and how held mail is claimed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

from pyquarantine_core.address import any_like
from pyquarantine_core.errors import WrongResultError
from pyquarantine_core.printable import shown
from pyquarantine_core.types.components import Component, Effect, Notifier

if TYPE_CHECKING:
    from pyquarantine_core.message import Message


STORED_AS = ("ID", "DATAFILE", "METAFILE")
"""What storing tells of itself in metavariables; METAFILE where there is metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """A message about to be stored.

    Attributes:
        message: the message; `message.chunks(original=...)` yields its bytes.
        recipients: for whom it is stored, as bare addresses.
        original: store it as received instead of as the rules have changed it so far.
        metadata: keep metadata beside it.
        metavar: prefix of the metavariables that storing sets, if any.
        quarantine: `RULE/ACTION` of the quarantine that holds it, if one does.
    """

    message: Message
    recipients: tuple[str, ...]
    original: bool
    metadata: bool
    metavar: str | None = None
    quarantine: str | None = None

    def named(self, values: Mapping[str, str]) -> dict[str, str]:
        """The metavariables for `values`: `{"ID": ...}` gives `{"PREFIX_ID": ...}`."""
        if self.metavar is None:
            return {}
        return {f"{self.metavar}_{name}": value for name, value in values.items()}


class StoreEffect(Effect):
    """An entry on its way into a storage."""

    @property
    @abstractmethod
    def variables(self) -> Mapping[str, str]:
        """The metavariables that storing sets; known once it is prepared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored message as listings show it.

    Attributes:
        id: names the entry within its storage; sorts by time.
        size: of the message, in bytes.
        stored_at: when, with its time zone.
        sender: envelope sender as a bare address, `""` for the null sender; None when unknown.
        recipients: envelope recipients that it is still held for; None when unknown.
        subject: decoded.
        queue_id: the MTA's name for the message.
        variables: the metavariables at the time it was stored.
        quarantine: `RULE/ACTION` that holds it; None when that was not recorded.
        smtputf8: whether the MTA received it with SMTPUTF8 (RFC 6531).
        in_doubt: recipients that a release is being sent to, or was when it was cut off: whether
            they have the message is not recorded.
    """

    id: str
    size: int
    stored_at: datetime
    sender: str | None = None
    recipients: tuple[str, ...] | None = None
    subject: str = ""
    queue_id: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    quarantine: str | None = None
    smtputf8: bool = False
    in_doubt: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries to find; each filter that is not empty must match.

    Attributes:
        senders: envelope senders, one of them; `*` stands for anything, case is ignored.
        recipients: likewise; one of the entry's recipients must match one of these.
        older_than: days since it was stored.
        not_of: quarantines (RULE/ACTION) whose entries are not meant.
    """

    senders: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    older_than: float | None = None
    not_of: frozenset[str] = frozenset()

    @property
    def stored_until(self) -> datetime | None:
        """The latest time of storing that is old enough now; None: any is."""
        if self.older_than is None:
            return None
        try:
            return datetime.now(UTC) - timedelta(days=self.older_than)
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC)

    def matches(self, entry: Entry) -> bool:
        """Whether an entry is meant; an unknown envelope matches no address."""
        limit = self.stored_until
        if entry.quarantine in self.not_of or (limit is not None and entry.stored_at > limit):
            return False
        if self.senders and (entry.sender is None or not any_like([entry.sender], self.senders)):
            return False
        return not self.recipients or any_like(entry.recipients or (), self.recipients)


class Claim(ABC):
    """Sole use of one entry, across processes, while it is released or deleted.

    It ends with its process, however that ends: no claim of a dead command stops another.

    Attributes:
        entry: as it is now; `keep_only` brings it up to date.
    """

    entry: Entry

    @abstractmethod
    def read(self) -> bytes:
        """The stored bytes."""

    @abstractmethod
    def keep_only(self, recipients: tuple[str, ...], *, in_doubt: tuple[str, ...] = ()) -> None:
        """Take all other recipients off the entry, durably; none left deletes it.

        Args:
            recipients: in the entry's spelling; they are written as given.
            in_doubt: those of them that `Entry.in_doubt` shall name from now on.

        Raises:
            StorageError: the entry's recipients are not known.
        """

    @abstractmethod
    def delete(self) -> None:
        """Remove the entry, durably."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong in a storage, such as what a crash has left.

    Attributes:
        name: of the entry or file.
        problem: what is wrong with it, continuing the name: "was never finished".
        remedy: what `mend` does, as in "moved to DIRECTORY"; without it, what a person can do,
            as in "delete it with -a".
        mend: puts it right. It looks again, since time has passed, and returns whether there
            was still something to do. It is safe beside running daemons and commands, never
            deletes a message, and may raise a StorageError. None: only a person can decide.
    """

    name: str
    problem: str
    remedy: str
    mend: Callable[[], bool] | None = None


class Storage(Component, ABC):
    """Keeps messages. An ID that is not a plain entry is an `EntryNotFoundError`."""

    @abstractmethod
    def stage(self, new: NewEntry) -> StoreEffect:
        """An effect that stores the message; nothing happens before it is prepared."""

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """All entries, oldest first."""

    def find(
        self, query: Query, *, before: str | None = None, limit: int | None = None
    ) -> Iterator[Entry]:
        """The entries that match, newest first.

        This one looks at all there are. A storage that can find them faster overrides it; it may
        keep an index, as long as that misses no entry.

        Args:
            query: which ones.
            before: only those whose ID is less than this one, which need not be there.
            limit: at most so many; None: all.
        """
        found = (
            one
            for one in self.entries()
            if (before is None or one.id < before) and query.matches(one)
        )
        return reversed(deque(found, limit))

    @abstractmethod
    def get(self, entry_id: str) -> Entry:
        """One entry."""

    @abstractmethod
    def open_message(self, entry_id: str) -> BinaryIO:
        """The stored bytes, to be read from the start."""

    @abstractmethod
    def metadata(self, entry_id: str) -> Mapping[str, Any]:
        """The metadata as stored; empty when there is none.

        Raises:
            StorageError: it cannot be read as metadata.
        """

    @abstractmethod
    def claim(self, entry_id: str) -> AbstractContextManager[Claim]:
        """Wait for sole use of an entry."""

    def faults(self, *, metadata: bool) -> Iterator[Fault]:  # noqa: ARG002 - for who overrides it
        """Look for what is wrong, for `pyquarantine check`; without this method, nothing is.

        It changes nothing. What processes that are alive are at work with is not wrong, and once
        all that can be mended is, it is found no more. What is cheap to find and to mend,
        however much is stored, `set_up` should mend by itself, and log.

        Args:
            metadata: every entry should have metadata.

        Raises:
            StorageError: the storage cannot be looked at.
        """
        return iter(())


@dataclass(frozen=True, slots=True)
class StorageHandle:
    """A storage with the options that every storage of the config has.

    Attributes:
        name: its key under `storages`.
        storage: what the storage type built.
        original: `original` of the config.
        metadata: `metadata` of the config; None when unset.
        metavar: `metavar` of the config.
    """

    name: str
    storage: Storage
    original: bool
    metadata: bool | None
    metavar: str | None

    def keep(
        self,
        message: Message,
        recipients: tuple[str, ...],
        *,
        metadata_default: bool,
        quarantine: str | None = None,
    ) -> None:
        """Stage storing the message for these recipients and set its metavariables."""
        new = NewEntry(
            message=message,
            recipients=recipients,
            original=self.original,
            metadata=metadata_default if self.metadata is None else self.metadata,
            metavar=self.metavar,
            quarantine=quarantine,
        )
        effect: object = self.storage.stage(new)
        if not isinstance(effect, StoreEffect):
            text = f"stage() of the storage {self.name!r} returned {shown(effect)}"
            raise WrongResultError(f"{text}, not a StoreEffect", self.storage)
        if message.stage(effect):
            message.variables.update(self._told(effect))
        else:
            message.variables.update(new.named(dict.fromkeys(STORED_AS, "(not stored)")))

    def _told(self, effect: StoreEffect) -> Mapping[str, str]:
        variables: object = effect.variables
        if not isinstance(variables, Mapping) or not all(
            isinstance(text, str) for pair in variables.items() for text in pair
        ):
            text = f"storing in {self.name!r} set the variables {shown(variables)}"
            raise WrongResultError(f"{text}, not texts by name", self.storage)
        return variables


@dataclass(frozen=True, slots=True)
class Holding:
    """How mail that an action holds is found and released.

    Attributes:
        storage: where it is.
        smtp_host: the server that released mail is sent to.
        smtp_port: its port.
        notifier: tells recipients, if configured.
        action: what the MTA is told, for listings: `ACCEPT`, `REJECT`, `DISCARD` or `""`.
    """

    storage: StorageHandle
    smtp_host: str
    smtp_port: int
    notifier: Notifier | None = None
    action: str = ""


@runtime_checkable
class HoldsMail(Protocol):
    """An action whose mail the `quarantine` commands manage."""

    @property
    def holding(self) -> Holding:
        """Where its mail is and how it is released."""
