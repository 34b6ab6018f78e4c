"""What plugins declare (`...Type`) and implement (`Condition`, `Action`, `Storage`, ...).

Declarations are frozen and cost no I/O. What `build` returns opens nothing lasting either:
`open` runs in each worker after the fork, `close` when the worker drains. One built object
serves many messages, on any thread, several at once: keep what belongs to one message in local
variables, never on the object.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, Flag, IntEnum, auto
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import click

    from pyquarantine_core.message import Message

JsonSchema: TypeAlias = Mapping[str, Any]
Options: TypeAlias = Mapping[str, Any]
Network: TypeAlias = IPv4Network | IPv6Network


class Stage(IntEnum):
    """How much of a message is known. The MTA's steps, in the order it sends them."""

    CONNECT = 0
    """The client that connected."""
    ENVELOPE = 1
    """Sender and all recipients (after RCPT, before DATA)."""
    HEADERS = 2
    """All headers (end of header, EOH)."""
    BODY = 3
    """Everything (end of message, EOM)."""


class Part(Flag):
    """The parts of a message that an action may change and a condition may read."""

    NOTHING = 0
    RECIPIENTS = auto()
    HEADERS = auto()
    BODY = auto()
    VARIABLES = auto()
    """The metavariables; any action or condition may set them."""


class Verdict(Enum):
    """What the MTA is told about a message."""

    ACCEPT = "accept"
    REJECT = "reject"
    DISCARD = "discard"
    TEMPFAIL = "tempfail"


class Kind(Enum):
    """What a plugin can provide; the value is the plural that names hook and listing."""

    CONDITION = "conditions"
    ACTION = "actions"
    STORAGE = "storages"
    NOTIFICATION = "notifications"
    LIST = "lists"
    COMMAND = "commands"

    @property
    def singular(self) -> str:
        return self.value.removesuffix("s")

    @property
    def hook(self) -> str:
        return f"pyquarantine_{self.value}"


@dataclass(frozen=True, slots=True)
class Decision:
    """An action's word that the rules end here, and with which verdict.

    Attributes:
        verdict: what the MTA is told.
        text: of a REJECT, the text of the SMTP reply; its code is `554 5.7.0` (RFC 5321, 3463).
    """

    verdict: Verdict
    text: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """What a condition found.

    Attributes:
        matched: whether the condition holds for this message.
        reason: why, in a few words, for the log.
        groups: named groups of a regular expression that took part; they become the
            metavariables `METAVAR_GROUP` when the conditions name a `metavar`.
    """

    matched: bool
    reason: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)


# -- what is built ---------------------------------------------------------------------------


class Component:
    """Anything that `build` returns."""

    def open(self) -> None:
        """Take what lasts (connections, directories); called once in each worker.

        Raises:
            PyquarantineError: what is needed cannot be had; the daemon does not start.
        """

    def close(self) -> None:
        """Give back what `open` took."""


class Condition(Component, ABC):
    """Tells whether a rule or an action applies to a message."""

    @abstractmethod
    def check(self, message: Message) -> Match:
        """Look at the message; the engine shows no more of it than `decided_at` asks for."""


class Action(Component, ABC):
    """Does something with a message."""

    @abstractmethod
    def apply(self, message: Message) -> Decision | None:
        """Change the message, stage effects, or decide.

        It runs at the end of the message. Changes are recorded on `message`; what shall
        last (a file, a notification) goes through `message.stage`, so that it is undone
        whenever the message is not answered as planned.

        Returns:
            None to go on with the rules, a `Decision` to end them.
        """


class EffectPhase(IntEnum):
    """The order in which effects are committed."""

    STORAGE = 0
    NOTIFICATION = 1


class Effect(ABC):
    """Something that outlasts the message, in two steps.

    It is prepared while the rules run, and committed just before the MTA is answered, or undone.
    """

    phase: EffectPhase = EffectPhase.STORAGE

    @abstractmethod
    def describe(self) -> str:
        """What it does, in a few words, for the log of a pretended action."""

    @abstractmethod
    def prepare(self) -> None:
        """Do all that can fail, invisibly and durably. Never called when pretending."""

    @abstractmethod
    def commit(self) -> None:
        """Make it visible; when this returns, it survives a crash."""

    @abstractmethod
    def undo(self) -> None:
        """Leave nothing behind, however far it got, even when it was never prepared."""


# -- storages --------------------------------------------------------------------------------


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


class Claim(ABC):
    """Sole use of one entry, across processes, while it is released or deleted."""

    entry: Entry

    @abstractmethod
    def read(self) -> bytes:
        """The stored bytes."""

    @abstractmethod
    def keep_only(self, recipients: tuple[str, ...]) -> None:
        """Take all other recipients off the entry, durably; none left deletes it.

        Args:
            recipients: in the entry's spelling; they are written as given.

        Raises:
            StorageError: the entry's recipients are not known.
        """

    @abstractmethod
    def delete(self) -> None:
        """Remove the entry, durably."""


