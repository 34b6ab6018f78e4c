"""The power fails when a message has been answered: its notification lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyquarantine_core.spool import CONCLUDED

from .conftest import Post

if TYPE_CHECKING:
    from pyquarantine_core.testing.power import Disk


def test_a_notification_is_there_and_is_delivered(power_disk: Disk) -> None:
    post = Post(power_disk.root / "outbox")
    post.put("one@example.org", content=b"x" * 8000)
    with power_disk.without_power() as root:
        found = Post(root / "outbox")
        found.clock.advance(CONCLUDED + 1)
        found.send()
        assert [(one.recipient, one.content) for one in found.notes.delivered] == [
            ("one@example.org", b"x" * 8000)
        ]


def test_one_that_was_delivered_is_not_delivered_again(power_disk: Disk) -> None:
    post = Post(power_disk.root / "outbox")
    post.put("one@example.org")
    post.send()
    assert post.notes.told == ["one@example.org"]
    with power_disk.without_power() as root:
        found = Post(root / "outbox")
        found.send()
        assert found.notes.told == []
