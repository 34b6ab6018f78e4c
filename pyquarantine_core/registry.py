"""Discovery of plugins, each loaded alone so that a broken one never stops the rest."""

from __future__ import annotations

import difflib
import inspect
import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

import pluggy
from importlib_metadata import EntryPoint, entry_points

from pyquarantine_core import hookspecs
from pyquarantine_core.errors import PluginError
from pyquarantine_core.schema import check_fragment
from pyquarantine_core.types import (
    ActionType,
    CommandType,
    ConditionType,
    Kind,
    ListType,
    MessageDone,
    NotificationType,
    StorageType,
    TypeDeclaration,
)

logger = logging.getLogger(__name__)

Declaration = TypeDeclaration | CommandType
D = TypeVar("D", bound=Declaration)


DECLARED_AS: Mapping[Kind, type[Declaration]] = {
    Kind.CONDITION: ConditionType,
    Kind.ACTION: ActionType,
    Kind.STORAGE: StorageType,
    Kind.NOTIFICATION: NotificationType,
    Kind.LIST: ListType,
    Kind.COMMAND: CommandType,
}
RESERVED_CONDITIONS = frozenset({"metavar"})
"""Keys of `conditions` that the core itself reads."""


class Status(Enum):
    """Whether a plugin is in use."""

    ACTIVE = "active"
    DENIED = "denied"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Plugin:
    """An installed plugin.

    Attributes:
        name: of its entry point.
        package: the distribution it came in.
        version: of that distribution.
        status: whether it is in use.
        cause: why not, in one line.
        provides: its declarations by kind.
        observes: whether it hears of every message done.
    """

    name: str
    package: str
    version: str
    status: Status
    cause: str = ""
    provides: Mapping[Kind, tuple[Declaration, ...]] = field(default_factory=dict)
    observes: bool = False

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.package} {self.version}"


@dataclass(frozen=True, slots=True)
class PluginPolicy:
    """The config's `plugins` key. Names are those of plugins or of their packages.

    Attributes:
        allow: only these are loaded; None for all.
        deny: these are not.
    """

    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()

    @classmethod
    def from_config(cls, value: object) -> PluginPolicy:
        """Read the key without any plugin; what is malformed is left to validation."""
        if not isinstance(value, dict):
            return cls()
        allow, deny = value.get("allow"), value.get("deny")
        return cls(
            frozenset(map(str, allow)) if isinstance(allow, list) else None,
            frozenset(map(str, deny)) if isinstance(deny, list) else frozenset(),
        )

    def objection(self, name: str, package: str) -> str:
        """Why the plugin is not loaded; empty when it is."""
        names = {normalised(name), normalised(package)}
        if names & set(map(normalised, self.deny)):
            return "denied by plugins.deny"
        if self.allow is not None and not names & set(map(normalised, self.allow)):
            return "not among plugins.allow"
        return ""


class Registry:
    """The plugins at hand and what they provide."""

    def __init__(self, plugins: Sequence[Plugin], manager: pluggy.PluginManager) -> None:
        self.plugins = tuple(plugins)
        self._manager = manager
        self._providers: dict[tuple[Kind, str], list[tuple[Plugin, Declaration]]] = {}
        for plugin in plugins:
            for kind, declarations in plugin.provides.items():
                for declaration in declarations:
                    self._providers.setdefault((kind, declaration.name), []).append(
                        (plugin, declaration)
                    )

    def names(self, kind: Kind) -> list[str]:
        """All names of a kind, sorted; a name claimed twice is among them."""
        return sorted(name for known, name in self._providers if known is kind)

    def find(self, kind: Kind, name: str) -> Declaration:
        """The one declaration of that kind and name.

        Raises:
            PluginError: none or several plugins provide it; which ones, or which plugins
                failed or were denied.
        """
        providers = self._providers.get((kind, name), [])
        if len(providers) == 1:
            return providers[0][1]
        if providers:
            claims = " and ".join(sorted(plugin.label for plugin, _ in providers))
            raise PluginError(
                f"the {kind.singular} {name!r} is provided by {claims}; "
                "deny one of them in 'plugins'"
            )
        raise PluginError(self._absence(kind, name))

    def provider(self, kind: Kind, name: str) -> Plugin:
        """The plugin of a declaration that `find` found."""
        return self._providers[kind, name][0][0]

    def all(self, kind: Kind, declared_as: type[D]) -> list[D]:
        """The declarations of a kind whose names are claimed once, sorted by name."""
        found = (self._providers[kind, name] for name in self.names(kind))
        return [
            providers[0][1]
            for providers in found
            if len(providers) == 1 and isinstance(providers[0][1], declared_as)
        ]

    def message_done(self, done: MessageDone) -> None:
        """Tell every observer; what one of them raises is logged."""
        for implementation in self._manager.hook.pyquarantine_message_done.get_hookimpls():
            try:
                implementation.function(
                    **{name: done for name in implementation.argnames if name == "done"}
                )
            except BaseException:  # the answer stands, whatever an observer does
                logger.exception(
                    "%s: plugin %s failed to observe the message",
                    done.queue_id,
                    implementation.plugin_name,
                )

    def _absence(self, kind: Kind, name: str) -> str:
        text = f"no installed plugin provides the {kind.singular} {name!r}"
        near = difflib.get_close_matches(name, self.names(kind), n=1)
        if near:
            text += f"; did you mean {near[0]!r}?"
        idle = [
            f"{plugin.label} failed: {plugin.cause}"
            for plugin in self.plugins
            if plugin.status is Status.FAILED
        ]
        denied = [plugin.package for plugin in self.plugins if plugin.status is Status.DENIED]
        if denied:
            idle.append(f"not let in by 'plugins': {', '.join(denied)}")
        return f"{text} ({'; '.join(idle)})" if idle else text


