"""The outbox has a bound: then notifications are dropped, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from pyquarantine_core.errors import WrongResultError
from pyquarantine_core.message import Message
from pyquarantine_core.outbox import OutboxNotifier
from pyquarantine_core.testing.disks import disk_of
from pyquarantine_core.testing.rules import received
from pyquarantine_core.types import Delivery

from .conftest import Clock, Notes, Post


def fill(post: Post, clock: Clock, count: int, size: int = 1, **bounds: int) -> list[bool]:
    """Which of so many notifications a worker could put there, at this moment."""
    outbox = post.outbox(clock, **bounds)
    taken = []
    for _ in range(count):
        (item_id,) = outbox.stage("4XyZ", Delivery("notes", "a@x.example", bytes(size)))
        taken.append(item_id is not None)
        if item_id is not None:
            outbox.spool.commit(item_id)
    return taken


def test_at_most_so_many_wait_and_the_rest_is_dropped(post: Post) -> None:
    assert fill(post, Clock(), 5, max_items=3) == [True, True, True, False, False]
    assert len(post.waiting) == 3


def test_they_have_at_most_so_many_bytes(post: Post) -> None:
    assert fill(post, Clock(), 4, size=1000, max_bytes=2500) == [True, True, False, False]


def test_what_was_there_before_counts(post: Post) -> None:
    post.put("a@x.example", "b@x.example")
    assert fill(post, Clock(), 2, max_items=3) == [True, False]


def test_what_is_staged_takes_room_before_and_after_it_is_committed(post: Post) -> None:
    clock = Clock()
    outbox = post.outbox(clock, max_items=1)
    delivery = Delivery("notes", "a@x.example", b"")
    (item_id,) = outbox.stage("4XyZ", delivery)
    assert item_id is not None
    for change in (outbox.spool.commit, outbox.spool.conclude, outbox.spool.discard):
        clock.advance(1.1)
        assert outbox.stage("4XyZ", delivery) == [None]
        change(item_id)
    clock.advance(1.1)
    assert outbox.stage("4XyZ", delivery) != [None]


def test_there_is_room_again_when_some_are_delivered(post: Post) -> None:
    clock = Clock()
    outbox = post.outbox(clock, max_items=1)
    delivery = Delivery("notes", "a@x.example", b"")
    (first,) = outbox.stage("4XyZ", delivery)
    assert first is not None
    outbox.spool.commit(first)
    outbox.spool.conclude(first)
    assert outbox.stage("4XyZ", delivery) == [None]
    post.clock.advance(60)
    post.send()
    assert outbox.stage("4XyZ", delivery) == [None]  # it counts once a second
    clock.advance(1.1)
    assert outbox.stage("4XyZ", delivery) != [None]


def test_a_full_outbox_does_not_stop_the_message_and_what_is_dropped_is_counted(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    message = received()
    notifier = OutboxNotifier("notes", post.notes, post.outbox(Clock(), max_items=1))
    notifier.tell(message, ("a@x.example", "b@x.example"))
    for effect in message.effects:
        effect.commit()
    assert post.spool.dropped == 0  # before all are committed, the message may not be held yet
    for effect in message.effects:
        effect.conclude()
    assert post.spool.dropped == 1
    assert "4XyZ1234: the outbox is full: not notified (notes): <b@x.example>" in caplog.text
    assert caplog.text.endswith("dropped so far: 1\n")
    message.close()
    assert [post.spool.peek(one).delivery.recipient for one in post.waiting] == ["a@x.example"]


def test_a_disk_that_gets_full_amid_many_recipients_leaves_nothing(post: Post) -> None:
    class Longer(Notes):
        def prepare(self, message: Message, recipient: str) -> bytes:
            return bytes(10 * int(recipient.partition("@")[0]))

    message = received()
    notifier = OutboxNotifier("notes", Longer(), post.outbox(Clock()))
    with disk_of(500), pytest.raises(OSError, match="File too large"):
        notifier.tell(message, tuple(f"{number}@x.example" for number in range(100)))
    message.undo_effects()
    message.close()
    assert list(post.directory.glob("*[0-9]*")) == []


def test_of_many_recipients_each_is_told_or_counts_as_dropped(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    message = received()
    notifier = OutboxNotifier("notes", post.notes, post.outbox(Clock(), max_items=70))
    recipients = tuple(f"u{number}@x.example" for number in range(100))
    notifier.tell(message, recipients)
    (effect,) = message.effects
    assert effect.count == 70
    assert post.waiting == []
    effect.commit()
    effect.conclude()
    message.close()
    told = [post.spool.peek(one).delivery.recipient for one in post.waiting]
    assert sorted(told) == sorted(recipients[:70])
    assert post.spool.dropped == 30
    (line,) = [one.getMessage() for one in caplog.records]
    assert "<u70@x.example>, " in line
    assert line.endswith(" more; dropped so far: 30")


def test_a_full_disk_is_an_error_and_leaves_nothing(post: Post) -> None:
    outbox = post.outbox(Clock())
    delivery = Delivery("notes", "a@x.example", bytes(10_000))
    with disk_of(5000), pytest.raises(OSError, match="File too large"):
        outbox.stage("4XyZ", delivery)
    assert list(post.directory.glob("*[0-9]*")) == []


def test_a_full_disk_does_not_stop_the_back_off(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyquarantine_core.sender.TROUBLE", 0.0)
    post.notes.errors = {"*": ValueError("no")}
    post.put("a@x.example", content=bytes(10_000))
    with disk_of(5000):
        assert post.send() == pytest.approx(30, abs=0.01)
    assert len(post.waiting) == 1
    post.notes.errors = {}
    post.clock.advance(31)
    post.send()
    assert post.notes.told == ["a@x.example"]


def test_what_a_notification_makes_that_is_no_bytes_is_told_with_its_name(post: Post) -> None:
    class Texts(Notes):
        def prepare(self, *_: Any) -> Any:
            return "text"

    notifier = OutboxNotifier("notes", Texts(), post.outbox(Clock()))
    with pytest.raises(WrongResultError, match="'notes' returned 'text', not bytes"):
        notifier.tell(received(), ("a@x.example",))
