"""The storage type `sample`: one JSON file per message."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import BuiltBy, JsonSchema, StorageType

SCHEMA: JsonSchema = {
    "type": "object",
    "required": ["directory"],
    "properties": {
        "directory": {
            "type": "string",
            "pattern": "^/",
            "x-expected": "an absolute path",
            "description": "Where the files are; created (0700) when it is missing.",
        },
    },
}


@hookimpl
def pyquarantine_storages() -> Iterable[StorageType]:
    yield StorageType(
        name="sample",
        summary="One JSON file per message in a directory",
        schema=SCHEMA,
        build=BuiltBy(f"{__name__}.storage:JsonStorage.from_options"),
    )