def normalised(name: str) -> str:
    """A plugin or package name as package tools compare them: `Pyq_Tag` is `pyq-tag`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def load(policy: PluginPolicy | None = None) -> Registry:
    """Load every installed plugin that the policy lets in."""
    return load_entry_points(entry_points(group=hookspecs.GROUP), policy or PluginPolicy())


def load_entry_points(found: Iterable[EntryPoint], policy: PluginPolicy) -> Registry:
    """Load these plugins, in the order of their names."""
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    ordered = sorted(found, key=lambda point: (point.name, _package(point)[0]))
    return Registry([_load(manager, point, policy) for point in ordered], manager)


def _package(point: EntryPoint) -> tuple[str, str]:
    if point.dist is None:
        return point.module, "?"
    return point.dist.name, point.dist.version


def _load(manager: pluggy.PluginManager, point: EntryPoint, policy: PluginPolicy) -> Plugin:
    package, version = _package(point)
    objection = policy.objection(point.name, package)
    if objection:
        return Plugin(point.name, package, version, Status.DENIED, objection)
    label = f"{package} {version} ({point.name})"
    plugin: object = None
    try:
        with redirect_stdout(sys.stderr):  # what a plugin prints must not end up in `--json`
            plugin = point.load()
        manager.register(plugin, name=label)
        _refuse_unknown_hooks(manager, plugin)
        provides = {kind: _declarations(manager, plugin, kind) for kind in Kind}
        observers = manager.hook.pyquarantine_message_done.get_hookimpls()
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:  # whatever a stranger's module does, the rest goes on
        if plugin is not None and manager.get_name(plugin) == label:
            manager.unregister(plugin)
        return Plugin(point.name, package, version, Status.FAILED, _one_line(error))
    return Plugin(
        point.name,
        package,
        version,
        Status.ACTIVE,
        provides={kind: found for kind, found in provides.items() if found},
        observes=any(one.plugin is plugin for one in observers),
    )


def _refuse_unknown_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    for caller in manager.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            if (
                implementation.plugin is plugin
                and not caller.has_spec()
                and not implementation.optionalhook
            ):
                known = [name for name in vars(hookspecs) if name.startswith(f"{hookspecs.GROUP}_")]
                near = difflib.get_close_matches(caller.name, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise PluginError(f"{caller.name} is not a hook of this core{hint}")


def _declarations(
    manager: pluggy.PluginManager, plugin: object, kind: Kind
) -> tuple[Declaration, ...]:
    declared: list[Declaration] = []
    for implementation in getattr(manager.hook, kind.hook).get_hookimpls():
        if implementation.plugin is plugin:
            declared.extend(_checked(kind, item) for item in _call(implementation.function))
    names = [declaration.name for declaration in declared]
    for name in names:
        if names.count(name) > 1:
            raise PluginError(f"{kind.hook} declares {name!r} twice")
    return tuple(declared)


def _call(hook: Callable[[], object]) -> list[object]:
    result = hook()
    if inspect.iscoroutine(result):
        result.close()  # else Python warns that nobody awaited it
    if not isinstance(result, Iterable):
        raise PluginError(f"{hook.__name__} returned {result!r} instead of yielding declarations")
    return list(result)


def _checked(kind: Kind, item: object) -> Declaration:
    expected = DECLARED_AS[kind]
    if not isinstance(item, expected):
        raise PluginError(f"{kind.hook} yielded {item!r}, which is not a {expected.__name__}")
    name: object = item.name
    if not isinstance(name, str) or not name or not callable(getattr(item, "build", None)):
        raise PluginError(f"{kind.hook} yielded a declaration without a name or a build function")
    if kind is Kind.CONDITION and item.name in RESERVED_CONDITIONS:
        raise PluginError(f"the condition name {item.name!r} belongs to the core")
    if isinstance(item, TypeDeclaration):
        check_fragment(kind.singular, item.name, item.schema)
    return item


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
