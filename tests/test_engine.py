"""The cursor: how far the rules get at each stage, and what they do at the end."""

from __future__ import annotations

import pytest

from pyquarantine_core.engine import Cursor
from pyquarantine_core.message import Message
from pyquarantine_core.ruleset import Ruleset
from pyquarantine_core.testing.probes import action, condition, rule, ruleset
from pyquarantine_core.testing.rules import received
from pyquarantine_core.types import Decision, Match, Part, Stage, Verdict

ACCEPT = Decision(Verdict.ACCEPT)
REJECT = Decision(Verdict.REJECT, "not here")


def stage_of_decision(rules: Ruleset, message: Message | None = None) -> Stage | None:
    cursor = Cursor(rules, message or received())
    return next((stage for stage in Stage if cursor.advance(stage)), None)


def run(rules: Ruleset, message: Message | None = None) -> Cursor:
    """The cursor once it has seen every stage, as far as there is something to decide."""
    cursor = Cursor(rules, message or received())
    for stage in Stage:
        cursor.advance(stage)
    return cursor


@pytest.mark.parametrize("stage", Stage)
def test_a_message_is_accepted_at_the_stage_where_the_last_rule_is_ruled_out(stage: Stage) -> None:
    never = condition(lambda _: False, decided_at=stage)
    sooner = condition(lambda _: False, decided_at=Stage.CONNECT)
    rules = ruleset(rule(action("r/a", when=[never])), rule(action("s/b"), when=[sooner]))
    assert stage_of_decision(rules) is stage


def test_a_rule_is_ruled_out_by_its_actions_before_its_own_conditions_are_known() -> None:
    late = condition(lambda _: True, decided_at=Stage.BODY)
    outside, inside = (
        condition(lambda _: False),
        condition(lambda _: False, decided_at=Stage.HEADERS),
    )
    actions = action("r/a", when=[outside]), action("r/b", when=[inside])
    assert stage_of_decision(ruleset(rule(*actions, when=[late]))) is Stage.HEADERS


def test_without_rules_that_apply_nothing_runs_and_the_answer_is_accept() -> None:
    cursor = run(ruleset(rule(action("r/a"), when=[condition(lambda _: False)])))
    assert (cursor.decision, cursor.ran) == (ACCEPT, [])


def test_a_message_for_which_an_action_applies_is_answered_at_its_end() -> None:
    assert stage_of_decision(ruleset(rule(action("r/a")))) is Stage.BODY


def test_the_cursor_stops_at_the_first_action_that_applies() -> None:
    asked = []

    def check(_: Message) -> bool:
        asked.append("later")
        return False

    later = condition(check, decided_at=Stage.CONNECT)
    cursor = Cursor(ruleset(rule(action("r/a"), action("r/b", when=[later]))), received())
    cursor.advance(Stage.CONNECT)
    assert (asked, cursor.ran) == ([], [])
    cursor.advance(Stage.BODY)
    assert (asked, cursor.ran) == (["later"], ["r/a"])


def test_each_condition_is_asked_once() -> None:
    asked = []

    def check(_: Message) -> bool:
        asked.append(1)
        return True

    undecided = condition(lambda _: True, decided_at=Stage.BODY)
    run(ruleset(rule(action("r/a", when=[condition(check), undecided]))))
    assert asked == [1]


def test_a_condition_known_early_rules_out_before_the_later_ones_are_asked() -> None:
    def check(_: Message) -> bool:
        raise AssertionError("the body is not looked at")

    body = condition(check, decided_at=Stage.BODY)
    envelope = condition(lambda _: False, decided_at=Stage.ENVELOPE)
    rules = ruleset(rule(action("r/a"), when=[body, envelope]))
    assert stage_of_decision(rules) is Stage.ENVELOPE


def test_all_conditions_of_an_object_must_hold() -> None:
    yes, no = condition(lambda _: True), condition(lambda _: False, decided_at=Stage.HEADERS)
    assert run(ruleset(rule(action("r/a", when=[yes, no])))).ran == []
    assert run(ruleset(rule(action("r/a", when=[yes]), when=[no]))).ran == []
    assert run(ruleset(rule(action("r/a", when=[yes]), when=[yes]))).ran == ["r/a"]


def test_actions_run_in_the_order_of_the_config() -> None:
    late = condition(lambda _: True, decided_at=Stage.BODY)
    rules = ruleset(
        rule(action("r/a", when=[late]), action("r/b")), rule(action("s/a"), when=[late])
    )
    assert run(rules).ran == ["r/a", "r/b", "s/a"]


@pytest.mark.parametrize("verdict", Verdict)
def test_a_decision_ends_the_rules(verdict: Verdict) -> None:
    rules = ruleset(
        rule(action("r/a"), action("r/b", lambda _: Decision(verdict)), action("r/c")),
        rule(action("s/a")),
    )
    cursor = run(rules)
    assert cursor.decision == Decision(verdict)
    assert cursor.ran == ["r/a", "r/b"]


