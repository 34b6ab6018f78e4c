"""What the rules need of the MTA, found out once from the declarations of their plugins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pyquarantine_core.ruleset import BoundAction, Conditions, Rule, Ruleset
from pyquarantine_core.types import Part, Stage


class BodyNeed(Enum):
    """Whether the rules look at the body."""

    NEVER = "never"
    SOMETIMES = "sometimes"
    """Told after the headers; a body that nobody needs is skipped at its first chunk."""
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Needs:
    """The least that the MTA must send and wait for.

    Attributes:
        headers: whether anything looks at the headers.
        body: whether anything looks at the body.
        answers: the stages before the last at which the rules may end.
        changes: the parts that may be changed.
    """

    headers: bool
    body: BodyNeed
    answers: frozenset[Stage]
    changes: Part


def needs_of(rules: Ruleset) -> Needs:
    """What these rules need."""
    conditions = [one for rule in rules.rules for one in rule.conditions.all]
    conditions += [one for action in rules.actions for one in action.conditions.all]
    decided = {one.type.decided_at for one in conditions}
    needed = decided | {action.type.needs for action in rules.actions}
    changes = Part.NOTHING
    for action in rules.actions:
        changes |= action.type.changes
    if Stage.BODY not in needed:
        body = BodyNeed.NEVER
    elif all(_leads_to_body(rule, index) for rule in rules.rules for index in range(_count(rule))):
        body = BodyNeed.ALWAYS
    else:
        body = BodyNeed.SOMETIMES
    return Needs(
        headers=max(needed, default=Stage.CONNECT) >= Stage.HEADERS,
        body=body,
        answers=frozenset(
            stage
            for stage in (Stage.CONNECT, Stage.ENVELOPE, Stage.HEADERS)
            if stage in decided and _may_end(rules, stage)
        ),
        changes=changes,
    )


def _count(rule: Rule) -> int:
    return len(rule.actions)


def _leads_to_body(rule: Rule, index: int) -> bool:
    """Whether a message that this action applies to is read to its end anyway."""
    applies, later = rule.actions[index], rule.actions[index + 1 :]
    return _reads_body(applies) or any(
        _reads_body(action) for action in later if not action.conditions.all
    )


def _reads_body(action: BoundAction) -> bool:
    return action.type.needs is Stage.BODY or any(
        one.type.decided_at is Stage.BODY for one in action.conditions.all
    )


def _may_end(rules: Ruleset, stage: Stage) -> bool:
    """Whether all rules may be ruled out by what is known at a stage."""
    return all(
        _decidable(rule.conditions, stage)
        or all(_decidable(action.conditions, stage) for action in rule.actions)
        for rule in rules.rules
    )


def _decidable(conditions: Conditions, stage: Stage) -> bool:
    return any(one.type.decided_at <= stage for one in conditions.all)
