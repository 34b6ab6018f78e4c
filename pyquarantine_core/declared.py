"""What a plugin must be to be used: its hooks, and what they declare."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping

import pluggy

from pyquarantine_core import hookspecs
from pyquarantine_core.config_keys import global_keys
from pyquarantine_core.errors import PluginError
from pyquarantine_core.fragments import check_fragment
from pyquarantine_core.printable import shown
from pyquarantine_core.registry import Declaration
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

_TYPE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
# Never a file of the core's, all of which are at the top, nor one outside the config directory.
_FILE_NAME = re.compile(r"(?:[\w+@-][\w.+@-]*/)+[\w+@-][\w.+@-]*", re.ASCII)


def refuse_unknown_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
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


def refuse_unmarked_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    """A function of the plugin's own that is named as hooks are was meant to be one."""
    marked = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
    for name, value in inspect.getmembers_static(plugin, inspect.isfunction):
        named = name.startswith(f"{hookspecs.GROUP}_") and name not in marked
        if named and (not inspect.ismodule(plugin) or value.__module__ == plugin.__name__):
            raise PluginError(f"{name} is not marked with @hookimpl, so it would not be called")
    if not marked:
        name = getattr(plugin, "__name__", shown(plugin))
        raise PluginError(f"{name} has no hook: no function marked with @hookimpl")


def declarations(
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
        if isinstance(result, TypeDeclaration | CommandType | DefaultFile):
            what = f"one {type(result).__name__}; write 'yield' for 'return'"
        else:
            what = f"{shown(result)} instead of yielding declarations"
        raise PluginError(f"{hook.__name__} returned {what}")
    return list(result)


def _checked(kind: Kind, item: object) -> Declaration:
    expected = DECLARED_AS[kind]
    if not isinstance(item, expected):
        raise PluginError(f"{kind.hook} yielded {shown(item)}, which is no {expected.__name__}")
    name: object = item.name
    if isinstance(item, DefaultFile):
        if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
            raise PluginError(f"{kind.hook} yielded {shown(name)}; a file is named DIRECTORY/NAME")
    elif not isinstance(name, str) or not name or not callable(getattr(item, "build", None)):
        raise PluginError(f"{kind.hook} yielded a declaration without a name or a build function")
    elif not _TYPE_NAME.fullmatch(name):
        raise PluginError(
            f"the {kind.singular} name {shown(name)} is not made of letters, digits, _, - and ."
        )
    for attribute, wanted in WORDS_OF_THE_CORE.items():
        value = getattr(item, attribute, None)
        if hasattr(item, attribute) and not isinstance(value, wanted):
            raise PluginError(
                f"the {kind.singular} {name!r} has {attribute}={shown(value)}, "
                f"which is no {wanted.__name__}"
            )
    if kind is Kind.CONDITION and item.name in RESERVED_CONDITIONS:
        raise PluginError(f"the condition name {item.name!r} belongs to the core")
    if kind is Kind.SERVICE and item.name in global_keys():
        raise PluginError(f"the key {item.name!r} of the config belongs to the core")
    if isinstance(item, TypeDeclaration):
        check_fragment(kind.singular, item.name, item.schema)
    return item
