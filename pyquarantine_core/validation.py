"""Errors of a config that a person can act on: what is wrong, where, and what would be right."""

from __future__ import annotations

import contextlib
import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from pyquarantine_core.config_file import format_error
from pyquarantine_core.config_schema import merged_schema
from pyquarantine_core.discovery import normalised
from pyquarantine_core.errors import ConfigError, PluginError
from pyquarantine_core.printable import listed
from pyquarantine_core.schema import EXPECTED, REFERS_TO, WORDS, WRITE_ONLY, format_checker
from pyquarantine_core.types import Kind

if TYPE_CHECKING:
    from pyquarantine_core.config_file import ConfigFile
    from pyquarantine_core.registry import Registry

Keys = tuple[str | int, ...]

TYPED_SECTIONS: Mapping[str, Kind] = {
    "storages": Kind.STORAGE,
    "notifications": Kind.NOTIFICATION,
    "lists": Kind.LIST,
    "actions": Kind.ACTION,
}
JSON_NAMES: Mapping[str, str] = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a text",
}


YES_AND_NO: Mapping[str, bool] = {
    **dict.fromkeys(("yes", "on", "true"), True),
    **dict.fromkeys(("no", "off", "false"), False),
}
NETWORKS = "; write a host, such as 192.0.2.1, or a network, such as 192.0.2.0/24 or 2001:db8::/32"
LONGEST_VALUE = 60
"""Characters of a value that an error shows."""


def validate(file: ConfigFile, registry: Registry) -> None:
    """Check a config against everything installed.

    Raises:
        ConfigError: one line per mistake, in the order of the file.
    """

    def check_reference(
        _validator: object, section: str, name: object, _schema: object
    ) -> Iterator[ValidationError]:
        entries = file.data.get(section)
        known = list(entries) if isinstance(entries, dict) else []
        if isinstance(name, str) and name not in known:
            hint = _suggestion(name, known) or (f"; known: {listed(known)}" if known else "")
            yield ValidationError(f"{name!r} is not in '{section}'{hint}")

    checking: Any = extend(
        Draft202012Validator, {REFERS_TO: check_reference, "pattern": _check_pattern}
    )  # type: ignore[no-untyped-call] # the stubs leave it untyped
    _refuse_unknown_plugins(file, registry)
    validator = checking(merged_schema(registry), format_checker=format_checker())
    errors = list(validator.iter_errors(file.data))
    of_wrong_type = {tuple(one.absolute_path) for one in errors if one.validator == "type"}
    mistakes = {
        (file.line(keys), keys, message)
        for error in errors
        if error.validator == "type" or tuple(error.absolute_path) not in of_wrong_type
        for keys, message in _explain(error, registry)
    }
    if mistakes:
        lines = [
            format_error(file, keys, message)
            for _, keys, message in sorted(mistakes, key=lambda one: (one[0], str(one[1]), one[2]))
        ]
        raise ConfigError("\n".join(lines))


def _check_pattern(
    _validator: object, pattern: str, text: object, _schema: object
) -> Iterator[ValidationError]:
    """As JSON Schema has it (ECMA-262): `$` is the end, not the place before a last line break."""
    if isinstance(text, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), text):
        yield ValidationError(f"{text!r} does not match {pattern!r}")


def _refuse_unknown_plugins(file: ConfigFile, registry: Registry) -> None:
    """A denial that denies nothing would let in what it was meant to keep out."""
    policy = file.data.get("plugins")
    known = [name for plugin in registry.plugins for name in (plugin.name, plugin.package)]
    for key, names in policy.items() if isinstance(policy, dict) else ():
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if normalised(str(name)) not in map(normalised, known):
                text = f"no installed plugin is named {name!r}{_suggestion(name, known)}"
                raise ConfigError(format_error(file, ("plugins", key, index), text))


