"""The list type `sample`: pairs of addresses in a text file."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import BuiltBy, JsonSchema, ListType

SCHEMA: JsonSchema = {
    "type": "object",
    "required": ["path"],
    "properties": {
        "path": {
            "type": "string",
            "pattern": "^/",
            "x-expected": "an absolute path",
            "description": "The file, in UTF-8; it is read again when it changes.",
        },
        "comment": {
            "type": "string",
            "minLength": 1,
            "default": "#",
            "description": "What lines begin with that are passed over.",
        },
    },
}


@hookimpl
def pyquarantine_lists() -> Iterable[ListType]:
    yield ListType(
        name="sample",
        summary="Senders in a text file, each with a recipient or for all",
        schema=SCHEMA,
        build=BuiltBy(f"{__name__}.list:PairsInFile.from_options"),
    )
