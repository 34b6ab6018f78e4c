"""The actions keep the contract of all actions, with real storages, notifications and lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyq_quarantine
import pytest

from pyquarantine_core.testing import stand_ins
from pyquarantine_core.testing.contracts import ActionContract
from pyquarantine_core.types import NewListEntry

SERVER = {"smtp_host": "127.0.0.1", "smtp_port": 10025}


class OfThisPlugin(ActionContract):
    plugin = pyq_quarantine
    others = (stand_ins,)

    @pytest.fixture
    def settings(self, tmp_path: Path) -> dict[str, Any]:
        friends = tmp_path / "friends.json"
        stand_ins.JsonList(friends).add(NewListEntry(sender="", recipient="friend@example.org"))
        storage = {"type": "sqlite", "file": str(tmp_path / "held.db"), "metavar": "S"}
        return {
            "storages": {"s": storage},
            "notifications": {"n": {"type": "directory", "directory": str(tmp_path / "told")}},
            "lists": {"friends": {"type": "json", "file": str(friends)}},
        }


class TestStore(OfThisPlugin):
    type = "store"
    bad_options = (({"storage": "other"}, "'other' is not in 'storages'"),)

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"storage": "s"}


class TestNotify(OfThisPlugin):
    type = "notify"
    bad_options = (({"notification": "other"}, "'other' is not in 'notifications'"),)

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"notification": "n"}


class TestQuarantine(OfThisPlugin):
    type = "quarantine"
    bad_options = (
        ({"storage": "s", **SERVER, "milter_action": "REJCT"}, "did you mean 'REJECT'?"),
        ({"storage": "s", **SERVER, "smtp_port": 0}, "options.smtp_port"),
        ({"storage": "s", **SERVER, "allowlist": "other"}, "'other' is not in 'lists'"),
    )

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {
            "storage": "s",
            "notification": "n",
            "allowlist": "friends",
            "milter_action": "REJECT",
            **SERVER,
        }
