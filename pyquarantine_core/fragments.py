"""Whether the core can use a fragment of JSON Schema that a plugin gives (`schema`)."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

from pyquarantine_core.errors import PluginError
from pyquarantine_core.schema import (
    EXPECTED,
    FORMATS,
    REFERS_TO,
    SECTIONS,
    WORDS,
    format_checker,
)

_OBJECTS = ("properties", "patternProperties", "$defs", "dependentSchemas")
"""Keywords whose value has schemas by name."""
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
"""Keywords whose value is a list of schemas."""
_SCHEMAS = (
    *("items", "contains", "propertyNames", "not", "if", "then", "else"),
    *("additionalProperties", "unevaluatedProperties", "unevaluatedItems", "contentSchema"),
)
"""Keywords whose value is a schema (JSON Schema core and validation, 2020-12)."""
_KEYWORDS = (
    *_OBJECTS,
    *_LISTS,
    *_SCHEMAS,
    *("$ref", "$comment", "type", "enum", "const", "multipleOf", "maximum", "minimum"),
    *("exclusiveMaximum", "exclusiveMinimum", "maxLength", "minLength", "pattern", "format"),
    *("maxItems", "minItems", "uniqueItems", "maxContains", "minContains", "required"),
    *("maxProperties", "minProperties", "dependentRequired", "title", "description", "default"),
    *("examples", "deprecated", "readOnly", "writeOnly", EXPECTED, REFERS_TO, WORDS),
)
_ALIKE = 0.8
"""Keys of no standard that are so like a keyword (difflib) are misspelt; editors have others."""
_STANDARD_FORMATS = (
    *("date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname"),
    *("ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference", "uuid", "uri-template"),
    *("json-pointer", "relative-json-pointer", "regex"),
)
"""Known to editors (JSON Schema validation, 7.3); the core does not look at them."""


def check_fragment(kind: str, name: str, fragment: object) -> None:
    """Refuse a fragment that cannot be merged, or that does not say what was meant.

    Raises:
        PluginError: what is wrong with it.
    """
    where = f"the schema of the {kind} {name!r}"
    if not isinstance(fragment, Mapping):
        raise PluginError(f"{where} is not an object")
    try:
        Draft202012Validator.check_schema(fragment)
    except SchemaError as error:
        raise PluginError(f"{where} is not a JSON Schema: {_said(error)}") from error
    for key in ("additionalProperties", "unevaluatedProperties"):
        if key in fragment:
            raise PluginError(f"{where} sets {key}; the core closes the merged object")
    if kind not in {"condition", "service"} and fragment.get("type") != "object":
        raise PluginError(f"{where} does not describe an object")
    try:
        json.dumps(fragment)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{where} cannot be written as JSON: {error}") from error
    properties = fragment.get("properties", {})
    for option in fragment.get("required", ()):
        if option not in properties:
            hint = _hint(option, properties)
            raise PluginError(f"{where} requires {option!r}, which is not in properties{hint}")
    definitions = fragment.get("$defs", {})
    for path, schema in _schemas(fragment):
        if complaint := _complaint(schema, definitions):
            raise PluginError(f"{where} {complaint}{f', at {path}' if path else ''}")


def _said(error: SchemaError | ValidationError) -> str:
    """What is wrong, and where; of alternatives the words that may stand there."""
    said = next((one for one in error.context or () if one.validator == "enum"), error)
    words: Any = said.validator_value if said.validator == "enum" else ()
    place = ".".join(map(str, error.absolute_path))
    return f"{f'{place}: ' if place else ''}{said.message}{_hint(said.instance, words)}"


def _complaint(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What is wrong with one of the schemas in a fragment; empty when nothing is."""
    for key in schema:
        if key not in _KEYWORDS and difflib.get_close_matches(key, _KEYWORDS, 1, _ALIKE):
            return f"has the unknown keyword {key!r}{_hint(key, _KEYWORDS)}"
    reference = schema.get("$ref")
    if reference is not None and reference not in {f"#/$defs/{name}" for name in definitions}:
        return f"refers to {reference!r}, which is not in its $defs"
    section = schema.get(REFERS_TO)
    if section is not None and section not in SECTIONS:
        return f"has {REFERS_TO} {section!r}, which is none of {', '.join(SECTIONS)}"
    known = (*FORMATS, *_STANDARD_FORMATS)
    if (named := schema.get("format", "regex")) not in known:
        return f"has the unknown format {named!r}{_hint(named, known)}"
    if "default" in schema:
        whole = {"$defs": definitions, **schema}
        checked = Draft202012Validator(whole, format_checker=format_checker())
        for error in checked.iter_errors(schema["default"]):
            return f"has a default that it refuses: {_said(error)}"
    return ""


def _schemas(schema: object, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A schema and all those within it, each with its place: `properties.port`."""
    if not isinstance(schema, Mapping):  # true or false
        return
    yield path, schema
    for key, value in schema.items():
        below = f"{path}.{key}".removeprefix(".")
        if key in _OBJECTS:
            for name, one in value.items():
                yield from _schemas(one, f"{below}.{name}")
        elif key in _LISTS:
            for index, one in enumerate(value):
                yield from _schemas(one, f"{below}[{index}]")
        elif key in _SCHEMAS:
            yield from _schemas(value, below)


def _hint(word: object, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