def test_a_decision_stands_however_often_the_cursor_is_asked() -> None:
    cursor = run(ruleset(rule(action("r/a", lambda _: REJECT))))
    assert cursor.advance(Stage.BODY) == REJECT
    assert cursor.ran == ["r/a"]


def test_a_later_condition_sees_what_an_earlier_action_changed() -> None:
    def mark(message: Message) -> None:
        message.add_header("X-Mark", "yes")

    marked = condition(
        lambda message: any(one.name == "X-Mark" for one in message.headers),
        decided_at=Stage.HEADERS,
    )
    marking = action("r/mark", mark, changes=Part.HEADERS)
    assert run(ruleset(rule(marking), rule(action("s/b", when=[marked])))).ran == ["r/mark", "s/b"]


class TestLookingAhead:
    """After the headers the cursor waits at an action that applies; may the body be skipped?

    The only action that looks at it comes later, and its condition does not hold now.
    """

    def body_is_skipped(
        self, *, changes: Part, reads: Part | None, decided_at: Stage = Stage.HEADERS
    ) -> bool:
        no = condition(lambda _: False, decided_at=decided_at, reads=reads)
        rules = ruleset(
            rule(action("r/waiting", changes=changes)),
            rule(action("s/body", when=[no], needs=Stage.BODY)),
        )
        cursor = Cursor(rules, received())
        assert cursor.advance(Stage.HEADERS) is None
        return not cursor.may_need_body()

    @pytest.mark.parametrize(
        ("changes", "reads"),
        [
            (Part.HEADERS, Part.HEADERS),
            (Part.RECIPIENTS, Part.RECIPIENTS | Part.HEADERS),
            (Part.HEADERS | Part.BODY, Part.HEADERS),
        ],
    )
    def test_a_condition_whose_input_may_change_rules_nothing_out(
        self, changes: Part, reads: Part
    ) -> None:
        assert not self.body_is_skipped(changes=changes, reads=reads)

    @pytest.mark.parametrize(
        ("changes", "reads"),
        [
            (Part.RECIPIENTS, Part.HEADERS),
            (Part.HEADERS | Part.BODY, Part.NOTHING),
            (Part.NOTHING, Part.RECIPIENTS | Part.HEADERS),
        ],
    )
    def test_a_condition_whose_input_stays_rules_out(self, changes: Part, reads: Part) -> None:
        assert self.body_is_skipped(changes=changes, reads=reads)

    @pytest.mark.parametrize(
        ("decided_at", "changes", "skipped"),
        [
            (Stage.CONNECT, Part.RECIPIENTS | Part.HEADERS, True),
            (Stage.ENVELOPE, Part.HEADERS, True),
            (Stage.ENVELOPE, Part.RECIPIENTS, False),
            (Stage.HEADERS, Part.RECIPIENTS, False),
            (Stage.HEADERS, Part.HEADERS, False),
            (Stage.HEADERS, Part.BODY, True),
        ],
    )
    def test_what_a_condition_reads_follows_from_its_stage_unless_it_says_so(
        self, decided_at: Stage, changes: Part, skipped: bool
    ) -> None:
        found = self.body_is_skipped(changes=changes, reads=None, decided_at=decided_at)
        assert found is skipped

    def test_a_condition_on_metavariables_rules_nothing_out(self) -> None:
        reads, nothing = Part.VARIABLES, Part.NOTHING
        assert not self.body_is_skipped(changes=nothing, reads=reads, decided_at=Stage.ENVELOPE)

    def test_a_change_by_an_action_that_is_ruled_out_does_not_count(self) -> None:
        no = condition(lambda _: False, decided_at=Stage.HEADERS, reads=Part.HEADERS)
        rules = ruleset(
            rule(action("r/waiting"), action("r/change", when=[no], changes=Part.HEADERS)),
            rule(action("s/body", when=[no], needs=Stage.BODY)),
        )
        cursor = Cursor(rules, received())
        cursor.advance(Stage.HEADERS)
        assert not cursor.may_need_body()

    def test_a_condition_that_fails_does_so_only_when_its_turn_comes(self) -> None:
        def fail(_: Message) -> bool:
            raise OSError("no answer")

        failing = action("r/failing", when=[condition(fail)], needs=Stage.BODY)
        cursor = Cursor(ruleset(rule(action("r/end", lambda _: REJECT), failing)), received())
        cursor.advance(Stage.HEADERS)
        assert cursor.may_need_body()
        assert cursor.advance(Stage.BODY) == REJECT


