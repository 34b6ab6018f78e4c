"""add_disclaimer: it is in the text, and every other byte of the message stays."""

from __future__ import annotations

from pyq_disclaimer.action import AddDisclaimer, ErrorPolicy
from pyq_disclaimer.bodies import text_bodies
from pyq_disclaimer.template import Templates

from fuzz.targets.messages import SEEDS, WORDS, assert_others_stay, message_of, places
from pyquarantine_core.message import Message
from pyquarantine_core.mime.content import ContentError
from pyquarantine_core.mime.protection import holds_inline_pgp
from pyquarantine_core.mime.reading import MessageParts
from pyquarantine_core.mime.structure import MimePart
from pyquarantine_core.mime.text import PartText
from pyquarantine_core.types import Verdict

__all__ = ["SEEDS", "WORDS", "check"]

MARK = "DISCLAIMER"


def check(data: bytes) -> None:
    """The first byte chooses the options."""
    chosen = data[0] if data else 0
    text = f"{MARK} ü\n" if chosen & 1 else f"{MARK}\n"
    policy = list(ErrorPolicy)[(chosen >> 1) % 3]
    add_html_body = bool(chosen & 8)
    action = AddDisclaimer(
        Templates(text, f"<p>{text}</p>"),
        policy,
        prepend=bool(chosen & 16),
        add_html_body=add_html_body,
    )
    message = message_of(data[1:])
    before = MessageParts(message)
    editable = _editable(before)
    decision = action.apply(message)
    if message.body is message.received_body:
        assert editable is None
        assert policy is not ErrorPolicy.WRAP
        assert message.headers == tuple(message.received_headers)
        rejected = decision is not None and decision.verdict is Verdict.REJECT
        assert rejected == (policy is ErrorPolicy.REJECT)
    elif editable is None:
        whole = b"".join(message.chunks(original=True))
        assert whole in message.body.read()
    else:
        changed = places(editable) or [_place_before(before.root)]
        assert_others_stay(before.body, changed, message.body.read())
        _check_shown(message, len(editable) or 1)
    message.close()


def _editable(parts: MessageParts) -> list[MimePart] | None:
    """The texts that are edited; None where the message must not, or cannot, be."""
    try:
        bodies = text_bodies(parts.structure)
        texts = [PartText.of(body, parts.body) for body in bodies]
        for text in texts:
            text.edited([])
    except ContentError:
        return None
    return None if any(holds_inline_pgp(text.view) for text in texts) else bodies


def _place_before(root: MimePart) -> tuple[int, int]:
    """Where a text is put that the message has not had."""
    at = root.parts[0].boundary_start if root.type == "multipart/mixed" else 0
    return at, at


def _check_shown(message: Message, count: int) -> None:
    parts = MessageParts(message)
    if parts.limit:  # a part around it is one too many
        return
    bodies = text_bodies(parts.structure)
    assert len(bodies) >= count
    for body in bodies:
        assert MARK in PartText.of(body, parts.body).decoded(), body.type
