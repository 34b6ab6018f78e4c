"""rewrite_links: no link leads elsewhere afterwards, and all else stays."""

from __future__ import annotations

from urllib.parse import unquote

from pyq_rewrite_links.action import RewriteLinks, html_texts
from pyq_rewrite_links.links import link_edits

from fuzz.targets.messages import SEEDS, WORDS, assert_others_stay, message_of, places
from pyquarantine_core.message import Message
from pyquarantine_core.mime.content import ContentError
from pyquarantine_core.mime.protection import holds_inline_pgp
from pyquarantine_core.mime.reading import MessageParts
from pyquarantine_core.mime.structure import MimePart
from pyquarantine_core.mime.text import PartText

__all__ = ["SEEDS", "WORDS", "check"]

SAFE = "https://safe.example/?u="


def check(data: bytes) -> None:
    """The first byte means nothing here."""
    message = message_of(data[1:])
    before = MessageParts(message)
    texts = _texts(before)
    left = [part for part, text in texts if text is None]
    RewriteLinks(SAFE + "{URL_B64}").apply(message)
    if message.body is message.received_body:
        assert not any(text is not None and link_edits(text, "x") for _, text in texts)
    else:
        changed = [part for part, text in texts if text is not None]
        assert_others_stay(before.body, places(changed), message.body.read())
        _check_links(message, len(left))
    message.close()


def _texts(parts: MessageParts) -> list[tuple[MimePart, PartText | None]]:
    """The HTML parts, and their texts where they can be edited."""
    found: list[tuple[MimePart, PartText | None]] = []
    for part in html_texts(parts.root):
        try:
            text = PartText.of(part, parts.body)
            text.edited([])
            found.append((part, None if holds_inline_pgp(text.view) else text))
        except ContentError:
            found.append((part, None))
    return found


def _check_links(message: Message, left: int) -> None:
    texts = [text for _, text in _texts(MessageParts(message))]
    assert texts.count(None) == left
    for text in texts:
        for edit in link_edits(text, "{URL}") if text is not None else ():
            assert unquote(edit.text.strip('"')).startswith(SAFE)
