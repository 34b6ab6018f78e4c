"""The list keeps the contract of all lists, on every kind of database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyq_db_list
import pytest

from pyquarantine_core.testing.contracts import ManagedListContract

from .servers import Database

FILE = "sqlite:////var/lib/pyquarantine/lists.db"


class TestDbList(ManagedListContract):
    plugin = pyq_db_list
    type = "db"
    bad_options = (
        ({"connection": FILE}, "'table' is missing"),
        ({"table": "allow"}, "'connection' is missing"),
        ({"connection": "", "table": "allow"}, "is not fit"),
        *(
            ({"connection": FILE, "table": wrong}, "lists.it.table")
            for wrong in ("", 'a"b', "a`b", "a%sb", "a" * 64)
        ),
    )

    @pytest.fixture
    def options(self, database: Database) -> dict[str, str]:
        self._database = database
        return {"connection": database.url(), "table": "allow"}

    def make_unused(self, options: Any) -> None:
        self._database.execute("UPDATE allow SET last_used = %s", [datetime(2024, 5, 6)])
