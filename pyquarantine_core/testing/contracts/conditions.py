"""The contract of conditions: decided in time, by what they declare, without touching anything."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pyquarantine_core.address import Recipient
from pyquarantine_core.body import Body
from pyquarantine_core.config import Config
from pyquarantine_core.message import Message
from pyquarantine_core.testing import hostile
from pyquarantine_core.testing.contracts.common import TypeContract, in_threads
from pyquarantine_core.testing.elsewhere import Spec
from pyquarantine_core.testing.rules import judge
from pyquarantine_core.types import (
    Condition,
    ConditionType,
    Kind,
    Match,
    Part,
    Stage,
    TypeDeclaration,
)


class ConditionContract(TypeContract):
    """What the engine relies on in a condition; `options` is its value."""

    kind: Kind = Kind.CONDITION

    # -- what a subclass gives ---------------------------------------------------------------

    def matching(self) -> Iterable[Message]:
        """Messages that match the value, at least one."""
        raise NotImplementedError

    def not_matching(self) -> Iterable[Message]:
        """Messages that do not, at least one."""
        raise NotImplementedError

    # -- what its tests use ------------------------------------------------------------------

    @pytest.fixture
    def condition(self, spec: Spec, config: Config) -> Condition:
        """The condition, open."""
        found = spec.component(config)
        assert isinstance(found, Condition)
        return found

    @pytest.fixture
    def declaration(self, declared: TypeDeclaration) -> ConditionType:
        """What is declared of it."""
        assert isinstance(declared, ConditionType)
        return declared

    # -- the promises ------------------------------------------------------------------------

    def test_it_matches_what_it_should_and_nothing_else(self, config: Config) -> None:
        yes, no = list(self.matching()), list(self.not_matching())
        assert yes
        assert no
        assert [bool(judge(config, message).ran) for message in yes] == [True] * len(yes)
        assert [bool(judge(config, message).ran) for message in no] == [False] * len(no)

    def test_it_answers_with_a_match_that_is_true_or_false_and_says_why(
        self, condition: Condition, declaration: ConditionType
    ) -> None:
        for name, message in self._samples():
            found = _check(condition, declaration, message)
            assert type(found) is Match, name
            assert type(found.matched) is bool, name
            assert type(found.reason) is str, name
            assert all(type(one) is str for pair in found.groups.items() for one in pair), name

    def test_it_is_decided_at_its_stage_and_what_comes_later_changes_nothing(
        self, condition: Condition, declaration: ConditionType
    ) -> None:
        for name, message in self._samples():
            early = _known_at(declaration.decided_at, message)
            found = _check(condition, declaration, message)
            assert _check(condition, declaration, early).matched is found.matched, name

    def test_it_looks_at_no_part_that_it_does_not_declare_to_read(
        self, condition: Condition, declaration: ConditionType
    ) -> None:
        for name, message in self._samples():
            before = _check(condition, declaration, message).matched
            _change(message, ~declaration.parts_read)
            assert _check(condition, declaration, message).matched is before, name

    def test_it_changes_nothing(self, condition: Condition, declaration: ConditionType) -> None:
        for name, message in self._samples():
            before = (message.snapshot(), b"".join(message.chunks()))
            _check(condition, declaration, message)
            assert (message.snapshot(), b"".join(message.chunks())) == before, name

    def test_it_answers_the_same_when_asked_again_and_by_many_threads(
        self, condition: Condition, declaration: ConditionType
    ) -> None:
        messages = [*self.matching(), *self.not_matching()]
        expected = [_check(condition, declaration, message) for message in messages]
        found: list[list[Match]] = []

        def ask() -> None:
            found.append([_check(condition, declaration, message) for message in messages])

        in_threads(ask, 8)
        assert found == [expected] * 8

    # -- help --------------------------------------------------------------------------------

    def _samples(self) -> Iterable[tuple[str, Message]]:
        yield from hostile.messages()
        for number, message in enumerate([*self.matching(), *self.not_matching()]):
            yield f"message {number} of the test", message


def _check(condition: Condition, declared: ConditionType, message: Message) -> Match:
    """Ask it as the engine does: no more of the message can be seen than it declares."""
    message.visible = declared.decided_at
    try:
        return condition.check(message)
    finally:
        message.visible = Stage.BODY


def _known_at(stage: Stage, message: Message) -> Message:
    """As much of a message as the MTA has told at a stage."""
    early = Message(message.client, message.sender if stage >= Stage.ENVELOPE else "")
    early.variables.update(message.variables)
    if stage >= Stage.ENVELOPE:
        for recipient in message.received_recipients:
            early.receive_recipient(recipient)
    if stage >= Stage.HEADERS:
        for header in message.received_headers:
            early.receive_header(header.name, header.raw)
    if stage >= Stage.BODY:
        for chunk in message.received_body.chunks():
            early.received_body.append(chunk)
    return early


def _change(message: Message, parts: Part) -> None:
    """Change these parts of a message altogether."""
    if Part.RECIPIENTS in parts:
        message.remove_recipients(message.addresses)
        message.receive_recipient(Recipient("somebody-else@changed.example"))
    if Part.HEADERS in parts:
        message.edit_headers([(header, None) for header in message.headers])
        message.add_header("X-Changed", "all of them")
    if Part.BODY in parts:
        message.replace_body(Body([b"changed\r\n"]))
    if Part.VARIABLES in parts:
        message.variables = dict.fromkeys(("CHANGED", *message.variables), "changed")