def _explain(error: ValidationError, registry: Registry) -> Iterator[tuple[Keys, str]]:
    keys: Keys = tuple(error.absolute_path)
    value: Any = error.instance
    schema: Any = error.schema
    wanted: Any = error.validator_value
    match error.validator:
        case _ if isinstance(schema, dict) and schema.get(WRITE_ONLY):
            yield keys, f"is not fit: {schema.get('description', 'a secret').rstrip('.')}"
        case "additionalProperties":
            yield from _unknown_keys(value, schema, keys, registry)
        case "required":
            known = schema.get("properties", {})
            closed = schema.get("additionalProperties") is False  # its unknown keys are told, too
            misspelt = " ".join(
                _suggestion(key, known) for key in value if key not in known and closed
            )
            yield from (
                (keys, f"{key!r} is missing{_meaning(known.get(key))}")
                for key in wanted
                if key not in value and repr(key) not in misspelt
            )
        case "enum" if kind := _kind_of_type(keys):
            yield keys, _find_error(registry, kind, value)
        case "enum":
            yield keys, _not_one_of(value, wanted)
        case "pattern" if WORDS in schema:
            yield keys, _not_one_of(value, schema[WORDS])
        case "pattern" if EXPECTED in schema:
            yield keys, f"{_shown(value)} is not {schema[EXPECTED]}"
        case "format" if error.cause is not None:
            hint = NETWORKS if wanted == "network" else ""
            yield keys, f"{error.cause}{hint}"
        case "type":
            types = [wanted] if isinstance(wanted, str) else wanted
            names = " or ".join(JSON_NAMES[one] for one in types)
            yield keys, f"{_shown(value)} should be {names}{_as_one_of(types, value)}"
        case "minItems" | "minLength" if not value:
            yield keys, "must not be empty"
        case _:
            yield keys, error.message


def _unknown_keys(
    value: Mapping[str, Any], schema: Mapping[str, Any], keys: Keys, registry: Registry
) -> Iterator[tuple[Keys, str]]:
    known = schema.get("properties", {})
    for key in value:
        if key in known:
            continue
        if keys and keys[-1] == "conditions":
            yield (*keys, key), _find_error(registry, Kind.CONDITION, key)
        else:
            hint = _suggestion(key, known)
            if not hint and "options" in known:
                hint = "; what belongs to the type goes into 'options'"
            idle = registry.idle(key) if not keys else ""  # a service's key may be missing
            yield (*keys, key), f"unknown key{hint}{idle}"


def _kind_of_type(keys: Keys) -> Kind | None:
    if len(keys) >= 3 and keys[-1] == "type":
        return TYPED_SECTIONS.get(str(keys[-3]))
    return None


def _find_error(registry: Registry, kind: Kind, name: object) -> str:
    if not isinstance(name, str):
        return f"{_shown(name)} should be a text"
    try:
        registry.find(kind, name)
    except PluginError as error:
        return str(error)
    return f"{name!r} is not allowed here"


def _not_one_of(value: object, words: Iterable[object]) -> str:
    known = [str(word) for word in words]
    return f"{_shown(value)} is not one of {', '.join(known)}{_suggestion(value, known)}"


def _meaning(schema: object) -> str:
    """What a missing key may be or is for, if its schema says so itself."""
    if not isinstance(schema, Mapping):
        return ""
    if words := schema.get("enum"):
        return f"; known: {listed(words)}"
    text = schema.get("description", "").partition(". ")[0].rstrip(".")
    return f" ({text})" if text else ""


def _as_one_of(types: Sequence[str], value: object) -> str:
    """How the value would be written right, where that is plain."""
    meant: object = value
    if isinstance(value, str) and value.lower() in YES_AND_NO:
        meant = YES_AND_NO[value.lower()]
    elif isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):
            meant = json.loads(value)
    for one, made in (("array", [value]), ("string", _text_of(value))):
        if one in types and isinstance(value, str | int | float):
            meant = made
    right = Draft202012Validator({"type": list(types)}).is_valid(meant)
    written = json.dumps(meant, ensure_ascii=False)
    return f"; write {written}" if right and len(written) <= LONGEST_VALUE else ""


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _suggestion(value: object, known: Iterable[str]) -> str:
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(str(value).casefold(), folded, n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."
