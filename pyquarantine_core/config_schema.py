"""The JSON Schema (2020-12) of the config file, merged from the fragments of all plugins.

The core adds the keys that every object of a kind has, closes the merged object, moves a
fragment's `$defs` to the root under the type's name, and dispatches on `type`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from pyquarantine_core.config_keys import STORAGE_KEYS, global_keys, step_keys
from pyquarantine_core.schema import Json
from pyquarantine_core.types import (
    ActionType,
    ConditionType,
    JsonSchema,
    Kind,
    ListType,
    NotificationType,
    ServiceType,
    StorageType,
)

if TYPE_CHECKING:
    from pyquarantine_core.registry import Registry


def merged_schema(registry: Registry) -> Json:
    """The schema of everything installed, as `pyquarantine schema` prints it."""
    defs: Json = {"conditions": _conditions(registry.all(Kind.CONDITION, ConditionType))}
    for condition in registry.all(Kind.CONDITION, ConditionType):
        closing = {"additionalProperties": False} if "properties" in condition.schema else {}
        _hoist(defs, f"condition.{condition.name}", {**condition.schema, **closing})
    defs["storage"] = _typed(defs, "storage", registry.all(Kind.STORAGE, StorageType), STORAGE_KEYS)
    defs["notification"] = _typed(
        defs, "notification", registry.all(Kind.NOTIFICATION, NotificationType), {}
    )
    defs["list"] = _typed(defs, "list", registry.all(Kind.LIST, ListType), {})
    defs["action"] = _action(defs, registry.all(Kind.ACTION, ActionType))
    defs["rule"] = _rule()
    services = registry.all(Kind.SERVICE, ServiceType)
    for service in services:
        _hoist(defs, f"service.{service.name}", service.schema)
    return {
        "$schema": Draft202012Validator.META_SCHEMA["$id"],
        "title": "pyquarantine configuration",
        "type": "object",
        "properties": {
            **global_keys(),
            **{one.name: {"$ref": f"#/$defs/service.{one.name}"} for one in services},
        },
        "required": ["rules"],
        "additionalProperties": False,
        "$defs": defs,
    }


def _rule() -> Json:
    return _closed(
        {
            **step_keys(),
            "actions": {
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/$defs/action"},
                "description": "What is done when the rule's conditions hold, in this order.",
            },
        },
        ["name", "actions"],
    )


def _conditions(types: list[Any]) -> Json:
    properties: Json = {one.name: {"$ref": f"#/$defs/condition.{one.name}"} for one in types}
    properties["metavar"] = {
        "type": "string",
        "minLength": 1,
        "description": "Prefix of the metavariables that named groups of these conditions set, "
        "as PREFIX_GROUP.",
    }
    return _closed(properties, [])


def _typed(defs: Json, kind: str, types: list[Any], common: Json) -> Json:
    for one in types:
        fragment = dict(one.schema)
        fragment["properties"] = {
            "type": {"const": one.name, "description": one.summary},
            **common,
            **fragment.get("properties", {}),
        }
        _hoist(defs, f"{kind}.{one.name}", {**fragment, "additionalProperties": False})
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": [one.name for one in types]}},
        **_dispatch({one.name: {"$ref": f"#/$defs/{kind}.{one.name}"} for one in types}),
    }


def _action(defs: Json, types: list[Any]) -> Json:
    for one in types:
        _hoist(defs, f"action.{one.name}", {**one.schema, "additionalProperties": False})
    own = {
        "type": {"enum": [one.name for one in types], "description": "What it does."},
        "options": {"type": "object", "description": "Options of its type."},
    }
    return {
        **_closed({**step_keys(), **own}, ["name", "type", "options"]),
        **_dispatch(
            {
                one.name: {"properties": {"options": {"$ref": f"#/$defs/action.{one.name}"}}}
                for one in types
            }
        ),
    }


def _dispatch(schemas: Mapping[str, Json]) -> Json:
    """What holds for each `type`; JSON Schema knows no empty `allOf`."""
    cases = [
        {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": then}
        for name, then in schemas.items()
    ]
    return {"allOf": cases} if cases else {}


def _closed(properties: Json, required: list[str]) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _hoist(defs: Json, name: str, fragment: JsonSchema) -> None:
    """Put a fragment into the root's `$defs`, its own `$defs` beside it as `NAME.theirs`."""
    own = copy.deepcopy(dict(fragment))
    for inner, definition in own.pop("$defs", {}).items():
        defs[f"{name}.{inner}"] = _readdressed(definition, name)
    defs[name] = _readdressed(own, name)


def definitions(name: str, fragment: JsonSchema) -> Json:
    """One fragment as it would be in the `$defs` of the whole schema, under this name."""
    defs: Json = {}
    _hoist(defs, name, fragment)
    return defs


def _readdressed(node: Any, name: str) -> Any:
    if isinstance(node, list):
        return [_readdressed(item, name) for item in node]
    if not isinstance(node, dict):
        return node
    moved = {key: _readdressed(value, name) for key, value in node.items()}
    reference = moved.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        moved["$ref"] = f"#/$defs/{name}.{reference.removeprefix('#/$defs/')}"
    return moved
