"""The action keeps the contract of all actions."""

from __future__ import annotations

import pyq_rewrite_links
import pytest

from pyquarantine_core.testing.contracts import ActionContract


class TestRewriteLinks(ActionContract):
    plugin = pyq_rewrite_links
    type = "rewrite_links"
    bad_options = (({"repl": ""}, "must not be empty"),)

    @pytest.fixture
    def options(self) -> dict[str, str]:
        return {"repl": "https://check.example/{URL}"}
