"""What the contract of storages does with them, in the test and in other processes."""

from __future__ import annotations

import secrets
from typing import Any

from pyquarantine_core.address import Recipient
from pyquarantine_core.errors import EntryNotFoundError
from pyquarantine_core.message import Message
from pyquarantine_core.testing.elsewhere import Teller
from pyquarantine_core.testing.rules import received
from pyquarantine_core.types import Claim, NewEntry, Storage, StoreEffect

MAIL = b"Subject: Hello\nX-8bit: \xe4\xff\n\nBody\0\xff\n"
STORED = MAIL.replace(b"\n", b"\r\n")
PREFIX = "S"
SENDER = "from@example.org"
RECIPIENTS = ("one@example.org", "two@example.org")


def stage(storage: Storage, message: Message, **new: Any) -> StoreEffect:
    """The effect that stores a message for all its recipients, with metadata."""
    given = {
        "recipients": message.addresses,
        "original": True,
        "metadata": True,
        "metavar": PREFIX,
        **new,
    }
    return storage.stage(NewEntry(message=message, **given))


def store(storage: Storage, message: Message, **new: Any) -> str:
    """Store a message; returns the entry's ID."""
    effect = stage(storage, message, **new)
    effect.prepare()
    effect.commit()
    effect.conclude()
    return effect.variables[f"{PREFIX}_ID"]


def new_message(sender: str = SENDER, recipients: tuple[str, ...] = RECIPIENTS) -> Message:
    """A message of 8-bit text, to be stored as `STORED`; each has a queue ID of its own."""
    message = received(MAIL, sender=sender, recipients=())
    message.queue_id = secrets.token_hex(5).upper()
    for address in recipients:
        message.receive_recipient(Recipient(address))
    return message


def kept_as(storage: Storage, entry_id: str) -> bytes:
    """The bytes of an entry."""
    with storage.open_message(entry_id) as file:
        return file.read()


# -- tasks for other processes ---------------------------------------------------------------


def store_slowly(storage: Storage, test: Teller) -> None:
    """Tell the ID when the message is prepared, commit when told to, and tell it again."""
    effect = stage(storage, new_message())
    effect.prepare()
    test.tell(effect.variables[f"{PREFIX}_ID"])
    test.wait()
    effect.commit()
    test.tell(effect.variables[f"{PREFIX}_ID"])
    effect.conclude()
    test.wait()


def store_many(storage: Storage, test: Teller, count: int) -> None:
    """Store so many messages and tell their IDs."""
    test.tell("ready")
    test.wait()
    test.tell([store(storage, new_message()) for _ in range(count)])


def store_and_tell(storage: Storage, test: Teller, count: int) -> None:
    """Store so many messages, and tell the ID of each as soon as it is stored."""
    test.tell("ready")
    test.wait()
    for _ in range(count):
        test.tell(store(storage, new_message()))


def delete_all(storage: Storage, test: Teller, entry_ids: list[str]) -> None:
    """Delete those of these entries that are there; tell how many were."""
    test.tell("ready")
    test.wait()
    deleted = 0
    for entry_id in entry_ids:
        try:
            with storage.claim(entry_id) as claim:
                claim.delete()
                deleted += 1
        except EntryNotFoundError:
            pass
    test.tell(deleted)


def take_off(storage: Storage, test: Teller, entry_id: str, recipient: str) -> None:
    """Take one recipient off an entry."""
    test.tell("ready")
    test.wait()
    with storage.claim(entry_id) as claim:
        _take_off(claim, recipient)
        test.tell("taken off")


def hold(storage: Storage, test: Teller, entry_id: str) -> None:
    """Claim an entry until told to go on, then take its last recipient off."""
    with storage.claim(entry_id) as claim:
        test.tell("claimed")
        test.wait()
        _take_off(claim, RECIPIENTS[1])
        test.tell("taken off")


def _take_off(claim: Claim, recipient: str) -> None:
    assert claim.entry.recipients is not None
    claim.keep_only(tuple(one for one in claim.entry.recipients if one != recipient))
