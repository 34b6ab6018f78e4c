"""The actions keep the contract of all actions."""

from __future__ import annotations

import pyq_headers
import pytest

from pyquarantine_core.testing.contracts import ActionContract


class TestAddHeader(ActionContract):
    plugin = pyq_headers
    type = "add_header"
    bad_options = tuple(
        ({"field": wrong, "value": "x"}, "is not a header name")
        for wrong in ("", "X Seen", "X:", "X\nY", "Grün")
    )

    @pytest.fixture
    def options(self) -> dict[str, str]:
        return {"field": "X-Seen", "value": "Grüße\r\nX-Injected: yes"}


class TestModHeader(ActionContract):
    plugin = pyq_headers
    type = "mod_header"
    bad_options = (({"field": "(", "value": "x"}, "options.field: "),)

    @pytest.fixture
    def options(self) -> dict[str, str]:
        return {"field": "^(Subject|X-Text|From)$", "search": "^(.*)$", "value": r"[\1] \1"}


class TestDelHeader(ActionContract):
    plugin = pyq_headers
    type = "del_header"

    @pytest.fixture
    def options(self) -> dict[str, str]:
        return {"field": "X-|Sub", "value": "a|e"}
