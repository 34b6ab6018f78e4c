"""The parts of a message, to be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyquarantine_core.mime.content import decode_transfer
from pyquarantine_core.mime.structure import MimePart, Structure, scan

if TYPE_CHECKING:
    from pyquarantine_core.message import Message


class MessageParts:
    """A message as it is now, taken apart; of what declares `Stage.BODY`.

    Attributes:
        body: the bytes that offsets refer to; a slice of them is `bytes`.
        structure: what is in them.
    """

    def __init__(self, message: Message) -> None:
        self.body = message.body.view()
        self.structure: Structure = scan(
            ((header.name, header.raw) for header in message.headers), self.body, message.limits
        )

    @property
    def root(self) -> MimePart:
        """The message as a part."""
        return self.structure.root

    @property
    def limit(self) -> str:
        """Which bound kept parts from being taken apart, in words; else empty."""
        return self.structure.limit

    @property
    def doubt(self) -> str:
        """What mail clients read in different ways, in words; else empty."""
        return self.structure.doubt

    def leaves(self) -> Iterator[MimePart]:
        """The parts that have no parts in them, in the order of the message."""
        return (part for part in self.root.walk() if not part.parts)

    def content(self, part: MimePart) -> bytes:
        """The data of a part, its transfer encoding undone.

        Raises:
            ContentError: the encoding is unknown.
        """
        return decode_transfer(self.body[part.start : part.end], part.encoding)
