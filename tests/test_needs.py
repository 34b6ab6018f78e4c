"""What the MTA is asked for, found out from the rules alone."""

from __future__ import annotations

import pytest

from pyquarantine_core.needs import BodyNeed, needs_of
from pyquarantine_core.ruleset import Ruleset
from pyquarantine_core.testing.probes import action, condition, rule, ruleset
from pyquarantine_core.types import Part, Stage

CONNECT, ENVELOPE, HEADERS, BODY = (
    condition(lambda _: True, decided_at=stage, reads=Part.NOTHING) for stage in Stage
)


def test_rules_that_only_look_at_the_envelope_need_neither_headers_nor_body() -> None:
    needs = needs_of(ruleset(rule(action("r/a", needs=Stage.ENVELOPE), when=[ENVELOPE])))
    assert (needs.headers, needs.body) == (False, BodyNeed.NEVER)


@pytest.mark.parametrize(
    "rules",
    [
        ruleset(rule(action("r/a", needs=Stage.HEADERS))),
        ruleset(rule(action("r/a", when=[HEADERS]))),
        ruleset(rule(action("r/a"), when=[HEADERS])),
    ],
)
def test_headers_are_needed_by_a_condition_or_action_that_looks_at_them(rules: Ruleset) -> None:
    needs = needs_of(rules)
    assert (needs.headers, needs.body) == (True, BodyNeed.NEVER)


@pytest.mark.parametrize(
    ("rules", "body"),
    [
        (ruleset(rule(action("r/a", needs=Stage.HEADERS))), BodyNeed.NEVER),
        (ruleset(rule(action("r/a", needs=Stage.BODY))), BodyNeed.ALWAYS),
        (ruleset(rule(action("r/a", when=[BODY]))), BodyNeed.ALWAYS),
        (ruleset(rule(action("r/a"), action("r/b", needs=Stage.BODY))), BodyNeed.ALWAYS),
        (
            ruleset(rule(action("r/a"), action("r/b", when=[HEADERS], needs=Stage.BODY))),
            BodyNeed.SOMETIMES,
        ),
        (
            ruleset(rule(action("r/a")), rule(action("s/b", needs=Stage.BODY), when=[HEADERS])),
            BodyNeed.SOMETIMES,
        ),
    ],
)
def test_the_body_is_needed_never_sometimes_or_always(rules: Ruleset, body: BodyNeed) -> None:
    assert needs_of(rules).body is body


def test_a_rule_condition_on_the_body_needs_it() -> None:
    needs = needs_of(ruleset(rule(action("r/a", needs=Stage.HEADERS), when=[BODY])))
    assert needs.headers
    assert needs.body is not BodyNeed.NEVER


@pytest.mark.parametrize(
    ("rules", "answers"),
    [
        (ruleset(rule(action("r/a"))), set()),
        (ruleset(rule(action("r/a"), when=[CONNECT])), {Stage.CONNECT}),
        (
            ruleset(rule(action("r/a", when=[HEADERS]), when=[CONNECT])),
            {Stage.CONNECT, Stage.HEADERS},
        ),
        (ruleset(rule(action("r/a", when=[HEADERS]), action("r/b"))), set()),
        (
            ruleset(rule(action("r/a"), when=[CONNECT]), rule(action("s/b"), when=[ENVELOPE])),
            {Stage.ENVELOPE},
        ),
        (ruleset(rule(action("r/a"), when=[CONNECT]), rule(action("s/b"))), set()),
        (ruleset(rule(action("r/a"), when=[BODY])), set()),
    ],
)
def test_the_mta_waits_for_an_answer_where_the_rules_may_end(
    rules: Ruleset, answers: set[Stage]
) -> None:
    assert needs_of(rules).answers == answers


def test_leave_is_asked_for_the_changes_that_actions_may_make() -> None:
    rules = ruleset(
        rule(action("r/a", changes=Part.HEADERS)),
        rule(action("s/a"), action("s/b", changes=Part.RECIPIENTS | Part.HEADERS)),
    )
    assert needs_of(rules).changes == Part.HEADERS | Part.RECIPIENTS
