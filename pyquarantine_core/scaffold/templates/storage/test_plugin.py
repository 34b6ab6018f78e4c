"""The storage: what every storage keeps to, and what is left in it when a process is killed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from pyquarantine_core.testing.contracts import StorageContract

import pyq_sample as plugin


class TestContract(StorageContract):
    plugin = plugin
    type = "sample"
    bad_options = (({"directory": "held"}, "'held' is not an absolute path"),)

    @pytest.fixture
    def options(self, tmp_path: Path) -> dict[str, str]:
        return {"directory": str(tmp_path / "held")}

    def traces(self, options: Any) -> Collection[str]:
        return [file.name for file in Path(options["directory"]).iterdir()]
