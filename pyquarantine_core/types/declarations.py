"""What plugins declare: the names that configs may use, with their schemas and needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyquarantine_core.types.basics import JsonSchema, Options, Part, Stage, Verdict
from pyquarantine_core.types.components import (
    Action,
    Condition,
    MailList,
    Notification,
    Services,
)
from pyquarantine_core.types.storage import Storage

if TYPE_CHECKING:
    import click


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeDeclaration:
    """Common to all declarations.

    Attributes:
        name: how the config names it.
        summary: one line for listings and the reference.
        schema: JSON Schema (2020-12) of its own options, an object without
            `additionalProperties`; of a condition: of its key's value.
    """

    name: str
    summary: str
    schema: JsonSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionType(TypeDeclaration):
    """A key of `conditions`.

    Attributes:
        decided_at: the earliest stage at which it can be decided.
        reads: the parts it reads; by default all that `decided_at` makes visible. A
            condition on metavariables says `Part.VARIABLES`.
        build: makes the condition from its key's value.
    """

    decided_at: Stage
    build: Callable[[Any, Services], Condition]
    reads: Part | None = None

    @property
    def parts_read(self) -> Part:
        """`reads`, or what follows from `decided_at`."""
        if self.reads is not None:
            return self.reads
        return {
            Stage.CONNECT: Part.NOTHING,
            Stage.ENVELOPE: Part.RECIPIENTS,
            Stage.HEADERS: Part.RECIPIENTS | Part.HEADERS,
            Stage.BODY: Part.RECIPIENTS | Part.HEADERS | Part.BODY,
        }[self.decided_at]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionType(TypeDeclaration):
    """A `type` of actions.

    Attributes:
        needs: how much of the message it looks at; the MTA is asked for no more.
        changes: the parts it may change.
        build: makes the action from its options.
    """

    needs: Stage
    changes: Part
    build: Callable[[Options, Services], Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageType(TypeDeclaration):
    """A `type` of storages; `build` gets its own options, the core keeps the common ones."""

    build: Callable[[Options, Services], Storage]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationType(TypeDeclaration):
    """A `type` of notifications."""

    build: Callable[[Options, Services], Notification]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListType(TypeDeclaration):
    """A `type` of lists."""

    build: Callable[[Options, Services], MailList]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandType:
    """A command of the `pyquarantine` program.

    Attributes:
        name: the word that calls it.
        summary: one line for the help.
        build: imports and returns the click command; called only when it is used.
    """

    name: str
    summary: str
    build: Callable[[], click.Command]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDone:
    """What observers are told when a message is answered.

    Attributes:
        queue_id: the MTA's name for the message; empty when it was answered before DATA.
        sender: envelope sender.
        recipients: envelope recipients as received.
        verdict: what the MTA was told.
        stage: when.
        actions: `RULE/ACTION` of the actions that ran, in order.
        seconds: time spent on it in this process.
    """

    queue_id: str
    sender: str
    recipients: tuple[str, ...]
    verdict: Verdict
    stage: Stage
    actions: tuple[str, ...]
    seconds: float
