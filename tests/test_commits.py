"""Effects at the end of a message: committed in order, then concluded."""

from __future__ import annotations

import pytest

from pyquarantine_core.engine import RuleError
from pyquarantine_core.errors import StorageError
from pyquarantine_core.message import Message
from pyquarantine_core.testing.probes import action, rule, ruleset
from pyquarantine_core.types import Decision, EffectPhase, Verdict

from .test_engine_errors import Note, run


def test_what_was_undone_is_not_committed() -> None:
    note = Note()

    def stage(message: Message) -> Decision:
        message.stage(note)
        return Decision(Verdict.TEMPFAIL)

    cursor = run(ruleset(rule(action("r/a", stage))))
    cursor.message.undo_effects()
    assert cursor.commit() == {}
    assert note.done == ["prepared", "undone"]


def test_effects_are_committed_storages_first() -> None:
    done: list[str] = []

    class Told(Note):
        phase = EffectPhase.NOTIFICATION

        def commit(self) -> None:
            done.append("told")

    class Stored(Note):
        def commit(self) -> None:
            done.append("stored")

    def stage(message: Message) -> None:
        message.stage(Told())
        message.stage(Stored())

    cursor = run(ruleset(rule(action("r/a", stage))))
    cursor.commit()
    assert done == ["stored", "told"]
    assert cursor.message.effects == []


def test_effects_are_concluded_when_all_are_committed_whatever_comes_of_that(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    class Concluded(Note):
        def commit(self) -> None:
            done.append("committed")

        def conclude(self) -> None:
            done.append("concluded")
            raise OSError("no luck")

    def stage(message: Message) -> None:
        message.stage(Concluded())
        message.stage(Concluded())

    cursor = run(ruleset(rule(action("r/a", stage))))
    assert cursor.commit() == {EffectPhase.STORAGE: 2}
    assert done == ["committed"] * 2 + ["concluded"] * 2
    assert "could not conclude: write a note" in caplog.text
    assert cursor.failures == []


def test_an_effect_is_not_concluded_when_a_later_one_cannot_be_committed() -> None:
    first = Note()

    class Late(Note):
        def commit(self) -> None:
            raise StorageError("the disk is full")

    def stage(message: Message) -> None:
        message.stage(first)
        message.stage(Late())

    cursor = run(ruleset(rule(action("r/a", stage))))
    with pytest.raises(RuleError):
        cursor.commit()
    cursor.message.undo_effects()
    assert first.done == ["prepared", "committed", "undone"]


def test_what_is_at_work_during_the_commit_is_the_action_whose_effect_it_is() -> None:
    seen: list[str] = []

    class Seen(Note):
        def commit(self) -> None:
            seen.append(cursor.where())

    def stage(message: Message) -> None:
        message.stage(Seen())

    cursor = run(ruleset(rule(action("r/store", stage), action("r/last"))))
    cursor.commit()
    assert seen == ["r/store: action probe of probes 1.0"]
