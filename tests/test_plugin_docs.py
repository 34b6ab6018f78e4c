"""The tutorial for plugin authors works as it stands: its files are written, installed and run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from .test_wheels import ROOT

FILE = re.compile(
    r"^[^\n]*`([\w./]+\.(?:py|toml))`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
"""A file of the tutorial: its name in the line before its code block."""


def run(*command: str | Path, cwd: Path, path: str = "") -> str:
    done = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "PIP_CONFIG_FILE": os.devnull},
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_package_of_the_tutorial_installs_and_passes_its_tests(tmp_path: Path) -> None:
    package, installed = tmp_path / "pyq-stamp", tmp_path / "installed"
    files = FILE.findall((ROOT / "docs" / "plugins.md").read_text())
    assert [name for name, _ in files] == [
        "pyproject.toml",
        "pyq_stamp/__init__.py",
        "tests/test_stamp.py",
    ]
    for name, content in files:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(content)
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
        *("--no-build-isolation", "--target", installed, "."),
        cwd=package,
    )
    program = Path(sys.executable).with_name("pyquarantine")
    shown = run(program, "plugins", cwd=package, path=str(installed))
    assert re.search(r"1\.0\.0 +pyq-stamp +active", shown)
    flags = ("-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", package)
    run(sys.executable, "-m", "pytest", *flags, "tests", cwd=package, path=str(installed))
