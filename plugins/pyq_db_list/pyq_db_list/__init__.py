"""The list type `db`: senders and recipients in a table of a database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.schema import secret
from pyquarantine_core.types import ListType, Options, Services

if TYPE_CHECKING:
    from pyq_db_list.mail_list import DbList

__version__ = "3.0.0"

SCHEMA = {
    "type": "object",
    "required": ["connection", "table"],
    "properties": {
        "connection": secret(
            "Where the database is: sqlite:////PATH, postgresql://USER:PASSWORD@HOST/DATABASE or "
            "mysql://USER:PASSWORD@HOST/DATABASE, with reserved characters percent-encoded."
        ),
        "table": {
            "type": "string",
            "pattern": "^[^\\u0000-\\u001f\"'`\\\\%]{1,63}$",
            "description": "Name of the table, at most 63 characters, without quotes, backslash "
            "and percent sign; created when it is missing.",
        },
        "name": {"type": "string", "description": "Read and ignored, as 2.x wrote it."},
    },
}


@hookimpl
def pyquarantine_lists() -> Iterable[ListType]:
    yield ListType(
        name="db", summary="Entries in a table of a database", schema=SCHEMA, build=_build
    )


def _build(options: Options, services: Services) -> DbList:
    from pyq_db_list.mail_list import DbList  # noqa: PLC0415 - peewee only where a list needs it

    return DbList.from_options(options, services)
