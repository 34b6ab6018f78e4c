"""The condition `sample`: a message to many recipients."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import BuiltBy, ConditionType, JsonSchema, Stage

SCHEMA: JsonSchema = {
    "type": "integer",
    "minimum": 1,
    "description": "The number of recipients from which on it holds.",
}


@hookimpl
def pyquarantine_conditions() -> Iterable[ConditionType]:
    yield ConditionType(
        name="sample",
        summary="The message has so many recipients or more",
        schema=SCHEMA,
        decided_at=Stage.ENVELOPE,
        build=BuiltBy(f"{__name__}.condition:ManyRecipients.from_value"),
    )
