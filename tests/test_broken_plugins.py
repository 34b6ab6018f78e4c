"""Plugins that cannot be used, in all the ways: each is out, with its cause, and harms no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from importlib_metadata import EntryPoint

from pyquarantine_core import loading
from pyquarantine_core.hookspecs import GROUP
from pyquarantine_core.registry import PluginPolicy, Status
from pyquarantine_core.types import Kind

from .test_registry import GOOD, HEADER, loaded, yields

if TYPE_CHECKING:
    from tests.conftest import InstallPlugin


def with_text(**more: object) -> dict[str, Any]:
    return {"type": "object", "properties": {"text": {"type": "string", **more}}}


METAVAR = (
    "ConditionType(name='metavar', summary='', schema={}, decided_at=Stage.CONNECT, build=build)"
)
OWN_CONFIG = "DefaultFile(name='pyquarantine.conf', source=None)"
BROKEN = {
    "an import error": (
        "import no_such_module",
        "ModuleNotFoundError: No module named 'no_such_module' (pyq_bad.py:1)",
    ),
    "a syntax error": ("def (:", "SyntaxError: invalid syntax (pyq_bad.py:1)"),
    "the end of the program at import": ("raise SystemExit(3)", "SystemExit: 3 (pyq_bad.py:1)"),
    "what builds its type cannot be imported": (
        yields("declare('stamp', build=BuiltBy('no_such_module:Stamp'))"),
        "ModuleNotFoundError: No module named 'no_such_module'",
    ),
    "what builds its type does not exist": (
        yields("declare('stamp', build=BuiltBy('pyquarantine_core.errors:Stamp'))"),
        "AttributeError: module 'pyquarantine_core.errors' has no attribute 'Stamp'",
    ),
    "an error of several lines": (
        "raise ValueError('one\\n  two')",
        "ValueError: one two (pyq_bad.py:1)",
    ),
    "an error without words": ("raise ValueError", "ValueError (pyq_bad.py:1)"),
    "a misspelt hook": (
        f"{HEADER}\n@hookimpl\ndef pyquarantine_action():\n    return ()\n",
        "pyquarantine_action is not a hook of this core; did you mean pyquarantine_actions?",
    ),
    "a misspelt hook without its mark": (
        f"{HEADER}\ndef pyquarantine_action():\n    return ()\n",
        "pyquarantine_action is not marked with @hookimpl, so it would not be called",
    ),
    "no hook": ("x = 1", "pyq_bad has no hook: no function marked with @hookimpl"),
    "a hook without its mark": (
        f"{HEADER}\ndef pyquarantine_actions():\n    return ()\n",
        "pyquarantine_actions is not marked with @hookimpl, so it would not be called",
    ),
    "a hook with an argument that the core does not give": (
        f"{HEADER}\n@hookimpl\ndef pyquarantine_actions(wanted):\n    return ()\n",
        "wanted",
    ),
    "a hook that yields something else": (
        yields("'stamp'"),
        "pyquarantine_actions yielded 'stamp', which is no ActionType",
    ),
    "a hook that yields another kind": (
        yields("StorageType(name='s', summary='', schema={'type': 'object'}, build=build)"),
        "which is no ActionType",
    ),
    "a hook that returns no declarations": (
        f"{HEADER}\n@hookimpl\ndef pyquarantine_actions():\n    return 7\n",
        "pyquarantine_actions returned 7 instead of yielding declarations",
    ),
    "a hook that returns a declaration": (
        f"{HEADER}\n@hookimpl\ndef pyquarantine_actions():\n    return declare('stamp')\n",
        "pyquarantine_actions returned one ActionType; write 'yield' for 'return'",
    ),
    "a hook that yields something endless": (
        yields("'x' * 1000"),
        "xxx...xxx",
    ),
    "a coroutine as hook": (
        f"{HEADER}\n@hookimpl\nasync def pyquarantine_actions():\n    return ()\n",
        "instead of yielding declarations",
    ),
    "a hook that fails half-way": (
        yields("declare('stamp')", "declare('other', schema=1 / 0)"),
        "ZeroDivisionError: division by zero (pyq_bad.py:16)",
    ),
    "a declaration without a name": (
        yields("declare('')"),
        "pyquarantine_actions yielded a declaration without a name or a build function",
    ),
    "a declaration without a build function": (
        yields("declare('stamp', build=None)"),
        "pyquarantine_actions yielded a declaration without a name or a build function",
    ),
    "a name that is no word": (
        yields("declare('my stamp')"),
        "the action name 'my stamp' is not made of letters, digits, _, - and .",
    ),
    "one name twice": (
        yields("declare('stamp')", "declare('stamp')"),
        "pyquarantine_actions declares 'stamp' twice",
    ),
    "a schema that closes the object itself": (
        yields("declare('stamp', schema={'type': 'object', 'additionalProperties': False})"),
        "the schema of the action 'stamp' sets additionalProperties;",
    ),
    "a schema that is none": (
        yields("declare('stamp', schema={'type': 'objekt'})"),
        "is not a JSON Schema: type: 'objekt' is not one of ['array', 'boolean', 'integer',",
    ),
    "a schema of something else than an object": (
        yields("declare('stamp', schema={'type': 'string'})"),
        "the schema of the action 'stamp' does not describe an object",
    ),
    "a schema that is no mapping": (
        yields("declare('stamp', schema='object')"),
        "the schema of the action 'stamp' is not an object",
    ),
    "a schema that is no JSON": (
        yields("declare('stamp', schema={'type': 'object', 'default': {1}})"),
        "the schema of the action 'stamp' cannot be written as JSON: Object of type set",
    ),
    "a schema that refers to what it does not have": (
        yields("declare('stamp', schema={'type': 'object', 'anyOf': [{'$ref': '#/$defs/a'}]})"),
        "the schema of the action 'stamp' refers to '#/$defs/a', which is not in its $defs",
    ),
    "a schema that refers to entries of nothing": (
        yields("declare('stamp', schema={'type': 'object', 'x-refers-to': 'shelves'})"),
        "has x-refers-to 'shelves', which is none of storages, notifications, lists",
    ),
    "a schema that is none, further in": (
        yields(f"declare('stamp', schema={with_text(minLength='1')})"),
        "is not a JSON Schema: properties.text.minLength: '1' is not of type 'integer'",
    ),
    "a schema with a misspelt keyword": (
        yields(f"declare('stamp', schema={with_text(desciption='x')})"),
        "has the unknown keyword 'desciption'; did you mean 'description'?, at properties.text",
    ),
    "a schema with a misspelt keyword of ours": (
        yields("declare('stamp', schema={'type': 'object', 'x-refer-to': 'lists'})"),
        "has the unknown keyword 'x-refer-to'; did you mean 'x-refers-to'?",
    ),
    "a schema with an unknown format": (
        yields(f"declare('stamp', schema={with_text(format='python-regexp')})"),
        "has the unknown format 'python-regexp'; did you mean 'python-regex'?, at properties.text",
    ),
    "a schema with a default of another type": (
        yields(f"declare('stamp', schema={with_text(default=7)})"),
        "has a default that it refuses: 7 is not of type 'string', at properties.text",
    ),
    "a schema with a default that is no network": (
        yields(f"declare('stamp', schema={with_text(format='network', default='x')})"),
        "has a default that it refuses: 'x' is not a 'network', at properties.text",
    ),
    "a schema that requires what it does not have": (
        yields(f"declare('stamp', schema={ {**with_text(), 'required': ['txet']} })"),
        "requires 'txet', which is not in properties; did you mean 'text'?",
    ),
    "a stage that is none": (
        yields("declare('stamp', needs=3)"),
        "the action 'stamp' has needs=3, which is no Stage",
    ),
    "a part that is none": (
        yields("declare('stamp', changes='headers')"),
        "the action 'stamp' has changes='headers', which is no Part",
    ),
    "a file outside of directories of its own": (
        f"{HEADER}\n@hookimpl\ndef pyquarantine_files():\n    yield {OWN_CONFIG}\n",
        "pyquarantine_files yielded 'pyquarantine.conf'; a file is named DIRECTORY/NAME",
    ),
    "a condition with the core's own name": (
        f"{HEADER}\n@hookimpl\ndef pyquarantine_conditions():\n    yield {METAVAR}\n",
        "the condition name 'metavar' belongs to the core",
    ),
}


@pytest.mark.parametrize(("source", "cause"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_plugin_fails_whole_with_its_cause_in_one_line_and_the_others_work(
    source: str, cause: str, install_plugin: InstallPlugin
) -> None:
    install_plugin("pyq_bad", source)
    install_plugin("pyq_good", yields("declare('good')"))
    found = loading.load()
    plugin = loaded(found, "pyq_bad")
    assert plugin.status is Status.FAILED
    assert cause in plugin.cause
    assert "\n" not in plugin.cause
    assert plugin.provides == {}
    assert "stamp" not in found.names(Kind.ACTION)
    assert loaded(found, "pyq_good").status is Status.ACTIVE
    assert found.find(Kind.ACTION, "good").name == "good"


def test_what_editors_know_beside_the_standard_is_let_through(
    install_plugin: InstallPlugin,
) -> None:
    schema = with_text(markdownDescription="*x*", enumDescriptions=["x"], format="uri")
    install_plugin("pyq_good", yields(f"declare('stamp', schema={schema})"))
    assert loaded(loading.load(), "pyq_good").cause == ""


def test_a_method_without_its_mark_is_found_too(install_plugin: InstallPlugin) -> None:
    source = (
        f"{HEADER}\nclass Plugin:\n    @hookimpl\n    def pyquarantine_lists(self):\n"
        "        return ()\n\n    def pyquarantine_action(self):\n        return ()\n\n"
        "plugin = Plugin()\n"
    )
    install_plugin("pyq_bad", source)
    point = EntryPoint("bad", "pyq_bad:plugin", GROUP)
    (plugin,) = loading.load_entry_points([point], PluginPolicy()).plugins
    assert plugin.cause.startswith("pyquarantine_action is not marked with @hookimpl")


def test_an_error_outside_of_its_code_tells_its_entry_point(install_plugin: InstallPlugin) -> None:
    install_plugin("pyq_bad", GOOD)
    for value, cause in (
        ("pyq_bda", "ModuleNotFoundError: No module named 'pyq_bda'"),
        ("pyq_bad:plugin", "AttributeError: module 'pyq_bad' has no attribute 'plugin'"),
    ):
        point = EntryPoint("bad", value, GROUP)
        (plugin,) = loading.load_entry_points([point], PluginPolicy()).plugins
        assert plugin.cause == f"{cause} (its entry point is {value})"
