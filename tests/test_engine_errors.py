"""What the engine does when a condition or action fails, asks too much, or only pretends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from pyquarantine_core.body import Body
from pyquarantine_core.engine import Cursor, RuleError
from pyquarantine_core.errors import StorageError
from pyquarantine_core.message import Message
from pyquarantine_core.ruleset import OnError, Ruleset
from pyquarantine_core.testing.probes import action, condition, rule, ruleset
from pyquarantine_core.testing.rules import received
from pyquarantine_core.types import (
    Decision,
    Effect,
    EffectPhase,
    Kind,
    Match,
    Part,
    Stage,
    Verdict,
)

ACCEPT = Decision(Verdict.ACCEPT)
EVERYTHING = Part.RECIPIENTS | Part.HEADERS | Part.BODY
CONTENT = b"Subject: Hello\nX-Old: 1\n\nBody\n"


@dataclass
class Note(Effect):
    """An effect that tells what is done with it."""

    done: list[str] = field(default_factory=list)
    full: bool = False

    def describe(self) -> str:
        return "write a note"

    def prepare(self) -> None:
        self.done.append("prepared")
        if self.full:
            raise StorageError("the disk is full")

    def commit(self) -> None:
        self.done.append("committed")

    def undo(self) -> None:
        self.done.append("undone")


def fail(_message: Message) -> Decision | None:
    raise RuntimeError("out of paper")


def run(rules: Ruleset, message: Message | None = None) -> Cursor:
    cursor = Cursor(rules, message or received(CONTENT))
    for stage in Stage:
        cursor.advance(stage)
    return cursor


def change_everything(message: Message) -> None:
    message.remove_recipients(["one@example.org"])
    subject, old = message.headers
    message.edit_headers([(subject, "Changed"), (old, None)])
    message.add_header("X-New", "1")
    message.replace_body(Body([b"Other\r\n"]))
    message.variables["SET"] = "1"


def state(message: Message) -> tuple[object, ...]:
    return message.addresses, b"".join(message.chunks()), dict(message.variables)


class TestByDefault:
    def test_an_action_that_fails_is_named_with_its_rule_and_plugin(self) -> None:
        with pytest.raises(RuleError) as caught:
            run(ruleset(rule(action("spam/print", fail))))
        assert str(caught.value) == "spam/print: action probe of probes 1.0 failed: out of paper"
        assert isinstance(caught.value.__cause__, RuntimeError)

    def test_a_condition_that_fails_is_named_with_its_rule_and_plugin(self) -> None:
        def check(_: Message) -> bool:
            raise OSError("no answer")

        with pytest.raises(RuleError) as caught:
            run(ruleset(rule(action("spam/a", when=[condition(check)]))))
        assert str(caught.value) == "spam/a: condition probe of probes 1.0 failed: no answer"

    def test_a_condition_that_changes_the_message_fails(self) -> None:
        def check(message: Message) -> bool:
            message.add_header("X-Seen", "yes")
            return True

        with pytest.raises(RuleError, match="it changes HEADERS, which it does not declare"):
            run(ruleset(rule(action("spam/a", when=[condition(check)]))))

    def test_nothing_of_the_failed_action_is_left(self) -> None:
        message, note = received(CONTENT), Note()
        before = state(message)

        def change_and_fail(message: Message) -> Decision | None:
            change_everything(message)
            message.stage(note)
            return fail(message)

        with pytest.raises(RuleError):
            run(ruleset(rule(action("r/a", change_and_fail, needs=Stage.BODY))), message)
        assert (state(message), note.done) == (before, ["prepared", "undone"])

    def test_an_effect_that_cannot_be_prepared_fails_its_action_and_is_undone(self) -> None:
        message, note = received(), Note(full=True)

        def store(message: Message) -> None:
            message.stage(note)

        with pytest.raises(RuleError, match="the disk is full"):
            run(ruleset(rule(action("r/store", store))), message)
        assert (note.done, message.effects) == (["prepared", "undone"], [])

    @pytest.mark.parametrize("result", [True, Verdict.REJECT, "REJECT"])
    def test_an_action_that_returns_something_else_than_a_decision_fails(
        self, result: object
    ) -> None:
        wrong = cast(Callable[[Message], Any], lambda _: result)
        with pytest.raises(RuleError, match=r"apply\(\) returned .*, not a Decision or None"):
            run(ruleset(rule(action("r/a", wrong))))

    def test_a_condition_that_returns_something_else_than_a_match_fails(self) -> None:
        nothing = cast(Callable[[Message], Match], lambda _: None)
        with pytest.raises(RuleError, match=r"check\(\) returned None, not a Match"):
            run(ruleset(rule(action("r/a", when=[condition(nothing)]))))

    @pytest.mark.parametrize("found", [0, 1, None, "no", []])
    def test_a_condition_that_finds_neither_true_nor_false_fails(self, found: object) -> None:
        unclear = cast(Callable[[Message], Match], lambda _: Match(cast(bool, found)))
        with pytest.raises(RuleError, match="which is not True or False"):
            run(ruleset(rule(action("r/a", when=[condition(unclear)]))))


class TestContinue:
    def test_all_is_as_before_the_failed_action_and_the_rules_go_on(self) -> None:
        message, kept, gone = received(CONTENT), Note(), Note()

        def keep(message: Message) -> None:
            message.add_header("X-Kept", "1")
            message.variables["KEPT"] = "1"
            message.stage(kept)

        def change_and_fail(message: Message) -> Decision | None:
            message.remove_recipients(message.addresses)
            message.edit_headers([(header, None) for header in message.headers])
            message.replace_body(Body())
            message.variables["GONE"] = "1"
            message.stage(gone)
            return fail(message)

        cursor = run(
            ruleset(
                rule(
                    action("r/keep", keep, changes=Part.HEADERS),
                    action("r/fail", change_and_fail, needs=Stage.BODY, on_error=OnError.CONTINUE),
                    action("r/after"),
                )
            ),
            message,
        )
        assert (cursor.decision, cursor.ran) == (ACCEPT, ["r/keep", "r/after"])
        assert message.addresses == ("recipient@example.org",)
        assert b"".join(message.chunks()) == (
            b"Subject: Hello\r\nX-Old: 1\r\nX-Kept: 1\r\n\r\nBody\r\n"
        )
        assert message.variables == {"KEPT": "1"}
        assert (kept.done, gone.done) == (["prepared"], ["prepared", "undone"])
        assert message.effects == [kept]

    def test_a_condition_that_failed_does_not_match(self) -> None:
        def check(_: Message) -> bool:
            raise OSError("no answer")

        failing = rule(action("r/a"), when=[condition(check)], on_error=OnError.CONTINUE)
        assert run(ruleset(failing, rule(action("s/b")))).ran == ["s/b"]

    def test_the_log_says_what_failed_and_that_it_went_on(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        run(ruleset(rule(action("r/a", fail, on_error=OnError.CONTINUE))))
        (record,) = caplog.records
        assert record.getMessage() == (
            "4XyZ1234: r/a: action probe of probes 1.0 failed: out of paper; going on as before it"
        )
        assert record.exc_info, "a bug in a plugin is shown with its traceback"

    def test_what_the_world_does_to_us_is_logged_without_traceback(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def store(_: Message) -> None:
            raise OSError("no space left")

        run(ruleset(rule(action("r/a", store, on_error=OnError.CONTINUE))))
        (record,) = caplog.records
        assert not record.exc_info

    def test_an_effect_that_cannot_be_undone_is_logged_and_the_others_still_are(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Stuck(Note):
            def undo(self) -> None:
                raise OSError("is busy")

        first, second = Note(), Stuck()

        def stage_and_fail(message: Message) -> Decision | None:
            message.stage(first)
            message.stage(second)
            return fail(message)

        run(ruleset(rule(action("r/a", stage_and_fail, on_error=OnError.CONTINUE))))
        assert first.done == ["prepared", "undone"]
        assert "4XyZ1234: r/a: could not undo: write a note" in caplog.messages

    def test_one_of_an_earlier_action_is_logged_as_that_actions(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Stuck(Note):
            def undo(self) -> None:
                raise OSError("is busy")

        def stage(message: Message) -> None:
            message.stage(Stuck())

        message = received()
        judged = rule(action("r/first", stage), action("r/second", lambda _: None))
        run(ruleset(judged), message)
        message.undo_effects()
        assert "4XyZ1234: r/first: could not undo: write a note" in caplog.messages


class TestFailures:
    """What observers are told of errors: which plugin, where, and what came of it."""

    @staticmethod
    def told(cursor: Cursor) -> list[tuple[str, str, str, bool]]:
        return [(one.plugin, one.step, one.text, one.tempfail) for one in cursor.failures]

    def test_an_error_that_refuses_the_message_is_told(self) -> None:
        cursor = Cursor(ruleset(rule(action("r/a", fail))), received())
        with pytest.raises(RuleError):
            cursor.advance(Stage.BODY)
        text = "action probe of probes 1.0 failed: out of paper"
        assert self.told(cursor) == [("probes 1.0", "r/a", text, True)]

    def test_each_error_that_the_rules_go_on_after_is_told_once(self) -> None:
        def check(_: Message) -> bool:
            raise OSError("no answer")

        cursor = run(
            ruleset(
                rule(action("r/a", fail, on_error=OnError.CONTINUE)),
                rule(action("s/a"), when=[condition(check)], on_error=OnError.CONTINUE),
                rule(action("t/a", fail, pretend=True)),
            )
        )
        assert [(one.step, one.kind, one.tempfail) for one in cursor.failures] == [
            ("r/a", Kind.ACTION, False),
            ("rule", Kind.CONDITION, False),
            ("t/a", Kind.ACTION, False),
        ]

    def test_an_error_met_while_looking_ahead_is_told_when_it_counts(self) -> None:
        def check(_: Message) -> bool:
            raise OSError("no answer")

        late = condition(lambda _: True, decided_at=Stage.BODY)
        rules = ruleset(
            rule(action("r/a"), when=[late]), rule(action("s/a"), when=[condition(check)])
        )
        cursor = Cursor(rules, received())
        assert cursor.advance(Stage.ENVELOPE) is None
        assert cursor.failures == []
        with pytest.raises(RuleError):
            cursor.advance(Stage.BODY)
        assert [one.step for one in cursor.failures] == ["rule"]

    def test_an_effect_that_cannot_be_committed_is_its_actions_error(self) -> None:
        class Late(Note):
            def commit(self) -> None:
                raise StorageError("the disk is full")

        def store(message: Message) -> None:
            message.stage(Late())

        cursor = run(ruleset(rule(action("r/first"), action("r/store", store))))
        with pytest.raises(RuleError) as caught:
            cursor.commit()
        text = "action probe of probes 1.0 could not write a note: the disk is full"
        assert str(caught.value) == f"r/store: {text}"
        assert self.told(cursor) == [("probes 1.0", "r/store", text, True)]

    def test_what_was_undone_is_not_committed(self) -> None:
        note = Note()

        def stage(message: Message) -> Decision:
            message.stage(note)
            return Decision(Verdict.TEMPFAIL)

        cursor = run(ruleset(rule(action("r/a", stage))))
        cursor.message.undo_effects()
        assert cursor.commit() == []
        assert note.done == ["prepared", "undone"]

    def test_effects_are_committed_storages_first(self) -> None:
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


class TestPretend:
    def test_it_does_nothing_and_the_rules_go_on(self) -> None:
        message, note = received(CONTENT), Note()
        before = state(message)

        def change_and_reject(message: Message) -> Decision:
            change_everything(message)
            assert not message.stage(note)
            return Decision(Verdict.REJECT, "no")

        cursor = run(
            ruleset(
                rule(
                    action("r/a", change_and_reject, needs=Stage.BODY, pretend=True),
                    action("r/after"),
                )
            ),
            message,
        )
        assert (cursor.decision, cursor.ran) == (ACCEPT, ["r/after"])
        assert state(message) == before
        assert "prepared" not in note.done
        assert message.effects == []

    def test_it_logs_what_it_would_have_done(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        message = received(CONTENT, recipients=["one@example.org", "two@example.org"])

        def change_and_reject(message: Message) -> Decision:
            change_everything(message)
            message.stage(Note())
            return Decision(Verdict.REJECT, "no")

        pretended = action(
            "r/a", change_and_reject, needs=Stage.BODY, changes=EVERYTHING, pretend=True
        )
        run(ruleset(rule(pretended)), message)
        prefix = "4XyZ1234: r/a: pretend: would "
        assert [line.removeprefix(prefix) for line in caplog.messages] == [
            "delete the header 'X-Old: 1'",
            "change the header 'Subject: Hello' to 'Subject: Changed'",
            "add the header 'X-New: 1'",
            "replace the body",
            "take out the recipients one@example.org",
            "write a note",
            "answer REJECT no",
        ]

    def test_taking_out_all_recipients_discards_nothing(self) -> None:
        hold = action("r/a", lambda m: m.remove_recipients(m.addresses), pretend=True)
        assert run(ruleset(rule(hold))).decision == ACCEPT

    def test_the_next_action_is_not_pretended(self) -> None:
        note = Note()

        def store(message: Message) -> None:
            message.stage(note)

        run(ruleset(rule(action("r/a", pretend=True), action("r/b", store))))
        assert note.done == ["prepared"]


class TestVisibility:
    """Nothing is shown that was not asked for: it might not be there, or not yet whole."""

    READS: tuple[tuple[Stage, str, Callable[[Message], object]], ...] = (
        (Stage.ENVELOPE, "the envelope sender", lambda message: message.sender),
        (Stage.ENVELOPE, "the recipients", lambda message: message.recipients),
        (Stage.ENVELOPE, "the recipients", lambda message: message.addresses),
        (Stage.ENVELOPE, "the recipients", lambda message: message.has_recipient("a@example.org")),
        (Stage.HEADERS, "the headers", lambda message: message.headers),
        (Stage.HEADERS, "the headers", lambda message: message.subject),
        (Stage.BODY, "the body", lambda message: message.body),
        (Stage.BODY, "the body", lambda message: list(message.chunks())),
        (Stage.BODY, "the body", lambda message: list(message.chunks(original=True))),
    )

    @pytest.mark.parametrize(("stage", "part", "read"), READS)
    def test_a_condition_that_reads_more_than_it_declared_fails(
        self, stage: Stage, part: str, read: Callable[[Message], object]
    ) -> None:
        too_early = condition(lambda m: bool(read(m)) or True, decided_at=Stage(stage - 1))
        with pytest.raises(
            RuleError, match=f"{part} can be read only by what declares Stage.{stage.name}"
        ):
            run(ruleset(rule(action("r/a", when=[too_early]))))

    @pytest.mark.parametrize(("stage", "part", "read"), READS)
    def test_an_action_that_reads_more_than_it_declared_fails(
        self, stage: Stage, part: str, read: Callable[[Message], object]
    ) -> None:
        def apply(message: Message) -> None:
            read(message)

        with pytest.raises(
            RuleError, match=f"{part} can be read only by what declares Stage.{stage.name}"
        ):
            run(ruleset(rule(action("r/a", apply, needs=Stage(stage - 1)))))

    @pytest.mark.parametrize(("stage", "part", "read"), READS)
    def test_what_was_asked_for_is_there(
        self, stage: Stage, part: str, read: Callable[[Message], object]
    ) -> None:
        def apply(message: Message) -> None:
            read(message)

        in_time = condition(lambda m: bool(read(m)) or True, decided_at=stage)
        assert run(ruleset(rule(action("r/a", apply, when=[in_time], needs=stage)))).ran == ["r/a"]

    def test_changes_need_no_sight_of_what_is_changed(self) -> None:
        def change(message: Message) -> None:
            message.add_header("X-New", "1")
            message.remove_recipients(["nobody@example.org"])
            message.replace_body(Body([b"New\r\n"]))

        message = received(CONTENT)
        parts = Part.HEADERS | Part.RECIPIENTS | Part.BODY
        run(ruleset(rule(action("r/a", change, needs=Stage.CONNECT, changes=parts))), message)
        assert (
            b"".join(message.chunks()) == b"Subject: Hello\r\nX-Old: 1\r\nX-New: 1\r\n\r\nNew\r\n"
        )
