"""The action rewrite_links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pyq_rewrite_links.links import link_edits
from pyquarantine_core.limits import Limits
from pyquarantine_core.message import Message
from pyquarantine_core.mime.content import ContentError
from pyquarantine_core.mime.edit import MessageEdit
from pyquarantine_core.mime.protection import holds_inline_pgp, is_protected
from pyquarantine_core.mime.structure import MimePart
from pyquarantine_core.mime.text import PartText
from pyquarantine_core.types import Action, Options, Services

_REASONS = 3
"""So many are told of one message."""


class RewriteLinks(Action):
    """Replaces the targets of the links in the HTML texts of a message."""

    def __init__(self, replacement: str) -> None:
        self._replacement = replacement

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> RewriteLinks:
        return cls(options["repl"])

    def apply(self, message: Message) -> None:
        edit = MessageEdit(message)
        for obstacle in filter(None, (edit.limit, edit.doubt)):
            message.log.warning("links may be left: the message has %s", obstacle)
        count = 0
        left: Counter[str] = Counter()
        for part in html_texts(edit.root):
            try:
                count += self._rewrite(edit, part, message.limits)
            except ContentError as error:
                left[str(error)] += 1
        _tell(message, left)
        if count:
            edit.record()
            message.log.info("rewrote %d links", count)

    def _rewrite(self, edit: MessageEdit, part: MimePart, limits: Limits) -> int:
        text = PartText.of(part, edit.body, limits)
        if holds_inline_pgp(text.view):
            raise ContentError("it is signed or encrypted (PGP in the text)")
        edits = link_edits(text, self._replacement)
        if edits:
            edit.replace_text(part, text.edited(edits))
        return len(edits)


def _tell(message: Message, left: Counter[str]) -> None:
    """Warn of the parts left, in few lines: a sender chooses how many there are, and why."""
    for reason, parts in left.most_common(_REASONS):
        what = "an HTML part" if parts == 1 else f"{parts} HTML parts"
        message.log.warning("the links of %s are left: %s", what, reason)
    others = left.total() - sum(parts for _, parts in left.most_common(_REASONS))
    if others:
        message.log.warning("the links of %d more HTML parts are left for other reasons", others)


def html_texts(root: MimePart) -> Iterator[MimePart]:
    """The HTML parts to read; none inside of attached messages, or of what is signed or encrypted.

    A file that is attached is nobody's to change.
    """
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if is_protected(part) or part.is_message:
            continue
        waiting += reversed(part.parts)
        if part.type == "text/html" and not part.is_attachment:
            yield part
