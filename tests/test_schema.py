"""The schema merged from the plugins' fragments, as editors get it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from importlib_metadata import EntryPoint
from jsonschema import Draft202012Validator, ValidationError

from pyquarantine_core import loading
from pyquarantine_core.config_schema import merged_schema
from pyquarantine_core.errors import PluginError
from pyquarantine_core.fragments import check_fragment
from pyquarantine_core.hookspecs import GROUP, hookimpl
from pyquarantine_core.registry import PluginPolicy
from pyquarantine_core.schema import one_of, with_defaults
from pyquarantine_core.types import (
    ActionType,
    ConditionType,
    JsonSchema,
    Options,
    Part,
    Services,
    Stage,
    StorageType,
)

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(
    [
        *(ROOT / "tests" / "configs").iterdir(),
        *(ROOT / "docs" / "cookbook").iterdir(),
        ROOT / "pyquarantine_core" / "installed" / "pyquarantine.conf.default",
    ]
)
POSITIVE = {"type": "integer", "minimum": 1}
NEGATIVE = {"type": "integer", "maximum": -1}


def never_built(_options: Options, _services: Services) -> Any:
    raise AssertionError("only the declaration is looked at")


def with_limit(limit: JsonSchema) -> JsonSchema:
    return {
        "type": "object",
        "required": ["limit"],
        "properties": {"limit": {"$ref": "#/$defs/limit"}},
        "$defs": {"limit": {"$ref": "#/$defs/number"}, "number": limit},
    }


@hookimpl
def pyquarantine_actions() -> Iterable[ActionType]:
    for name, limit in {"above": POSITIVE, "below": NEGATIVE}.items():
        yield ActionType(
            name=name,
            summary="For these tests",
            schema=with_limit(limit),
            needs=Stage.CONNECT,
            changes=Part.NOTHING,
            build=never_built,
        )


@hookimpl
def pyquarantine_conditions() -> Iterable[ConditionType]:
    yield ConditionType(
        name="within",
        summary="For these tests",
        schema={"type": "object", "properties": {"limit": {"type": "integer", "default": 1}}},
        decided_at=Stage.CONNECT,
        build=never_built,
    )


@hookimpl
def pyquarantine_storages() -> Iterable[StorageType]:
    yield StorageType(
        name="shelf", summary="For these tests", schema=with_limit(POSITIVE), build=never_built
    )


@pytest.fixture
def own_schema() -> dict[str, Any]:
    """The schema with this module as the only plugin."""
    point = EntryPoint("own", __name__, GROUP)
    return merged_schema(loading.load_entry_points([point], PluginPolicy()))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The schema with all built-in plugins, as a file would hold it."""
    merged = json.loads(json.dumps(merged_schema(loading.load())))
    assert isinstance(merged, dict)
    return merged


def rule(kind: str, **options: object) -> dict[str, Any]:
    action = {"name": "a", "type": kind, "options": options}
    return {"rules": [{"name": "r", "actions": [action]}]}


def accepts(schema: dict[str, Any], config: dict[str, Any]) -> bool:
    try:
        Draft202012Validator(schema).validate(config)
    except ValidationError:
        return False
    return True


