"""Condition and action keep the contracts of all conditions and actions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyq_attachments
import pytest

from pyquarantine_core.message import Message
from pyquarantine_core.testing.contracts import ActionContract, ConditionContract
from pyquarantine_core.testing.mail_mix import MIX
from pyquarantine_core.testing.rules import received


class TestAttachments(ConditionContract):
    plugin = pyq_attachments
    type = "attachments"
    bad_options = (
        ({}, "attachments"),
        ({"names": ["("]}, "attachments.names[0]"),
        ({"types": ["exe"]}, "attachments.types[0]"),
        ({"name": ["x"]}, "unknown key; did you mean 'names'?"),
    )

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"names": [r"\.pdf$"], "types": ["image/*"]}

    def matching(self) -> Iterator[Message]:
        yield received(MIX["attachments"])
        yield received(MIX["forwarded message"])
        yield received(MIX["related"])

    def not_matching(self) -> Iterator[Message]:
        yield received(MIX["plain"])
        yield received(MIX["alternative"])


class TestAddRecipient(ActionContract):
    plugin = pyq_attachments
    type = "add_recipient"
    bad_options = tuple(
        ({"address": wrong}, f"{wrong!r} is not an address such as user@example.org")
        for wrong in ("", "lab", "<lab@example.org>", "lab@@example.org", "a b@example.org")
    )

    @pytest.fixture
    def options(self) -> dict[str, str]:
        return {"address": "lab@example.org"}
