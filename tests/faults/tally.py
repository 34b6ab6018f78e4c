"""What has become of every message, after a fault is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pyquarantine_core.testing.sink import SmtpSink

from .load import Load
from .scene import FILTERED, Scene


@dataclass(frozen=True)
class Tally:
    """Messages, counted by recipient, of which each has one.

    Attributes:
        messages: sent.
        delivered: of them, by the way that ham goes.
        held: of them, in the quarantine.
        deferred: how often one was put off by the filtering Postfix.
        lost: recipients whose message is nowhere, or not where it belongs.
        doubled: deliveries and entries beyond the first of a message.
        untold: recipients of held mail without a notification.
        told_twice: notifications beyond one for each time that a message is held.
    """

    messages: int
    delivered: int
    held: int
    deferred: int
    lost: tuple[str, ...]
    doubled: int
    untold: tuple[str, ...]
    told_twice: int


def count(scene: Scene, load: Load) -> Tally:
    """Count everything that is left once the scene has settled."""
    delivered = _received(scene.mailbox)
    filtered = _received(scene.mailbox, containing=FILTERED)
    held = scene.held()
    told = _received(scene.notices)
    # What waits is not lost; `settle` fails, though, when that is for too long.
    queued = {
        one
        for queue in (scene.upstream.queue(), scene.mta.queue())
        for message in queue
        for one in message.recipients
    }
    return Tally(
        messages=load.sent,
        delivered=len(filtered.keys() & set(load.ham)),
        held=len(held.keys() & set(load.spam)),
        deferred=scene.deferrals(),
        lost=tuple(
            [one for one in load.ham if one not in filtered and one not in queued]
            + [one for one in load.spam if one not in held and one not in queued]
            + [one for one in load.spam if one in delivered]
            + [one for one in load.ham if delivered[one] > filtered[one]]
        ),
        doubled=_beyond(delivered, load.ham) + _beyond(held, load.spam),
        untold=tuple(one for one in load.spam if one in held and one not in told),
        told_twice=sum(max(0, told[one] - max(1, held[one])) for one in load.spam),
    )


def _received(sink: SmtpSink, containing: bytes = b"") -> Counter[str]:
    return Counter(
        recipient
        for message in sink.received
        if containing in message.content
        for recipient in message.recipients
    )


def _beyond(counts: Counter[str], recipients: Iterable[str]) -> int:
    return sum(max(0, counts[one] - 1) for one in recipients)
