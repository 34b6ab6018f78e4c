"""What the rules would do with a message, step by step, and why; nothing is done."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyquarantine_core.address import Recipient
from pyquarantine_core.changes import describe_others
from pyquarantine_core.client import Client
from pyquarantine_core.engine import Cursor, RuleError
from pyquarantine_core.explain_difference import difference
from pyquarantine_core.header import Header
from pyquarantine_core.limits import DEFAULT_LIMITS, Limits
from pyquarantine_core.message import Message
from pyquarantine_core.ruleset import RULES_LOGGER, BoundAction
from pyquarantine_core.types import Decision, Stage, Verdict

if TYPE_CHECKING:
    from pyquarantine_core.message import Snapshot
    from pyquarantine_core.ruleset import BoundCondition, Conditions, Ruleset, Step
    from pyquarantine_core.types import Match

_HEADER = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_LINE = re.compile(rb"\r?\n")
_MBOX = b"From "
"""How the line begins that mbox files have before a message (RFC 4155)."""
_ADDRESS = re.compile(r"[^\s<>,;:\"()]+@[^\s<>,;:\"()]+")


@dataclass(frozen=True, slots=True)
class ExplainedCondition:
    """A condition: whether it held, and why; `matched` is None when it was not looked at."""

    name: str
    matched: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """A rule or an action.

    Attributes:
        name: of a rule its name, of an action `RULE/ACTION`.
        kind: the action's type; empty for a rule.
        conditions: in the order in which they are decided.
        applied: whether it applied; None when the rules ended before.
        pretended: whether it only pretends.
        diff: how headers and body would differ, in lines of a unified diff.
        changes: what it would change in the envelope, store and send, a line each.
        log: what it would log, but for debugging; such as whom an allowlist covers.
        decision: with which it ended the rules.
        failed: the error with which it ended them; else empty.
        passed_over: whether it failed and the rules went on as before it; `log` has the error.
    """

    name: str
    kind: str
    conditions: tuple[ExplainedCondition, ...]
    applied: bool | None
    pretended: bool
    diff: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    decision: Decision | None = None
    failed: str = ""
    passed_over: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """What becomes of a message.

    Attributes:
        steps: rules and their actions, in order.
        decision: the end; after an error TEMPFAIL.
        stage: when the MTA is told.
        recipients: who it is delivered to, should it be accepted.
    """

    steps: tuple[ExplainedStep, ...]
    decision: Decision
    stage: Stage
    recipients: tuple[str, ...]


def explain(rules: Ruleset, message: Message) -> Explanation:
    """Put a message through the rules without any effect."""
    trace = _Trace(message)
    cursor = trace.cursor = Cursor(rules, message, trace)
    with trace.listening():
        for stage in Stage:
            try:
                decision = cursor.advance(stage)
            except RuleError as error:
                trace.failed = cursor.failures[-1].text
                decision = Decision(Verdict.TEMPFAIL, str(error))
            if decision is not None:
                return Explanation(tuple(trace.steps(rules)), decision, stage, message.addresses)
    raise AssertionError("the rules do not end")


def read_message(
    content: bytes,
    *,
    sender: str | None = None,
    recipients: Sequence[str] = (),
    client: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Message:
    """A message from the bytes of a file, as the MTA would hand it over.

    Args:
        content: headers, empty line, body; the line that mbox files have before them is left out.
        sender: envelope sender; None takes it from Return-Path or From.
        recipients: of the envelope; none takes To and Cc.
        client: address of the client; None for a local submission.
        limits: of the config.

    Raises:
        ValueError: the client's address is none.
    """
    fields, body = _split(content)
    headers = [Header(name, raw) for name, raw in fields]

    def addresses(*names: str) -> list[str]:
        values = [one.value for one in headers if one.name.lower() in names]
        return _ADDRESS.findall(" ".join(values))

    if sender is None:
        sender = next(iter(addresses("return-path") or addresses("from")), "")
    message = Message(Client.from_text("", client), sender)
    message.limits = limits
    for address in recipients or addresses("to", "cc"):
        message.receive_recipient(Recipient.from_mta(f"<{address}>"))
    for header in headers:
        message.receive_header(header.name, header.raw)
    message.received_body.append(_LINE.sub(b"\r\n", body))
    return message


def _split(content: bytes) -> tuple[list[tuple[str, bytes]], bytes]:
    """The header fields, and what follows the empty line or the first line that is no header."""
    fields: list[tuple[str, bytes]] = []
    position = content.find(b"\n") + 1 if content.startswith(_MBOX) else 0
    while position < len(content):
        end = content.find(b"\n", position) + 1 or len(content)
        line = content[position:end].rstrip(b"\r\n")
        found = _HEADER.match(line)
        if line[:1] in {b" ", b"\t"} and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + b"\n" + line)
        elif found:
            fields.append((found[1].decode(), found[2]))
        else:
            return fields, content[position if line else end :]
        position = end
    return fields, b""


class _Heard(logging.Handler):
    """Collects what rules and actions log."""

    def __init__(self, trace: _Trace) -> None:
        super().__init__(logging.INFO)
        self._trace = trace

    def emit(self, record: logging.LogRecord) -> None:
        step = self._trace.at
        if step is not None:
            self._trace.logged[id(step)].append(record.getMessage().partition(f"{step.name}: ")[2])


@dataclass(slots=True)
class _Trace:
    """Collects what the cursor tells (`engine.Tracer`), and what is logged meanwhile.

    By the objects themselves, or the `id` of a step: names may be the same.
    """

    message: Message
    cursor: Cursor | None = None
    logged: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    matches: dict[BoundCondition, Match] = field(default_factory=dict)
    ran_actions: dict[BoundAction, _Ran] = field(default_factory=dict)
    passed: set[BoundAction | BoundCondition] = field(default_factory=set)
    failed: str = ""

    @property
    def at(self) -> Step | None:
        """The rule or action that is looked at, or was last."""
        return self.cursor.at[0] if self.cursor is not None and self.cursor.at else None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Collect what is logged."""
        rules = logging.getLogger(RULES_LOGGER)
        heard = _Heard(self)
        rules.addHandler(heard)
        try:
            yield
        finally:
            rules.removeHandler(heard)

    def judged(self, step: Step, condition: BoundCondition, match: Match) -> None:  # noqa: ARG002 - as Tracer has it
        self.matches[condition] = match

    def ran(self, action: BoundAction, before: Snapshot, decision: Decision | None) -> None:
        self.ran_actions[action] = _Ran(
            difference(before, self.message),
            tuple(describe_others(before, self.message)),
            # What a pretended action logs after this are the changes once more.
            tuple(self.logged[id(action.step)]),
            decision,
        )

    def passed_over(self, failed: BoundCondition | BoundAction) -> None:
        self.passed.add(failed)

    def steps(self, rules: Ruleset) -> Iterator[ExplainedStep]:
        assert self.cursor is not None
        matched = list(self.cursor.matched)
        for rule in rules.rules:
            conditions = self._conditions(rule.step, rule.conditions)
            applied = self._held(conditions)
            if applied and matched[:1] != [rule.step.name]:
                applied = None
            elif applied:
                del matched[0]
            yield ExplainedStep(
                rule.step.name,
                "",
                conditions,
                applied,
                rule.step.pretend,
                log=tuple(self.logged[id(rule.step)]),
                failed=self._failure(rule.step),
            )
            yield from map(self._action, rule.actions)

    def _action(self, action: BoundAction) -> ExplainedStep:
        conditions = self._conditions(action.step, action.conditions)
        ran = self.ran_actions.get(action)
        return ExplainedStep(
            action.step.name,
            action.type.name,
            conditions,
            True if ran is not None or action in self.passed else self._held(conditions) and None,
            action.step.pretend,
            ran.diff if ran else (),
            ran.changes if ran else (),
            ran.log if ran else tuple(self.logged[id(action.step)]),
            ran.decision if ran else None,
            self._failure(action.step),
            action in self.passed,
        )

    def _failure(self, step: Step) -> str:
        return self.failed if step is self.at else ""

    def _conditions(self, step: Step, conditions: Conditions) -> tuple[ExplainedCondition, ...]:
        return tuple(self._condition(step, one) for one in conditions.all)

    def _condition(self, step: Step, bound: BoundCondition) -> ExplainedCondition:
        match = self.matches.get(bound)
        if match is not None:
            return ExplainedCondition(bound.type.name, match.matched, match.reason)
        assert self.cursor is not None
        failed = bool(self._failure(step)) and self.cursor.at == (step, bound)
        return ExplainedCondition(bound.type.name, None, "failed" if failed else "")

    @staticmethod
    def _held(conditions: Sequence[ExplainedCondition]) -> bool | None:
        if any(one.matched is False for one in conditions):
            return False
        return None if any(one.matched is None for one in conditions) else True


@dataclass(frozen=True, slots=True)
class _Ran:
    """What an action did."""

    diff: tuple[str, ...]
    changes: tuple[str, ...]
    log: tuple[str, ...]
    decision: Decision | None
