"""The JSON Schema (2020-12) of the config file, merged from the fragments of all plugins.

A fragment describes a type's own options. The core adds the keys that every object of that kind
has, closes the merged object, moves the fragment's `$defs` to the root under the type's name, and
dispatches on `type`. Beside standard keywords a fragment may use:

- `format: regex`, `format: network`: checked as this program reads them;
- `refers_to("storages")`: the value names an entry of that object of the config;
- `one_of("ACCEPT", "REJECT")`: one of these words, in any case;
- `"x-expected": "an absolute path"` beside `pattern`: what the error says would be right.
- `secret("...")`: a text that holds a password and is never printed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError

from pyquarantine_core.errors import PatternError, PluginError
from pyquarantine_core.patterns import compile_pattern
from pyquarantine_core.sockets import MODE
from pyquarantine_core.types import (
    ActionType,
    ConditionType,
    JsonSchema,
    Kind,
    ListType,
    NotificationType,
    StorageType,
)

if TYPE_CHECKING:
    from pyquarantine_core.registry import Registry

Json = dict[str, Any]

DEFAULT_LOCAL_ADDRS = (
    "fe80::/64",
    "::1/128",
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
)
LOG_LEVELS = ("error", "warning", "info", "debug")
REFERS_TO = "x-refers-to"
WORDS = "x-words"
EXPECTED = "x-expected"
WRITE_ONLY = "writeOnly"

STORAGE_KEYS: Json = {
    "original": {
        "type": "boolean",
        "default": False,
        "description": "Store the message byte for byte as the MTA handed it over, "
        "not as the rules have changed it so far.",
    },
    "metadata": {
        "type": "boolean",
        "description": "Keep metadata beside the message. "
        "Unset, it means false for `store` and true for `quarantine`.",
    },
    "metavar": {
        "type": "string",
        "minLength": 1,
        "description": "Prefix of the metavariables that storing sets, such as PREFIX_ID.",
    },
}


# -- for fragments ---------------------------------------------------------------------------


def refers_to(section: str, description: str) -> Json:
    """A string that names an entry of `storages`, `notifications` or `lists`."""
    return {"type": "string", REFERS_TO: section, "description": description}


def one_of(*words: str, description: str) -> Json:
    """One of these words, in any case."""
    letters = ("".join(f"[{c.upper()}{c.lower()}]" for c in word) for word in words)
    return {
        "type": "string",
        "pattern": f"^(?:{'|'.join(letters)})$",
        WORDS: list(words),
        "description": description,
    }


def secret(description: str) -> Json:
    """A text that holds a password: neither commands nor errors print it."""
    return {"type": "string", "minLength": 1, WRITE_ONLY: True, "description": description}


def check_fragment(kind: str, name: str, fragment: object) -> None:
    """Refuse a fragment that cannot be merged.

    Raises:
        PluginError: what is wrong with it.
    """
    where = f"the schema of the {kind} {name!r}"
    if not isinstance(fragment, Mapping):
        raise PluginError(f"{where} is not an object")
    try:
        Draft202012Validator.check_schema(fragment)
    except SchemaError as error:
        raise PluginError(f"{where} is not a JSON Schema: {error.message}") from error
    for key in ("additionalProperties", "unevaluatedProperties"):
        if key in fragment:
            raise PluginError(f"{where} sets {key}; the core closes the merged object")
    if kind != "condition" and fragment.get("type") != "object":
        raise PluginError(f"{where} does not describe an object")


# -- the merge -------------------------------------------------------------------------------


def merged_schema(registry: Registry) -> Json:
    """The schema of everything installed, as `pyquarantine schema` prints it."""
    defs: Json = {"conditions": _conditions(registry.all(Kind.CONDITION, ConditionType))}
    for condition in registry.all(Kind.CONDITION, ConditionType):
        _hoist(defs, f"condition.{condition.name}", condition.schema)
    defs["storage"] = _typed(defs, "storage", registry.all(Kind.STORAGE, StorageType), STORAGE_KEYS)
    defs["notification"] = _typed(
        defs, "notification", registry.all(Kind.NOTIFICATION, NotificationType), {}
    )
    defs["list"] = _typed(defs, "list", registry.all(Kind.LIST, ListType), {})
    defs["action"] = _action(defs, registry.all(Kind.ACTION, ActionType))
    defs["rule"] = _rule()
    return {
        "$schema": Draft202012Validator.META_SCHEMA["$id"],
        "title": "pyquarantine configuration",
        "type": "object",
        "properties": global_keys(),
        "required": ["rules"],
        "additionalProperties": False,
        "$defs": defs,
    }


def global_keys() -> Json:
    """The keys at the top of the config."""
    return {
        "socket": {
            "type": "string",
            "description": "Where the MTA connects: unix:PATH, inet:PORT@HOST or inet6:PORT@HOST "
            "(without @HOST: on all addresses of the machine, for everybody). "
            "The option -s comes first.",
        },
        "socket_mode": {
            "type": "string",
            "pattern": MODE,
            EXPECTED: "an octal mode such as '0660'",
            "description": "Permissions of a unix socket, in octal; unset, by the umask.",
        },
        "socket_group": {
            "type": "string",
            "minLength": 1,
            "description": "Group of a unix socket, such as that of the MTA.",
        },
        "workers": {
            "type": "integer",
            "minimum": 1,
            "maximum": 256,
            "description": "Number of worker processes; unset, one per core.",
        },
        "outbox": {
            "type": "string",
            "pattern": "^/",
            EXPECTED: "an absolute path",
            "default": "/var/lib/pyquarantine/outbox",
            "description": "Directory where notifications wait for their delivery.",
        },
        "local_addrs": {
            "type": "array",
            "items": {"type": "string", "format": "network"},
            "default": list(DEFAULT_LOCAL_ADDRS),
            "description": "What counts as local for the condition `local`.",
        },
        "plugins": {
            "type": "object",
            "properties": {
                "allow": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Only these.",
                },
                "deny": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "All but these.",
                },
            },
            "additionalProperties": False,
            "description": "Which plugins are loaded, by the name of plugin or package; "
            "unset, all. A name that is not installed is an error.",
        },
        **_inherited_keys(),
        "loglevel": {**_inherited_keys()["loglevel"], "default": "info"},
        "pretend": {**_inherited_keys()["pretend"], "default": False},
        "storages": _named("storage", "Where messages are stored."),
        "notifications": _named("notification", "What people are told with."),
        "lists": _named(
            "list", "Pairs of sender and recipient that conditions and quarantines ask for."
        ),
        "rules": {
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/$defs/rule"},
            "description": "What happens to a message, in this order.",
        },
    }


def _named(kind: str, description: str) -> Json:
    return {
        "type": "object",
        "default": {},
        "additionalProperties": {"$ref": f"#/$defs/{kind}"},
        "description": description,
    }


def _inherited_keys() -> Json:
    return {
        "loglevel": {
            **one_of(*LOG_LEVELS, description="How much is logged."),
            "description": "How much is logged; rules and actions inherit it.",
        },
        "pretend": {
            "type": "boolean",
            "description": "Log what would be done, and do none of it; rules and actions "
            "inherit it.",
        },
    }


def _step_keys() -> Json:
    return {
        "name": {
            "type": "string",
            "minLength": 1,
            "description": "Its name, for logs and commands.",
        },
        "conditions": {
            "$ref": "#/$defs/conditions",
            "description": "All of them must hold; without any it is always done.",
        },
        **_inherited_keys(),
        "on_error": {
            "enum": ["tempfail", "continue"],
            "description": "What an error does: the message is refused for now (the default), "
            "or all is as before that action and the rules go on.",
        },
    }


def _rule() -> Json:
    return _closed(
        {
            **_step_keys(),
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
        **_closed({**_step_keys(), **own}, ["name", "type", "options"]),
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


# -- validation ------------------------------------------------------------------------------


def with_defaults(fragment: JsonSchema, options: Mapping[str, Any]) -> Json:
    """The options with the fragment's defaults where the config says nothing."""
    filled = dict(options)
    for key, schema in fragment.get("properties", {}).items():
        if key not in filled and "default" in schema:
            filled[key] = copy.deepcopy(schema["default"])
    return filled


def format_checker() -> FormatChecker:
    """The formats that fragments may name, as this program reads them."""
    checker = FormatChecker(formats=())
    checker.checks("regex", raises=PatternError)(_checks(compile_pattern))
    checker.checks("network", raises=ValueError)(_checks(_network))
    return checker


def _network(text: str) -> object:
    return ip_network(text, strict=False)


def _checks(parse: Callable[[str], object]) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        return not isinstance(value, str) or parse(value) is not None

    return check
