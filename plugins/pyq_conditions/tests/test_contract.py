"""The conditions keep the contract of all conditions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyq_conditions
import pytest

from pyquarantine_core.message import Message
from pyquarantine_core.testing import stand_ins
from pyquarantine_core.testing.contracts import ConditionContract
from pyquarantine_core.testing.rules import received
from pyquarantine_core.types import NewListEntry

BOB = "bob@example.org"


class TestLocal(ConditionContract):
    plugin = pyq_conditions
    type = "local"
    bad_options = (("yes", "'yes' should be true or false"),)

    @pytest.fixture
    def options(self) -> bool:
        return True

    def matching(self) -> Iterator[Message]:
        yield received(client="10.0.0.1")
        yield received(client=None)

    def not_matching(self) -> Iterator[Message]:
        yield received(client="192.0.2.1")


class TestHosts(ConditionContract):
    plugin = pyq_conditions
    type = "hosts"
    bad_options = ((["10.0.0.0/33"], "does not appear to be an IPv4 or IPv6 network"),)

    @pytest.fixture
    def options(self) -> list[str]:
        return ["192.0.2.0/24", "2001:db8::1"]

    def matching(self) -> Iterator[Message]:
        yield received(client="192.0.2.1")

    def not_matching(self) -> Iterator[Message]:
        yield received(client="198.51.100.1")
        yield received(client=None)


class TestEnvelopeFrom(ConditionContract):
    plugin = pyq_conditions
    type = "envfrom"

    @pytest.fixture
    def options(self) -> str:
        return "(?P<who>.+)@example.org"

    def matching(self) -> Iterator[Message]:
        yield received(sender=BOB)

    def not_matching(self) -> Iterator[Message]:
        yield received(sender="")


class TestEnvelopeTo(ConditionContract):
    plugin = pyq_conditions
    type = "envto"

    @pytest.fixture
    def options(self) -> str:
        return "(?P<who>.+)@example.org"

    def matching(self) -> Iterator[Message]:
        yield received(recipients=[f"<{BOB}>"])

    def not_matching(self) -> Iterator[Message]:
        yield received(recipients=[f"<{BOB}>", "<rob@example.net>"])


class TestHeaders(ConditionContract):
    plugin = pyq_conditions
    type = "headers"

    @pytest.fixture
    def options(self) -> list[str]:
        return ["^Subject: (?P<first>hello)"]

    def matching(self) -> Iterator[Message]:
        yield received(b"Subject: Hello there\n\n")

    def not_matching(self) -> Iterator[Message]:
        yield received(b"X-Subject: Hello\n\nSubject: Hello\n")


class TestListed(ConditionContract):
    plugin = pyq_conditions
    type = "list"
    others = (stand_ins,)
    bad_options = (("other", "'other' is not in 'lists'"),)

    @pytest.fixture
    def options(self) -> str:
        return "friends"

    @pytest.fixture
    def settings(self, tmp_path: Path) -> dict[str, Any]:
        path = tmp_path / "friends.json"
        stand_ins.JsonList(path).add(NewListEntry(sender=BOB, recipient=""))
        return {"lists": {"friends": {"type": "json", "file": str(path)}}}

    def matching(self) -> Iterator[Message]:
        yield received(sender=BOB)

    def not_matching(self) -> Iterator[Message]:
        yield received(sender="rob@example.org")
        yield received(sender=BOB, recipients=[])


class TestVariable(ConditionContract):
    plugin = pyq_conditions
    type = "var"

    @pytest.fixture
    def options(self) -> str:
        return "SET"

    def matching(self) -> Iterator[Message]:
        message = received()
        message.variables["SET"] = ""
        yield message

    def not_matching(self) -> Iterator[Message]:
        yield received()
