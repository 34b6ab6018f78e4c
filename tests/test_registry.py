"""Discovery of plugins: real distributions on the path, some of them broken."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from importlib_metadata import EntryPoint

from pyquarantine_core import hookspecs, loading
from pyquarantine_core.config import build
from pyquarantine_core.config_file import parse_config
from pyquarantine_core.errors import ConfigError, DeprecatedApiWarning, PluginError
from pyquarantine_core.hookspecs import GROUP, hookspec
from pyquarantine_core.registry import Plugin, PluginPolicy, Registry, Status
from pyquarantine_core.types import ActionType, Kind, MessageDone, Stage, Verdict

if TYPE_CHECKING:
    from tests.conftest import InstallPlugin

HEADER = """
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import *

def build(options, services):
    raise AssertionError("only the declaration is looked at")

def declare(name, **more):
    declared = dict(name=name, summary="A test", schema={"type": "object"}, needs=Stage.BODY,
                    changes=Part.NOTHING, build=build)
    return ActionType(**{**declared, **more})
"""


def yields(*declarations: str) -> str:
    body = "".join(f"    yield {declaration}\n" for declaration in declarations)
    return f"{HEADER}\n@hookimpl\ndef pyquarantine_actions():\n{body}"


GOOD = yields("declare('stamp')")
DONE = MessageDone(
    queue_id="4XyZ1234",
    sender="a@example.org",
    recipients=("b@example.org",),
    client="192.0.2.1",
    rules=(),
    verdict=Verdict.ACCEPT,
    stage=Stage.BODY,
    actions=(),
    stored=0,
    notified=0,
    seconds=0.0,
)


def loaded(found: Registry, name: str) -> Plugin:
    (plugin,) = (one for one in found.plugins if one.name == name)
    return plugin


def refusal(found: Registry, kind: Kind, name: str) -> str:
    with pytest.raises(PluginError) as caught:
        found.find(kind, name)
    return str(caught.value)


def test_a_plugin_is_found_with_its_package_version_and_what_it_provides(
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("pyq_stamp", GOOD, name="stamp")
    found = loading.load()
    plugin = loaded(found, "stamp")
    assert (plugin.package, plugin.version, plugin.status) == ("pyq-stamp", "1.0", Status.ACTIVE)
    assert [one.name for one in plugin.provides[Kind.ACTION]] == ["stamp"]
    (stamp,) = (one for one in found.all(Kind.ACTION, ActionType) if one.name == "stamp")
    assert stamp.summary == "A test"
    assert found.find(Kind.ACTION, "stamp") is stamp
    assert found.provider(Kind.ACTION, "stamp") is plugin


def test_a_failed_plugin_observes_nothing(
    install_plugin: InstallPlugin, site_packages: Path
) -> None:
    log = site_packages / "heard"
    install_plugin(
        "pyq_bad",
        f"{HEADER}\nfrom pathlib import Path\n"
        f"@hookimpl\ndef pyquarantine_message_done(done):\n    Path({str(log)!r}).touch()\n"
        "@hookimpl\ndef pyquarantine_actions():\n    raise ValueError\n",
    )
    loading.load().message_done(DONE)
    assert not log.exists()


def test_a_hook_of_a_newer_core_may_be_marked_optional(install_plugin: InstallPlugin) -> None:
    install_plugin(
        "pyq_newer",
        f"{GOOD}\n@hookimpl(optionalhook=True)\ndef pyquarantine_web_pages():\n    return ()\n",
    )
    assert loaded(loading.load(), "pyq_newer").status is Status.ACTIVE


class NewerCore:
    """Hooks that a core to come might have."""

    @hookspec(warn_on_impl=DeprecatedApiWarning("pyquarantine_old goes away; see new"))
    def pyquarantine_old(self) -> None: ...

    @hookspec
    def pyquarantine_new(self) -> None: ...


class TestDeprecation:
    OLD = GOOD + "@hookimpl\ndef pyquarantine_old():\n    pass\n"

    @pytest.fixture
    def load(self, install_plugin: InstallPlugin) -> Callable[[str], Plugin]:
        """Loads a plugin with this code into the core to come."""

        def load(source: str) -> Plugin:
            install_plugin("pyq_stamp", source, name="stamp")
            point = EntryPoint("stamp", "pyq_stamp", GROUP)
            found = loading.load_entry_points([point], PluginPolicy(), (hookspecs, NewerCore))
            return loaded(found, "stamp")

        return load

    def test_a_deprecated_hook_works_and_is_told_of(self, load: Callable[[str], Plugin]) -> None:
        plugin = load(self.OLD)
        assert plugin.status is Status.ACTIVE
        assert plugin.warnings == ("pyquarantine_old goes away; see new",)

    def test_so_is_a_deprecated_field_of_a_declaration(self, load: Callable[[str], Plugin]) -> None:
        plugin = load(
            "import warnings\nfrom pyquarantine_core.errors import DeprecatedApiWarning\n"
            + yields(
                "warnings.warn('needs goes\\n away', DeprecatedApiWarning) or declare('stamp')",
                "warnings.warn('needs goes away', DeprecatedApiWarning) or declare('other')",
            )
        )
        assert plugin.warnings == ("needs goes away",)

    def test_a_plugin_without_any_is_told_nothing(self, load: Callable[[str], Plugin]) -> None:
        assert load(GOOD).warnings == ()

    def test_a_hook_that_the_newer_core_has_is_no_misspelling(
        self, load: Callable[[str], Plugin]
    ) -> None:
        assert load(self.OLD.replace("_old", "_new")).status is Status.ACTIVE
        assert "did you mean pyquarantine_new?" in load(self.OLD.replace("_old", "_newer")).cause

    def test_what_other_code_warns_of_is_not_the_plugins_affair(
        self, load: Callable[[str], Plugin]
    ) -> None:
        source = "import warnings\nwarnings.warn('mine', UserWarning)\n" + GOOD
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("always")
            assert load(source).warnings == ()
        assert [str(one.message) for one in shown] == ["mine"]


class TestNamesClaimedTwice:
    def test_neither_is_used_and_both_are_named(self, install_plugin: InstallPlugin) -> None:
        install_plugin("pyq_one", GOOD)
        install_plugin("pyq_two", yields("declare('stamp')", "declare('own')"))
        found = loading.load()
        assert refusal(found, Kind.ACTION, "stamp") == (
            "the action 'stamp' is provided by pyq-one 1.0 and pyq-two 1.0;"
            " deny one of them in 'plugins'"
        )
        assert found.find(Kind.ACTION, "own").name == "own"

    def test_an_outside_package_never_shadows_a_built_in(
        self, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("aaa_outside", yields("declare('store')"))
        text = refusal(loading.load(), Kind.ACTION, "store")
        assert "aaa-outside 1.0 and pyq-quarantine" in text

    def test_denying_one_settles_it(self, install_plugin: InstallPlugin) -> None:
        install_plugin("pyq_one", GOOD)
        install_plugin("pyq_two", GOOD)
        found = loading.load(PluginPolicy(deny=frozenset({"pyq-one"})))
        found.find(Kind.ACTION, "stamp")
        assert found.provider(Kind.ACTION, "stamp").name == "pyq_two"

    def test_one_name_may_stand_for_things_of_two_kinds(
        self, install_plugin: InstallPlugin
    ) -> None:
        storages = "@hookimpl\ndef pyquarantine_storages():\n    yield StorageType("
        storages += "name='stamp', summary='', schema={'type': 'object'}, build=build)\n"
        install_plugin("pyq_one", f"{GOOD}\n{storages}")
        found = loading.load()
        assert found.find(Kind.ACTION, "stamp") is not found.find(Kind.STORAGE, "stamp")


class TestPolicy:
    @pytest.fixture
    def trace(self, install_plugin: InstallPlugin, site_packages: Path) -> Path:
        """A file that appears when the plugin `stamp` of pyq-stamp is imported."""
        file = site_packages / "imported"
        source = f"{GOOD}\nfrom pathlib import Path\nPath({str(file)!r}).touch()\n"
        install_plugin("pyq_stamp", source, name="stamp")
        return file

    @pytest.mark.parametrize(
        ("policy", "cause"),
        [
            (PluginPolicy(deny=frozenset({"stamp"})), "denied by plugins.deny"),
            (PluginPolicy(deny=frozenset({"pyq-stamp"})), "denied by plugins.deny"),
            (PluginPolicy(allow=frozenset({"headers"})), "not among plugins.allow"),
            (PluginPolicy(allow=frozenset()), "not among plugins.allow"),
        ],
    )
    def test_a_plugin_that_is_not_let_in_is_not_even_imported(
        self, policy: PluginPolicy, cause: str, trace: Path
    ) -> None:
        plugin = loaded(loading.load(policy), "stamp")
        assert (plugin.status, plugin.cause) == (Status.DENIED, cause)
        assert not trace.exists()

    @pytest.mark.parametrize("name", ["stamp", "pyq-stamp"])
    def test_a_plugin_is_let_in_by_its_name_or_its_package(self, name: str, trace: Path) -> None:
        found = loading.load(PluginPolicy(allow=frozenset({name})))
        assert [one.name for one in found.plugins if one.status is Status.ACTIVE] == ["stamp"]
        assert trace.exists()

    def test_what_is_allowed_and_denied_is_denied(self, trace: Path) -> None:
        both = PluginPolicy(allow=frozenset({"stamp"}), deny=frozenset({"pyq-stamp"}))
        assert loaded(loading.load(both), "stamp").status is Status.DENIED

    @pytest.mark.parametrize("value", [None, [], "stamp", {"allow": "stamp", "deny": None}])
    def test_a_malformed_key_is_left_to_validation(self, value: object) -> None:
        assert PluginPolicy.from_config(value) == PluginPolicy()


class TestMissingTypes:
    def test_the_nearest_name_is_suggested(self, install_plugin: InstallPlugin) -> None:
        install_plugin("pyq_stamp", GOOD)
        text = refusal(loading.load(), Kind.ACTION, "stmap")
        assert text == "no installed plugin provides the action 'stmap'; did you mean 'stamp'?"

    def test_plugins_that_failed_or_were_denied_are_named_with_the_cause(
        self, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_bad", "import no_such_module")
        install_plugin("pyq_denied", GOOD)
        found = loading.load(PluginPolicy(deny=frozenset({"pyq_denied"})))
        assert refusal(found, Kind.STORAGE, "s3") == (
            "no installed plugin provides the storage 's3'"
            "; known: file"
            " (pyq-bad 1.0 failed: ModuleNotFoundError: No module named 'no_such_module'"
            " (pyq_bad.py:1);"
            " not let in by 'plugins': pyq-denied)"
        )

    def test_they_are_named_at_an_unknown_key_which_may_be_a_services(
        self, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_bad", "import no_such_module")
        file = parse_config('{"web": 1, "rules": []}', Path("test.conf"))
        with pytest.raises(ConfigError, match=r"web: unknown key .pyq-bad 1.0 failed: Module"):
            build(file, loading.load())


class TestObservers:
    HEARING = HEADER + "heard = []\n@hookimpl\ndef pyquarantine_message_done(done):\n    "

    def test_they_hear_of_the_message(self, install_plugin: InstallPlugin) -> None:
        install_plugin("pyq_ear", self.HEARING + "heard.append(done.queue_id)")
        found = loading.load()
        assert loaded(found, "pyq_ear").observes
        found.message_done(DONE)
        assert importlib.import_module("pyq_ear").heard == ["4XyZ1234"]

    def test_one_that_raises_is_logged_by_name_and_the_others_still_hear(
        self, install_plugin: InstallPlugin, caplog: pytest.LogCaptureFixture
    ) -> None:
        install_plugin("pyq_a_ear", self.HEARING + "heard.append(done.queue_id)")
        install_plugin("pyq_b_bad", self.HEARING + "raise ValueError('deaf')")
        install_plugin("pyq_c_ear", self.HEARING + "heard.append(done.queue_id)")
        loading.load().message_done(DONE)
        for module in ("pyq_a_ear", "pyq_c_ear"):
            assert importlib.import_module(module).heard == ["4XyZ1234"]
        (record,) = caplog.records
        assert record.getMessage() == (
            "4XyZ1234: plugin pyq-b-bad 1.0 (pyq_b_bad) failed to observe the message"
        )

    def test_one_may_leave_out_the_argument(self, install_plugin: InstallPlugin) -> None:
        install_plugin(
            "pyq_count",
            HEADER + "heard = []\n@hookimpl\ndef pyquarantine_message_done():\n    heard.append(1)",
        )
        loading.load().message_done(DONE)
        assert importlib.import_module("pyq_count").heard == [1]
