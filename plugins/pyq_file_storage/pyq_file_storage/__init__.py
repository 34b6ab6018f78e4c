"""The storage type `file`: one file per message in a directory."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import BuiltBy, StorageType

__version__ = "3.0.0"

SCHEMA = {
    "type": "object",
    "required": ["directory"],
    "properties": {
        "directory": {
            "type": "string",
            "pattern": r"^/[^\u0000]*$",
            "x-expected": "an absolute path",
            "description": "Absolute path of the directory; created (0700) when it is missing.",
        },
        "mode": {
            "type": "string",
            "pattern": "^(0o?)?[0-7]{3}$",
            "x-expected": "an octal mode such as '0660'",
            "default": "0600",
            "description": "Permissions of new files, in octal, whatever the umask.",
        },
    },
}


@hookimpl
def pyquarantine_storages() -> Iterable[StorageType]:
    yield StorageType(
        name="file",
        summary="One file per message in a directory",
        schema=SCHEMA,
        build=BuiltBy("pyq_file_storage.storage:FileStorage.from_options"),
    )
