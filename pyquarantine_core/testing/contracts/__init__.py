"""Contract suites: what the core relies on in each kind of plugin, as tests to inherit.

    class TestShelf(StorageContract):
        plugin = pyq_shelf
        type = "shelf"

        @pytest.fixture
        def options(self, tmp_path):
            return {"directory": str(tmp_path / "shelf")}

Each suite builds the type through a config, as the daemon does. `plugin` must be importable in
other processes, too: some promises can be seen only from there.
"""

from __future__ import annotations

from pyquarantine_core.testing.contracts.actions import ActionContract
from pyquarantine_core.testing.contracts.conditions import ConditionContract
from pyquarantine_core.testing.contracts.lists import ListContract, ManagedListContract
from pyquarantine_core.testing.contracts.notifications import NotificationContract
from pyquarantine_core.testing.contracts.storages import StorageContract

__all__ = [
    "ActionContract",
    "ConditionContract",
    "ListContract",
    "ManagedListContract",
    "NotificationContract",
    "StorageContract",
]
