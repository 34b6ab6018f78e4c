"""Commands load what they need and no more: most of their time goes into imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.cli import CORE
from pyquarantine_core.testing.daemon import write_config
from pyquarantine_core.testing.rules import rule

LARGE = {"bs4", "email.parser", "nh3", "packaging", "peewee", "prometheus_client", "rich"}
LARGE |= {"smtplib", "sqlite3", "ssl"}
LOADED = """
import json, sys
from pyquarantine_core.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
json.dump(sorted(sys.modules), sys.stderr)
"""


def loaded(*arguments: str | Path) -> set[str]:
    """The large modules that a command loads."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return LARGE & set(json.loads(done.stderr))


@pytest.fixture
def held(tmp_path: Path) -> dict[str, Any]:
    """A config with a quarantine and no more."""
    options = {"storage": "held", "smtp_host": "127.0.0.1", "smtp_port": 10025}
    return {
        "outbox": str(tmp_path / "outbox"),
        "storages": {"held": {"type": "file", "directory": str(tmp_path / "held")}},
        "rules": [rule("quarantine", options, conditions={"headers": ["^X-Spam: Yes"]})],
    }


def test_help_loads_nothing_large(tmp_path: Path, held: dict[str, Any]) -> None:
    path = tmp_path / "pyquarantine.conf"
    write_config(path, held)
    assert loaded("--help") == set()
    assert loaded("-c", path, "--help") == set()


def test_nor_does_a_listing(tmp_path: Path, held: dict[str, Any]) -> None:
    path = tmp_path / "pyquarantine.conf"
    write_config(path, held)
    (tmp_path / "held").mkdir()
    assert loaded("-c", path, "quarantine", "action", "list") == set()


def test_what_the_config_names_is_loaded(tmp_path: Path, held: dict[str, Any]) -> None:
    path = tmp_path / "pyquarantine.conf"
    database = f"sqlite:///{tmp_path}/lists.db"
    held["lists"] = {"allow": {"type": "db", "connection": database, "table": "allow"}}
    held["rules"][0]["actions"][0]["options"]["allowlist"] = "allow"
    write_config(path, held)
    (tmp_path / "held").mkdir()
    assert "peewee" in loaded("-c", path, "quarantine", "action", "list")


@pytest.mark.parametrize("name", CORE)
def test_help_says_of_a_command_what_the_command_says(name: str) -> None:
    command = CORE[name].build()
    assert (command.name, command.get_short_help_str(limit=200)) == (name, CORE[name].summary)
