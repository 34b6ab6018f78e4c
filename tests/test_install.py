"""`pyquarantine-milter --install` and `--uninstall`, into directories of their own."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pyquarantine_core import worker
from pyquarantine_core.daemon import GENERATION_TIMEOUT
from pyquarantine_core.install import install
from pyquarantine_core.testing.daemon import write_config

PROGRAM = Path(sys.executable).with_name("pyquarantine-milter")
UNIT = "usr/lib/systemd/system/pyquarantine-milter.service"
SYSUSERS = "usr/lib/sysusers.d/pyquarantine.conf"
SCRIPT = "etc/init.d/pyquarantine-milter"
CONFIG = "etc/pyquarantine/pyquarantine.conf.default"
FILES = (UNIT, SYSUSERS, SCRIPT, CONFIG)


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
    assert (root / "etc/pyquarantine/templates").is_dir()
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
    list(install(tmp_path, Path("/opt/old/bin/pyquarantine-milter")))
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
        f"kept: {installed}/etc/pyquarantine/templates (not empty)",
        f"kept: {installed}/etc/pyquarantine (not empty)",
    ]
    assert files(installed) == {CONFIG, "etc/pyquarantine/templates/mine.template"}


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
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["ProtectSystem"] == "full"
    assert "PrivateTmp" not in service
    assert service["User"] == service["Group"] == "pyquarantine"
    assert int(service["TimeoutStopSec"]) > GENERATION_TIMEOUT > worker.KILL_TIMEOUT
    if shutil.which("systemd-analyze"):
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
    everything.write_text(text)
    done = milter("-t", "-c", everything)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Configuration OK\n", "")


@pytest.mark.parametrize(
    ("host", "port", "warned"),
    [
        ("localhost", 25, True),
        ("127.0.0.1", 25, True),
        ("[::1]", 25, True),
        ("127.0.0.1", 10025, False),
        ("192.0.2.1", 25, False),
        ("mail.example.org", 25, False),
    ],
)
def test_the_config_test_warns_of_releases_that_come_back(
    host: str, port: int, warned: bool, tmp_path: Path
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
    warning = f"{config}: warning: in/spam: released mail goes to port 25 of this machine"
    assert done.stderr.startswith(warning) if warned else done.stderr == ""
