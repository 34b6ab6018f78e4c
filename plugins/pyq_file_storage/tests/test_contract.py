"""The storage keeps the contract of all storages."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyq_file_storage
import pytest

from pyquarantine_core.testing.contracts import StorageContract


class TestFileStorage(StorageContract):
    plugin = pyq_file_storage
    type = "file"
    bad_options = (
        ({}, "'directory' is missing"),
        ({"directory": ""}, "'' is not an absolute path"),
        ({"directory": "held"}, "'held' is not an absolute path"),
        ({"directory": "/a\0b"}, "is not an absolute path"),
        ({"directory": "/held", "mode": "1777"}, "'1777' is not an octal mode such as '0660'"),
        ({"directory": "/held", "mode": "0680"}, "'0680' is not an octal mode such as '0660'"),
        ({"directory": "/held", "mode": 640}, "640 should be a text"),
    )

    @pytest.fixture
    def options(self, tmp_path: Path) -> dict[str, str]:
        return {"directory": str(tmp_path / "held")}

    def traces(self, options: Any) -> Collection[str]:
        return sorted(one.name for one in Path(options["directory"]).iterdir())


class TestWithAnIndex(TestFileStorage):
    """Small directories have none unless it is begun for them."""

    @pytest.fixture
    def options(self, tmp_path: Path) -> dict[str, str]:
        (tmp_path / "held" / ".index").mkdir(parents=True)
        return {"directory": str(tmp_path / "held")}
