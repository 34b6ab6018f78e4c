"""Conditions on the envelope: sender, recipients, and lists of both."""

from __future__ import annotations

from pyquarantine_core.message import Message
from pyquarantine_core.patterns import Pattern, compile_pattern
from pyquarantine_core.types import Condition, MailList, Match, Services


class EnvelopeFrom(Condition):
    """Whether the sender matches."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern

    @classmethod
    def from_value(cls, value: str, _services: Services) -> EnvelopeFrom:
        return cls(compile_pattern(value))

    def check(self, message: Message) -> Match:
        found = self._pattern.match(message.sender, message.budget())
        if found is None:
            return Match(matched=False, reason=f"<{message.sender}> does not match")
        return Match(True, f"<{message.sender}> matches", self._pattern.named_groups(found))


class EnvelopeTo(Condition):
    """Whether all recipients match; named groups are those of the last one."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern

    @classmethod
    def from_value(cls, value: str, _services: Services) -> EnvelopeTo:
        return cls(compile_pattern(value))

    def check(self, message: Message) -> Match:
        groups: dict[str, str] = {}
        budget = message.budget()
        for address in message.addresses:
            found = self._pattern.match(address, budget)
            if found is None:
                return Match(matched=False, reason=f"<{address}> does not match")
            groups = self._pattern.named_groups(found)
        if not message.addresses:
            return Match(matched=False, reason="there is no recipient")
        return Match(True, "all recipients match", groups)


class Listed(Condition):
    """Whether a list has an entry for the sender and each remaining recipient."""

    def __init__(self, mail_list: MailList) -> None:
        self._list = mail_list

    @classmethod
    def from_value(cls, value: str, services: Services) -> Listed:
        return cls(services.mail_list(value))

    def check(self, message: Message) -> Match:
        for address in message.addresses:
            if not self._list.covers(message.sender, address):
                return Match(False, f"no entry for <{message.sender}> to <{address}>")
        return Match(bool(message.addresses), "an entry for every recipient")
