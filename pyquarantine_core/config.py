"""From a config file to what runs: read, validated against the plugins, resolved and built."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar

from pyquarantine_core import loading
from pyquarantine_core.config_file import ConfigFile, Keys, format_error, read_config_file
from pyquarantine_core.config_keys import STORAGE_KEYS, global_keys
from pyquarantine_core.declared import RESERVED_CONDITIONS
from pyquarantine_core.errors import ConfigError, PyquarantineError, why
from pyquarantine_core.limits import Limits
from pyquarantine_core.lists import AskedList
from pyquarantine_core.outbox import Outbox, OutboxNotifier
from pyquarantine_core.outbox_settings import OutboxSettings
from pyquarantine_core.printable import shown
from pyquarantine_core.registry import PluginPolicy, Registry
from pyquarantine_core.ruleset import (
    RULES_LOGGER,
    BoundAction,
    BoundCondition,
    Conditions,
    OnError,
    Rule,
    Ruleset,
    Step,
)
from pyquarantine_core.schema import with_defaults
from pyquarantine_core.types import (
    Action,
    ActionType,
    Component,
    Condition,
    ConditionType,
    HoldsMail,
    Kind,
    ListType,
    MailList,
    MessageDone,
    Network,
    Notification,
    NotificationType,
    Service,
    ServiceType,
    Storage,
    StorageHandle,
    StorageType,
)
from pyquarantine_core.validation import validate

logger = logging.getLogger(__name__)

T = TypeVar("T")

COMPONENTS: Mapping[Kind, type[Component]] = {
    Kind.CONDITION: Condition,
    Kind.ACTION: Action,
    Kind.STORAGE: Storage,
    Kind.NOTIFICATION: Notification,
    Kind.LIST: MailList,
    Kind.SERVICE: Service,
}
"""What a declaration of each kind must build."""


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration ready to run.

    Attributes:
        file: where it came from.
        settings: the global keys, defaults filled in.
        registry: the plugins it was built with.
        storages: by name; likewise `notifications` and `lists`.
        services: by the key that switched them on.
        rules: what messages go through.
        outbox: where notifications wait for their delivery.
    """

    file: ConfigFile
    settings: Mapping[str, Any]
    registry: Registry
    storages: Mapping[str, StorageHandle]
    notifications: Mapping[str, OutboxNotifier]
    lists: Mapping[str, MailList]
    services: Mapping[str, Service]
    rules: Ruleset
    outbox: Outbox

    def components(self) -> Iterator[tuple[str, Component]]:
        """Everything to open in a worker and to close when it ends, each with its place."""
        for name, handle in self.storages.items():
            yield f"storages.{name}", handle.storage
        for name, notifier in self.notifications.items():
            yield f"notifications.{name}", notifier.notification
        if self.notifications:
            yield "outbox", self.outbox
        for name, mail_list in self.lists.items():
            yield f"lists.{name}", mail_list
        yield from self.services.items()
        yield from self.rules.components()

    def message_done(self, done: MessageDone) -> None:
        """Tell every observer and service; what one of them raises is logged."""
        self.registry.message_done(done)
        for name, service in self.services.items():
            try:
                service.message_done(done)
            except BaseException:  # the answer stands, whatever a service does
                logger.exception("%s: %s failed to observe the message", done.queue_id, name)


def load(path: Path, *, debug: bool = False) -> Config:
    """Read a config file, load the plugins it lets in, check and build everything.

    Raises:
        ConfigError: what is wrong, one line per mistake.
    """
    file = read_config_file(path)
    registry = loading.load(PluginPolicy.from_config(file.data.get("plugins")))
    return build(file, registry, debug=debug)


def build(file: ConfigFile, registry: Registry, *, debug: bool = False) -> Config:
    """Check a config against these plugins and build it.

    Args:
        file: what was read.
        registry: the plugins.
        debug: log everything, whatever `loglevel` says.
    """
    validate(file, registry)
    return _Builder(file, registry, debug).build()


@dataclass(frozen=True, slots=True)
class _Inherited:
    """What rules hand down to their actions."""

    level: int
    pretend: bool
    on_error: OnError


