from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from pyquarantine_core.cli import main
from pyquarantine_core.testing.daemon import write_config


class InstallPlugin(Protocol):
    """Puts a plugin on the path, as pip would: a module, and metadata with an entry point.

    The plugin is named as its module, and `package` with the underscores as hyphens.
    """

    def __call__(
        self,
        module: str,
        source: str,
        *,
        package: str = "",
        name: str = "",
        requires: Sequence[str] = (),
    ) -> None: ...


class Run(Protocol):
    """Runs a command that must succeed, as if nothing were set; returns its output."""

    def __call__(self, *command: str | Path, cwd: Path) -> str: ...


@pytest.fixture(scope="session")
def run() -> Run:
    def run_alone(*command: str | Path, cwd: Path) -> str:
        done = subprocess.run(
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": "", "PIP_CONFIG_FILE": os.devnull},
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run_alone


@pytest.fixture(scope="session")
def local_only() -> tuple[str, ...]:
    """Options of pip: it takes packages from the wheelhouse alone."""
    return ("--quiet", "--no-index", "--find-links", str(Path(sys.prefix) / "wheelhouse"))


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the path, for plugins."""
    directory = tmp_path / "site-packages"
    directory.mkdir()
    monkeypatch.syspath_prepend(directory)
    return directory


@pytest.fixture
def for_daemons(site_packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Daemons and commands that the test starts see the installed plugins, too."""
    monkeypatch.setenv("PYTHONPATH", str(site_packages))


@pytest.fixture
def install_plugin(site_packages: Path, monkeypatch: pytest.MonkeyPatch) -> InstallPlugin:
    def install(
        module: str,
        source: str,
        *,
        package: str = "",
        name: str = "",
        requires: Sequence[str] = (),
    ) -> None:
        package = package or module.replace("_", "-")
        (site_packages / f"{module}.py").write_text(textwrap.dedent(source))
        metadata = site_packages / f"{package.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir(exist_ok=True)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
            + "".join(f"Requires-Dist: {wanted}\n" for wanted in requires)
        )
        (metadata / "entry_points.txt").write_text(f"[pyquarantine]\n{name or module} = {module}\n")
        # Registered for removal at the end; the module itself must be imported afresh.
        monkeypatch.setitem(sys.modules, module, sys)
        del sys.modules[module]

    return install


class Ended(NamedTuple):
    """How a call of the program `pyquarantine` ended."""

    status: int
    out: str
    error: str


class Pyquarantine:
    """Calls the program `pyquarantine` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], config: Path) -> None:
        self.capsys = capsys
        self.config = config

    def configure(self, config: Mapping[str, Any]) -> None:
        write_config(self.config, config)

    def __call__(self, *arguments: str) -> Ended:
        status: object = 0
        try:
            main(["-c", str(self.config), *arguments])
        except SystemExit as end:
            status = end.code
        assert isinstance(status, int)
        out, error = self.capsys.readouterr()
        return Ended(status, out, error)


@pytest.fixture
def pyquarantine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Pyquarantine:
    return Pyquarantine(capsys, tmp_path / "pyquarantine.conf")
