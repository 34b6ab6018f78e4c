"""The rules as a cursor that stops where the message is not known well enough, and resumes.

The cursor walks rules and actions in the config's order. Before the end of the message it goes
as far as conditions can be decided, and stops at the first action that applies. Ahead of it,
conditions are looked at only to find out that nothing can apply any more: then the message is
accepted there and then. Actions run at the end of the message.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from pyquarantine_core.changes import describe_changes
from pyquarantine_core.errors import PluginError, PyquarantineError
from pyquarantine_core.types import Decision, Match, Part, Stage, Verdict

if TYPE_CHECKING:
    from pyquarantine_core.message import Message, Snapshot
    from pyquarantine_core.types import Action, ActionType, Component, Condition, ConditionType

logger = logging.getLogger(__name__)

ACCEPTED = Decision(Verdict.ACCEPT)
DISCARDED = Decision(Verdict.DISCARD)


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


@dataclass(frozen=True, slots=True)
class Conditions:
    """A `conditions` object: all of them must match; those known earlier come first."""

    all: tuple[BoundCondition, ...] = ()
    metavar: str | None = None

    def components(self, step: str) -> Iterator[tuple[str, Component]]:
        """The conditions, each with its place and its plugin."""
        for one in self.all:
            yield f"{step}: condition {one.type.name} of {one.plugin}", one.condition


@dataclass(frozen=True, slots=True, eq=False)
class BoundAction:
    """An action of a rule."""

    step: Step
    conditions: Conditions
    type: ActionType
    action: Action
    plugin: str


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A rule: conditions, and actions in order."""

    step: Step
    conditions: Conditions
    actions: tuple[BoundAction, ...]


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All rules, in order."""

    rules: tuple[Rule, ...]

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


class RuleError(Exception):
    """A condition or action failed; the message is a TEMPFAIL. The cause is chained."""


class Tracer(Protocol):
    """Hears what the cursor finds and does, to explain it."""

    def judged(self, step: Step, condition: BoundCondition, match: Match) -> None:
        """A condition was looked at."""

    def ran(self, action: BoundAction, before: Snapshot, decision: Decision | None) -> None:
        """An action ran; nothing of it is undone yet if it only pretended."""


@dataclass(slots=True)
class Cursor:
    """The rules at work on one message.

    Attributes:
        rules: what is worked through.
        message: the message.
        tracer: hears of it; then no effect is prepared.
        ran: names of the actions that ran.
        decision: once known, the end of it.
    """

    rules: Ruleset
    message: Message
    tracer: Tracer | None = None
    ran: list[str] = field(default_factory=list)
    decision: Decision | None = None
    _rule: int = 0
    _action: int | None = None
    _waiting: bool = False
    _known: dict[BoundCondition, Match] = field(default_factory=dict)

    def advance(self, stage: Stage) -> Decision | None:
        """Go on as far as the message is known.

        Returns:
            The decision when there is nothing left to find out, else None.

        Raises:
            RuleError: a condition or action failed and its `on_error` is tempfail.
        """
        if self.decision is None and not (self._waiting and stage < Stage.BODY):
            self.decision = self._walk(stage)
        if self.decision is None and not self._waiting and not self._may_apply(stage):
            self.decision = ACCEPTED
        return self.decision

    def may_need_body(self) -> bool:
        """Whether a condition or action at the cursor or ahead of it may look at the body."""
        return any(
            any(one.type.decided_at is Stage.BODY for one in conditions.all)
            or (action is not None and action.type.needs is Stage.BODY)
            for conditions, action in self._ahead(Stage.HEADERS)
        )

    # -- the cursor --------------------------------------------------------------------------

    def _walk(self, stage: Stage) -> Decision | None:
        while self._rule < len(self.rules.rules):
            rule = self.rules.rules[self._rule]
            if self._action is None:
                matched = self._decide(rule.step, rule.conditions, stage)
                if matched is None:
                    return None
                self._action = 0 if matched else len(rule.actions)
            while self._action < len(rule.actions):
                action = rule.actions[self._action]
                if not self._waiting:
                    matched = self._decide(action.step, action.conditions, stage)
                    if matched is None:
                        return None
                    if not matched:
                        self._action += 1
                        continue
                if stage < Stage.BODY:
                    self._waiting = True
                    return None
                self._waiting = False
                self._action += 1
                decision = self._run(action)
                if decision is not None:
                    return decision
            self._rule += 1
            self._action = None
        return ACCEPTED

    def _run(self, action: BoundAction) -> Decision | None:
        message, step = self.message, action.step
        before = message.snapshot()
        message.visible = action.type.needs
        message.pretending = step.pretend or self.tracer is not None
        message.log = MessageLog(step.logger, {"queue_id": message.queue_id, "step": step.name})
        try:
            decision = action.action.apply(message)
            if not isinstance(decision, Decision | None):
                raise TypeError(f"apply() returned {decision!r}, not a Decision or None")
            _refuse_undeclared(action.type, message, before)
        except Exception as error:
            message.roll_back(before)
            _report(step, "action", action.type.name, action.plugin, message, error)
            return None
        finally:
            message.visible = Stage.BODY
            message.pretending = False
        if self.tracer is not None:
            self.tracer.ran(action, before, decision)
        if step.pretend:
            _log_pretended(message, before, decision)
            message.roll_back(before)
            return None
        self.ran.append(step.name)
        if before.recipients and not message.recipients and decision in {None, ACCEPTED}:
            return DISCARDED
        return decision

    # -- conditions --------------------------------------------------------------------------

    def _decide(self, step: Step, conditions: Conditions, stage: Stage) -> bool | None:
        """Whether they hold; None when that cannot be told yet. Sets metavariables when they do."""
        open_ = False
        for bound in conditions.all:
            if bound.type.decided_at > stage:
                open_ = True
                continue
            match = self._known.get(bound) or self._check(step, bound)
            if not match.matched:
                return False
        if open_:
            return None
        if conditions.metavar is not None:
            for bound in conditions.all:
                for group, value in self._known[bound].groups.items():
                    self.message.variables[f"{conditions.metavar}_{group}"] = value
        return True

    def _check(self, step: Step, bound: BoundCondition) -> Match:
        message = self.message
        message.visible = bound.type.decided_at
        message.log = MessageLog(step.logger, {"queue_id": message.queue_id, "step": step.name})
        try:
            match = bound.condition.check(message)
            if not isinstance(match, Match):
                raise TypeError(f"check() returned {match!r}, not a Match")
        except Exception as error:
            _report(step, "condition", bound.type.name, bound.plugin, message, error)
            match = Match(matched=False, reason=f"failed: {error}")
        finally:
            message.visible = Stage.BODY
        message.log.debug(
            "condition %s %s: %s",
            bound.type.name,
            "matches" if match.matched else "does not match",
            match.reason,
        )
        if self.tracer is not None:
            self.tracer.judged(step, bound, match)
        self._known[bound] = match
        return match

    # -- looking ahead -----------------------------------------------------------------------

    def _may_apply(self, stage: Stage) -> bool:
        return any(action is not None for _, action in self._ahead(stage))

    def _ahead(self, stage: Stage) -> Iterator[tuple[Conditions, BoundAction | None]]:
        """The rules (None) and actions at the cursor and after it that are not ruled out yet."""
        changes = Part.NOTHING
        for index in range(self._rule, len(self.rules.rules)):
            rule = self.rules.rules[index]
            first = 0
            if index == self._rule and self._action is not None:
                first = self._action
            elif self._ruled_out(rule.step, rule.conditions, stage, changes):
                continue
            else:
                yield rule.conditions, None
            for action in rule.actions[first:]:
                if not self._ruled_out(action.step, action.conditions, stage, changes):
                    yield action.conditions, action
                    changes |= action.type.changes | Part.VARIABLES

    def _ruled_out(self, step: Step, conditions: Conditions, stage: Stage, changes: Part) -> bool:
        for bound in conditions.all:
            match = self._known.get(bound)
            if match is None:
                if bound.type.decided_at > stage or bound.type.parts_read & (
                    changes | Part.VARIABLES
                ):
                    continue
                try:
                    match = self._check(step, bound)
                except RuleError:
                    continue
            if not match.matched:
                return True
        return False


class MessageLog(logging.LoggerAdapter[logging.Logger]):
    """Puts queue ID and rule before each line."""

    def process(self, msg, kwargs):  # type: ignore[no-untyped-def] # as LoggerAdapter has it
        extra = self.extra or {}
        return f"{extra['queue_id'] or '-'}: {extra['step']}: {msg}", kwargs


def _refuse_undeclared(declared: ActionType, message: Message, before: Snapshot) -> None:
    changed = Part.NOTHING
    if message.current_headers is not before.headers:
        changed |= Part.HEADERS
    if message.current_body is not before.body:
        changed |= Part.BODY
    if message.current_recipients is not before.recipients:
        changed |= Part.RECIPIENTS
    undeclared = changed & ~declared.changes
    if undeclared:
        raise PluginError(f"it changes {undeclared.name}, which it does not declare")


def _report(
    step: Step, kind: str, name: str, plugin: str, message: Message, error: Exception
) -> None:
    """Log an error and go on, or end the rules with it, as `on_error` says."""
    text = f"{kind} {name} of {plugin} failed: {error}"
    if step.on_error is OnError.TEMPFAIL and not step.pretend:
        raise RuleError(f"{step.name}: {text}") from error
    message.log.error("%s; going on as before it", text, exc_info=is_bug(error))


def is_bug(error: BaseException) -> bool:
    """Whether a traceback says more than the message: not for what the world does to us."""
    return not isinstance(error, OSError | PyquarantineError)


def _log_pretended(message: Message, before: Snapshot, decision: Decision | None) -> None:
    for change in describe_changes(before, message):
        message.log.info("pretend: would %s", change)
    if decision is not None:
        message.log.info("pretend: would answer %s %s", decision.verdict.name, decision.text)
