"""Discovery of plugins, each loaded alone so that a broken one never stops the rest."""

from __future__ import annotations

import difflib
import inspect
import logging
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType
from typing import TypeVar

import pluggy
from importlib_metadata import EntryPoint

from pyquarantine_core import discovery, hookspecs
from pyquarantine_core.config_keys import global_keys
from pyquarantine_core.discovery import Candidate, normalised
from pyquarantine_core.errors import DeprecatedApiWarning, PluginError
from pyquarantine_core.schema import check_fragment
from pyquarantine_core.types import (
    ActionType,
    CommandType,
    ConditionType,
    DefaultFile,
    Kind,
    ListType,
    MessageDone,
    NotificationType,
    Part,
    ServiceType,
    Stage,
    StorageType,
    TypeDeclaration,
)

logger = logging.getLogger(__name__)

Declaration = TypeDeclaration | CommandType | DefaultFile
D = TypeVar("D", bound=Declaration)


DECLARED_AS: Mapping[Kind, type[Declaration]] = {
    Kind.CONDITION: ConditionType,
    Kind.ACTION: ActionType,
    Kind.STORAGE: StorageType,
    Kind.NOTIFICATION: NotificationType,
    Kind.LIST: ListType,
    Kind.SERVICE: ServiceType,
    Kind.COMMAND: CommandType,
    Kind.FILE: DefaultFile,
}
WORDS_OF_THE_CORE: Mapping[str, type] = {
    "summary": str,
    "decided_at": Stage,
    "needs": Stage,
    "changes": Part,
}
"""Of which type these attributes of a declaration are, where it has them."""
RESERVED_CONDITIONS = frozenset({"metavar"})
"""Keys of `conditions` that the core itself reads."""

# Never a file of the core's, all of which are at the top, nor one outside the config directory.
_FILE_NAME = re.compile(r"(?:[\w+@-][\w.+@-]*/)+[\w+@-][\w.+@-]*", re.ASCII)


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
        warnings: what it uses that a later core will not have, one line each.
        module: the top of the modules it consists of.
    """

    name: str
    package: str
    version: str
    status: Status
    cause: str = ""
    provides: Mapping[Kind, tuple[Declaration, ...]] = field(default_factory=dict)
    observes: bool = False
    warnings: tuple[str, ...] = ()
    module: str = ""

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

    @property
    def failed(self) -> list[Plugin]:
        """The plugins that could not be loaded."""
        return [plugin for plugin in self.plugins if plugin.status is Status.FAILED]

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
            raise PluginError(self._conflict(kind, name))
        raise PluginError(self._absence(kind, name))

    def culprit(self, error: BaseException) -> str:
        """The plugin in whose code an error came up, by its label; empty when it was in none."""
        modules = {plugin.module: plugin.label for plugin in self.plugins if plugin.module}
        modules.pop(
            __name__.partition(".")[0], None
        )  # a plugin for tests; the core is in no plugin
        found = ""
        for frame, _ in traceback.walk_tb(error.__traceback__):
            module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            found = modules.get(module, found)
        return found

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

    def named(self, name: str) -> list[Plugin]:
        """The plugin of this name, else those in the package of this name, else of a type.

        Raises:
            PluginError: there is none; the nearest name.
        """
        for names in (_own_name, _package_name, _provided_names):
            found = [one for one in self.plugins if normalised(name) in map(normalised, names(one))]
            if found:
                return found
        known = [name for one in self.plugins for name in (one.name, one.package)]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise PluginError(f"no installed plugin is named {name!r}{hint}")

    def rivals(self, plugin: Plugin, kind: Kind, name: str) -> list[str]:
        """The other plugins that claim a name of this one, as messages name them."""
        return sorted(one.label for one, _ in self._providers[kind, name] if one is not plugin)

    def conflicts(self) -> list[str]:
        """What to mend where several plugins claim one name, a line for each name."""
        return [
            self._conflict(kind, name)
            for (kind, name), providers in self._providers.items()
            if len(providers) > 1
        ]

    def idle(self) -> str:
        """The plugins that are out and why, as the end of an error that they may explain."""
        idle = [f"{plugin.label} failed: {plugin.cause}" for plugin in self.failed]
        denied = [plugin.package for plugin in self.plugins if plugin.status is Status.DENIED]
        if denied:
            idle.append(f"not let in by 'plugins': {', '.join(denied)}")
        return f" ({'; '.join(idle)})" if idle else ""

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

    def _conflict(self, kind: Kind, name: str) -> str:
        claims = " and ".join(sorted(plugin.label for plugin, _ in self._providers[kind, name]))
        return (
            f"the {kind.singular} {name!r} is provided by {claims}; deny one of them in 'plugins'"
        )

    def _absence(self, kind: Kind, name: str) -> str:
        text = f"no installed plugin provides the {kind.singular} {name!r}"
        near = difflib.get_close_matches(name, self.names(kind), n=1)
        if near:
            text += f"; did you mean {near[0]!r}?"
        return text + self.idle()


def _own_name(plugin: Plugin) -> tuple[str, ...]:
    return (plugin.name,)


def _package_name(plugin: Plugin) -> tuple[str, ...]:
    return (plugin.package,)


def _provided_names(plugin: Plugin) -> tuple[str, ...]:
    return tuple(one.name for found in plugin.provides.values() for one in found)


def load(policy: PluginPolicy | None = None) -> Registry:
    """Load every installed plugin that the policy lets in."""
    return _load_all(discovery.installed(), policy or PluginPolicy(), (hookspecs,))


def load_entry_points(
    found: Iterable[EntryPoint],
    policy: PluginPolicy,
    specifications: Sequence[ModuleType | type] = (hookspecs,),
) -> Registry:
    """Load these plugins, in the order of their names.

    Args:
        found: where they are.
        policy: which are let in.
        specifications: modules or classes with the hooks that they may implement.
    """
    return _load_all(map(Candidate.of, found), policy, specifications)


def _load_all(
    found: Iterable[Candidate], policy: PluginPolicy, specifications: Sequence[ModuleType | type]
) -> Registry:
    manager = pluggy.PluginManager(hookspecs.GROUP)
    for module in specifications:
        manager.add_hookspecs(module)
    ordered = sorted(found, key=lambda one: (one.name, one.package))
    return Registry([_load(manager, one, policy) for one in ordered], manager)


def _load(manager: pluggy.PluginManager, found: Candidate, policy: PluginPolicy) -> Plugin:
    name, package, version = found.name, found.package, found.version
    if denied := policy.objection(name, package):
        return Plugin(name, package, version, Status.DENIED, denied)
    if found.point is None or found.objection:
        return Plugin(name, package, version, Status.FAILED, found.objection)
    label = f"{package} {version} ({name})"
    plugin: object = None
    outdated: list[str] = []
    try:
        with redirect_stdout(sys.stderr), _deprecations(outdated):  # keeps `--json` clean
            plugin = found.point.load()
            manager.register(plugin, name=label)
            _refuse_unknown_hooks(manager, plugin)
            _refuse_unmarked_hooks(manager, plugin)
            provides = {kind: _declarations(manager, plugin, kind) for kind in Kind}
        observers = manager.hook.pyquarantine_message_done.get_hookimpls()
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:  # whatever a stranger's module does, the rest goes on
        if plugin is not None and manager.get_name(plugin) == label:
            manager.unregister(plugin)
        return Plugin(name, package, version, Status.FAILED, one_line(error))
    return Plugin(
        name,
        package,
        version,
        Status.ACTIVE,
        provides={kind: found for kind, found in provides.items() if found},
        observes=any(one.plugin is plugin for one in observers),
        warnings=tuple(dict.fromkeys(outdated)),
        module=found.point.module.partition(".")[0],
    )


@contextmanager
def _deprecations(texts: list[str]) -> Iterator[None]:
    """Collect what is outdated about a plugin; any other warning is shown as ever."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DeprecatedApiWarning)
        yield
    for one in caught:
        if issubclass(one.category, DeprecatedApiWarning):
            texts.append(" ".join(str(one.message).split()))
        else:
            warnings.showwarning(one.message, one.category, one.filename, one.lineno)


