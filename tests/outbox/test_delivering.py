"""What the sender does with notifications: deliver, try again, move aside."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from pathlib import Path

import pytest

from pyquarantine_core.courier import Courier
from pyquarantine_core.errors import OutboxError, RefusedError, UnreachableError
from pyquarantine_core.outbox_settings import OutboxSettings
from pyquarantine_core.spool import CONCLUDED
from pyquarantine_core.testing.processes import PATIENCE
from pyquarantine_core.types import Delivery
from pyquarantine_core.undelivered import OutboxQuery, retry

from .conftest import LIFETIME, Gate, Notes, Post, settings

REFUSED = RefusedError("550 5.1.1 unknown")
LATER = OutboxError("451 4.3.0 later")
DEAD = UnreachableError("mx.example port 25: Connection refused")


def test_what_is_due_is_delivered_once_in_order(post: Post) -> None:
    post.put("a@x.example", "b@x.example", "c@x.example")
    post.send()
    post.send()
    assert post.notes.told == ["a@x.example", "b@x.example", "c@x.example"]
    assert (post.waiting, post.failed) == ([], [])


def test_what_is_committed_waits_until_it_is_concluded(post: Post) -> None:
    """A later effect of its message may fail, and then it shall never have been there."""
    (item_id,) = post.spool.stage("4XyZ", Delivery("notes", "a@x.example", b"x"))
    post.spool.commit(item_id)
    post.put("b@x.example")
    post.send()
    assert post.notes.told == ["b@x.example"]
    post.spool.conclude(item_id)
    post.send()
    assert post.notes.told == ["b@x.example", "a@x.example"]


@pytest.mark.parametrize("off", [CONCLUDED + 2, -CONCLUDED - 2], ids=["later", "clock set back"])
def test_what_a_killed_worker_has_committed_is_delivered_after_a_while(
    off: float, post: Post
) -> None:
    """Its message may be held."""
    (item_id,) = post.spool.stage("4XyZ", Delivery("notes", "a@x.example", b"x"))
    post.spool.commit(item_id)
    post.clock.advance(off)
    os.utime(post.directory / item_id, (0, 0))
    post.send()
    assert (post.notes.told, post.waiting) == (["a@x.example"], [])
    assert list(post.directory.glob("*[0-9]*")) == []


def test_a_retry_does_not_make_it_wait_longer(post: Post) -> None:
    (item_id,) = post.spool.stage("4XyZ", Delivery("notes", "a@x.example", b"x"))
    post.spool.commit(item_id)
    (before,) = post.spool.waiting()
    retry(post.spool, OutboxQuery())
    assert post.spool.waiting() == [before]


def test_it_is_told_when_nothing_is_due_any_more(post: Post) -> None:
    post.put("a@x.example", "b@x.example")
    post.send()
    assert post.notes.finished == 1


class TestTemporaryFailure:
    def test_the_log_tells_of_which_message_who_is_not_notified_by_what(
        self, post: Post, caplog: pytest.LogCaptureFixture
    ) -> None:
        post.notes.errors = {"*": LATER}
        (item_id,) = post.put("a@x.example")
        post.send()
        assert (
            f"4XyZ: <a@x.example> is not notified yet (notes, outbox {item_id}), "
            "is tried again in 30 s: 451 4.3.0 later"
        ) in caplog.messages

    def test_the_others_are_delivered(self, post: Post) -> None:
        post.notes.errors = {"a@x.example": LATER}
        post.put("a@x.example", "b@x.example")
        assert post.send() == pytest.approx(30, abs=0.01)
        assert post.notes.told == ["b@x.example"]

    def test_delays_double_up_to_the_longest_and_survive_restarts(self, post: Post) -> None:
        post.notes.errors = {"*": LATER}
        post.put("a@x.example")
        for attempt, delay in enumerate([30, 60, 120, 240, 480, 960, 1920, 3600, 3600], 1):
            assert post.send() == pytest.approx(min(delay, 60), abs=0.01)
            assert (post.attempts(), len(post.notes.tried)) == ([attempt], attempt)
            post.clock.advance(delay - 1)
            post.send()
            assert len(post.notes.tried) == attempt
            post.clock.advance(1.01)
        del post.notes.errors["*"]
        post.send()
        assert post.notes.told == ["a@x.example"]

    def test_after_its_lifetime_it_is_moved_aside_with_the_reason(self, post: Post) -> None:
        post.notes.errors = {"*": LATER}
        (item_id,) = post.put("a@x.example")
        post.send()
        post.clock.advance(LIFETIME)
        post.send()
        assert (post.waiting, post.failed) == ([], [item_id])
        error = post.spool.read(item_id, failed=True).error
        assert error == "not delivered in 5 d: 451 4.3.0 later"

    def test_one_that_outlived_it_while_nobody_was_there_is_tried_first(self, post: Post) -> None:
        post.put("a@x.example")
        post.clock.advance(2 * LIFETIME)
        post.send()
        assert post.notes.told == ["a@x.example"]

    def test_a_clock_that_was_ahead_does_not_stop_it(self, post: Post) -> None:
        post.notes.errors = {"*": LATER}
        post.put("a@x.example")
        post.clock.advance(365 * 86400)
        post.send(post.sender(lifetime=10 * 365 * 86400.0))
        post.clock.advance(-365 * 86400)
        post.notes.errors = {}
        post.send()
        assert post.notes.told == ["a@x.example"]

    def test_a_bug_of_the_plugin_is_logged_with_its_traceback_and_tried_again(
        self, post: Post, caplog: pytest.LogCaptureFixture
    ) -> None:
        post.notes.errors = {"a@x.example": KeyError("oops")}
        post.put("a@x.example", "b@x.example")
        post.send()
        assert post.notes.told == ["b@x.example"]
        assert "Traceback" in caplog.text
        post.clock.advance(31)
        post.notes.errors = {}
        post.send()
        assert post.notes.told == ["b@x.example", "a@x.example"]


def test_a_refusal_moves_it_aside_at_once_with_the_servers_words(post: Post) -> None:
    post.notes.errors = {"a@x.example": REFUSED}
    item_id, _ = post.put("a@x.example", "b@x.example", content=b"line\r\n\0\xff\n")
    post.send()
    assert (post.waiting, post.failed) == ([], [item_id])
    item = post.spool.read(item_id, failed=True)
    assert (item.error, item.attempts) == ("550 5.1.1 unknown", 1)
    assert item.delivery.content == b"line\r\n\0\xff\n"
    post.clock.advance(LIFETIME)
    post.send()
    assert post.notes.tried == ["a@x.example", "b@x.example"]


class TestUnreachable:
    def test_one_failure_puts_off_all(self, post: Post) -> None:
        post.notes.errors = {"*": DEAD}
        post.put(*(f"{number}@x.example" for number in range(100)))
        sender = post.sender()
        assert post.send(sender) == pytest.approx(30, abs=0.01)
        post.put("new@x.example")
        post.send(sender)
        assert len(post.notes.tried) == 1
        assert sum(post.attempts()) == 1

    def test_delays_double_up_to_the_longest(self, post: Post) -> None:
        post.notes.errors = {"*": DEAD}
        post.put(*(f"{number}@x.example" for number in range(20)))
        sender = post.sender()
        for attempt, delay in enumerate([30, 60, 120, 240, 480, 960, 1920, 3600, 3600], 1):
            post.send(sender)
            assert len(post.notes.tried) == attempt
            post.clock.advance(delay - 1)
            post.send(sender)
            assert len(post.notes.tried) == attempt
            post.clock.advance(1.01)
        post.notes.errors = {}
        post.send(sender)
        post.clock.advance(3601)
        post.send(sender)
        assert len(set(post.notes.told)) == len(post.notes.told) == 20
        post.notes.errors = {"*": DEAD}
        post.put("new@x.example")
        assert post.send(sender) == pytest.approx(30, abs=0.01)  # from the beginning again

    def test_a_restart_tries_all_at_once_since_it_may_be_mended(self, post: Post) -> None:
        post.notes.errors = {"*": DEAD}
        post.put("a@x.example", "b@x.example")
        post.send()
        post.notes.errors = {}
        post.send()
        assert sorted(post.notes.told) == ["a@x.example", "b@x.example"]

    def test_a_restart_in_vain_doubles_the_delay(self, post: Post) -> None:
        post.notes.errors = {"*": DEAD}
        post.put("a@x.example", "b@x.example")
        assert [round(post.send()) for _ in range(4)] == [30, 60, 60, 60]
        assert [post.spool.deferrals()["notes"].attempts, len(post.notes.tried)] == [4, 4]

    def test_one_that_always_breaks_the_connection_does_not_stop_the_others(
        self, post: Post
    ) -> None:
        post.notes.errors = {"poison@x.example": DEAD}
        post.put("poison@x.example", "a@x.example", "b@x.example")
        sender = post.sender()
        post.send(sender)
        assert post.notes.told == []
        post.clock.advance(30.01)
        post.send(sender)
        assert post.notes.told == ["a@x.example", "b@x.example"]

    def test_what_was_dropped_meanwhile_does_not_shorten_the_delay(self, post: Post) -> None:
        post.notes.errors = {"*": DEAD}
        post.put("a@x.example", "b@x.example", "c@x.example")
        post.send()
        post.clock.advance(31)
        post.send()
        post.clock.advance(61)
        due = post.spool.waiting()
        post.spool.remove(due[-1].id)
        courier = Courier(
            post.spool, "notes", post.notes, settings(post.directory), clock=post.clock
        )
        courier.deliver(due[::-1], post.spool.deferrals()["notes"], lambda: False)
        assert post.spool.deferrals()["notes"].attempts == 3

    def test_all_that_are_too_old_are_moved_aside_without_a_try_of_each(self, post: Post) -> None:
        post.notes.errors = {"*": DEAD}
        old = post.put("a@x.example", "b@x.example", "c@x.example")
        post.clock.advance(LIFETIME + 1)
        post.send()
        assert (post.waiting, post.failed) == ([], old)
        assert len(post.notes.tried) == 1
        assert {post.spool.peek(one, failed=True).error for one in old} == {
            f"not delivered in 5 d: {DEAD}"
        }


class TestSeveralNotifications:
    def test_a_dead_one_does_not_put_off_another(self, post: Post) -> None:
        dead, alive = Notes(errors={"*": DEAD}), Notes()
        post.put("a@x.example", notification="dead")
        post.put("b@x.example", notification="alive")
        post.send(post.sender({"dead": dead, "alive": alive}))
        assert alive.told == ["b@x.example"]

    def test_one_that_hangs_does_not_stop_another(self, post: Post) -> None:
        gate = Gate()
        hanging, alive = Notes(before=gate), Notes()
        sender = post.sender({"hanging": hanging, "alive": alive})
        post.put("a@x.example", notification="hanging")
        sender.start_due()
        assert gate.reached.wait(PATIENCE)
        delivered = threading.Event()
        alive.before = lambda _: delivered.set()
        post.put("b@x.example", notification="alive")
        sender.start_due()
        assert delivered.wait(PATIENCE)
        assert hanging.told == []
        gate.opened.set()
        assert sender.settle(PATIENCE)
        assert (hanging.told, alive.told) == (["a@x.example"], ["b@x.example"])

    def test_what_the_config_no_longer_has_waits_and_is_moved_aside_at_last(
        self, post: Post
    ) -> None:
        (item_id,) = post.put("a@x.example", notification="gone")
        post.put("b@x.example")
        post.send()
        assert post.notes.told == ["b@x.example"]
        assert post.spool.peek(item_id).error == "'gone' is not in 'notifications' of the config"
        post.clock.advance(LIFETIME)
        post.send()
        assert post.failed == [item_id]

    def test_one_of_what_the_config_no_longer_has_is_tried_for_all(self, post: Post) -> None:
        post.put("a@x.example", "b@x.example", "c@x.example", notification="gone")
        assert post.send() == 30
        assert sorted(post.attempts()) == [0, 0, 1]


class TestTrouble:
    @pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError()])
    def test_what_would_end_a_thread_is_a_failure_as_any_other(
        self, error: BaseException, post: Post
    ) -> None:
        post.put("a@x.example")
        post.notes.errors["*"] = error
        assert post.send() == 30
        assert post.attempts() == [1]

    def test_what_cannot_be_read_is_moved_aside_as_it_is(
        self, post: Post, caplog: pytest.LogCaptureFixture
    ) -> None:
        (item_id,) = post.put("a@x.example")
        (post.directory / item_id).write_bytes(b"garbage\n")
        post.clock.advance(60)
        post.put("b@x.example")
        post.send()
        assert post.notes.told == ["b@x.example"]
        assert (post.directory / "failed" / item_id).read_bytes() == b"garbage\n"
        assert f"{item_id} is no notification" in caplog.text

    def test_what_was_dropped_during_its_delivery_does_not_come_back(self, post: Post) -> None:
        (first, second) = post.put("a@x.example", "b@x.example")
        post.notes.errors = {"a@x.example": LATER, "b@x.example": REFUSED}
        post.notes.before = lambda item: post.spool.remove(
            first if item.recipient == "a@x.example" else second
        )
        post.send()
        assert (post.waiting, post.failed) == ([], [])

    def test_what_was_delivered_and_cannot_be_removed_is_not_delivered_again(
        self, post: Post, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("pyquarantine_core.sender.TROUBLE", 0.0)
        post.put("a@x.example")
        sender = post.sender()
        away = post.directory.with_name("away")

        def take_away(_: object) -> None:
            post.directory.rename(away)

        post.notes.before = take_away
        sender.start_due()
        assert sender.settle(PATIENCE)
        away.rename(post.directory)
        assert len(post.waiting) == 1
        sender.start_due()
        assert sender.settle(PATIENCE)
        assert (post.notes.tried, post.waiting) == (["a@x.example"], [])

    def test_of_what_failed_only_so_much_is_kept(
        self, post: Post, caplog: pytest.LogCaptureFixture
    ) -> None:
        post.notes.errors = {"*": REFUSED}
        ids = post.put(*(f"{number}@x.example" for number in range(10)))
        sender = post.sender(max_items=4)
        looks = iter([True, True, True, False])
        sender.run(lambda _seconds, _woken: sender.settle(PATIENCE) and next(looks))
        assert post.failed == ids[-4:]
        assert "deleted the oldest 6 of what failed" in caplog.text


def test_delays_vary_so_that_not_all_are_tried_at_once(tmp_path: Path) -> None:
    ours: OutboxSettings = settings(tmp_path)
    assert ours.delay(1, 0.0) == 22.5
    assert ours.delay(1, 1.0) == 37.5
    assert ours.delay(1000, 1.0) == ours.longest_delay == 4500


def test_the_log_says_who_was_told_of_which_message(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    post.put("a@x.example")
    post.send()
    assert "4XyZ: notified <a@x.example>" in caplog.text