class Storage(Component, ABC):
    """Keeps messages. An ID that is not a plain entry is an `EntryNotFoundError`."""

    @abstractmethod
    def stage(self, new: NewEntry) -> StoreEffect:
        """An effect that stores the message; nothing happens before it is prepared."""

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """All entries, oldest first."""

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
        effect = self.storage.stage(
            NewEntry(
                message=message,
                recipients=recipients,
                original=self.original,
                metadata=metadata_default if self.metadata is None else self.metadata,
                metavar=self.metavar,
                quarantine=quarantine,
            )
        )
        if message.stage(effect):
            message.variables.update(effect.variables)


# -- notifications and lists -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivery:
    """A prepared notification: what the outbox hands back to `Notification.deliver`."""

    notification: str
    recipient: str
    content: bytes


class Notification(Component, ABC):
    """Tells a recipient about a message, in two halves."""

    @abstractmethod
    def prepare(self, message: Message, recipient: str) -> bytes:
        """Make the notification, in the worker; no network."""

    @abstractmethod
    def deliver(self, item: Delivery) -> None:
        """Send it, in the outbox sender."""


class MailList(Component, ABC):
    """Knows for which sender and recipient it has an entry."""

    @abstractmethod
    def covers(self, sender: str, recipient: str) -> bool:
        """Whether some entry matches this pair of bare addresses."""


# -- held mail -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holding:
    """How mail that an action holds is found and released.

    Attributes:
        storage: where it is.
        smtp_host: the server that released mail is sent to.
        smtp_port: its port.
        notification: tells recipients, if configured.
        action: what the MTA is told, for listings: `ACCEPT`, `REJECT`, `DISCARD` or `""`.
    """

    storage: StorageHandle
    smtp_host: str
    smtp_port: int
    notification: Notification | None = None
    action: str = ""


@runtime_checkable
class HoldsMail(Protocol):
    """An action whose mail the `quarantine` commands manage."""

    @property
    def holding(self) -> Holding:
        """Where its mail is and how it is released."""


# -- what the core offers to build -----------------------------------------------------------


class Services(Protocol):
    """What `build` may use of the rest of the configuration."""

    @property
    def name(self) -> str:
        """Of what is being built: `RULE/ACTION` of an action, else its key in the config."""

    @property
    def local_networks(self) -> tuple[Network, ...]:
        """`local_addrs` of the config."""

    def storage(self, name: str) -> StorageHandle:
        """The storage of that name; ConfigError when there is none."""

    def notification(self, name: str) -> Notification:
        """The notification of that name; ConfigError when there is none."""

    def mail_list(self, name: str) -> MailList:
        """The list of that name; ConfigError when there is none."""


# -- what is declared ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeDeclaration:
    """Common to all declarations.

    Attributes:
        name: how the config names it.
        summary: one line for listings and the reference.
        schema: JSON Schema (2020-12) of its own options, an object without
            `additionalProperties`; of a condition: of its key's value.
    """

    name: str
    summary: str
    schema: JsonSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionType(TypeDeclaration):
    """A key of `conditions`.

    Attributes:
        decided_at: the earliest stage at which it can be decided.
        reads: the parts it reads; by default all that `decided_at` makes visible. A
            condition on metavariables says `Part.VARIABLES`.
        build: makes the condition from its key's value.
    """

    decided_at: Stage
    build: Callable[[Any, Services], Condition]
    reads: Part | None = None

    @property
    def parts_read(self) -> Part:
        """`reads`, or what follows from `decided_at`."""
        if self.reads is not None:
            return self.reads
        return {
            Stage.CONNECT: Part.NOTHING,
            Stage.ENVELOPE: Part.RECIPIENTS,
            Stage.HEADERS: Part.RECIPIENTS | Part.HEADERS,
            Stage.BODY: Part.RECIPIENTS | Part.HEADERS | Part.BODY,
        }[self.decided_at]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionType(TypeDeclaration):
    """A `type` of actions.

    Attributes:
        needs: how much of the message it looks at; the MTA is asked for no more.
        changes: the parts it may change.
        build: makes the action from its options.
    """

    needs: Stage
    changes: Part
    build: Callable[[Options, Services], Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageType(TypeDeclaration):
    """A `type` of storages; `build` gets its own options, the core keeps the common ones."""

    build: Callable[[Options, Services], Storage]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationType(TypeDeclaration):
    """A `type` of notifications."""

    build: Callable[[Options, Services], Notification]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListType(TypeDeclaration):
    """A `type` of lists."""

    build: Callable[[Options, Services], MailList]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandType:
    """A command of the `pyquarantine` program.

    Attributes:
        name: the word that calls it.
        summary: one line for the help.
        build: imports and returns the click command; called only when it is used.
    """

    name: str
    summary: str
    build: Callable[[], click.Command]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDone:
    """What observers are told when a message is answered.

    Attributes:
        queue_id: the MTA's name for the message; empty when it was answered before DATA.
        sender: envelope sender.
        recipients: envelope recipients as received.
        verdict: what the MTA was told.
        stage: when.
        actions: `RULE/ACTION` of the actions that ran, in order.
        seconds: time spent on it in this process.
    """

    queue_id: str
    sender: str
    recipients: tuple[str, ...]
    verdict: Verdict
    stage: Stage
    actions: tuple[str, ...]
    seconds: float
