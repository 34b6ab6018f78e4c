"""The program `pyquarantine`: what it prints, and how it fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from pyquarantine_core import __version__
from pyquarantine_core.testing.rules import rule

if TYPE_CHECKING:
    from tests.conftest import InstallPlugin, Pyquarantine

ADD = rule("add_header", {"field": "X-Seen", "value": "yes"})
COMMAND = """
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import CommandType

def build():
    {build}

@hookimpl
def pyquarantine_commands():
    yield CommandType(name="{name}", summary="Say hello", build=build)
"""
HELLO = """import click
    @click.command()
    def hello():
        click.echo("hello")
    return hello"""


def test_the_installed_program_runs() -> None:
    program = Path(sys.executable).with_name("pyquarantine")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"pyquarantine {__version__}\n"


def test_a_closed_pipe_is_no_reason_for_a_traceback() -> None:
    program = Path(sys.executable).with_name("pyquarantine")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [program, "schema"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_what_the_system_refuses_is_named_without_its_number(
    pyquarantine: Pyquarantine, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    pyquarantine.configure({"outbox": f"{tmp_path}/file/outbox", "rules": [ADD]})
    done = pyquarantine("outbox", "list")
    assert done.status == 1
    assert re.fullmatch(rf"pyquarantine: {tmp_path}/file/outbox\S*: Not a directory\n", done.error)


def test_the_schema_is_also_printed_for_people(pyquarantine: Pyquarantine) -> None:
    done = pyquarantine("schema", "--markdown")
    assert (done.status, done.error) == (0, "")
    assert "### Storage `file`" in done.out


def test_the_schema_is_one_that_editors_can_use(pyquarantine: Pyquarantine) -> None:
    done = pyquarantine("schema")
    assert done.status == 0
    schema = json.loads(done.out)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate({"rules": [ADD]})


class TestShow:
    def test_it_lists_rules_actions_and_what_is_special_about_them(
        self, pyquarantine: Pyquarantine
    ) -> None:
        conditions = {"local": False, "headers": ["^X"]}
        special = {"pretend": True, "on_error": "continue", "loglevel": "debug"}
        shown = {**ADD, "name": "inbound", "conditions": conditions, **special}
        pyquarantine.configure({"socket": "unix:/run/x", "rules": [shown]})
        done = pyquarantine("show")
        assert done.status == 0
        assert done.out.startswith("socket: unix:/run/x\n")
        assert "inbound" in done.out
        assert "pretend, on_error: continue, loglevel: debug" in done.out
        (line,) = (one for one in done.out.splitlines() if "add_header" in one)
        assert line.split()[:2] == ["action", "add_header"]

    def test_it_lists_quarantines_with_the_names_that_commands_take(
        self, pyquarantine: Pyquarantine, tmp_path: Path
    ) -> None:
        held = {"storage": "s", "smtp_host": "mx.example", "smtp_port": 10025}
        pyquarantine.configure(
            {
                "storages": {"s": {"type": "file", "directory": str(tmp_path)}},
                "rules": [rule("quarantine", {**held, "milter_action": "reject"})],
            }
        )
        (line,) = (one for one in pyquarantine("show").out.splitlines() if "mx.example" in one)
        assert line.split() == ["rule/action", "s", "mx.example", "port", "10025", "REJECT"]

    def test_json_has_the_defaults_filled_in(self, pyquarantine: Pyquarantine) -> None:
        pyquarantine.configure({"rules": [ADD]})
        settings = json.loads(pyquarantine("show", "--json").out)
        (rule,) = settings["rules"]
        (action,) = rule["actions"]
        assert (rule["name"], action["options"]) == ("rule", ADD["actions"][0]["options"])
        for step in (rule, action):
            assert (step["loglevel"], step["on_error"]) == ("info", "tempfail")
        assert (settings["loglevel"], settings["pretend"]) == ("info", False)


class TestMistakes:
    def test_a_bad_config_is_one_line_each_and_status_78(self, pyquarantine: Pyquarantine) -> None:
        pyquarantine.configure({"rules": [ADD], "pretend": 1, "loglevel": "loud"})
        done = pyquarantine("show")
        assert (done.status, done.out) == (78, "")
        place = f"pyquarantine: {pyquarantine.config}"
        assert done.error == (
            f"{place}:17: pretend: 1 should be true or false\n"
            f"{place}:18: loglevel: 'loud' is not one of error, warning, info, debug\n"
        )

    def test_a_config_that_is_not_there_is_one_line_and_status_78(
        self, pyquarantine: Pyquarantine
    ) -> None:
        assert pyquarantine("show") == (
            78,
            "",
            f"pyquarantine: {pyquarantine.config}: cannot be read: No such file or directory\n",
        )

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["shwo"], "no installed plugin provides the command 'shwo'; did you mean 'show'?"),
            (["show", "--jsno"], "--jsno"),
            (["plugins", "more"], "No such command 'more'"),
            (["plugins", "--json", "check"], "--json goes after check"),
            (["show", "-c", "x"], "-c'.\nIt goes before the command: pyquarantine -c FILE"),
            (["schema", "more"], "Got unexpected extra argument (more)"),
        ],
    )
    def test_wrong_usage_is_status_2(
        self, arguments: list[str], complaint: str, pyquarantine: Pyquarantine
    ) -> None:
        done = pyquarantine(*arguments)
        assert (done.status, done.out) == (2, "")
        assert complaint in done.error

    def test_a_failed_command_is_one_line_and_status_1(self, pyquarantine: Pyquarantine) -> None:
        pyquarantine.configure({"rules": [ADD]})
        done = pyquarantine("quarantine", "spam", "list")
        assert (done.status, done.out) == (1, "")
        assert done.error == "pyquarantine: no quarantine is named 'spam'; there is none\n"

    def test_control_characters_in_an_error_do_not_steer_the_terminal(
        self, pyquarantine: Pyquarantine
    ) -> None:
        pyquarantine.configure({"rules": [ADD], "\x1b[31m": 1})
        done = pyquarantine("show")
        assert done.status == 78
        assert "\x1b" not in done.error


class TestCommandsOfPlugins:
    def test_they_are_listed_and_run(
        self, pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_hello", COMMAND.format(name="hello", build=HELLO))
        help_ = pyquarantine("--help").out
        assert "hello       Say hello" in help_
        assert "..." not in help_.partition("Commands:")[2]
        assert pyquarantine("hello") == (0, "hello\n", "")

    def test_one_never_takes_the_place_of_a_core_command(
        self, pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_hello", COMMAND.format(name="schema", build=HELLO))
        assert pyquarantine("schema").out.startswith("{")
        assert "Say hello" not in pyquarantine("--help").out

    @pytest.mark.parametrize(
        ("build", "cause"),
        [
            ("raise ValueError('no luck')", "ValueError: no luck"),
            ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
            ("raise SystemExit(0)", "SystemExit: 0"),
            ("return 7", "7 is not a click command"),
        ],
    )
    def test_one_that_cannot_be_built_is_an_error_only_when_it_is_used(
        self, build: str, cause: str, pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_hello", COMMAND.format(name="hello", build=build))
        assert "Say hello" in pyquarantine("--help").out
        done = pyquarantine("hello")
        assert (done.status, done.out) == (1, "")
        assert done.error == (
            f"pyquarantine: pyq-hello 1.0: the command 'hello' cannot be built: {cause}\n"
        )

    def test_one_that_two_plugins_claim_is_refused_and_both_are_named(
        self, pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        for module in ("pyq_one", "pyq_two"):
            install_plugin(module, COMMAND.format(name="hello", build=HELLO))
        assert pyquarantine("--help").status == 0
        done = pyquarantine("hello")
        assert done.status == 1
        assert "'hello' is provided by pyq-one 1.0 and pyq-two 1.0" in done.error

    def test_a_broken_plugin_breaks_neither_help_nor_other_commands(
        self, pyquarantine: Pyquarantine, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_bad", "raise SystemExit(3)")
        pyquarantine.configure({"rules": [ADD]})
        assert "quarantine" in pyquarantine("--help").out
        for command in ("plugins", "schema", "show"):
            assert pyquarantine(command).status == 0


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["plugins", "--help"]])
def test_help_is_there(arguments: list[str], pyquarantine: Pyquarantine) -> None:
    done = pyquarantine(*arguments)
    assert (done.status, done.error) == (0, "")
    assert done.out.startswith("Usage: pyquarantine")
