"""The plugins at hand, and what they provide by kind and name."""

from __future__ import annotations

import difflib
import logging
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

import pluggy

from pyquarantine_core.discovery import normalised, without_plugin
from pyquarantine_core.errors import PluginError, WrongResultError
from pyquarantine_core.hookspecs import GROUP
from pyquarantine_core.printable import listed
from pyquarantine_core.types import (
    CommandType,
    DefaultFile,
    Kind,
    MessageDone,
    TypeDeclaration,
)

logger = logging.getLogger(__name__)

Declaration = TypeDeclaration | CommandType | DefaultFile
D = TypeVar("D", bound=Declaration)

_CORE = __name__.partition(".")[0]


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
        modules.pop(_CORE, None)  # where plugins for tests are
        if isinstance(error, WrongResultError):
            return modules.get(type(error.giver).__module__.partition(".")[0], "")
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
        if package := without_plugin(name):
            hint = f"; the package {package} has no entry point in the group '{GROUP}'"
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

    def idle(self, name: str) -> str:
        """The plugins that are out and why, as the end of an error that they may explain.

        Args:
            name: what is missing; where plugins are named like it, they alone are told of.
        """
        out = self._named_like(name) or [
            plugin for plugin in self.plugins if plugin.status is not Status.ACTIVE
        ]
        idle = [f"{one.label} failed: {one.cause}" for one in out if one.status is Status.FAILED]
        denied = [one.package for one in out if one.status is Status.DENIED]
        if denied:
            idle.append(f"not let in by 'plugins': {listed(denied)}")
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
        known = self.names(kind)
        near = difflib.get_close_matches(name, known, n=1)
        if self._named_like(name):
            pass  # it is hardly another one that is meant
        elif near:
            text += f"; did you mean {near[0]!r}?"
        elif known and kind is not Kind.COMMAND:
            text += f"; known: {listed(known)}"
        return text + self.idle(name)

    def _named_like(self, name: str) -> list[Plugin]:
        """The plugins that are out and named like this: `pyq-file-storage` like `file`."""
        wanted = _words(name)
        return [
            plugin
            for plugin in self.plugins
            if plugin.status is not Status.ACTIVE
            and any(
                words <= wanted or words >= wanted
                for words in (_words(plugin.name), _words(plugin.package))
            )
        ]


def _words(name: str) -> set[str]:
    return set(normalised(name).removeprefix("pyq-").split("-"))


def _own_name(plugin: Plugin) -> tuple[str, ...]:
    return (plugin.name,)


def _package_name(plugin: Plugin) -> tuple[str, ...]:
    return (plugin.package,)


def _provided_names(plugin: Plugin) -> tuple[str, ...]:
    return tuple(one.name for found in plugin.provides.values() for one in found)
