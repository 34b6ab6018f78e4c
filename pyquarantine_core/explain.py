"""What the rules would do with a message, step by step, and why; nothing is done."""

from __future__ import annotations

import difflib
import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyquarantine_core.address import Recipient
from pyquarantine_core.changes import describe_changes
from pyquarantine_core.engine import Cursor
from pyquarantine_core.message import Client, Header, Message
from pyquarantine_core.ruleset import RULES_LOGGER
from pyquarantine_core.types import Decision, Stage

if TYPE_CHECKING:
    from pyquarantine_core.message import Snapshot
    from pyquarantine_core.ruleset import BoundAction, BoundCondition, Conditions, Ruleset, Step
    from pyquarantine_core.types import Match

DIFF_LINES = 40
"""Lines of a body's difference that are shown."""
LONGEST_DIFFED = 1_000_000
"""Bytes of a body that is compared line by line."""

_HEADER = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_LINE = re.compile(rb"\r?\n")
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
        changes: what it would change, store and send, a line each; then how the body differs.
        log: what it would log, but for debugging; such as whom an allowlist covers.
        decision: with which it ended the rules.
    """

    name: str
    kind: str
    conditions: tuple[ExplainedCondition, ...]
    applied: bool | None
    pretended: bool
    changes: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What becomes of a message.

    Attributes:
        steps: rules and their actions, in order.
        decision: the end.
        stage: when the MTA is told.
        recipients: who it is delivered to, should it be accepted.
    """

    steps: tuple[ExplainedStep, ...]
    decision: Decision
    stage: Stage
    recipients: tuple[str, ...]


def explain(rules: Ruleset, message: Message) -> Explanation:
    """Put a message through the rules without any effect.

    Raises:
        RuleError: a condition or action failed; the message would be a TEMPFAIL.
    """
    trace = _Trace(message)
    cursor = Cursor(rules, message, trace)
    with trace.listening():
        for stage in Stage:
            decision = cursor.advance(stage)
            if decision is not None:
                return Explanation(tuple(trace.steps(rules)), decision, stage, message.addresses)
    raise AssertionError("the rules do not end")


def read_message(
    content: bytes,
    *,
    sender: str | None = None,
    recipients: Sequence[str] = (),
    client: str | None = None,
) -> Message:
    """A message from the bytes of a file, as the MTA would hand it over.

    Args:
        content: headers, empty line, body.
        sender: envelope sender; None takes it from Return-Path or From.
        recipients: of the envelope; none takes To and Cc.
        client: address of the client; None for a local submission.

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
    for address in recipients or addresses("to", "cc"):
        message.receive_recipient(Recipient.from_mta(f"<{address}>"))
    for header in headers:
        message.receive_header(header.name, header.raw)
    message.received_body.append(_LINE.sub(b"\r\n", body))
    return message


def _split(content: bytes) -> tuple[list[tuple[str, bytes]], bytes]:
    """The header fields, and what follows the empty line or the first line that is no header."""
    fields: list[tuple[str, bytes]] = []
    position = 0
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
    """Collects what rules and actions log, by their names."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: defaultdict[str, list[str]] = defaultdict(list)

    def emit(self, record: logging.LogRecord) -> None:
        step = getattr(record, "fields", {}).get("step", "")
        self.lines[step].append(record.getMessage().partition(f"{step}: ")[2])


@dataclass(slots=True)
class _Trace:
    """Collects what the cursor tells (`engine.Tracer`), and what is logged meanwhile."""

    message: Message
    heard: _Heard = field(default_factory=_Heard)
    logged: dict[str, tuple[str, ...]] = field(default_factory=dict)
    matches: dict[BoundCondition, Match] = field(default_factory=dict)
    changes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    decisions: dict[str, Decision | None] = field(default_factory=dict)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Collect what is logged."""
        rules = logging.getLogger(RULES_LOGGER)
        rules.addHandler(self.heard)
        try:
            yield
        finally:
            rules.removeHandler(self.heard)

    def judged(self, step: Step, condition: BoundCondition, match: Match) -> None:  # noqa: ARG002 - as Tracer has it
        self.matches[condition] = match

    def ran(self, action: BoundAction, before: Snapshot, decision: Decision | None) -> None:
        self.changes[action.step.name] = (
            *describe_changes(before, self.message),
            *_body_difference(before, self.message),
        )
        self.decisions[action.step.name] = decision
        # What a pretended action logs after this are the changes once more.
        self.logged[action.step.name] = tuple(self.heard.lines[action.step.name])

    def steps(self, rules: Ruleset) -> Iterator[ExplainedStep]:
        for rule in rules.rules:
            conditions = self._conditions(rule.conditions)
            yield ExplainedStep(
                rule.step.name, "", conditions, self._held(conditions), rule.step.pretend
            )
            for action in rule.actions:
                name = action.step.name
                conditions = self._conditions(action.conditions)
                yield ExplainedStep(
                    name,
                    action.type.name,
                    conditions,
                    True if name in self.changes else self._held(conditions) and None,
                    action.step.pretend,
                    self.changes.get(name, ()),
                    self.logged.get(name, tuple(self.heard.lines[name])),
                    self.decisions.get(name),
                )

    def _conditions(self, conditions: Conditions) -> tuple[ExplainedCondition, ...]:
        explained = []
        for one in conditions.all:
            match = self.matches.get(one)
            explained.append(
                ExplainedCondition(one.type.name, None)
                if match is None
                else ExplainedCondition(one.type.name, match.matched, match.reason)
            )
        return tuple(explained)

    @staticmethod
    def _held(conditions: Sequence[ExplainedCondition]) -> bool | None:
        if any(one.matched is False for one in conditions):
            return False
        return None if any(one.matched is None for one in conditions) else True


def _body_difference(before: Snapshot, message: Message) -> Iterator[str]:
    old, new = before.body, message.current_body
    if new is old:
        return
    if max(len(old), len(new)) > LONGEST_DIFFED:
        yield f"(the body has {len(new)} bytes instead of {len(old)})"
        return
    lines = difflib.unified_diff(
        old.read().decode("utf-8", "replace").splitlines(),
        new.read().decode("utf-8", "replace").splitlines(),
        lineterm="",
        n=1,
    )
    shown = [line for line in lines if not line.startswith(("---", "+++"))]
    yield from shown[:DIFF_LINES]
    if len(shown) > DIFF_LINES:
        yield f"({len(shown) - DIFF_LINES} more lines)"
