"""What plugins say of their options: JSON Schema (2020-12) fragments, and what helps to write them.

A fragment describes a type's own options. The core adds the keys that every object of that kind
has, closes the merged object, and moves the fragment's `$defs` to the root (`config_schema`).
Beside standard keywords a fragment may use:

- `format: python-regex`, `format: network`: checked as this program reads them (the standard's own
  `regex` is that of ECMA-262, which other programs would check);
- `refers_to("storages")`: the value names an entry of that object of the config;
- `one_of("ACCEPT", "REJECT")`: one of these words, in any case;
- `"x-expected": "an absolute path"` beside `pattern`: what the error says would be right;
- `secret("...")`: a text that holds a password and is never printed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Any

from jsonschema import FormatChecker

from pyquarantine_core.errors import PatternError
from pyquarantine_core.patterns import compile_pattern
from pyquarantine_core.types import JsonSchema

Json = dict[str, Any]

REFERS_TO = "x-refers-to"
WORDS = "x-words"
EXPECTED = "x-expected"
WRITE_ONLY = "writeOnly"
FORMATS = ("python-regex", "network")
"""Formats that the core looks at."""
SECTIONS = ("storages", "notifications", "lists")
"""Objects of the config whose entries `refers_to` can name."""


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


def with_defaults(fragment: JsonSchema, options: Mapping[str, Any]) -> Json:
    """The options with the fragment's defaults where the config says nothing."""
    filled = dict(options)
    for key, schema in fragment.get("properties", {}).items():
        if key not in filled and isinstance(schema, Mapping) and "default" in schema:
            filled[key] = copy.deepcopy(schema["default"])
    return filled


def format_checker() -> FormatChecker:
    """The formats that fragments may name, as this program reads them."""
    checker = FormatChecker(formats=())
    checker.checks("python-regex", raises=PatternError)(_checks(compile_pattern))
    checker.checks("network", raises=ValueError)(_checks(_network))
    return checker


def _network(text: str) -> object:
    return ip_network(text, strict=False)


def _checks(parse: Callable[[str], object]) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        return not isinstance(value, str) or parse(value) is not None

    return check
