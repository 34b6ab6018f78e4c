"""What plugins implement and the core calls: conditions, actions, effects and the like."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from pyquarantine_core.types.basics import Decision, Match, Network

if TYPE_CHECKING:
    from pyquarantine_core.message import Message
    from pyquarantine_core.outbox import Outbox
    from pyquarantine_core.types.declarations import MessageDone
    from pyquarantine_core.types.storage import StorageHandle


class Component:
    """Anything that `build` returns."""

    def set_up(self) -> None:
        """Make what is missing (a directory); called once, before the workers are forked.

        Workers of an earlier generation, and commands, may be at work with the same things.

        Raises:
            PyquarantineError: what is needed cannot be had; the daemon does not start.
        """

    def open(self) -> None:
        """Take what lasts (connections); called in each worker, and by commands.

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
    """Something that outlasts the message, in steps.

    It is prepared while the rules run, and committed just before the MTA is answered. It is undone
    when it is not to be committed, or when a later one cannot be; else it is concluded.
    """

    phase: EffectPhase = EffectPhase.STORAGE

    @property
    def count(self) -> int:
        """How many messages it stores, or notifications it puts into the outbox, for metrics."""
        return 1

    @abstractmethod
    def describe(self) -> str:
        """What it does, in a few words that follow "would" and "could not": "store the message".

        The log has them when the action is only pretended, and when this cannot be done.
        """

    @abstractmethod
    def prepare(self) -> None:
        """Do all that can fail, invisibly and durably. Never called when pretending."""

    @abstractmethod
    def commit(self) -> None:
        """Make it visible; when this returns, it survives a crash."""

    @abstractmethod
    def undo(self) -> None:
        """Leave nothing behind, however far it got, even when it was never prepared."""

    def conclude(self) -> None:  # noqa: B027 - most have nothing to conclude
        """All effects of the message are committed, and none is undone any more.

        What `undo` needed can be given back, and what undo could not take back can happen. An
        error is logged and changes nothing: the message is answered as decided.
        """


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
        """Send it, in the outbox sender; never two at once.

        It must end by itself, so every socket needs a timeout: all that is due of this notification
        waits for it, and only a reload or restart of the daemon breaks it off.

        A connection may be kept for the next one, until `finish`. An item may come twice: after
        a crash between its delivery and its removal from the outbox.

        Raises:
            RefusedError: it will never be taken; it is moved aside, with this reason.
            UnreachableError: nothing can be delivered now; all items of this notification wait.
            Exception: it is tried again later, the others now.
        """

    def finish(self) -> None:
        """Close what `deliver` has kept open: no item is due any more."""


class Notifier(Protocol):
    """A notification of the config, and the way to its outbox."""

    @property
    def name(self) -> str:
        """Its key under `notifications`."""

    @property
    def notification(self) -> Notification:
        """What the notification type built."""

    def tell(self, message: Message, recipients: tuple[str, ...]) -> None:
        """Stage a notification of each of these recipients."""


class MailList(Component, ABC):
    """Knows for which sender and recipient it has an entry."""

    def open_read_only(self) -> None:
        """Like `open`, but leave all as it is: for `explain`, and for listing entries.

        What is not there yet counts as empty. Override it when `open` makes something.

        Raises:
            PyquarantineError: what is needed cannot be had.
        """
        self.open()

    @abstractmethod
    def covers(self, sender: str, recipient: str) -> bool:
        """Whether some entry matches this pair of bare addresses."""


class Service(Component, ABC):
    """Something long-running beside the mail, such as a metrics endpoint or a web page.

    It has two halves: `run` has a process of its own, which is started again when it ends.
    `message_done` is told in the workers, where `open` and `close` frame it.
    """

    @abstractmethod
    def run(self, stopping: threading.Event) -> None:
        """Do its work until the event is set, in its own process; `open` is not called there."""

    def message_done(self, done: MessageDone) -> None:
        """Hear of every message that was answered; what this raises is logged."""


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

    def notification(self, name: str) -> Notifier:
        """The notification of that name; ConfigError when there is none."""

    def mail_list(self, name: str) -> MailList:
        """The list of that name; ConfigError when there is none."""

    @property
    def outbox(self) -> Outbox:
        """Where notifications wait for their delivery."""
