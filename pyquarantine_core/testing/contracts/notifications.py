"""The contract of notifications: made of any message, harmless, delivered to one recipient."""

from __future__ import annotations

import base64
from abc import abstractmethod
from collections.abc import Callable, Sequence

import pytest

from pyquarantine_core.config import Config
from pyquarantine_core.testing import hostile
from pyquarantine_core.testing.contracts.common import TypeContract, in_threads
from pyquarantine_core.testing.elsewhere import NAME, Elsewhere, Spec, Teller
from pyquarantine_core.testing.mail_mix import MIX
from pyquarantine_core.testing.rules import received
from pyquarantine_core.types import Delivery, Kind, Notification

RECIPIENT = "u@example.org"

Inbox = Callable[[], Sequence[tuple[str, bytes]]]


class NotificationContract(TypeContract):
    """What actions, the outbox and `quarantine notify` rely on in a notification."""

    kind: Kind = Kind.NOTIFICATION

    # -- what a subclass gives ---------------------------------------------------------------

    @pytest.fixture
    @abstractmethod
    def inbox(self) -> Inbox:
        """Tells what has been delivered so far: each recipient, with what it got."""

    # -- what its tests use ------------------------------------------------------------------

    @pytest.fixture
    def notification(self, spec: Spec, config: Config) -> Notification:
        """The notification, open."""
        found = spec.component(config)
        assert isinstance(found, Notification)
        return found

    # -- made in the worker ------------------------------------------------------------------

    def test_any_message_gives_bytes_and_stays_as_it_is(self, notification: Notification) -> None:
        for name, message in hostile.messages():
            before = (message.snapshot(), b"".join(message.chunks()))
            made = notification.prepare(message, RECIPIENT)
            assert type(made) is bytes, name
            assert made, name
            assert (message.snapshot(), b"".join(message.chunks())) == before, name
            message.close()

    @pytest.mark.parametrize("odd", hostile.TEXTS)
    def test_any_recipient_gives_bytes(self, notification: Notification, odd: str) -> None:
        message = received(MIX["plain"])
        assert type(notification.prepare(message, hostile.TEXTS[odd])) is bytes

    def test_no_text_of_a_message_becomes_a_header(self, notification: Notification) -> None:
        contents = hostile.CONTENTS["a line break in an encoded word"]
        for message in (hostile.with_text(hostile.TEXTS["line breaks"]), received(contents)):
            for recipient in (RECIPIENT, hostile.TEXTS["line breaks"]):
                head = _head(notification.prepare(message, recipient))
                assert not any(line.startswith(hostile.INJECTED.encode()) for line in head)

    def test_preparing_delivers_nothing(self, notification: Notification, inbox: Inbox) -> None:
        notification.prepare(received(MIX["plain"]), RECIPIENT)
        assert list(inbox()) == []

    def test_threads_prepare_at_the_same_time(self, notification: Notification) -> None:
        made: list[int] = []

        def work() -> None:
            messages = map(received, MIX.values())
            made.extend([len(notification.prepare(one, RECIPIENT)) for one in messages])

        in_threads(work, 4)
        assert len(made) == 4 * len(MIX)

    # -- delivered by the outbox -------------------------------------------------------------

    def test_it_is_delivered_unchanged_by_another_process_to_its_recipient_alone(
        self,
        notification: Notification,
        inbox: Inbox,
        elsewhere: Elsewhere,
    ) -> None:
        message = received(MIX["attachments"], recipients=(RECIPIENT, "other@example.org"))
        made = notification.prepare(message, RECIPIENT)
        message.close()
        process = elsewhere.start(deliver, RECIPIENT, base64.b64encode(made).decode())
        assert process.hear() == "delivered"
        process.finish()
        ((recipient, content),) = inbox()
        assert recipient == RECIPIENT
        assert content == made

    def test_one_that_is_tried_again_is_delivered_again(
        self, notification: Notification, inbox: Inbox
    ) -> None:
        made = notification.prepare(received(MIX["plain"]), RECIPIENT)
        for _ in range(2):
            notification.deliver(Delivery(NAME, RECIPIENT, made))
        notification.finish()
        assert [recipient for recipient, _ in inbox()] == [RECIPIENT] * 2


def deliver(notification: Notification, test: Teller, recipient: str, content: str) -> None:
    """Deliver what another process has prepared."""
    notification.deliver(Delivery(NAME, recipient, base64.b64decode(content)))
    notification.finish()
    test.tell("delivered")


def _head(content: bytes) -> list[bytes]:
    """The lines before the first empty one."""
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").partition(b"\n\n")[0].split(b"\n")
