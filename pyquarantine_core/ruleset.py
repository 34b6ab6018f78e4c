"""The rules of a config, built: conditions and actions, each with the plugin it came from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from pyquarantine_core.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from pyquarantine_core.types import Action, ActionType, Component, Condition, ConditionType

RULES_LOGGER = "pyquarantine_core.rules"
"""Above the loggers of all rules and actions."""

logger = logging.getLogger(RULES_LOGGER)


class OnError(Enum):
    """What an error in a rule does."""

    TEMPFAIL = "tempfail"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class Step:
    """What rules and actions share.

    Attributes:
        name: of a rule its name, of an action `RULE/ACTION`.
        logger: has the log level of this rule or action.
        pretend: do nothing that lasts.
        on_error: what an error in it does.
    """

    name: str
    logger: logging.Logger = logger
    pretend: bool = False
    on_error: OnError = OnError.TEMPFAIL


@dataclass(frozen=True, slots=True, eq=False)
class BoundCondition:
    """A condition with its declaration and the plugin it came from."""

    type: ConditionType
    condition: Condition
    plugin: str

    def __str__(self) -> str:
        return f"condition {self.type.name} of {self.plugin}"


@dataclass(frozen=True, slots=True)
class Conditions:
    """A `conditions` object: all of them must match; those known earlier come first."""

    all: tuple[BoundCondition, ...] = ()
    metavar: str | None = None

    def components(self, step: str) -> Iterator[tuple[str, Component]]:
        """The conditions, each with its place and its plugin."""
        for one in self.all:
            yield f"{step}: {one}", one.condition


@dataclass(frozen=True, slots=True, eq=False)
class BoundAction:
    """An action of a rule."""

    step: Step
    conditions: Conditions
    type: ActionType
    action: Action
    plugin: str

    def __str__(self) -> str:
        return f"action {self.type.name} of {self.plugin}"


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A rule: conditions, and actions in order."""

    step: Step
    conditions: Conditions
    actions: tuple[BoundAction, ...]


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All rules, in order.

    Attributes:
        rules: the rules.
        culprit: the plugin in whose code an error came up, empty when it was in none: not that of
            the action when a storage, notification or list failed.
        limits: what a message may ask for.
    """

    rules: tuple[Rule, ...]
    culprit: Callable[[BaseException], str] = lambda _: ""
    limits: Limits = DEFAULT_LIMITS

    @property
    def actions(self) -> Iterator[BoundAction]:
        """All actions, in order."""
        return (action for rule in self.rules for action in rule.actions)

    def components(self) -> Iterator[tuple[str, Component]]:
        """Everything to open and close, each with its place and its plugin."""
        for rule in self.rules:
            yield from rule.conditions.components(rule.step.name)
            for action in rule.actions:
                yield from action.conditions.components(action.step.name)
                yield f"{action.step.name}: {action.type.name} of {action.plugin}", action.action