def test_it_is_a_schema_of_2020_12(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def check_jsonschema(schema: dict[str, Any], config: str, directory: Path) -> str:
    """What the program of that name says; it knows nothing of ours, but YAML has our comments."""
    (directory / "schema.json").write_text(json.dumps(schema))
    (directory / "config").write_text(config)
    program = Path(sys.executable).with_name("check-jsonschema")
    files = ("--schemafile", directory / "schema.json", directory / "config")
    done = subprocess.run(
        [program, "--force-filetype", "yaml", *files],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == (0 if "ok -- validation done" in done.stdout else 1), done
    return done.stdout


@pytest.mark.parametrize("config", EXAMPLES, ids=lambda path: path.stem)
def test_another_program_accepts_the_examples(
    config: Path, schema: dict[str, Any], tmp_path: Path
) -> None:
    assert "ok -- validation done" in check_jsonschema(schema, config.read_text(), tmp_path)


def test_another_program_refuses_a_misspelt_option(schema: dict[str, Any], tmp_path: Path) -> None:
    misspelt = json.dumps(rule("add_header", field="X-Seen", vlaue="yes"))
    assert "'vlaue' was unexpected" in check_jsonschema(schema, misspelt, tmp_path)


def test_every_key_is_described(schema: dict[str, Any]) -> None:
    undescribed = [
        f"{name}.{key}"
        for name, definition in schema["$defs"].items()
        for key, value in definition.get("properties", {}).items()
        if not {"description", "$ref", "enum"} & set(value)
    ]
    assert undescribed == []


def test_a_misspelt_key_of_a_conditions_value_is_refused(own_schema: dict[str, Any]) -> None:
    def config(**value: int) -> dict[str, Any]:
        (step,) = rule("above", limit=1)["rules"]
        return {"rules": [{**step, "conditions": {"within": value}}]}

    assert accepts(own_schema, config(limit=1))
    assert accepts(own_schema, config())
    assert not accepts(own_schema, config(limti=1))


class TestFragments:
    def test_each_has_definitions_of_its_own(self, own_schema: dict[str, Any]) -> None:
        assert accepts(own_schema, rule("above", limit=5))
        assert accepts(own_schema, rule("below", limit=-5))
        assert not accepts(own_schema, rule("above", limit=-5))
        assert not accepts(own_schema, rule("below", limit=5))

    def test_its_object_is_closed(self, own_schema: dict[str, Any]) -> None:
        assert not accepts(own_schema, rule("above", limit=5, more=1))

    def test_a_storage_also_has_the_keys_of_all_storages(self, own_schema: dict[str, Any]) -> None:
        def stored(**options: object) -> dict[str, Any]:
            return {"storages": {"s": {"type": "shelf", **options}}, **rule("above", limit=1)}

        assert accepts(own_schema, stored(limit=1, original=True, metadata=False, metavar="X"))
        assert not accepts(own_schema, stored(original=True))
        assert not accepts(own_schema, stored(limit=1, originals=True))

    @pytest.mark.parametrize("key", ["additionalProperties", "unevaluatedProperties"])
    def test_it_may_not_close_the_object_itself(self, key: str) -> None:
        with pytest.raises(PluginError, match=f"the schema of the list 'db' sets {key}"):
            check_fragment("list", "db", {"type": "object", key: False})

    def test_that_of_a_condition_may_describe_any_value(self) -> None:
        check_fragment("condition", "local", {"type": "boolean"})
        with pytest.raises(PluginError, match="the schema of the action 'a' does not describe"):
            check_fragment("action", "a", {"type": "boolean"})


FRAGMENT: JsonSchema = {
    "properties": {"mode": {"default": "0600"}, "tags": {"default": []}, "directory": {}}
}


class TestDefaults:
    def test_they_stand_where_the_config_says_nothing(self) -> None:
        assert with_defaults(FRAGMENT, {"directory": "/x"}) == {
            "directory": "/x",
            "mode": "0600",
            "tags": [],
        }

    def test_what_the_config_says_stands(self) -> None:
        assert with_defaults(FRAGMENT, {"mode": "0640"})["mode"] == "0640"

    def test_an_option_that_may_be_anything_has_none(self) -> None:
        assert with_defaults({"properties": {"anything": True}}, {}) == {}

    def test_nobody_can_change_them_for_others(self) -> None:
        with_defaults(FRAGMENT, {})["tags"].append("x")
        assert with_defaults(FRAGMENT, {})["tags"] == []


@pytest.mark.parametrize("word", ["ACCEPT", "accept", "Reject"])
def test_one_of_takes_words_in_any_case(word: str) -> None:
    words = Draft202012Validator(one_of("ACCEPT", "REJECT", description="Either"))
    assert words.is_valid(word)
    assert not words.is_valid(f"{word}ED")
    assert not words.is_valid(word[:-1])
