"""`pyquarantine-milter --install` and `--uninstall`, into directories of their own."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pyquarantine_core import generation, loading, supervisor
from pyquarantine_core.install import install
from pyquarantine_core.testing.daemon import write_config

if TYPE_CHECKING:
    from .conftest import InstallPlugin

PROGRAM = Path(sys.executable).with_name("pyquarantine-milter")
UNIT = "usr/lib/systemd/system/pyquarantine-milter.service"
SYSUSERS = "usr/lib/sysusers.d/pyquarantine.conf"
SCRIPT = "etc/init.d/pyquarantine-milter"
CONFIG = "etc/pyquarantine/pyquarantine.conf.default"
TEMPLATES = tuple(
    f"etc/pyquarantine/templates/{name}"
    for name in (
        "disclaimer_html.template",
        "disclaimer_text.template",
        "notification.template",
        "removed.png",
    )
)
FILES = (UNIT, SYSUSERS, SCRIPT, CONFIG, *TEMPLATES)
BRINGING = """
from importlib.resources import files
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import DefaultFile

@hookimpl
def pyquarantine_files():
    yield DefaultFile(name={name!r}, source=files("pyquarantine_core") / "py.typed")
"""


def milter(*arguments: object, program: Path = PROGRAM) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *map(str, arguments)], check=False, capture_output=True, text=True, timeout=60
    )


def change(how: str, root: Path) -> list[str]:
    """What a run that must succeed prints."""
    done = milter(f"--{how}", "--root", root)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    change("install", tmp_path)
    return tmp_path


def test_each_file_has_its_line_and_is_readable_for_everybody(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'umask 077; exec "$0" --install --root "$1"', PROGRAM, tmp_path / "root"],
        check=True,
        capture_output=True,
        text=True,
    )
    root = tmp_path / "root"
    assert done.stdout.splitlines() == [f"installed: {root}/{name}" for name in FILES]
    for path in root.rglob("*"):
        executable = path.is_dir() or path == root / SCRIPT
        assert path.stat().st_mode & 0o777 == (0o755 if executable else 0o644), path


def test_a_second_run_changes_nothing(installed: Path) -> None:
    def written() -> list[tuple[int, int]]:
        found = [(installed / name).stat() for name in FILES]
        return [(one.st_ino, one.st_mtime_ns) for one in found]

    before = written()
    assert change("install", installed) == [f"unchanged: {installed}/{name}" for name in FILES]
    assert written() == before


def test_what_an_older_version_installed_is_brought_up_to_date(tmp_path: Path) -> None:
    list(install(tmp_path, Path("/opt/old/bin/pyquarantine-milter"), loading.load()))
    assert change("install", tmp_path)[0] == f"updated: {tmp_path}/{UNIT}"
    assert str(PROGRAM) in (tmp_path / UNIT).read_text()


def test_changed_files_are_kept_when_installing_again(installed: Path) -> None:
    (installed / UNIT).write_text("[Service]\n")
    (installed / SCRIPT).unlink()
    (installed / SCRIPT).symlink_to("elsewhere")
    lines = change("install", installed)
    assert lines[0] == f"kept: {installed}/{UNIT} (it is not as it was installed)"
    assert lines[2] == f"kept: {installed}/{SCRIPT} (it is not as it was installed)"
    assert (installed / UNIT).read_text() == "[Service]\n"
    assert (installed / SCRIPT).is_symlink()


def test_a_file_of_somebody_else_is_neither_replaced_nor_removed(tmp_path: Path) -> None:
    (tmp_path / UNIT).parent.mkdir(parents=True)
    (tmp_path / UNIT).write_text("the unit of 2.x\n")
    change("install", tmp_path)
    change("uninstall", tmp_path)
    assert files(tmp_path) == {UNIT}
    assert (tmp_path / UNIT).read_text() == "the unit of 2.x\n"


def test_the_admins_config_is_never_touched(installed: Path) -> None:
    config = installed / "etc/pyquarantine/pyquarantine.conf"
    shutil.copy(installed / CONFIG, config)
    change("install", installed)
    lines = change("uninstall", installed)
    assert files(installed) == {"etc/pyquarantine/pyquarantine.conf"}
    assert f"kept: {config.parent} (not empty)" in lines


def test_uninstalling_leaves_no_file_and_no_directory_of_ours(installed: Path) -> None:
    assert change("uninstall", installed) == [f"removed: {installed}/{name}" for name in FILES]
    assert files(installed) == set()
    assert not (installed / "etc/pyquarantine").exists()
    assert not (installed / "usr/lib/pyquarantine").exists()
    assert change("uninstall", installed) == [f"nothing is installed under {installed}"]


def test_uninstalling_keeps_what_was_changed_and_says_so(installed: Path) -> None:
    with (installed / CONFIG).open("a") as config:
        config.write("# mine\n")
    (installed / "etc/pyquarantine/templates/mine.template").touch()
    assert change("uninstall", installed) == [
        *(f"removed: {installed}/{name}" for name in (UNIT, SYSUSERS, SCRIPT)),
        f"kept: {installed}/{CONFIG} (it is not as it was installed)",
        *(f"removed: {installed}/{name}" for name in TEMPLATES),
        f"kept: {installed}/etc/pyquarantine/templates (not empty)",
        f"kept: {installed}/etc/pyquarantine (not empty)",
    ]
    assert files(installed) == {CONFIG, "etc/pyquarantine/templates/mine.template"}


@pytest.mark.parametrize(
    ("there", "left_out"),
    [
        (["lib/systemd/systemd"], {SCRIPT}),
        (["sbin/openrc-run"], {UNIT}),
        (["lib/systemd/systemd", "sbin/openrc-run"], set()),
    ],
    ids=["systemd", "OpenRC", "both"],
)
def test_an_init_system_that_is_not_there_gets_nothing(
    there: list[str], left_out: set[str], tmp_path: Path
) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    change("install", tmp_path)
    assert files(tmp_path) - {*there, "usr/lib/pyquarantine/installed.sha256"} == {
        *set(FILES) - left_out
    }


class TestFilesOfPlugins:
    def test_any_plugin_may_bring_some(
        self, install_plugin: InstallPlugin, for_daemons: None, tmp_path: Path
    ) -> None:
        install_plugin("pyq_pager", BRINGING.format(name="pager/sounds/ring.wav"))
        root = tmp_path / "root"
        assert f"installed: {root}/etc/pyquarantine/pager/sounds/ring.wav" in change(
            "install", root
        )
        change("uninstall", root)
        assert files(root) == set()
        assert not (root / "etc/pyquarantine").exists()

    def test_files_of_a_plugin_that_is_gone_stay_until_all_is_uninstalled(
        self,
        install_plugin: InstallPlugin,
        for_daemons: None,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        install_plugin("pyq_pager", BRINGING.format(name="pager/ring.wav"))
        root = tmp_path / "root"
        change("install", root)
        monkeypatch.delenv("PYTHONPATH")
        change("install", root)
        assert (root / "etc/pyquarantine/pager/ring.wav").exists()
        change("uninstall", root)
        assert files(root) == set()

    def test_what_two_bring_is_refused_before_anything_is_done(
        self, install_plugin: InstallPlugin, for_daemons: None, tmp_path: Path
    ) -> None:
        install_plugin("pyq_mine", BRINGING.format(name="templates/removed.png"))
        done = milter("--install", "--root", tmp_path / "root")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(
            "the file 'templates/removed.png' is provided by pyq-email-notify"
        )
        assert done.stderr.endswith(" and pyq-mine 1.0; deny one of them in 'plugins'\n")
        assert not (tmp_path / "root").exists()

    def test_a_plugin_that_the_config_denies_brings_none(self, tmp_path: Path) -> None:
        config = tmp_path / "etc/pyquarantine/pyquarantine.conf"
        config.parent.mkdir(parents=True)
        config.write_text('{"plugins": {"deny": ["email-notify"]}}')
        change("install", tmp_path)
        there = {name for name in TEMPLATES if (tmp_path / name).exists()}
        assert there == {name for name in TEMPLATES if "disclaimer" in name}

    def test_a_broken_plugin_is_named_and_the_rest_is_installed(
        self, install_plugin: InstallPlugin, for_daemons: None, tmp_path: Path
    ) -> None:
        install_plugin("pyq_bad", BRINGING.format(name="../passwd"))
        root = tmp_path / "root"
        done = milter("--install", "--root", root)
        assert done.returncode == 0
        assert done.stderr == (
            "warning: pyq-bad 1.0 failed: pyquarantine_files yielded '../passwd';"
            " a file is named DIRECTORY/NAME\n"
        )
        assert files(root) == {*FILES, "usr/lib/pyquarantine/installed.sha256"}


def test_without_the_rights_there_is_one_line_and_nothing_is_done(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    program = ("--bounding-set=-dac_override,-dac_read_search", PROGRAM)
    done = milter(*program, "--install", "--root", tmp_path, program=Path("setpriv"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"{tmp_path}/usr: Permission denied; it takes root\n"


@pytest.mark.parametrize("arguments", [("--install", "--uninstall"), ("--root", "/tmp")])
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert milter(*arguments).returncode == 2


def test_unit_and_script_run_the_program_that_installed_them(installed: Path) -> None:
    assert f"\nExecStart={PROGRAM}\n" in (installed / UNIT).read_text()
    assert f'\ncommand="{PROGRAM}"\n' in (installed / SCRIPT).read_text()
    assert "@program@" not in (installed / UNIT).read_text() + (installed / SCRIPT).read_text()


def test_a_program_under_the_root_runs_at_its_place_in_the_package(tmp_path: Path) -> None:
    program = tmp_path / "usr/bin/pyquarantine-milter"
    program.parent.mkdir(parents=True)
    shutil.copy(PROGRAM, program)
    assert milter("--install", "--root", tmp_path, program=program).returncode == 0
    assert "\nExecStart=/usr/bin/pyquarantine-milter\n" in (tmp_path / UNIT).read_text()


def test_a_program_that_a_unit_would_misread_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "100% mine" / "pyquarantine-milter"
    program.parent.mkdir()
    shutil.copy(PROGRAM, program)
    done = milter("--install", "--root", tmp_path / "root", program=program)
    assert done.returncode == 1
    assert "install to a plainer path" in done.stderr
    assert done.stderr.count("\n") == 1


def test_systemd_reads_the_unit_as_meant(installed: Path) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment] # systemd heeds case
    unit.read(installed / UNIT)
    assert "postfix@-.service" in unit["Unit"]["Before"].split()  # Debian's Postfix
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["ProtectSystem"] == "full"
    assert "PrivateTmp" not in service
    assert service["User"] == service["Group"] == "pyquarantine"
    assert int(service["TimeoutStopSec"]) > supervisor.STOP_TIMEOUT > generation.STOP_TIMEOUT
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", installed / UNIT],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_shell_reads_the_init_script(installed: Path) -> None:
    subprocess.run(["sh", "-n", installed / SCRIPT], check=True)


def test_the_default_config_works_as_it_is(installed: Path) -> None:
    done = milter("-t", "-c", installed / CONFIG)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Configuration OK\n", "")


def test_the_default_config_works_with_all_its_examples(installed: Path, tmp_path: Path) -> None:
    text, examples = re.subn(
        r"^( *)#(?=\S)", r"\1", (installed / CONFIG).read_text(), flags=re.MULTILINE
    )
    assert examples > 30
    everything = tmp_path / "everything.conf"
    everything.write_text(text.replace("/etc/pyquarantine", f"{installed}/etc/pyquarantine"))
    done = milter("-t", "-c", everything)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Configuration OK\n", "")


@pytest.mark.parametrize(
    ("host", "port", "warned"),
    [
        ("localhost", 25, "this machine and would be held again, unless that bypasses this filter"),
        ("127.0.0.1", 25, "this machine and would be held again, unless that bypasses this filter"),
        ("[::1]", 25, "this machine and would be held again, unless that bypasses this filter"),
        ("mx.example.org", 25, "mx.example.org and would be held again, if that asks this filter"),
        ("192.0.2.1", 25, "192.0.2.1 and would be held again, if that asks this filter"),
        ("127.0.0.1", 10025, None),
        ("mx.example.org", 10025, None),
    ],
)
def test_the_config_test_warns_of_releases_that_come_back(
    host: str, port: int, warned: str | None, tmp_path: Path
) -> None:
    hold = {
        "name": "spam",
        "type": "quarantine",
        "options": {"storage": "s", "smtp_host": host, "smtp_port": port},
    }
    config = write_config(
        tmp_path / "c.conf",
        {
            "socket": "inet:0@127.0.0.1",
            "storages": {"s": {"type": "file", "directory": f"{tmp_path}/s"}},
            "rules": [{"name": "in", "actions": [hold]}],
        },
    )
    done = milter("-t", "-c", config)
    assert (done.returncode, done.stdout) == (0, "Configuration OK\n")
    warning = f"{config}: warning: in/spam: released mail goes to port 25 of {warned}\n"
    assert done.stderr == (warning if warned else "")
