"""Rules made of plain functions, to see how the engine runs conditions and actions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pyquarantine_core.message import Message
from pyquarantine_core.ruleset import (
    BoundAction,
    BoundCondition,
    Conditions,
    OnError,
    Rule,
    Ruleset,
    Step,
)
from pyquarantine_core.types import (
    Action,
    ActionType,
    Condition,
    ConditionType,
    Decision,
    Match,
    Part,
    Stage,
)

PLUGIN = "probes 1.0"
"""How log lines and errors name the plugin that these come from."""

logger = logging.getLogger(__name__)


class _Condition(Condition):
    def __init__(self, check: Callable[[Message], Match | bool]) -> None:
        self._check = check

    def check(self, message: Message) -> Match:
        found = self._check(message)
        return Match(found) if isinstance(found, bool) else found


class _Action(Action):
    def __init__(self, apply: Callable[[Message], Decision | None]) -> None:
        self._apply = apply

    def apply(self, message: Message) -> Decision | None:
        return self._apply(message)


def condition(
    check: Callable[[Message], Match | bool],
    *,
    decided_at: Stage = Stage.ENVELOPE,
    reads: Part | None = None,
) -> BoundCondition:
    """A condition named `probe`."""
    built = _Condition(check)
    declared = ConditionType(
        name="probe",
        summary="A function",
        schema={},
        decided_at=decided_at,
        reads=reads,
        build=lambda _value, _services: built,
    )
    return BoundCondition(declared, built, PLUGIN)


def do_nothing(_message: Message) -> None:
    """What an action does unless it is given something else."""


def action(
    name: str,
    apply: Callable[[Message], Decision | None] = do_nothing,
    *,
    when: Sequence[BoundCondition] = (),
    metavar: str | None = None,
    needs: Stage = Stage.ENVELOPE,
    changes: Part = Part.NOTHING,
    pretend: bool = False,
    on_error: OnError = OnError.TEMPFAIL,
) -> BoundAction:
    """An action of type `probe`; `when` are its conditions, which the config would sort."""
    built = _Action(apply)
    declared = ActionType(
        name="probe",
        summary="A function",
        schema={"type": "object"},
        needs=needs,
        changes=changes,
        build=lambda _options, _services: built,
    )
    return BoundAction(
        Step(name, logger, pretend, on_error), _conditions(when, metavar), declared, built, PLUGIN
    )


def rule(
    *actions: BoundAction,
    when: Sequence[BoundCondition] = (),
    metavar: str | None = None,
    on_error: OnError = OnError.TEMPFAIL,
) -> Rule:
    """A rule; unlike those of a config it hands nothing down to its actions."""
    return Rule(Step("rule", logger, on_error=on_error), _conditions(when, metavar), actions)


def ruleset(*rules: Rule) -> Ruleset:
    """Rules in order."""
    return Ruleset(rules)


def _conditions(when: Sequence[BoundCondition], metavar: str | None) -> Conditions:
    return Conditions(tuple(sorted(when, key=lambda one: one.type.decided_at)), metavar)
