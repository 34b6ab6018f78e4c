"""What plugins give back in the place of what they should: always an error, with their name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pyq_conditions
import pyq_quarantine
import pytest

from pyquarantine_core.engine import Cursor, RuleError
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.message import Message
from pyquarantine_core.testing import stand_ins
from pyquarantine_core.testing.probes import action, condition, rule, ruleset
from pyquarantine_core.testing.rules import load, received
from pyquarantine_core.testing.rules import rule as configured
from pyquarantine_core.types import (
    Action,
    ActionType,
    Decision,
    Delivery,
    Effect,
    ListType,
    MailList,
    Match,
    Notification,
    NotificationType,
    Part,
    Stage,
    Storage,
    StorageType,
    StoreEffect,
    Verdict,
)

GIVEN: list[object] = [None, 1, "yes", b"yes", [], object]
OURS = f"{__name__} ?"
"""How this module is named as a plugin: it has no distribution."""


class Given:
    """What all of these plugins give back; a test sets it."""

    value: Any = None


class OddList(MailList):
    def covers(self, sender: str, recipient: str) -> bool:
        return cast(bool, Given.value)


class OddNotification(Notification):
    def prepare(self, message: Message, recipient: str) -> bytes:
        return cast(bytes, Given.value)

    def deliver(self, item: Delivery) -> None:
        raise AssertionError("nothing was prepared")


class OddStorage(Storage):
    def stage(self, new: Any) -> StoreEffect:
        return cast(StoreEffect, Given.value)

    entries = get = open_message = metadata = claim = cast(Any, None)


class OddEffect(StoreEffect):
    def __init__(self, variables: object) -> None:
        self._variables = variables

    @property
    def variables(self) -> Any:
        return self._variables

    def describe(self) -> str:
        return "store it"

    def prepare(self) -> None: ...

    def commit(self) -> None: ...

    def undo(self) -> None: ...


class Stages(Action):
    def apply(self, message: Message) -> None:
        message.stage(cast(Effect, Given.value))


EMPTY = {"type": "object", "properties": {}}


@hookimpl
def pyquarantine_lists() -> Iterable[ListType]:
    yield ListType(name="odd", summary="x", schema=EMPTY, build=lambda *_: OddList())


@hookimpl
def pyquarantine_notifications() -> Iterable[NotificationType]:
    yield NotificationType(
        name="odd", summary="x", schema=EMPTY, build=lambda *_: OddNotification()
    )


@hookimpl
def pyquarantine_storages() -> Iterable[StorageType]:
    yield StorageType(name="odd", summary="x", schema=EMPTY, build=lambda *_: OddStorage())


@hookimpl
def pyquarantine_actions() -> Iterable[ActionType]:
    yield ActionType(
        name="stages",
        summary="x",
        schema=EMPTY,
        needs=Stage.CONNECT,
        changes=Part.NOTHING,
        build=lambda *_: Stages(),
    )


@pytest.fixture(params=GIVEN, ids=str)
def given(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(Given, "value", request.param)
    return request.param


def refused(config: dict[str, Any], directory: Path) -> tuple[str, str]:
    """The error of the one message, and the plugin that is to blame."""
    built = load(
        {"outbox": str(directory), **config},
        *(import_module(__name__), stand_ins, pyq_conditions, pyq_quarantine),
    )
    message = received()
    cursor = Cursor(built.rules, message)
    with pytest.raises(RuleError) as caught:
        to_the_end(cursor)
    assert message.effects == []
    (failure,) = cursor.failures
    return str(caught.value), failure.plugin


class TestOfConditions:
    @pytest.mark.parametrize("found", [None, True, "yes"])
    def test_what_is_no_match(self, found: object) -> None:
        wrong = cast(Callable[[Message], Match], lambda _: [found])
        with pytest.raises(RuleError, match=r"check\(\) returned \[.*\], not a Match"):
            run(condition_that(wrong))

    @pytest.mark.parametrize("found", [0, 1, None, "no", []])
    def test_a_match_that_is_neither_true_nor_false(self, found: object) -> None:
        unclear = cast(Callable[[Message], Match], lambda _: Match(cast(bool, found)))
        with pytest.raises(RuleError, match="which is not True or False"):
            run(condition_that(unclear))

    def test_a_group_that_took_no_part(self) -> None:
        groups = cast(dict[str, str], {"word": None})
        with pytest.raises(RuleError, match="found None for the group 'word', not a text"):
            run(condition_that(lambda _: Match(True, "", groups)))


class TestOfActions:
    @pytest.mark.parametrize("result", [True, Verdict.REJECT, "REJECT"])
    def test_what_is_no_decision(self, result: object) -> None:
        wrong = cast(Callable[[Message], Any], lambda _: result)
        with pytest.raises(RuleError, match=r"apply\(\) returned .*, not a Decision or None"):
            run(action("r/a", wrong))

    def test_a_decision_without_a_verdict(self) -> None:
        decision = Decision(cast(Verdict, "REJECT"))
        with pytest.raises(RuleError, match=r"apply\(\) decided 'REJECT', which is no Verdict"):
            run(action("r/a", lambda _: decision))

    def test_a_long_one_is_cut_short(self) -> None:
        wrong = cast(Callable[[Message], Any], lambda _: "x" * 1000)
        with pytest.raises(RuleError) as caught:
            run(action("r/a", wrong))
        assert len(str(caught.value)) < 200

    def test_a_staged_effect_that_is_none(self, given: object, tmp_path: Path) -> None:
        text, plugin = refused({"rules": [configured("stages", {})]}, tmp_path)
        assert "stage() was given " in text
        assert text.endswith(", not an Effect")
        assert plugin == OURS

    @pytest.mark.parametrize("name", ["", "X A", "X:", "X\r\nBcc", "Größe", "X\0"])
    def test_a_header_that_cannot_be_named_so(self, name: str) -> None:
        def add(message: Message) -> None:
            message.add_header(name, "x")

        with pytest.raises(RuleError, match="no header can be named '"):
            run(action("r/a", add, changes=Part.HEADERS))


class TestOfWhatTheyUse:
    """The plugin that gave it is to blame, not that of the action which asked."""

    def test_a_list_that_says_neither_true_nor_false(self, given: object, tmp_path: Path) -> None:
        asks = configured("nothing", {}, conditions={"list": "mine"})
        text, plugin = refused({"lists": {"mine": {"type": "odd"}}, "rules": [asks]}, tmp_path)
        assert f" failed in {OURS}: covers() of the list 'mine' returned " in text
        assert text.endswith(", not True or False")
        assert plugin == OURS

    def test_so_does_an_allowlist(self, given: object, tmp_path: Path) -> None:
        options = {"storage": "s", "smtp_host": "localhost", "smtp_port": 25, "allowlist": "mine"}
        config = {
            "storages": {"s": {"type": "sqlite", "file": str(tmp_path / "s")}},
            "lists": {"mine": {"type": "odd"}},
            "rules": [configured("quarantine", options)],
        }
        text, plugin = refused(config, tmp_path)
        assert "covers() of the list 'mine' returned " in text
        assert plugin == OURS

    def test_a_storage_that_stages_nothing(self, given: object, tmp_path: Path) -> None:
        config = {
            "storages": {"s": {"type": "odd"}},
            "rules": [configured("store", {"storage": "s"})],
        }
        text, plugin = refused(config, tmp_path)
        assert "stage() of the storage 's' returned " in text
        assert text.endswith(", not a StoreEffect")
        assert plugin == OURS

    @pytest.mark.parametrize("variables", [None, ["ID"], {"ID": None}, {1: "x"}])
    def test_a_storage_that_sets_no_texts(
        self, variables: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(Given, "value", OddEffect(variables))
        config = {
            "storages": {"s": {"type": "odd"}},
            "rules": [configured("store", {"storage": "s"})],
        }
        text, plugin = refused(config, tmp_path)
        assert "storing in 's' set the variables " in text
        assert plugin == OURS

    def test_a_notification_that_is_not_bytes(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(Given, "value", "text")
        config = {
            "notifications": {"n": {"type": "odd"}},
            "rules": [configured("notify", {"notification": "n"})],
        }
        text, plugin = refused(config, tmp_path)
        assert text.endswith("prepare() of the notification 'n' returned 'text', not bytes")
        assert plugin == OURS


def condition_that(check: Callable[[Message], Match | bool]) -> Any:
    return action("r/a", when=[condition(check)])


def run(bound: Any) -> None:
    to_the_end(Cursor(ruleset(rule(bound)), received()))


def to_the_end(cursor: Cursor) -> None:
    for stage in Stage:
        cursor.advance(stage)
