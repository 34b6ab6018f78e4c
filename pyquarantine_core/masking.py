"""Keeps passwords out of what is printed: the options that a schema marks `writeOnly`.

`writeOnly` is JSON Schema's own word for a value that is given to a program and never handed out
(2020-12, validation, section 9.4); a fragment says `secret("...")`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from pyquarantine_core.config_schema import merged_schema
from pyquarantine_core.schema import WRITE_ONLY, Json

if TYPE_CHECKING:
    from pyquarantine_core.registry import Registry

MASK = "***"

Keys = tuple[str | int, ...]


def masked(settings: Mapping[str, Any], registry: Registry) -> Json:
    """A copy of the settings, with every secret that is set shown as `***`."""
    shown: Any = copy.deepcopy(dict(settings))
    for *way, last in secret_places(settings, merged_schema(registry)):
        place = shown
        for key in way:
            place = place[key]
        place[last] = MASK
    assert isinstance(shown, dict)
    return shown


def secret_places(settings: Mapping[str, Any], schema: Json) -> Iterator[Keys]:
    """Where the settings hold a value that the schema marks as secret."""

    def found(
        _validator: object, marked: bool, _value: object, _schema: object
    ) -> Iterator[ValidationError]:
        if marked:
            yield ValidationError(WRITE_ONLY)

    looking: Any = extend(Draft202012Validator, {WRITE_ONLY: found})  # type: ignore[no-untyped-call] # the stubs leave it untyped
    for error in looking(schema).iter_errors(settings):
        if error.validator == WRITE_ONLY:
            yield tuple(error.absolute_path)
