"""The action `sample`: a tag before the subject."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import ActionType, BuiltBy, JsonSchema, Part, Stage

SCHEMA: JsonSchema = {
    "type": "object",
    "properties": {
        "tag": {
            "type": "string",
            "minLength": 1,
            "default": "[external]",
            "description": "What is put before the subject, with a space between.",
        },
    },
}


@hookimpl
def pyquarantine_actions() -> Iterable[ActionType]:
    yield ActionType(
        name="sample",
        summary="Put a tag before the subject",
        schema=SCHEMA,
        needs=Stage.HEADERS,
        changes=Part.HEADERS,
        build=BuiltBy(f"{__name__}.action:TagSubject.from_options"),
    )
