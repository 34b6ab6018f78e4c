"""The simple storages, notifications and lists for tests keep the contracts of real ones."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing import stand_ins
from pyquarantine_core.testing.contracts import (
    ManagedListContract,
    NotificationContract,
    StorageContract,
)
from pyquarantine_core.testing.contracts.notifications import Inbox
from pyquarantine_core.testing.stand_ins.notification import delivered

LONG_AGO = "2024-05-06T00:00:00+00:00"


class TestSqliteStorage(StorageContract):
    plugin = stand_ins
    type = "sqlite"
    bad_options = (({"file": "held.db"}, "'held.db' is not an absolute path"),)

    @pytest.fixture
    def options(self, tmp_path: Path) -> dict[str, str]:
        return {"file": str(tmp_path / "held.db")}

    def traces(self, options: Any) -> Collection[str]:
        with closing(sqlite3.connect(options["file"])) as database:
            return [row for (row,) in database.execute("SELECT id FROM entries")]


class TestDirectoryNotification(NotificationContract):
    plugin = stand_ins
    type = "directory"

    @pytest.fixture
    def options(self, tmp_path: Path) -> dict[str, str]:
        return {"directory": str(tmp_path / "told")}

    @pytest.fixture
    def inbox(self, options: dict[str, str]) -> Inbox:
        return lambda: list(delivered(Path(options["directory"])))


class TestJsonList(ManagedListContract):
    plugin = stand_ins
    type = "json"

    @pytest.fixture
    def options(self, tmp_path: Path) -> dict[str, str]:
        return {"file": str(tmp_path / "list.json")}

    def make_unused(self, options: Any) -> None:
        path = Path(options["file"])
        entries = json.loads(path.read_bytes())
        path.write_text(json.dumps([{**one, "last_used": LONG_AGO} for one in entries]))
