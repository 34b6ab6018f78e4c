"""The notification type `sample`: a POST to a web hook."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import BuiltBy, JsonSchema, NotificationType

SCHEMA: JsonSchema = {
    "type": "object",
    "required": ["url"],
    "properties": {
        "url": {
            "type": "string",
            "pattern": "^https?://[^/]",
            "x-expected": "an http or https URL",
            "description": "Where each notification is posted to, as a JSON object.",
        },
        "timeout": {
            "type": "number",
            "minimum": 1,
            "default": 10,
            "description": "Seconds that the server has to answer.",
        },
    },
}


@hookimpl
def pyquarantine_notifications() -> Iterable[NotificationType]:
    yield NotificationType(
        name="sample",
        summary="A POST to a web hook",
        schema=SCHEMA,
        build=BuiltBy(f"{__name__}.notification:WebHook.from_options"),
    )
