from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Protocol

import pytest


class InstallPlugin(Protocol):
    """Puts a plugin on the path, as pip would: a module, and metadata with an entry point.

    The plugin is named as its module, and `package` with the underscores as hyphens.
    """

    def __call__(self, module: str, source: str, *, package: str = "", name: str = "") -> None: ...


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
    def install(module: str, source: str, *, package: str = "", name: str = "") -> None:
        package = package or module.replace("_", "-")
        (site_packages / f"{module}.py").write_text(textwrap.dedent(source))
        metadata = site_packages / f"{package.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir(exist_ok=True)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text(f"[pyquarantine]\n{name or module} = {module}\n")
        # Registered for removal at the end; the module itself must be imported afresh.
        monkeypatch.setitem(sys.modules, module, sys)
        del sys.modules[module]

    return install
