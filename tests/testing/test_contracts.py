"""Each contract is seen to fail: plugins that break one promise, and the test that notices it.

A plugin that keeps the contract is copied with one thing changed, and the test named runs on the
copy, in a process of its own: it must fail.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pyquarantine_core.testing import stand_ins

from .broken_promises import ACTION, CONDITION, LIST, NOTIFICATION, STORAGE, Break

STRANGER = Path(__file__).with_name("stranger")
STAND_INS = Path(stand_ins.__file__).parent


SUITES: dict[str, tuple[str, list[Break]]] = {
    "TestSqliteStorage": ("test_stand_ins.py", STORAGE),
    "TestDirectoryNotification": ("test_stand_ins.py", NOTIFICATION),
    "TestJsonList": ("test_stand_ins.py", LIST),
    "TestHasHeader": ("test_rules.py", CONDITION),
    "TestCount": ("test_rules.py", ACTION),
}


def write_stranger(directory: Path, name: str, broken: Break | None = None) -> None:
    """A package of somebody else, with a plugin of every kind, and its tests `NAME_test_*.py`."""
    package = directory / name
    package.mkdir()
    for source in (*STAND_INS.glob("*.py"), (STRANGER / "condition.py"), (STRANGER / "action.py")):
        text = source.read_text().replace("pyquarantine_core.testing.stand_ins", name)
        if broken is not None and source.name == broken.file:
            assert broken.old in text, f"there is nothing to break: {broken}"
            text = text.replace(broken.old, broken.new)
        (package / source.name).write_text(text)
    for source in (Path(__file__).with_name("test_stand_ins.py"), STRANGER / "test_rules.py"):
        text = source.read_text()
        text = text.replace(
            "from pyquarantine_core.testing import stand_ins", f"import {name} as stand_ins"
        )
        text = text.replace("pyquarantine_core.testing.stand_ins", name)
        text = text.replace("from stranger import", f"from {name} import")
        (directory / f"{name}_{source.name}").write_text(text)


def run(directory: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-rfE",
                "-W",
                "error",
                "-p",
                "no:cacheprovider",
            ),
            *("--rootdir", str(directory), *arguments),
        ],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=directory,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("suite", SUITES)
def test_a_strangers_simple_plugin_keeps_its_contract(suite: str, tmp_path: Path) -> None:
    write_stranger(tmp_path, "stranger")
    status, report = run(tmp_path, f"stranger_{SUITES[suite][0]}::{suite}")
    assert status == 0, report


@pytest.mark.parametrize("suite", SUITES)
def test_every_broken_promise_is_noticed(suite: str, tmp_path: Path) -> None:
    tests, breaks = SUITES[suite]
    chosen = {}
    for number, broken in enumerate(breaks):
        write_stranger(tmp_path, f"broken{number}", broken)
        chosen[f"broken{number}_{tests}::{suite}::test_{broken.test}"] = broken
    status, report = run(tmp_path, *chosen)
    assert status == 1, report
    failed = set(re.findall(r"^(?:FAILED|ERROR) ([^\s\[]+)", report, re.MULTILINE))
    unnoticed = [broken for test, broken in chosen.items() if test not in failed]
    assert not unnoticed, "\n".join([*map(repr, unnoticed), report])


WINDOW = """
import pytest
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.testing.contracts import ConditionContract
from pyquarantine_core.testing.rules import received
from pyquarantine_core.types import Condition, ConditionType, Match, Stage

LIMIT = {"type": "integer", "description": "Recipients."}


class Between(Condition):
    def __init__(self, value):
        self.allowed = range(value["least"], value["most"] + 1)

    def check(self, message):
        return Match(len(message.recipients) in self.allowed)


@hookimpl
def pyquarantine_conditions():
    yield ConditionType(
        name="between", summary="So many recipients", decided_at=Stage.ENVELOPE,
        schema={"type": "object", "description": "So many.", "required": ["least", "most"],
                "properties": {"least": LIMIT, "most": LIMIT}},
        build=lambda value, services: Between(value))
"""
WINDOW_TEST = """
from window import ConditionContract, pytest, received
import window

class TestBetween(ConditionContract):
    plugin = window
    type = "between"

    @pytest.fixture
    def options(self):
        return {"least": 1, "most": 2}

    def matching(self):
        yield received()

    def not_matching(self):
        yield received(recipients=["a@x.example", "b@x.example", "c@x.example"])
"""


def test_a_value_may_make_two_mistakes_each_in_its_line(tmp_path: Path) -> None:
    (tmp_path / "window.py").write_text(WINDOW)
    (tmp_path / "test_window.py").write_text(WINDOW_TEST)
    status, report = run(tmp_path, "test_window.py")
    assert status == 0, report
