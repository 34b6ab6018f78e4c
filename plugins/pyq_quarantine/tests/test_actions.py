"""Who is held, who is delivered to, and what the MTA is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, BinaryIO

import pytest
from pyq_quarantine import pyquarantine_actions

from pyquarantine_core.address import Recipient
from pyquarantine_core.errors import ConfigError
from pyquarantine_core.message import Message
from pyquarantine_core.outbox import Outbox
from pyquarantine_core.schema import with_defaults
from pyquarantine_core.types import (
    Action,
    ActionType,
    Claim,
    Decision,
    Entry,
    HoldsMail,
    MailList,
    Network,
    NewEntry,
    Notification,
    Notifier,
    Storage,
    StorageHandle,
    StoreEffect,
    Verdict,
)

TYPES: dict[str, ActionType] = {one.name: one for one in pyquarantine_actions()}


class Shelf(Storage):
    """Keeps what it was asked to store; the actions never read it."""

    def __init__(self) -> None:
        self.stored: list[NewEntry] = []

    def stage(self, new: NewEntry) -> StoreEffect:
        return _ToShelf(self, new)

    def entries(self) -> Iterator[Entry]:
        raise AssertionError("an action looked at the storage")

    def get(self, entry_id: str) -> Entry:
        raise AssertionError("an action looked at the storage")

    def open_message(self, entry_id: str) -> BinaryIO:
        raise AssertionError("an action looked at the storage")

    def metadata(self, entry_id: str) -> Mapping[str, Any]:
        raise AssertionError("an action looked at the storage")

    def claim(self, entry_id: str) -> AbstractContextManager[Claim]:
        raise AssertionError("an action looked at the storage")


class _ToShelf(StoreEffect):
    def __init__(self, shelf: Shelf, new: NewEntry) -> None:
        self._shelf = shelf
        self._new = new

    @property
    def variables(self) -> Mapping[str, str]:
        return self._new.named({"ID": "1"})

    def describe(self) -> str:
        return "store it"

    def prepare(self) -> None:
        self._shelf.stored.append(self._new)

    def commit(self) -> None:
        pass

    def undo(self) -> None:
        pass


class Allowed(MailList):
    """Covers these recipients."""

    def __init__(self, *recipients: str) -> None:
        self._recipients = recipients

    def covers(self, sender: str, recipient: str) -> bool:
        return recipient in self._recipients


class Bell:
    """Notes who was told."""

    name = "n"

    def __init__(self) -> None:
        self.told: list[str] = []

    @property
    def notification(self) -> Notification:
        raise AssertionError("an action looked at the notification")

    def tell(self, message: Message, recipients: tuple[str, ...]) -> None:
        self.told += recipients


class Services:
    """One storage `s`, one list `l`, one notification `n`."""

    name = "rule/action"
    local_networks: tuple[Network, ...] = ()

    def __init__(self, metadata: bool | None = None, allowed: MailList | None = None) -> None:
        self.shelf = Shelf()
        self.bell = Bell()
        self._handle = StorageHandle("s", self.shelf, True, metadata, "Q")
        self._allowed = allowed or Allowed()

    def storage(self, name: str) -> StorageHandle:
        assert name == "s"
        return self._handle

    def notification(self, name: str) -> Notifier:
        if name != "n":
            raise ConfigError(f"{name!r} is not in 'notifications'")
        return self.bell

    def mail_list(self, name: str) -> MailList:
        assert name == "l"
        return self._allowed

    @property
    def outbox(self) -> Outbox:
        raise AssertionError("no action looks at the outbox")


def build(kind: str, services: Services, **options: object) -> Action:
    given = {"storage": "s", **options}
    if kind == "quarantine":
        given = {"smtp_host": "127.0.0.1", "smtp_port": 25, **given}
    return TYPES[kind].build(with_defaults(TYPES[kind].schema, given), services)


def message(*recipients: str) -> Message:
    made = Message(sender="a@example.net")
    for recipient in recipients:
        made.receive_recipient(Recipient.from_mta(f"<{recipient}>"))
    return made


def test_store_keeps_the_message_for_all_and_goes_on() -> None:
    services = Services()
    mail = message("u@example.org", "v@example.org")
    assert build("store", services).apply(mail) is None
    (new,) = services.shelf.stored
    assert new.recipients == ("u@example.org", "v@example.org")
    assert (new.original, new.metadata, new.quarantine) == (True, False, None)
    assert mail.variables == {"Q_ID": "1"}
    assert mail.addresses == ("u@example.org", "v@example.org")


@pytest.mark.parametrize(("configured", "kept"), [(None, True), (True, True), (False, False)])
def test_quarantine_keeps_metadata_unless_the_storage_says_otherwise(
    configured: bool | None, kept: bool
) -> None:
    services = Services(configured)
    build("quarantine", services).apply(message("u@example.org"))
    (new,) = services.shelf.stored
    assert (new.metadata, new.quarantine) == (kept, "rule/action")


@pytest.mark.parametrize(
    ("options", "decision", "left"),
    [
        ({}, None, 2),
        ({"milter_action": "Accept"}, Decision(Verdict.ACCEPT), 2),
        ({"milter_action": "reject"}, Decision(Verdict.REJECT, "Message rejected"), 0),
        (
            {"milter_action": "REJECT", "reject_reason": "no"},
            Decision(Verdict.REJECT, "no"),
            0,
        ),
        ({"milter_action": "discard"}, Decision(Verdict.DISCARD), 0),
    ],
)
def test_the_milter_action_decides_who_still_gets_it(
    options: dict[str, str], decision: Decision | None, left: int
) -> None:
    mail = message("u@example.org", "v@example.org")
    assert build("quarantine", Services(), **options).apply(mail) == decision
    assert len(mail.addresses) == left


@pytest.mark.parametrize("action", ["REJECT", "DISCARD"])
def test_allowlisted_recipients_get_it_and_the_rules_go_on_for_them(action: str) -> None:
    services = Services(allowed=Allowed("v@example.org"))
    mail = message("u@example.org", "v@example.org")
    held = build("quarantine", services, allowlist="l", milter_action=action)
    assert held.apply(mail) is None
    assert mail.addresses == ("v@example.org",)
    assert [new.recipients for new in services.shelf.stored] == [("u@example.org",)]


def test_nothing_is_held_when_all_recipients_are_allowlisted() -> None:
    services = Services(allowed=Allowed("u@example.org"))
    mail = message("u@example.org")
    held = build("quarantine", services, allowlist="l", milter_action="REJECT")
    assert held.apply(mail) is None
    assert (services.shelf.stored, mail.addresses) == ([], ("u@example.org",))


def test_commands_find_where_the_mail_is_and_how_it_is_released() -> None:
    action = build("quarantine", Services(), smtp_port=10025, milter_action="discard")
    assert isinstance(action, HoldsMail)
    holding = action.holding
    assert (holding.storage.name, holding.smtp_port, holding.action) == ("s", 10025, "DISCARD")


def test_a_notification_is_looked_up_by_name() -> None:
    with pytest.raises(ConfigError, match="'other' is not in 'notifications'"):
        build("quarantine", Services(), notification="other")


def test_quarantine_tells_those_for_whom_it_holds_the_message() -> None:
    services = Services(allowed=Allowed("v@example.org"))
    mail = message("u@example.org", "v@example.org")
    options = {"notification": "n", "allowlist": "l", "milter_action": "DISCARD"}
    build("quarantine", services, **options).apply(mail)
    assert services.bell.told == ["u@example.org"]


def test_notify_tells_those_who_are_still_in_the_envelope() -> None:
    services = Services()
    mail = message("u@example.org", "v@example.org")
    mail.remove_recipients(["u@example.org"])
    TYPES["notify"].build({"notification": "n"}, services).apply(mail)
    assert services.bell.told == ["v@example.org"]
