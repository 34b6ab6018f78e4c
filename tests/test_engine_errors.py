"""What the engine does when a condition or action fails."""

from __future__ import annotations

from asyncio import CancelledError
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
    Kind,
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


class Strange(BaseException):
    """What no `except Exception` catches."""


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
        text = "action probe of probes 1.0 failed: RuntimeError: out of paper"
        assert str(caught.value) == f"spam/print: {text}"
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

        with pytest.raises(RuleError, match="it changes HEADERS; a condition may set meta"):
            run(ruleset(rule(action("spam/a", when=[condition(check)]))))

    @pytest.mark.parametrize("kind", [SystemExit, CancelledError, GeneratorExit, Strange])
    def test_whatever_a_plugin_raises_is_its_error(self, kind: type[BaseException]) -> None:
        def stop(_: Message) -> None:
            raise kind(3)

        text = f"of probes 1.0 failed: {kind.__name__}: 3"
        with pytest.raises(RuleError) as caught:
            run(ruleset(rule(action("r/a", stop))))
        assert str(caught.value) == f"r/a: action probe {text}"
        with pytest.raises(RuleError) as caught:
            run(ruleset(rule(action("r/a", when=[condition(cast(Any, stop))]))))
        assert str(caught.value) == f"r/a: condition probe {text}"

    def test_an_error_whose_text_cannot_be_had_is_named_all_the_same(self) -> None:
        class MuteError(Exception):
            def __str__(self) -> str:
                raise LookupError

        def stop(_: Message) -> None:
            raise MuteError

        with pytest.raises(
            RuleError, match="failed: MuteError: its text cannot be had: LookupError"
        ):
            run(ruleset(rule(action("r/a", stop))))

    def test_who_stops_a_command_from_the_keyboard_stops_it(self) -> None:
        def typed(_: Message) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(ruleset(rule(action("r/a", typed))))

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
            "4XyZ1234: r/a: action probe of probes 1.0 failed: RuntimeError: out of paper;"
            " going on as before it"
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

    @pytest.mark.parametrize("error", [OSError("is busy"), SystemExit(3)])
    def test_even_when_it_cannot_say_what_it_is(
        self, error: BaseException, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Mute(Note):
            def describe(self) -> str:
                raise LookupError("no words")

            def undo(self) -> None:
                raise error

        first = Note()

        def stage_and_fail(message: Message) -> Decision | None:
            message.stage(first)
            message.stage(Mute())
            return fail(message)

        run(ruleset(rule(action("r/a", stage_and_fail, on_error=OnError.CONTINUE))))
        assert first.done == ["prepared", "undone"]
        what = "do what Mute does, which cannot say it (LookupError: no words)"
        assert f"4XyZ1234: r/a: could not undo: {what}" in caplog.messages

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
        text = "action probe of probes 1.0 failed: RuntimeError: out of paper"
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

    def test_whatever_it_raises_then(self) -> None:
        class Stopping(Note):
            def commit(self) -> None:
                raise SystemExit(3)

        def stage(message: Message) -> None:
            message.stage(Stopping())

        cursor = run(ruleset(rule(action("r/a", stage))))
        with pytest.raises(RuleError, match="could not write a note: SystemExit: 3"):
            cursor.commit()
        assert [one.step for one in cursor.failures] == ["r/a"]