def _refuse_unknown_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    for caller in manager.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            if (
                implementation.plugin is plugin
                and not caller.has_spec()
                and not implementation.optionalhook
            ):
                known = [name for name, one in vars(manager.hook).items() if one.has_spec()]
                near = difflib.get_close_matches(caller.name, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise PluginError(f"{caller.name} is not a hook of this core{hint}")


def _refuse_unmarked_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    """A function of the plugin's own that is named as a hook was meant to be one."""
    marked = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
    for name, value in vars(plugin).items() if inspect.ismodule(plugin) else ():
        own = inspect.isfunction(value) and value.__module__ == vars(plugin)["__name__"]
        if own and name in vars(manager.hook) and name not in marked:
            raise PluginError(f"{name} is not marked with @hookimpl, so it would not be called")


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
        raise PluginError(f"{kind.hook} yielded {item!r}, which is no {expected.__name__}")
    name: object = item.name
    if isinstance(item, DefaultFile):
        if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
            raise PluginError(f"{kind.hook} yielded {name!r}; a file is named DIRECTORY/NAME")
    elif not isinstance(name, str) or not name or not callable(getattr(item, "build", None)):
        raise PluginError(f"{kind.hook} yielded a declaration without a name or a build function")
    for attribute, wanted in WORDS_OF_THE_CORE.items():
        value = getattr(item, attribute, None)
        if hasattr(item, attribute) and not isinstance(value, wanted):
            raise PluginError(
                f"the {kind.singular} {name!r} has {attribute}={value!r}, "
                f"which is no {wanted.__name__}"
            )
    if kind is Kind.CONDITION and item.name in RESERVED_CONDITIONS:
        raise PluginError(f"the condition name {item.name!r} belongs to the core")
    if kind is Kind.SERVICE and item.name in global_keys():
        raise PluginError(f"the key {item.name!r} of the config belongs to the core")
    if isinstance(item, TypeDeclaration):
        check_fragment(kind.singular, item.name, item.schema)
    return item


def one_line(error: BaseException) -> str:
    """What went wrong in a plugin, with the type of what it raised unless that is ours."""
    text = " ".join(str(error).split())
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
