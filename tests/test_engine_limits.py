"""What the engine holds conditions and actions to: they only pretend, or see what they declared."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from pyquarantine_core.body import Body
from pyquarantine_core.engine import RuleError
from pyquarantine_core.message import Message
from pyquarantine_core.testing.probes import action, condition, rule, ruleset
from pyquarantine_core.testing.rules import received
from pyquarantine_core.types import Decision, Part, Stage, Verdict

from .test_engine_errors import (
    ACCEPT,
    CONTENT,
    EVERYTHING,
    Note,
    change_everything,
    run,
    state,
)


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
