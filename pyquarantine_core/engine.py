"""The rules as a cursor that stops where the message is not known well enough, and resumes.

The cursor walks rules and actions in the config's order. Before the end of the message it goes
as far as conditions can be decided, and stops at the first action that applies. Ahead of it,
conditions are looked at only to find out that nothing can apply any more: then the message is
accepted there and then. Actions run at the end of the message.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Protocol

from pyquarantine_core.changes import describe_changes, described
from pyquarantine_core.errors import HeaderLimitError, TimeLimitError, is_bug, why
from pyquarantine_core.limits import over
from pyquarantine_core.results import refuse_undeclared, sound_decision, sound_match
from pyquarantine_core.ruleset import (
    BoundAction,
    BoundCondition,
    Conditions,
    OnError,
    Ruleset,
    Step,
)
from pyquarantine_core.types import Decision, Failure, Kind, Match, Part, Stage, Verdict

if TYPE_CHECKING:
    from pyquarantine_core.message import Message, Snapshot
    from pyquarantine_core.types import Effect, EffectPhase

logger = logging.getLogger(__name__)

ACCEPTED = Decision(Verdict.ACCEPT)
DISCARDED = Decision(Verdict.DISCARD)


class RuleError(Exception):
    """A condition or action failed; the message is a TEMPFAIL. The cause is chained."""


class RefusedError(RuleError):
    """What a condition or action needs of the message is beyond a bound; it is a REJECT."""

    def __init__(self, text: str, excess: str) -> None:
        super().__init__(text)
        self.decision = Decision(Verdict.REJECT, f"Message rejected: it has {excess}")


class Tracer(Protocol):
    """Hears what the cursor finds and does, to explain it."""

    def judged(self, step: Step, condition: BoundCondition, match: Match) -> None:
        """A condition was looked at."""

    def ran(self, action: BoundAction, before: Snapshot, decision: Decision | None) -> None:
        """An action ran; nothing of it is undone yet if it only pretended."""

    def passed_over(self, failed: BoundCondition | BoundAction) -> None:
        """A condition or action failed, and the rules go on as before it."""


@dataclass(slots=True)
class Cursor:
    """The rules at work on one message.

    Attributes:
        rules: what is worked through.
        message: the message.
        tracer: hears of it; then no effect is prepared.
        matched: names of the rules whose conditions held.
        ran: names of the actions that ran.
        failures: errors of conditions and actions.
        decision: once known, the end of it.
        at: the condition or action looked at last, with its rule.
    """

    rules: Ruleset
    message: Message
    tracer: Tracer | None = None
    matched: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    decision: Decision | None = None
    at: tuple[Step, BoundCondition | BoundAction] | None = None
    _rule: int = 0
    _action: int | None = None
    _waiting: bool = False
    _seconds: float = 0.0
    _known: dict[BoundCondition, Match] = field(default_factory=dict)
    _staged: list[tuple[Effect, BoundAction]] = field(default_factory=list)

    def advance(self, stage: Stage) -> Decision | None:
        """Go on as far as the message is known.

        Returns:
            The decision when there is nothing left to find out, else None.

        Raises:
            RuleError: a condition or action failed and its `on_error` is tempfail.
        """
        message, limits = self.message, self.rules.limits
        started = time.monotonic()
        message.limits = limits
        message.deadline = started + limits.message_seconds - self._seconds
        try:
            if self.decision is None and not (self._waiting and stage < Stage.BODY):
                self.decision = self._walk(stage)
            if self.decision is None and not self._waiting and not self._may_apply(stage):
                self.decision = ACCEPTED
        except RefusedError as refused:
            logger.warning("%s: %s; rejecting it", message.queue_id or "-", refused)
            self.decision = refused.decision
        self._seconds += time.monotonic() - started
        return self.decision

    def may_need_body(self) -> bool:
        """Whether a condition or action at the cursor or ahead of it may look at the body."""
        return any(
            any(one.type.decided_at is Stage.BODY for one in conditions.all)
            or (action is not None and action.type.needs is Stage.BODY)
            for conditions, action in self._ahead(Stage.HEADERS)
        )

    def commit(self) -> Mapping[EffectPhase, int]:
        """Make last what the actions have staged, storages first; then conclude it.

        Returns:
            How much was committed, by phase.

        Raises:
            RuleError: one of them cannot be committed; the effects are still to be undone.
        """
        done: dict[EffectPhase, int] = {}
        if not self._staged:
            return done
        left = set(map(id, self.message.effects))  # what was undone is not committed
        staged = [(effect, action) for effect, action in self._staged if id(effect) in left]
        staged.sort(key=lambda one: one[0].phase)
        for effect, action in staged:
            self.at = action.step, action
            self.message.advanced = time.monotonic()
            try:
                done[effect.phase] = done.get(effect.phase, 0) + effect.count
                effect.commit()
            except BaseException as error:
                _let_out(error)
                what = f"could not {described(effect)}"
                raise self._failed(action.step, action, error, what, tempfail=True) from error
        self._staged.clear()
        self.message.effects.clear()
        for effect, action in staged:
            try:
                effect.conclude()
            except Exception:
                what = f"{self.message.queue_id or '-'}: {action.step.name}"
                logger.exception("%s: could not conclude: %s", what, effect.describe())
        return done

    def where(self) -> str:
        """What was looked at last, with its rule and plugin."""
        return f"{self.at[0].name}: {self.at[1]}" if self.at is not None else "no rule"

    # -- the cursor --------------------------------------------------------------------------

    def _walk(self, stage: Stage) -> Decision | None:
        while self._rule < len(self.rules.rules):
            rule = self.rules.rules[self._rule]
            if self._action is None:
                matched = self._decide(rule.step, rule.conditions, stage)
                if matched is None:
                    return None
                self._action = 0 if matched else len(rule.actions)
                if matched:
                    self.matched.append(rule.step.name)
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
        self.at = step, action
        before = message.snapshot()
        message.visible = action.type.needs
        message.pretending = step.pretend or self.tracer is not None
        message.log_as(step.logger, step.name)
        try:
            self._refuse_late()
            decision = sound_decision(action.action, action.action.apply(message))
            refuse_undeclared(action.type.changes, message, before)
        except BaseException as error:
            _let_out(error)
            message.roll_back(before)
            self._report(step, action, error)
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
        self._staged += [(effect, action) for effect in message.effects[before.effects :]]
        if before.recipients and not message.recipients:
            return DISCARDED if decision in (None, ACCEPTED) else decision
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
        self.at = step, bound
        before = message.snapshot()
        message.visible = bound.type.decided_at
        message.log_as(step.logger, step.name)
        try:
            match = sound_match(bound.condition, bound.condition.check(message))
            refuse_undeclared(None, message, before)
        except BaseException as error:
            _let_out(error)
            message.roll_back(before)
            self._report(step, bound, error)
            match = Match(matched=False, reason=f"failed: {why(error)}")
        finally:
            message.visible = Stage.BODY
        if step.logger.isEnabledFor(logging.DEBUG):
            found = "matches" if match.matched else "does not match"
            message.log.debug("condition %s %s: %s", bound.type.name, found, match.reason)
        if self.tracer is not None:
            self.tracer.judged(step, bound, match)
        self._known[bound] = match
        return match

    # -- looking ahead -----------------------------------------------------------------------

    def _may_apply(self, stage: Stage) -> bool:
        return any(action is not None for _, action in self._ahead(stage))

    def _ahead(self, stage: Stage) -> Iterator[tuple[Conditions, BoundAction | None]]:
        """The rules (None) and actions at the cursor and after it that are not ruled out yet."""
        changes = Part.VARIABLES  # which a condition may set, too
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
                    changes |= action.type.changes

    def _ruled_out(self, step: Step, conditions: Conditions, stage: Stage, changes: Part) -> bool:
        for bound in conditions.all:
            match = self._known.get(bound)
            if match is None:
                if bound.type.decided_at > stage or bound.type.parts_read & changes:
                    continue
                try:
                    match = self._check(step, bound)
                except RefusedError:
                    continue  # likewise
                except RuleError:
                    self.failures.pop()  # it counts when the cursor comes to it
                    continue
            if not match.matched:
                return True
        return False

    # -- errors ------------------------------------------------------------------------------

    def _refuse_late(self) -> None:
        if time.monotonic() > self.message.deadline:
            limit = over(f"{self.rules.limits.message_seconds:g} s", "message_seconds")
            raise TimeLimitError(f"the rules have worked on the message for {limit}")

    def _report(
        self, step: Step, failed: BoundCondition | BoundAction, error: BaseException
    ) -> None:
        """Log an error and go on, or end the rules with it, as `on_error` says."""
        tempfail = step.on_error is OnError.TEMPFAIL and not step.pretend
        if tempfail and isinstance(error, HeaderLimitError):
            raise RefusedError(f"{step.name}: {failed} cannot read it: {error}", error.excess)
        caught = self._failed(step, failed, error, "failed", tempfail=tempfail)
        if tempfail:
            raise caught from error
        if self.tracer is not None:
            self.tracer.passed_over(failed)
        text = str(caught).removeprefix(f"{step.name}: ")
        self.message.log.error("%s; going on as before it", text, exc_info=is_bug(error))

    def _failed(
        self,
        step: Step,
        failed: BoundCondition | BoundAction,
        error: BaseException,
        what: str,
        *,
        tempfail: bool,
    ) -> RuleError:
        kind = Kind.ACTION if isinstance(failed, BoundAction) else Kind.CONDITION
        plugin = self.rules.culprit(error) or failed.plugin
        where = "" if plugin == failed.plugin else f" in {plugin}"
        text = f"{failed} {what}{where}: {why(error)}"
        self.failures.append(
            Failure(
                plugin=plugin,
                kind=kind,
                type=failed.type.name,
                step=step.name,
                text=text,
                tempfail=tempfail,
            )
        )
        return RuleError(f"{step.name}: {text}")


def _let_out(error: BaseException) -> None:
    """All that a plugin raises is its error, SystemExit too; but not what someone types."""
    if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
        raise error


def _log_pretended(message: Message, before: Snapshot, decision: Decision | None) -> None:
    for change in describe_changes(before, message):
        message.log.info("pretend: would %s", change)
    if decision is not None:
        message.log.info("pretend: would answer %s %s", decision.verdict.name, decision.text)
