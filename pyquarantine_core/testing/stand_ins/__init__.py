"""Simple storages, notifications and lists for tests of plugins that need one: a plugin itself.

Each keeps the contract of its kind, and is an example of how little that takes:

* storage `sqlite`: messages in a table; option `file`,
* notification `directory`: a file per notification; option `directory`,
* list `json`: entries in a file; option `file`.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.testing.stand_ins.mail_list import JsonList
from pyquarantine_core.testing.stand_ins.notification import DirectoryNotification
from pyquarantine_core.testing.stand_ins.storage import SqliteStorage
from pyquarantine_core.types import JsonSchema, ListType, NotificationType, StorageType

__all__ = ["DirectoryNotification", "JsonList", "SqliteStorage"]


def _path(option: str, description: str) -> JsonSchema:
    path = {
        "type": "string",
        "pattern": r"^/[^\u0000-\u001f\ud800-\udfff]*$",
        "x-expected": "an absolute path",
        "description": description,
    }
    return {"type": "object", "required": [option], "properties": {option: path}}


@hookimpl
def pyquarantine_storages() -> Iterable[StorageType]:
    yield StorageType(
        name="sqlite",
        summary="Messages in an SQLite database, for tests",
        schema=_path("file", "Absolute path of the database."),
        build=SqliteStorage.from_options,
    )


@hookimpl
def pyquarantine_notifications() -> Iterable[NotificationType]:
    yield NotificationType(
        name="directory",
        summary="A file per notification, for tests",
        schema=_path("directory", "Absolute path of the directory."),
        build=DirectoryNotification.from_options,
    )


@hookimpl
def pyquarantine_lists() -> Iterable[ListType]:
    yield ListType(
        name="json",
        summary="Entries in a JSON file, for tests",
        schema=_path("file", "Absolute path of the file."),
        build=JsonList.from_options,
    )
