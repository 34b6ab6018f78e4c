"""The configuration reference, written from the schemas of the plugins."""

from __future__ import annotations

import runpy
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from importlib_metadata import EntryPoint

from pyquarantine_core.hookspecs import GROUP, hookimpl
from pyquarantine_core.loading import load_entry_points
from pyquarantine_core.reference import reference
from pyquarantine_core.registry import PluginPolicy
from pyquarantine_core.schema import one_of, refers_to, secret
from pyquarantine_core.schema_words import SchemaWords
from pyquarantine_core.types import Options, Services, StorageType

if TYPE_CHECKING:
    from tests.conftest import InstallPlugin

ROOT = Path(__file__).parent.parent
FOREIGN = """
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import ListType

@hookimpl
def pyquarantine_lists():
    yield ListType(
        name="foreign", summary="Elsewhere",
        schema={"type": "object", "properties": {}}, build=print,
    )
"""


def never_built(_options: Options, _services: Services) -> Any:
    raise AssertionError("only the declaration is looked at")


@hookimpl
def pyquarantine_storages() -> Iterable[StorageType]:
    yield StorageType(
        name="shelf",
        summary="On a shelf",
        schema={
            "type": "object",
            "required": ["height"],
            "properties": {
                "height": {"type": "integer", "description": "In cm |\n in words"},
                "doors": {"type": "array", "items": {"$ref": "#/$defs/door"}, "default": []},
            },
            "$defs": {
                "door": {
                    "type": "object",
                    "required": ["colour"],
                    "properties": {
                        "colour": {"type": "string", "description": "Of the paint."},
                        "inner": {"$ref": "#/$defs/door"},
                    },
                }
            },
        },
        build=never_built,
    )


@pytest.fixture
def own_page() -> str:
    """The reference with this module as the only plugin."""
    return reference(load_entry_points([EntryPoint("own", __name__, GROUP)], PluginPolicy()))


def committed() -> str:
    return (ROOT / "docs" / "reference.md").read_text()


def page() -> str:
    written = runpy.run_path(str(ROOT / "scripts" / "reference.py"))["page"]()
    assert isinstance(written, str)
    return written


def test_the_page_says_what_the_schemas_say() -> None:
    assert committed() == page(), "docs/reference.md is stale: run `make docs`"


def test_a_plugin_from_elsewhere_does_not_make_the_page_stale(
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("pyq_foreign", FOREIGN)
    assert committed() == page()


def test_every_type_has_its_summary_and_package(own_page: str) -> None:
    assert "### Storage `shelf`\n\nOn a shelf. From the package " in own_page


def test_a_required_option_is_marked(own_page: str) -> None:
    assert "| `height` | a whole number | **required** |" in own_page


def test_a_default_is_shown_as_the_config_would_have_it(own_page: str) -> None:
    assert "| `doors` | a list, each item an object | `[]` |" in own_page


def test_what_objects_in_a_list_hold_is_shown_once(own_page: str) -> None:
    assert "| `doors[].colour` | a text | **required** | Of the paint. |" in own_page
    assert "| `doors[].inner` | the same again |" in own_page
    assert "inner.colour" not in own_page


def test_a_description_stays_within_its_cell(own_page: str) -> None:
    assert "| In cm \\| in words |" in own_page


def test_common_keys_of_storages_are_told_once(own_page: str) -> None:
    assert own_page.count("`original`") == 1


def test_a_kind_without_types_says_so(own_page: str) -> None:
    assert "## Lists\n\nNo plugin provides a type of lists." in own_page


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (one_of("append", "prepend", description=""), "`append` or `prepend`"),
        ({"enum": ["a", "b", 3]}, "`a`, `b` or `3`"),
        ({"const": "file"}, "`file`"),
        (refers_to("storages", ""), "the name of a [storage](#storages)"),
        (secret(""), "a text that is never printed"),
        ({"type": "string", "format": "python-regex"}, "a regular expression"),
        ({"type": "string", "format": "uri"}, "a text (uri)"),
        ({"type": "string", "pattern": "^/", "x-expected": "an absolute path"}, "an absolute path"),
        (
            {"type": "array", "items": {"format": "network", "type": "string"}},
            "a list, each item a host or network",
        ),
        (
            {"type": "object", "additionalProperties": {"type": "boolean"}},
            "by name, each `true` or `false`",
        ),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "a whole number from 1 to 9"),
        ({"type": "number", "minimum": 0}, "a number, at least 0"),
        ({"type": "number", "maximum": 0}, "a number, at most 0"),
        ({"type": ["string", "null"]}, "a text or `null`"),
        ({"anyOf": [{"type": "integer"}, {"const": "all"}]}, "a whole number or `all`"),
        ({}, "any value"),
        ({"anyOf": [{"const": 1}, True]}, "`1` or any value"),
        ({"type": "array", "items": {"anyOf": [False]}}, "a list, each item nothing"),
    ],
)
def test_what_a_value_may_be_is_said_in_words(schema: dict[str, Any], words: str) -> None:
    assert SchemaWords({}).type(schema) == words
