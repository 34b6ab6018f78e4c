"""The condition: what every condition keeps to, and whom it holds for."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from pyquarantine_core.message import Message
from pyquarantine_core.testing.contracts import ConditionContract
from pyquarantine_core.testing.rules import matches, received

import pyq_sample as plugin


def message_to(count: int) -> Message:
    return received(recipients=[f"user{number}@example.org" for number in range(count)])


class TestContract(ConditionContract):
    plugin = plugin
    type = "sample"
    bad_options = ((0, "0 is less than the minimum of 1"), ("three", "should be a whole number"))

    @pytest.fixture
    def options(self) -> int:
        return 3

    def matching(self) -> Iterable[Message]:
        return [message_to(3), message_to(4)]

    def not_matching(self) -> Iterable[Message]:
        return [message_to(1), message_to(2)]


@pytest.mark.parametrize(("value", "expected"), [(1, True), (2, True), (3, False)])
def test_the_number_can_be_configured(value: int, expected: bool) -> None:
    message = message_to(2)
    assert matches({"sample": value}, message, plugin) is expected
