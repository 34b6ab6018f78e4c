"""The condition on the message's headers."""

from __future__ import annotations

from collections.abc import Sequence

from pyquarantine_core.message import Message
from pyquarantine_core.patterns import Budget, Pattern, compile_pattern
from pyquarantine_core.types import Condition, Match, Services


class Headers(Condition):
    """Whether each pattern is found in some header; each looks at all of them."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns

    @classmethod
    def from_value(cls, value: Sequence[str], _services: Services) -> Headers:
        return cls(tuple(compile_pattern(text, multiline=True, dotall=True) for text in value))

    def check(self, message: Message) -> Match:
        groups: dict[str, str] = {}
        found_in: list[str] = []
        headers = message.headers
        budget = Budget()
        for pattern in self._patterns:
            searched = ((one, pattern.search(one.text, budget)) for one in headers)
            header, found = next((both for both in searched if both[1]), (None, None))
            if header is None or found is None:
                return Match(matched=False, reason=f"no header matches {pattern.source!r}")
            groups |= pattern.named_groups(found)
            found_in.append(header.name)
        return Match(True, f"found in {', '.join(found_in)}", groups)
