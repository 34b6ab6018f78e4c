"""Loading of plugins, each alone so that a broken one never stops the rest."""

from __future__ import annotations

import difflib
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from types import ModuleType

import pluggy
from importlib_metadata import EntryPoint

from pyquarantine_core import discovery, hookspecs
from pyquarantine_core.config_keys import global_keys
from pyquarantine_core.discovery import Candidate
from pyquarantine_core.errors import DeprecatedApiWarning, PluginError
from pyquarantine_core.registry import Declaration, Plugin, PluginPolicy, Registry, Status
from pyquarantine_core.schema import check_fragment
from pyquarantine_core.types import (
    ActionType,
    CommandType,
    ConditionType,
    DefaultFile,
    Kind,
    ListType,
    NotificationType,
    Part,
    ServiceType,
    Stage,
    StorageType,
    TypeDeclaration,
)

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
