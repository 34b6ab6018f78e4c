"""A condition: whether a header is there."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.message import Message
from pyquarantine_core.types import Condition, ConditionType, Match, Part, Stage


class HasHeader(Condition):
    def __init__(self, name: str) -> None:
        self._name = name.lower()

    def check(self, message: Message) -> Match:
        found = any(one.name.lower() == self._name for one in message.headers)
        return Match(bool(found), "it is there" if found else "it is not there")


@hookimpl
def pyquarantine_conditions() -> Iterable[ConditionType]:
    yield ConditionType(
        name="has_header",
        summary="A header is there",
        schema={"type": "string", "minLength": 1, "description": "Header that must be there."},
        decided_at=Stage.HEADERS,
        reads=Part.HEADERS,
        build=lambda name, _services: HasHeader(name),
    )
