"""Loading of plugins, each alone so that a broken one never stops the rest."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePath
from types import ModuleType

import pluggy
from importlib_metadata import EntryPoint

from pyquarantine_core import discovery, hookspecs, trial
from pyquarantine_core.config_file import read_config_file
from pyquarantine_core.declared import declarations, refuse_unknown_hooks, refuse_unmarked_hooks
from pyquarantine_core.discovery import Candidate
from pyquarantine_core.errors import ConfigError, DeprecatedApiWarning, PluginError, why
from pyquarantine_core.registry import Declaration, Plugin, PluginPolicy, Registry, Status
from pyquarantine_core.types import BuiltBy, Kind


def load(policy: PluginPolicy | None = None, *, builders: bool = True) -> Registry:
    """Load every installed plugin that the policy lets in; each is tried elsewhere first.

    Args:
        policy: which are let in; None: all.
        builders: import what builds their types, too (`BuiltBy`), which takes longer.
    """
    policy = policy or PluginPolicy()
    found = _ordered(discovery.installed())
    manager = _manager((hookspecs,))
    tried = [index for index, one in enumerate(found) if not _objection(one, policy)]
    lost = trial.losses(
        [f"the plugin {found[index].label}" for index in tried],
        lambda index: _load(manager, found[tried[index]], policy, builders),
    )
    for index, cause in lost.items():
        found[tried[index]] = replace(found[tried[index]], objection=cause)
    return Registry([_load(manager, one, policy, builders) for one in found], manager)


def load_plugins(path: Path, *, builders: bool = True) -> Registry:
    """The plugins that a config file lets in; all of them when it cannot be read.

    Args:
        path: of the file.
        builders: import what builds their types, too.
    """
    try:
        policy = PluginPolicy.from_config(read_config_file(path).data.get("plugins"))
    except ConfigError:
        policy = PluginPolicy()
    return load(policy, builders=builders)


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
    manager = _manager(specifications)
    ordered = _ordered(map(Candidate.of, found))
    return Registry([_load(manager, one, policy, builders=True) for one in ordered], manager)


def _manager(specifications: Sequence[ModuleType | type]) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.GROUP)
    for module in specifications:
        manager.add_hookspecs(module)
    return manager


def _ordered(found: Iterable[Candidate]) -> list[Candidate]:
    return sorted(found, key=lambda one: (one.name, one.package))


def _objection(found: Candidate, policy: PluginPolicy) -> str:
    """Why the plugin is not even imported; empty when it is."""
    return policy.objection(found.name, found.package) or found.objection


def _load(
    manager: pluggy.PluginManager, found: Candidate, policy: PluginPolicy, builders: bool
) -> Plugin:
    name, package, version = found.name, found.package, found.version
    if denied := policy.objection(name, package):
        return Plugin(name, package, version, Status.DENIED, denied)
    if found.point is None or found.objection:
        return Plugin(name, package, version, Status.FAILED, found.objection)
    label = found.label
    plugin: object = None
    outdated: list[str] = []
    try:
        with _output_aside(), _deprecations(outdated):
            plugin = found.point.load()
            manager.register(plugin, name=label)
            refuse_unknown_hooks(manager, plugin)
            refuse_unmarked_hooks(manager, plugin)
            provides = {kind: declarations(manager, plugin, kind) for kind in Kind}
            if builders:
                _find_builders(chain.from_iterable(provides.values()))
        observers = manager.hook.pyquarantine_message_done.get_hookimpls()
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:  # whatever a stranger's module does, the rest goes on
        if plugin is not None and manager.get_name(plugin) == label:
            manager.unregister(plugin)
        return Plugin(name, package, version, Status.FAILED, _cause(error, found.point))
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


def _find_builders(declared: Iterable[Declaration]) -> None:
    for one in declared:
        build = getattr(one, "build", None)
        if isinstance(build, BuiltBy):
            build.find()


@contextmanager
def _output_aside() -> Iterator[None]:
    """Let what a plugin prints while it is loaded go to standard error: it is no command's output.

    The descriptor is turned, too: C libraries and programs that a plugin starts write to that.
    """
    with redirect_stdout(sys.stderr), ExitStack() as turned_back:
        with suppress(OSError, ValueError):  # one of the two is closed
            if sys.__stdout__ is not None:
                sys.__stdout__.flush()
            kept = os.dup(1)
            turned_back.callback(os.close, kept)
            turned_back.callback(os.dup2, kept, 1)
            os.dup2(2, 1)
        yield


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


def _cause(error: BaseException, point: EntryPoint) -> str:
    """What went wrong, and where in the plugin's own code if it was there: `pyq_x/list.py:12`."""
    text, top = why(error), point.module.partition(".")[0]
    place = ""
    if isinstance(error, SyntaxError) and error.filename:
        text, place = f"SyntaxError: {error.msg}", f"{_below(error.filename, top)}:{error.lineno}"
    elif not isinstance(error, PluginError):
        for frame, line in traceback.walk_tb(error.__traceback__):
            if str(frame.f_globals.get("__name__", "")).partition(".")[0] == top:
                place = f"{_below(frame.f_code.co_filename, top)}:{line}"
        place = place or f"its entry point is {point.value}"
    return f"{text} ({place})" if place else text


def _below(file: str, top: str) -> str:
    """The path of a file within the package that it belongs to, or its name."""
    parts = PurePath(file).parts
    first = max((at for at, part in enumerate(parts) if part == top), default=len(parts) - 1)
    return "/".join(parts[first:])
