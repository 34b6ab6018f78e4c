"""The condition on metavariables."""

from __future__ import annotations

from pyquarantine_core.message import Message
from pyquarantine_core.types import Condition, Match, Services


class Variable(Condition):
    """Whether a metavariable is set."""

    def __init__(self, name: str) -> None:
        self._name = name

    @classmethod
    def from_value(cls, value: str, _services: Services) -> Variable:
        return cls(value)

    def check(self, message: Message) -> Match:
        is_set = self._name in message.variables
        return Match(is_set, f"{self._name} is {'' if is_set else 'not '}set")
