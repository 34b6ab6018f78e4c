"""`pyquarantine check`, over storages of any type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.cli import main
from pyquarantine_core.testing.daemon import write_config

from .conftest import InstallPlugin

HALF = "20200101000000_HALF"

# A storage of a stranger: what is wrong in it is one file, named in its options.
PLUGIN = """
from pathlib import Path
from pyquarantine_core.errors import StorageError
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Fault, Storage, StorageType

class Bare(Storage):
    def __init__(self, path):
        self.path = Path(path)

    def refuse(self, *_):
        raise AssertionError("a check needs nothing but faults()")

    stage = entries = get = open_message = metadata = claim = refuse

class Shelf(Bare):
    def mend(self):
        if self.path.read_text() == "stuck":
            raise StorageError("it is stuck")
        self.path.rename(self.path.with_suffix(".mended"))
        return True

    def faults(self, *, metadata):
        if self.path.is_dir():
            raise StorageError("the shelf is gone")
        if self.path.exists():
            yield Fault(name=self.path.name, problem="has fallen down", remedy="put back",
                        mend=self.mend)

@hookimpl
def pyquarantine_storages():
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    for name, kind in (("shelf", Shelf), ("bare", Bare)):
        yield StorageType(name=name, summary="", schema=schema,
            build=lambda options, services, kind=kind: kind(options["path"]))
"""


@pytest.fixture
def config(tmp_path: Path, install_plugin: InstallPlugin) -> Path:
    install_plugin("shelf", PLUGIN)
    (tmp_path / "held").mkdir()
    storages: dict[str, Any] = {
        "bare": {"type": "bare", "path": "x"},
        "shelf": {"type": "shelf", "path": str(tmp_path / "book")},
        "held": {"type": "file", "directory": str(tmp_path / "held")},
    }
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": 10025}
    hold = {"name": "h", "type": "quarantine", "options": {"storage": "held", **smtp}}
    rules = [{"name": "r", "actions": [hold]}]
    return write_config(tmp_path / "c.conf", {"storages": storages, "rules": rules})


def check(config: Path, *options: str) -> int:
    try:
        main(["-c", str(config), "check", *options])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_where_nothing_is_wrong_it_says_so(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(config) == 0
    assert capsys.readouterr().out == "nothing is wrong\n"
    assert check(config, "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_what_is_wrong_is_mended_and_said_once(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "book").write_text("")
    (tmp_path / "held" / f"{HALF}.metadata").write_text("{}")
    assert check(config) == 1
    assert capsys.readouterr().out.splitlines() == [
        "shelf: book has fallen down; put back",
        f"held: {HALF} is metadata without data; moved to {tmp_path}/held/.aside",
    ]
    assert (tmp_path / "book.mended").exists()
    assert check(config) == 0


def test_a_dry_run_changes_nothing(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "book").write_text("")
    for _ in range(2):
        assert check(config, "--dry-run") == 1
        said = capsys.readouterr().out
        assert said == "shelf: book has fallen down; would be put back\n"
    assert (tmp_path / "book").exists()


def test_json_says_what_is_mended_and_what_is_not(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "book").write_text("stuck")
    (tmp_path / "held" / "1").write_text("mail")
    assert check(config, "--json") == 1
    shelf, held = json.loads(capsys.readouterr().out)
    assert shelf == {
        "storage": "shelf",
        "name": "book",
        "problem": "has fallen down",
        "remedy": "put back",
        "mendable": True,
        "mended": False,
        "failure": "it is stuck",
    }
    assert (held["name"], held["mendable"], held["failure"]) == ("1", False, None)
    assert held["problem"] == "has no metadata: its envelope is not known"


def test_what_cannot_be_mended_is_said(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "book").write_text("stuck")
    assert check(config) == 1
    assert capsys.readouterr().out == "shelf: book has fallen down; not mended: it is stuck\n"


@pytest.mark.parametrize(
    ("metadata", "another", "missed"),
    [(None, None, True), (None, "store", False), (False, None, False), (True, "store", True)],
)
def test_metadata_is_missed_where_every_action_keeps_it(
    config: Path, tmp_path: Path, metadata: bool | None, another: str | None, missed: bool
) -> None:
    said = json.loads(config.read_text())
    if metadata is not None:
        said["storages"]["held"]["metadata"] = metadata
    if another:
        action = {"name": "s", "type": another, "options": {"storage": "held"}}
        said["rules"][0]["actions"].append(action)
    write_config(config, said)
    (tmp_path / "held" / "1").write_text("mail")
    assert check(config) == int(missed)


def test_a_storage_that_cannot_be_looked_at_does_not_keep_the_others_from_it(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "book").mkdir()
    (tmp_path / "held" / f"{HALF}.metadata").write_text("{}")
    assert check(config) == 1
    said = capsys.readouterr()
    assert said.err == "pyquarantine: shelf: the shelf is gone\n"
    assert said.out.startswith(f"held: {HALF} is metadata without data")
