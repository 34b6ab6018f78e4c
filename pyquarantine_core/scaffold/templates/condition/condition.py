"""What the condition does."""

from __future__ import annotations

from typing import Self

from pyquarantine_core.message import Message
from pyquarantine_core.types import Condition, Match, Services


class ManyRecipients(Condition):
    """Holds for a message to so many recipients or more."""

    def __init__(self, at_least: int) -> None:
        self._at_least = at_least

    @classmethod
    def from_value(cls, value: int, _services: Services) -> Self:
        """From the value in the config, which the schema has checked."""
        return cls(value)

    def check(self, message: Message) -> Match:
        count = len(message.recipients)
        return Match(count >= self._at_least, f"{count} recipients")
