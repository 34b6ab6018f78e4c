"""The condition `sample`: a message to many recipients."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import ConditionType, JsonSchema, Stage

from pyq_sample.condition import ManyRecipients

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
        build=ManyRecipients.from_value,
    )