class TestMetavariables:
    found = Match(True, groups={"POINTS": "7"})

    def test_named_groups_are_set_under_the_prefix_of_the_conditions(self) -> None:
        points = condition(lambda _: self.found)
        cursor = run(ruleset(rule(action("r/a"), when=[points], metavar="SPAM")))
        assert cursor.message.variables == {"SPAM_POINTS": "7"}

    def test_without_a_prefix_nothing_is_set(self) -> None:
        cursor = run(ruleset(rule(action("r/a"), when=[condition(lambda _: self.found)])))
        assert cursor.message.variables == {}

    def test_they_appear_when_the_cursor_passes_and_not_when_it_looks_ahead(self) -> None:
        undecided = condition(lambda _: True, decided_at=Stage.BODY)
        points = condition(lambda _: self.found)
        rules = ruleset(
            rule(action("r/a", when=[undecided])), rule(action("s/b"), when=[points], metavar="M")
        )
        cursor = Cursor(rules, received())
        cursor.advance(Stage.HEADERS)
        assert cursor.message.variables == {}
        cursor.advance(Stage.BODY)
        assert cursor.message.variables == {"M_POINTS": "7"}

    def test_conditions_that_do_not_all_hold_set_none(self) -> None:
        points, no = condition(lambda _: self.found), condition(lambda _: False)
        cursor = run(ruleset(rule(action("r/a", when=[points, no], metavar="M"))))
        assert cursor.message.variables == {}

    def test_conditions_of_a_later_rule_see_them(self) -> None:
        points = condition(lambda _: self.found, decided_at=Stage.HEADERS)
        is_set = condition(lambda message: "M_POINTS" in message.variables, reads=Part.VARIABLES)
        no = condition(lambda _: False)
        rules = ruleset(
            rule(action("r/a", when=[no]), when=[points], metavar="M"),
            rule(action("s/b"), when=[is_set]),
        )
        assert run(rules).ran == ["s/b"]


class TestRecipients:
    def test_a_message_that_actions_leave_without_recipients_is_discarded(self) -> None:
        def hold(message: Message) -> None:
            message.remove_recipients(message.addresses)

        cursor = run(
            ruleset(rule(action("r/hold", hold, changes=Part.RECIPIENTS), action("r/after")))
        )
        assert cursor.decision == Decision(Verdict.DISCARD)
        assert cursor.ran == ["r/hold"]

    def test_an_action_that_leaves_none_may_decide_itself(self) -> None:
        def hold(message: Message) -> Decision:
            message.remove_recipients(message.addresses)
            return REJECT

        assert (
            run(ruleset(rule(action("r/hold", hold, changes=Part.RECIPIENTS)))).decision == REJECT
        )

    def test_rules_go_on_while_one_is_left(self) -> None:
        message = received(recipients=["one@example.org", "Two@Example.org"])
        hold = action(
            "r/hold", lambda m: m.remove_recipients(["two@example.ORG"]), changes=Part.RECIPIENTS
        )
        cursor = run(ruleset(rule(hold, action("r/after"))), message)
        assert cursor.decision == ACCEPT
        assert cursor.ran == ["r/hold", "r/after"]
        assert message.addresses == ("one@example.org",)


class TestBody:
    def needed_after_headers(self, rules: Ruleset) -> bool:
        cursor = Cursor(rules, received())
        assert cursor.advance(Stage.HEADERS) is None
        return cursor.may_need_body()

    def test_it_is_needed_by_an_action_that_looks_at_it(self) -> None:
        assert self.needed_after_headers(ruleset(rule(action("r/a", needs=Stage.BODY))))
        assert not self.needed_after_headers(ruleset(rule(action("r/a", needs=Stage.HEADERS))))

    def test_it_is_needed_by_a_condition_that_looks_at_it(self) -> None:
        long = condition(lambda message: len(message.body) > 0, decided_at=Stage.BODY)
        assert self.needed_after_headers(ruleset(rule(action("r/a", when=[long]))))
        assert self.needed_after_headers(ruleset(rule(action("r/a"), when=[long])))
        assert self.needed_after_headers(
            ruleset(rule(action("r/a")), rule(action("s/b"), when=[long]))
        )

    def test_it_is_needed_by_the_conditions_of_a_rule_whose_actions_are_all_ruled_out(self) -> None:
        found = Match(True, groups={"WORDS": "9"})
        words = condition(lambda _: found, decided_at=Stage.BODY)
        no = condition(lambda _: False, decided_at=Stage.HEADERS)
        counting = rule(action("s/b", when=[no]), when=[words], metavar="BODY")
        assert self.needed_after_headers(ruleset(rule(action("r/a")), counting))

    def test_it_is_not_needed_by_an_action_that_is_ruled_out(self) -> None:
        no = condition(lambda _: False, decided_at=Stage.HEADERS)
        rules = ruleset(rule(action("r/a"), action("r/b", when=[no], needs=Stage.BODY)))
        assert not self.needed_after_headers(rules)
