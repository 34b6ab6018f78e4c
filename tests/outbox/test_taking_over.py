"""One sender at a time: a reload's new one waits for the old one, and is woken by everybody."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from pyquarantine_core import sender as sender_module
from pyquarantine_core.sender import Sender
from pyquarantine_core.testing.processes import PATIENCE
from pyquarantine_core.types import Notification

from .conftest import Gate, Notes, Post


class Running:
    """A sender as its process runs it; `stop` is what SIGTERM does."""

    def __init__(self, post: Post, notification: Notification) -> None:
        self.asked = threading.Semaphore(0)
        self._stopped, self._stop = os.pipe()
        sender = Sender(post.spool, {"notes": notification}, post.outbox(time.monotonic).settings)
        self._thread = threading.Thread(target=sender.run, args=(self._wait,))
        self._thread.start()

    def _wait(self, seconds: float, woken: Sequence[int]) -> bool:
        self.asked.release()
        ready, _, _ = select.select([self._stopped, *woken], [], [], seconds)
        return self._stopped not in ready

    def tell_to_stop(self) -> None:
        os.write(self._stop, b".")

    def stop(self) -> None:
        self.tell_to_stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        os.close(self._stopped)
        os.close(self._stop)


Start = Callable[[Notification], Running]


@pytest.fixture
def start(post: Post, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr(sender_module, "CLAIM_AGAIN", 0.01)
    monkeypatch.setattr(sender_module, "TROUBLE", 0.01)
    running = []

    def start(notification: Notification) -> Running:
        running.append(Running(post, notification))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def delivering() -> tuple[Notes, threading.Semaphore]:
    """A notification, and what counts its deliveries."""
    count = threading.Semaphore(0)
    return Notes(before=lambda _: count.release()), count


def test_what_is_put_there_wakes_the_sender(post: Post, start: Start) -> None:
    notes, count = delivering()
    running = start(notes)
    assert running.asked.acquire(timeout=PATIENCE)
    for number in range(3):
        post.put(f"{number}@x.example")
        assert count.acquire(timeout=PATIENCE)
    assert notes.told == ["0@x.example", "1@x.example", "2@x.example"]


def test_a_new_one_takes_over_when_the_old_one_has_finished(post: Post, start: Start) -> None:
    gate = Gate()
    old_notes = Notes(before=gate)
    new_notes, count = delivering()
    old = start(old_notes)
    post.put("a@x.example", "b@x.example")
    assert gate.reached.wait(PATIENCE)
    new = start(new_notes)
    old.tell_to_stop()
    for _ in range(5):  # it has asked so often, in vain
        assert new.asked.acquire(timeout=PATIENCE)
    assert new_notes.tried == []
    gate.opened.set()
    assert count.acquire(timeout=PATIENCE)
    assert (old_notes.told, new_notes.tried) == (["a@x.example"], ["b@x.example"])


def test_a_directory_that_was_made_anew_is_used(
    post: Post, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "LOOK_AGAIN", 0.01)
    notes, count = delivering()
    running = start(notes)
    assert running.asked.acquire(timeout=PATIENCE)
    post.directory.rename(post.directory.with_name("old"))
    post.directory.mkdir(mode=0o700)
    post.put("a@x.example")
    assert count.acquire(timeout=PATIENCE)
