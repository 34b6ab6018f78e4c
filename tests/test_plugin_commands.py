"""`pyquarantine plugins ...`: what is shown of plugins, whatever state they are in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import InstallPlugin, Pyquarantine

GOOD = """
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import ActionType, CommandType, Part, Stage, StorageType

SCHEMA = {
    "type": "object",
    "required": ["text"],
    "properties": {
        "text": {"type": "string", "description": "What is written."},
        "where": {"$ref": "#/$defs/place", "default": "end"},
        "anything": True,
        "storage": {"type": "string", "x-refers-to": "storages", "description": "Where to."},
    },
    "$defs": {"place": {"enum": ["start", "end"], "description": "Where it is written."}},
}

def build(options, services):
    raise AssertionError("only the declaration is looked at")

@hookimpl
def pyquarantine_actions():
    yield ActionType(name="stamp", summary="Write something", schema=SCHEMA, needs=Stage.HEADERS,
                     changes=Part.HEADERS, build=build)
"""
COMMANDS = """
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import CommandType

@hookimpl
def pyquarantine_commands():
"""
BROKEN = {
    "raises at import": ("1 / 0", "ZeroDivisionError: division by zero"),
    "is no Python": ("def (:", "SyntaxError: invalid syntax"),
    "ends the program at import": ("raise SystemExit(3)", "SystemExit: 3"),
    "misses a dependency": ("import no_such_thing", "No module named 'no_such_thing'"),
    "spells a hook wrong": (
        GOOD.replace("def pyquarantine_actions", "def pyquarantine_acts"),
        "pyquarantine_acts is not a hook of this core; did you mean pyquarantine_actions?",
    ),
    "declares nonsense": (
        GOOD.replace("Stage.HEADERS", "'headers'"),
        "the action 'stamp' has needs='headers', which is no Stage",
    ),
    "gives no summary": (
        GOOD.replace('"Write something"', "None"),
        "the action 'stamp' has summary=None, which is no str",
    ),
    "gives a command no summary": (
        f"{COMMANDS}    yield CommandType(name='hello', summary=None, build=print)",
        "the command 'hello' has summary=None, which is no str",
    ),
    "raises in its commands hook": (
        f"{COMMANDS}    raise LookupError('no\\n  luck')",
        "LookupError: no luck",
    ),
    "ends the program in its commands hook": (
        f"{COMMANDS}    raise SystemExit(0)",
        "SystemExit: 0",
    ),
}


@pytest.fixture(params=list(BROKEN.values()), ids=list(BROKEN))
def broken(request: pytest.FixtureRequest, install_plugin: InstallPlugin) -> str:
    """Installs a plugin `bad` of the package pyq-bad; returns what is wrong with it."""
    source, cause = request.param
    install_plugin("pyq_bad", source, name="bad")
    assert isinstance(cause, str)
    return cause


def line(text: str, word: str) -> str:
    """The one line with this word."""
    (found,) = (one for one in text.splitlines() if word in one)
    return found


class TestTheList:
    def test_the_table_shows_what_each_provides(self, pyquarantine: Pyquarantine) -> None:
        done = pyquarantine("plugins")
        assert (done.status, done.error) == (0, "")
        (line,) = (one for one in done.out.splitlines() if "pyq-headers" in one)
        assert line.split()[0] == "headers"
        assert "active" in line
        assert line.rstrip().endswith("actions: add_header, mod_header, del_header")

    def test_json_has_all_of_it_for_programs(self, pyquarantine: Pyquarantine) -> None:
        plugins = {one["name"]: one for one in json.loads(pyquarantine("plugins", "--json").out)}
        headers = plugins["headers"]
        assert headers.pop("version")
        assert headers == {
            "name": "headers",
            "package": "pyq-headers",
            "status": "active",
            "cause": "",
            "provides": {"actions": ["add_header", "mod_header", "del_header"]},
            "observes": False,
            "warnings": [],
        }

    def test_denied_ones_are_shown_as_such(self, pyquarantine: Pyquarantine) -> None:
        pyquarantine.configure({"plugins": {"deny": ["headers"]}, "rules": []})
        (headers,) = (
            one
            for one in json.loads(pyquarantine("plugins", "--json").out)
            if one["name"] == "headers"
        )
        assert (headers["status"], headers["cause"]) == ("denied", "denied by plugins.deny")
        assert headers["provides"] == {}

    def test_a_broken_one_is_shown_with_its_cause(
        self, pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_bad", "raise SystemExit('I \\x1b[31m quit')", name="bad")
        done = pyquarantine("plugins")
        assert done.status == 0
        (line,) = (one for one in done.out.splitlines() if "pyq-bad" in one)
        assert "failed" in line
        assert r"SystemExit: I \x1b[31m quit" in line

    def test_a_config_that_cannot_be_read_does_not_hide_them(
        self, pyquarantine: Pyquarantine
    ) -> None:
        pyquarantine.config.write_text("{")
        done = pyquarantine("plugins")
        assert done.status == 0
        assert "pyq-headers" in done.out


class TestOneThatIsBroken:
    def test_is_listed_with_its_cause_in_one_line(
        self, broken: str, pyquarantine: Pyquarantine
    ) -> None:
        done = pyquarantine("plugins")
        assert (done.status, done.error) == (0, "")
        assert line(done.out, "pyq-bad").split()[:4] == ["bad", "1.0", "pyq-bad", "failed"]
        assert broken in line(done.out, "pyq-bad")

    def test_is_shown_with_its_cause(self, broken: str, pyquarantine: Pyquarantine) -> None:
        done = pyquarantine("plugins", "show", "bad")
        assert (done.status, done.error) == (0, "")
        said, cause = done.out.splitlines()
        assert said == "bad: failed, from pyq-bad 1.0"
        assert broken in cause

    def test_makes_the_check_fail(self, broken: str, pyquarantine: Pyquarantine) -> None:
        done = pyquarantine("plugins", "check")
        assert (done.status, done.out) == (1, "")
        (said,) = done.error.splitlines()
        assert said.startswith("pyquarantine: pyq-bad 1.0 (bad) failed: ")
        assert broken in said

    @pytest.mark.usefixtures("broken")
    def test_harms_neither_help_nor_other_plugins(
        self, pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_good", GOOD)
        for arguments in (["--help"], ["schema"], ["plugins", "--help"]):
            done = pyquarantine(*arguments)
            assert (done.status, done.error) == (0, "")
        assert "quarantine " in pyquarantine("--help").out
        shown = pyquarantine("plugins", "show", "pyq-good")
        assert (shown.status, shown.error) == (0, "")
        assert "action stamp: Write something" in shown.out


class TestMetadata:
    @pytest.mark.parametrize(
        ("value", "cause"),
        [
            ("pyq_nowhere", "ModuleNotFoundError: No module named 'pyq_nowhere'"),
            ("pyq_good:nothing", "has no attribute 'nothing'"),
            ("not a module", "its entry point 'not a module' does not name a module"),
            ("", "its entry point '' does not name a module"),
        ],
    )
    def test_an_entry_point_to_nothing(
        self,
        value: str,
        cause: str,
        pyquarantine: Pyquarantine,
        install_plugin: InstallPlugin,
        site_packages: Path,
    ) -> None:
        install_plugin("pyq_good", GOOD)
        metadata = site_packages / "pyq_good-1.0.dist-info"
        (metadata / "entry_points.txt").write_text(f"[pyquarantine]\ngood = {value}\n")
        done = pyquarantine("plugins", "check")
        assert done.status == 1
        assert cause in done.error

    @pytest.mark.parametrize(
        ("file", "content", "cause"),
        [
            ("METADATA", None, "the metadata of its package cannot be read"),
            ("METADATA", b"Name: pyq-good\n", "the metadata of its package cannot be read"),
            ("METADATA", b"Version: 1.0\n", "the metadata of its package cannot be read"),
            ("METADATA", b"Name: \xff\nVersion: 1\n", "the metadata of its package cannot be read"),
            ("entry_points.txt", b"[pyquarantine]\nwhat?\n", "its entry_points.txt cannot be read"),
        ],
    )
    def test_metadata_that_cannot_be_read_fail_that_plugin_alone(
        self,
        file: str,
        content: bytes | None,
        cause: str,
        pyquarantine: Pyquarantine,
        install_plugin: InstallPlugin,
        site_packages: Path,
    ) -> None:
        install_plugin("pyq_good", GOOD)
        place = site_packages / "pyq_good-1.0.dist-info" / file
        if content is None:
            place.unlink()
        else:
            place.write_bytes(content)
        assert pyquarantine("schema").status == 0
        done = pyquarantine("plugins", "check")
        assert done.status == 1
        assert cause in line(done.error, "pyq")
        plugins = json.loads(pyquarantine("plugins", "--json").out)
        assert [one["cause"] for one in plugins if one["status"] == "failed"] == [cause]

    @pytest.mark.parametrize("content", [b"what?\n", b"\xff\xfe", b"[gui_scripts]\n=\n"])
    def test_entry_points_of_other_programs_are_no_concern_of_ours(
        self,
        content: bytes,
        pyquarantine: Pyquarantine,
        install_plugin: InstallPlugin,
        site_packages: Path,
    ) -> None:
        install_plugin("other", "")
        (site_packages / "other-1.0.dist-info" / "entry_points.txt").write_bytes(content)
        assert pyquarantine("plugins", "check").status == 0


def test_blanks_around_the_entry_point_group_do_not_hide_a_plugin(
    pyquarantine: Pyquarantine, install_plugin: InstallPlugin, site_packages: Path
) -> None:
    install_plugin("pyq_good", GOOD)
    points = site_packages / "pyq_good-1.0.dist-info" / "entry_points.txt"
    points.write_text("  [pyquarantine] \n good = pyq_good\n")
    assert "good: active" in pyquarantine("plugins", "show", "pyq-good").out


class TestNamesClaimedTwice:
    @pytest.fixture(autouse=True)
    def two(self, install_plugin: InstallPlugin) -> None:
        install_plugin("pyq_one", GOOD)
        install_plugin("pyq_two", GOOD)

    def test_the_list_says_that_neither_can_be_used(self, pyquarantine: Pyquarantine) -> None:
        done = pyquarantine("plugins")
        assert "the action stamp is also in pyq-two 1.0: unusable" in done.out
        assert "the action stamp is also in pyq-one 1.0: unusable" in done.out

    def test_the_check_fails(self, pyquarantine: Pyquarantine) -> None:
        done = pyquarantine("plugins", "check")
        assert (done.status, done.out) == (1, "")
        assert done.error == (
            "pyquarantine: the action 'stamp' is provided by pyq-one 1.0 and pyq-two 1.0;"
            " deny one of them in 'plugins'\n"
        )

    def test_denying_one_settles_it(self, pyquarantine: Pyquarantine) -> None:
        pyquarantine.configure({"plugins": {"deny": ["pyq-two"]}, "rules": []})
        assert pyquarantine("plugins", "check").status == 0


class TestShow:
    def test_options_are_shown_with_type_default_and_meaning(
        self, pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_good", GOOD, name="good")
        done = pyquarantine("plugins", "show", "good")
        assert (done.status, done.error) == (0, "")
        lines = [" ".join(one.split()) for one in done.out.splitlines()]
        assert lines[:4] == [
            "good: active, from pyq-good 1.0",
            "actions: stamp",
            "",
            "action stamp: Write something",
        ]
        assert lines[-4:] == [
            "text a text (required) What is written.",
            'where `start` or `end` "end" Where it is written.',
            "anything any value",
            "storage the name of a storage Where to.",
        ]

    def test_json_has_the_same_for_programs(
        self, pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_good", GOOD, name="good")
        (shown,) = json.loads(pyquarantine("plugins", "show", "good", "--json").out)
        assert (shown["name"], shown["status"]) == ("good", "active")
        (stamp,) = shown["provides"]["actions"]
        assert (stamp["name"], stamp["summary"]) == ("stamp", "Write something")
        assert stamp["options"][:2] == [
            {
                "name": "text",
                "type": "a text",
                "required": True,
                "description": "What is written.",
            },
            {
                "name": "where",
                "type": "`start` or `end`",
                "required": False,
                "default": "end",
                "description": "Where it is written.",
            },
        ]

    def test_a_condition_is_shown_as_a_key_with_its_value(self, pyquarantine: Pyquarantine) -> None:
        shown = pyquarantine("plugins", "show", "conditions").out
        assert line(shown, "  `true` or `false`").split()[:4] == [
            "local",
            "`true`",
            "or",
            "`false`",
        ]

    def test_the_keys_of_every_storage_are_named(self, pyquarantine: Pyquarantine) -> None:
        shown = pyquarantine("plugins", "show", "file-storage").out
        assert "and, as every storage: original, metadata, metavar" in shown

    def test_commands_are_shown(self, pyquarantine: Pyquarantine) -> None:
        shown = pyquarantine("plugins", "show", "quarantine").out
        assert "command quarantine: Find, show, release and delete held mail." in shown

    @pytest.mark.parametrize("name", ["good", "GOOD", "pyq-good", "pyq_good", "stamp"])
    def test_plugin_package_or_type_will_do(
        self, name: str, pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_good", GOOD, name="good")
        assert "action stamp" in pyquarantine("plugins", "show", name).out

    def test_a_name_that_nothing_has_is_one_line(self, pyquarantine: Pyquarantine) -> None:
        assert pyquarantine("plugins", "show", "quarantin") == (
            1,
            "",
            "pyquarantine: no installed plugin is named 'quarantin'; did you mean 'quarantine'?\n",
        )

    @pytest.mark.parametrize("name", ["pyq-mute", "mute", "Pyq_Mute"])
    def test_a_package_that_announces_no_plugin_is_told_so(
        self, name: str, pyquarantine: Pyquarantine, site_packages: Path
    ) -> None:
        metadata = site_packages / "pyq_mute-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pyq-mute\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text("[pyquarantin]\nmute = pyq_mute\n")
        assert pyquarantine("plugins", "show", name).error == (
            f"pyquarantine: no installed plugin is named '{name}';"
            " the package pyq-mute has no entry point in the group 'pyquarantine'\n"
        )


@pytest.mark.parametrize(
    ("allowed", "said"),
    [(["headers", "conditions"], "2 plugins are"), (["headers"], "1 plugin is")],
)
def test_the_check_says_how_many_are_in_use(
    allowed: list[str], said: str, pyquarantine: Pyquarantine
) -> None:
    pyquarantine.configure({"plugins": {"allow": allowed}, "rules": []})
    assert pyquarantine("plugins", "check") == (0, f"{said} in use, none failed\n", "")
