"""The condition on the message's headers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyquarantine_core.header import Header
from pyquarantine_core.message import Message
from pyquarantine_core.patterns import Pattern, compile_pattern
from pyquarantine_core.types import Condition, Match, Services


class Headers(Condition):
    """Whether each pattern is found in some header; each looks at all of them."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = [(one, _missing(one)) for one in patterns]

    @classmethod
    def from_value(cls, value: Sequence[str], _services: Services) -> Headers:
        return cls(tuple(compile_pattern(text, multiline=True, dotall=True) for text in value))

    def check(self, message: Message) -> Match:
        groups: dict[str, str] = {}
        found_in: list[str] = []
        budget = message.budget()
        for pattern, missing in self._patterns:
            for header in _candidates(message, pattern):
                found = pattern.search(header.text, budget)
                if found is not None:
                    groups |= pattern.named_groups(found)
                    found_in.append(header.name)
                    break
            else:
                return missing
        return Match(True, f"found in {', '.join(found_in)}", groups)


def _missing(pattern: Pattern) -> Match:
    return Match(matched=False, reason=f"no header matches {pattern.source!r}")


def _candidates(message: Message, pattern: Pattern) -> Iterable[Header]:
    """The headers that a pattern may be found in: most begin with a name, and few headers have it.

    Case is folded, for `regex` takes two letters beyond ASCII for forms of `k` and `s`.
    """
    name, colon, _ = pattern.start.partition(":")
    if colon:
        return message.headers_named(name)
    if name:
        start = name.casefold()
        return (one for one in message.headers if one.name.casefold().startswith(start))
    return message.headers
