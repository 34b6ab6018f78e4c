"""Plugins that would end or hold up whoever loads them, as programs of their own see them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pyquarantine_core import trial
from pyquarantine_core.testing.daemon import write_config
from pyquarantine_core.testing.rules import rule

from .test_registry import GOOD, yields

if TYPE_CHECKING:
    from tests.conftest import InstallPlugin

ENDS = "it ends the process that loads it"
ENDING = {
    "ends the process": (f"{GOOD}\nimport os; os._exit(0)", f"{ENDS} (exit status 0)"),
    "crashes": ("import os; os.kill(os.getpid(), 11)", f"{ENDS} (SIGSEGV)"),
    "interrupts": ("raise KeyboardInterrupt", f"{ENDS} (exit status 1)"),
    "ends it in a hook": (
        GOOD.replace("yield declare", "import os; os._exit(3); yield declare"),
        f"{ENDS} (exit status 3)",
    ),
    "leaves a process behind": (
        "import os\nif not os.fork():\n    import time; time.sleep(600)\nos._exit(0)",
        f"{ENDS} (exit status 0)",
    ),
}
IN_3_SECONDS = (
    "from pyquarantine_core import trial; trial.LONGEST, trial.PATIENCE = 3.0, 0.5; "
    "from pyquarantine_core.cli import main; main()"
)
Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def program(site_packages: Path, tmp_path: Path) -> Program:
    """Runs `pyquarantine` with the plugins that the test has installed and no others."""
    config = tmp_path / "c.conf"
    write_config(config, {"plugins": {"allow": ["pyq_bad", "stamp"]}, "rules": [rule("stamp", {})]})

    def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
        installed = (Path(sys.executable).with_name("pyquarantine"),)
        return subprocess.run(
            [*((sys.executable, "-c", code) if code else installed), "-c", config, *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(site_packages)},
        )

    return run


def states(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str]]:
    """Status and cause of those that are let in, by name."""
    return {
        one["name"]: (one["status"], one["cause"])
        for one in json.loads(done.stdout)
        if one["status"] != "denied"
    }


@pytest.mark.parametrize(("source", "cause"), ENDING.values(), ids=ENDING.keys())
def test_one_that_ends_who_loads_it_has_failed_and_breaks_nothing(
    source: str, cause: str, program: Program, install_plugin: InstallPlugin
) -> None:
    install_plugin("pyq_bad", source)
    install_plugin("pyq_stamp", GOOD, name="stamp")
    listed = program("plugins", "--json")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert states(listed) == {"pyq_bad": ("failed", cause), "stamp": ("active", "")}
    helped = program("--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    checked = program("plugins", "check")
    assert checked.returncode == 1
    assert checked.stderr == f"pyquarantine: pyq-bad 1.0 (pyq_bad) failed: {cause}\n"


def test_one_with_a_module_that_ends_who_imports_it_is_found_where_that_is_imported(
    program: Program, install_plugin: InstallPlugin, site_packages: Path
) -> None:
    install_plugin("pyq_bad", yields("declare('bad', build=BuiltBy('pyq_bad_type:Bad'))"))
    (site_packages / "pyq_bad_type.py").write_text("import os; os._exit(3)")
    install_plugin("pyq_stamp", GOOD, name="stamp")
    assert states(program("plugins", "--json")) == {
        "pyq_bad": ("failed", f"{ENDS} (exit status 3)"),
        "stamp": ("active", ""),
    }
    helped = program("--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "explain" in helped.stdout


def test_each_of_several_is_found(program: Program, install_plugin: InstallPlugin) -> None:
    install_plugin("pyq_bad", "import os; os._exit(0)")
    install_plugin("pyq_stamp", "import os; os._exit(1)", name="stamp")
    assert states(program("plugins", "--json")) == {
        "pyq_bad": ("failed", f"{ENDS} (exit status 0)"),
        "stamp": ("failed", f"{ENDS} (exit status 1)"),
    }


def test_one_that_never_comes_back_is_named_while_it_is_awaited_and_then_has_failed(
    program: Program, install_plugin: InstallPlugin
) -> None:
    install_plugin("pyq_bad", "import time; time.sleep(600)")
    install_plugin("pyq_stamp", GOOD, name="stamp")
    listed = program("plugins", "--json", code=IN_3_SECONDS)
    assert states(listed) == {
        "pyq_bad": ("failed", "it was not loaded within 3 s"),
        "stamp": ("active", ""),
    }
    awaited = "the plugin pyq-bad 1.0 (pyq_bad) is still being loaded; it has 3 s"
    assert awaited in listed.stderr


def test_a_config_that_names_what_is_in_it_is_refused_with_the_cause(
    program: Program, install_plugin: InstallPlugin
) -> None:
    install_plugin("pyq_bad", GOOD.replace("stamp", "other"))
    install_plugin("pyq_stamp", f"{GOOD}\nimport os; os._exit(0)", name="stamp")
    refused = program("show")
    assert refused.returncode == os.EX_CONFIG
    (line,) = refused.stderr.splitlines()
    assert line.endswith(
        "no installed plugin provides the action 'stamp'"
        f" (pyq-stamp 1.0 failed: {ENDS} (exit status 0))"
    )


def test_a_process_with_threads_is_not_copied() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        assert trial.losses(["the plugin x"], lambda _: os._exit(0)) == {}
    finally:
        end.set()
        thread.join()


def test_what_is_printed_while_it_is_loaded_is_no_output_of_the_command(
    program: Program, install_plugin: InstallPlugin
) -> None:
    prints = "import os, subprocess\nprint('a')\nos.write(1, b'b')\nsubprocess.run(['echo', 'c'])"
    install_plugin("pyq_bad", f"{prints}\n{GOOD}")
    listed = program("plugins", "--json")
    assert states(listed) == {"pyq_bad": ("active", "")}
    assert sorted(listed.stderr.split()) in (["a", "bc"], ["a", "b", "c"], ["ba", "c"], ["abc"])
