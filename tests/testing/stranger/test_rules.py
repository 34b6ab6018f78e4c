"""The tests of the condition and the action: run in a copy, by test_contracts.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stranger import action, condition  # type: ignore[import-not-found] # it is written when they run

from pyquarantine_core.message import Message
from pyquarantine_core.testing.contracts import ActionContract, ConditionContract
from pyquarantine_core.testing.rules import received


class TestHasHeader(ConditionContract):
    plugin = condition
    type = "has_header"

    @pytest.fixture
    def options(self) -> str:
        return "Subject"

    def matching(self) -> Iterator[Message]:
        yield received(b"subject: x\n\n")

    def not_matching(self) -> Iterator[Message]:
        yield received(b"X-Subject: x\n\nSubject: x\n")


class TestCount(ActionContract):
    plugin = action
    type = "count"
    bad_options = (({"unit": 0}, "0 is less than the minimum of 1"),)