@dataclass(slots=True)
class _Services:
    """What one `build` sees of the rest (`types.Services`)."""

    name: str
    local_networks: tuple[Network, ...]
    storages: Mapping[str, StorageHandle]
    notifications: Mapping[str, OutboxNotifier]
    lists: Mapping[str, MailList]
    outbox: Outbox

    def storage(self, name: str) -> StorageHandle:
        return _named(self.storages, "storages", name)

    def notification(self, name: str) -> OutboxNotifier:
        return _named(self.notifications, "notifications", name)

    def mail_list(self, name: str) -> MailList:
        return AskedList(name, _named(self.lists, "lists", name))


def _named(entries: Mapping[str, T], section: str, name: str) -> T:
    try:
        return entries[name]
    except KeyError:
        raise ConfigError(f"{name!r} is not in '{section}'") from None


class _Builder:
    def __init__(self, file: ConfigFile, registry: Registry, debug: bool) -> None:
        self.file = file
        self.registry = registry
        self.debug = debug
        self.settings = with_defaults({"properties": global_keys()}, file.data)
        self.local_networks = tuple(
            ip_network(text, strict=False) for text in self.settings["local_addrs"]
        )
        self.storages: dict[str, StorageHandle] = {}
        self.outbox = Outbox(self._outbox_settings())
        self.notifications: dict[str, OutboxNotifier] = {}
        self.lists: dict[str, MailList] = {}

    def build(self) -> Config:
        for name, options in self.settings["storages"].items():
            self.storages[name] = self._storage(name, options)
        for name, options in self.settings["notifications"].items():
            notification = self._typed(Kind.NOTIFICATION, NotificationType, name, options)
            self.notifications[name] = OutboxNotifier(name, notification, self.outbox)
        for name, options in self.settings["lists"].items():
            self.lists[name] = self._typed(Kind.LIST, ListType, name, options)
        inherited = _Inherited(
            self._level(self.settings["loglevel"]), self.settings["pretend"], OnError.TEMPFAIL
        )
        rules = tuple(
            self._rule(rule, ("rules", index), inherited)
            for index, rule in enumerate(self.settings["rules"])
        )
        self._refuse_equal_holders(rules)
        services = {
            one.name: self._call((one.name,), Kind.SERVICE, one, self.file.data[one.name], one.name)
            for one in self.registry.all(Kind.SERVICE, ServiceType)
            if one.name in self.file.data
        }
        return Config(
            self.file,
            self.settings,
            self.registry,
            self.storages,
            self.notifications,
            self.lists,
            services,
            Ruleset(rules, self.registry.culprit, Limits.from_config(self.settings["limits"])),
            self.outbox,
        )

    def _outbox_settings(self) -> OutboxSettings:
        try:
            return OutboxSettings.from_config(self.settings)
        except ConfigError as error:
            text = format_error(self.file, ("outbox_minimal_backoff",), str(error))
            raise ConfigError(text) from None

    def _storage(self, name: str, options: Mapping[str, Any]) -> StorageHandle:
        common = with_defaults({"properties": STORAGE_KEYS}, options)
        return StorageHandle(
            name=name,
            storage=self._typed(Kind.STORAGE, StorageType, name, options, STORAGE_KEYS),
            original=common["original"],
            metadata=common.get("metadata"),
            metavar=common.get("metavar"),
        )

    def _typed(
        self,
        kind: Kind,
        declared_as: type[Any],
        name: str,
        options: Mapping[str, Any],
        common: Mapping[str, Any] | None = None,
    ) -> Any:
        declaration = self._declaration(kind, declared_as, options["type"])
        own = {key: value for key, value in options.items() if key not in {"type", *(common or {})}}
        return self._call((kind.value, name), kind, declaration, own, name)

    def _rule(self, rule: Mapping[str, Any], keys: Keys, inherited: _Inherited) -> Rule:
        passed_on = self._inherit(rule, inherited)
        name = rule["name"]
        return Rule(
            self._step(name, keys, passed_on),
            self._conditions(rule.get("conditions", {}), (*keys, "conditions"), name),
            tuple(
                self._action(action, (*keys, "actions", index), name, passed_on)
                for index, action in enumerate(rule["actions"])
            ),
        )

    def _action(
        self, action: Mapping[str, Any], keys: Keys, rule: str, inherited: _Inherited
    ) -> BoundAction:
        name = f"{rule}/{action['name']}"
        declaration = self._declaration(Kind.ACTION, ActionType, action["type"])
        return BoundAction(
            self._step(name, keys, self._inherit(action, inherited)),
            self._conditions(action.get("conditions", {}), (*keys, "conditions"), name),
            declaration,
            self._call((*keys, "options"), Kind.ACTION, declaration, action["options"], name),
            self.registry.provider(Kind.ACTION, declaration.name).label,
        )

    def _conditions(self, conditions: Mapping[str, Any], keys: Keys, name: str) -> Conditions:
        bound = []
        for key, value in conditions.items():
            if key in RESERVED_CONDITIONS:
                continue
            declaration = self._declaration(Kind.CONDITION, ConditionType, key)
            condition = self._call((*keys, key), Kind.CONDITION, declaration, value, name)
            plugin = self.registry.provider(Kind.CONDITION, key).label
            bound.append(BoundCondition(declaration, condition, plugin))
        bound.sort(key=lambda one: one.type.decided_at)
        return Conditions(tuple(bound), conditions.get("metavar"))

    def _declaration(self, kind: Kind, declared_as: type[T], name: str) -> T:
        found = self.registry.find(kind, name)
        assert isinstance(found, declared_as)
        return found

    def _call(self, keys: Keys, kind: Kind, declaration: Any, value: Any, name: str) -> Any:
        """Let the plugin build it; whatever goes wrong names the plugin and the place."""
        services = _Services(
            name,
            self.local_networks,
            self.storages,
            self.notifications,
            self.lists,
            self.outbox,
        )
        plugin = self.registry.provider(kind, declaration.name).label
        expected = COMPONENTS[kind]
        if isinstance(value, Mapping):
            value = with_defaults(declaration.schema, value)
        try:
            made = declaration.build(value, services)
        except (PyquarantineError, OSError) as error:
            option, colon, text = str(error).partition(": ")
            if colon and isinstance(value, Mapping) and option in value:
                keys = (*keys, option)  # it names the one that is wrong
            else:
                text = str(error)
            raise ConfigError(format_error(self.file, keys, text)) from error
        except (Exception, SystemExit) as error:
            text = f"{plugin} cannot build it: {why(error)}"
            raise ConfigError(format_error(self.file, keys, text)) from error
        if not isinstance(made, expected):
            text = f"{plugin} built {shown(made)}, which is no {expected.__name__}"
            raise ConfigError(format_error(self.file, keys, text))
        return made

    def _inherit(self, keys: Mapping[str, Any], inherited: _Inherited) -> _Inherited:
        return _Inherited(
            self._level(keys["loglevel"]) if "loglevel" in keys else inherited.level,
            keys.get("pretend", inherited.pretend),
            OnError(keys.get("on_error", inherited.on_error)),
        )

    def _level(self, name: str) -> int:
        return logging.DEBUG if self.debug else logging.getLevelNamesMapping()[name.upper()]

    def _step(self, name: str, keys: Keys, inherited: _Inherited) -> Step:
        place = "-".join(str(key) for key in keys if isinstance(key, int))
        logger = logging.getLogger(f"{RULES_LOGGER}.{place}")
        logger.setLevel(inherited.level)
        return Step(name, logger, inherited.pretend, inherited.on_error)

    def _refuse_equal_holders(self, rules: tuple[Rule, ...]) -> None:
        seen: set[str] = set()
        for rule_index, rule in enumerate(rules):
            for index, action in enumerate(rule.actions):
                if not isinstance(action.action, HoldsMail):
                    continue
                if action.step.name in seen:
                    keys: Keys = ("rules", rule_index, "actions", index, "name")
                    text = f"another action that holds mail is named {action.step.name!r} too"
                    raise ConfigError(format_error(self.file, keys, text))
                seen.add(action.step.name)
