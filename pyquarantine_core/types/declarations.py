"""What plugins declare: the names that configs may use, with their schemas and needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyquarantine_core.config_file import CONFIG_DIRECTORY
from pyquarantine_core.types.basics import JsonSchema, Kind, Options, Part, Stage, Verdict
from pyquarantine_core.types.components import (
    Action,
    Condition,
    MailList,
    Notification,
    Service,
    Services,
)
from pyquarantine_core.types.storage import Storage

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import click


@dataclass(frozen=True, slots=True)
class BuiltBy:
    """A `build` whose module is imported when it is needed: commands begin sooner without it.

    The daemon and `pyquarantine plugins` import it together with the plugin, so that one whose
    modules cannot be used is found before a config names it.

    Attributes:
        place: `MODULE:NAME`, such as `pyq_stamp.action:Stamp.from_options`.
    """

    place: str

    def __call__(self, options: Any, services: Services) -> Any:
        return self.find()(options, services)

    def find(self) -> Callable[[Any, Services], Any]:
        """Import what builds; whatever the module raises goes on to the caller."""
        module, _, name = self.place.partition(":")
        found: Callable[[Any, Services], Any] = attrgetter(name)(import_module(module))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeDeclaration:
    """Common to all declarations.

    Attributes:
        name: how the config names it.
        summary: one line for listings and the reference.
        schema: JSON Schema (2020-12) of its own options, an object without
            `additionalProperties`; of a condition or a service: of its key's value.
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
class ServiceType(TypeDeclaration):
    """A key at the top of the config, which switches a service on.

    Attributes:
        build: makes the service from its key's value.
    """

    build: Callable[[Any, Services], Service]


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
class DefaultFile:
    """A file that `pyquarantine-milter --install` brings to the config directory.

    Admins may change it; such a file is neither overwritten nor removed.

    Attributes:
        name: its path below the config directory, with a directory of its own in front, such as
            `templates/`.
        source: the file in the package, as `importlib.resources.files` finds it.
    """

    name: str
    source: Traversable

    @property
    def path(self) -> Path:
        """Where configs find it."""
        return CONFIG_DIRECTORY / self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error in a rule while a message passed: whose it was, and where.

    Attributes:
        plugin: package and version of the plugin in whose code it came up, such as that of the
            storage that an action stores in.
        kind: condition or action; an effect is its action's.
        type: the name of its type.
        step: `RULE` or `RULE/ACTION` where it failed.
        text: the error, in the words of the log.
        tempfail: whether the message was refused for it; else the rules went on without.
    """

    plugin: str
    kind: Kind
    type: str
    step: str
    text: str
    tempfail: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDone:
    """What observers are told when a message is answered.

    A connection that no rule can apply to is accepted at once (stage CONNECT): that is told once,
    with no sender and no recipients, and its messages are not seen.

    Attributes:
        queue_id: the MTA's name for the message; empty when it was answered before DATA.
        client: address of the client, or its name where it has none.
        sender: envelope sender.
        recipients: envelope recipients as received.
        verdict: what the MTA was told.
        stage: when.
        rules: names of the rules whose conditions held, in order.
        actions: `RULE/ACTION` of the actions that ran, in order.
        stored: how many copies were stored.
        notified: how many notifications were put into the outbox.
        seconds: spent on it in this process.
        failures: errors in rules, in the order they came, each named with its plugin.
    """

    queue_id: str
    client: str
    sender: str
    recipients: tuple[str, ...]
    verdict: Verdict
    stage: Stage
    rules: tuple[str, ...]
    actions: tuple[str, ...]
    stored: int
    notified: int
    seconds: float
    failures: tuple[Failure, ...] = ()
