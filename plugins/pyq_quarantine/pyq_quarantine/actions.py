"""What `store` and `quarantine` do with a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyquarantine_core.types import (
    Action,
    Decision,
    Holding,
    MailList,
    Notifier,
    Options,
    Services,
    StorageHandle,
    Verdict,
)

if TYPE_CHECKING:
    from pyquarantine_core.message import Message

MILTER_ACTIONS = ("ACCEPT", "REJECT", "DISCARD")


class Store(Action):
    """Stores the message for all its recipients."""

    def __init__(self, storage: StorageHandle) -> None:
        self._storage = storage

    @classmethod
    def from_options(cls, options: Options, services: Services) -> Store:
        return cls(services.storage(options["storage"]))

    def apply(self, message: Message) -> None:
        self._storage.keep(message, message.addresses, metadata_default=False)


class Notify(Action):
    """Tells the recipients that are still in the envelope."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    @classmethod
    def from_options(cls, options: Options, services: Services) -> Notify:
        return cls(services.notification(options["notification"]))

    def apply(self, message: Message) -> None:
        self._notifier.tell(message, message.addresses)


class Quarantine(Action):
    """Holds the message for the recipients that are not allowlisted."""

    def __init__(
        self, name: str, holding: Holding, allowlist: MailList | None, reject_reason: str
    ) -> None:
        self._name = name
        self._holding = holding
        self._allowlist = allowlist
        self._reject_reason = reject_reason

    @classmethod
    def from_options(cls, options: Options, services: Services) -> Quarantine:
        notification = options.get("notification")
        holding = Holding(
            storage=services.storage(options["storage"]),
            smtp_host=options["smtp_host"],
            smtp_port=options["smtp_port"],
            notifier=None if notification is None else services.notification(notification),
            action=options.get("milter_action", "").upper(),
        )
        allowlist = services.mail_list(options["allowlist"]) if "allowlist" in options else None
        return cls(services.name, holding, allowlist, options["reject_reason"])

    @property
    def holding(self) -> Holding:
        """Where the mail is and how it is released."""
        return self._holding

    def apply(self, message: Message) -> Decision | None:
        allowed = {one for one in message.addresses if self._is_allowed(message.sender, one)}
        held = tuple(one for one in message.addresses if one not in allowed)
        if not held:
            why = "all recipients are allowlisted" if allowed else "it has no recipients"
            message.log.info("not held: %s", why)
            return None
        if allowed:
            message.log.info("allowlisted: %s", ", ".join(sorted(allowed)))
        self._holding.storage.keep(message, held, metadata_default=True, quarantine=self._name)
        message.log.debug("holding the message for %s", ", ".join(held))
        if self._holding.notifier is not None:
            self._holding.notifier.tell(message, held)
        if not self._holding.action:
            return None
        verdict = Verdict[self._holding.action]
        if verdict is not Verdict.ACCEPT:
            message.remove_recipients(held)
            if message.recipients:
                return None
        return Decision(verdict, self._reject_reason if verdict is Verdict.REJECT else "")

    def _is_allowed(self, sender: str, recipient: str) -> bool:
        return self._allowlist is not None and self._allowlist.covers(sender, recipient)
