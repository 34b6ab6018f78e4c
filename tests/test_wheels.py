"""Each plugin's wheel installs with the core alone beside it, and passes its tests there."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Run

pytestmark = pytest.mark.wheels

ROOT = Path(__file__).parent.parent
PLUGINS = sorted(one.parent for one in ROOT.glob("plugins/*/pyproject.toml"))


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_wheel_passes_its_tests_beside_the_core_alone(
    plugin: Path, run: Run, local_only: tuple[str, ...], tmp_path: Path
) -> None:
    sources = tmp_path / "sources"
    for source in (ROOT, plugin):
        shutil.copytree(
            source,
            sources / source.name,
            ignore=shutil.ignore_patterns(".*", "plugins", "tests", "build", "*.egg-info"),
        )
    built = tmp_path / "built"
    pip = (sys.executable, "-m", "pip")
    run(
        *pip,
        "wheel",
        *local_only,
        *("--no-deps", "--wheel-dir", str(built)),
        *sources.iterdir(),
        cwd=tmp_path,
    )
    wheels = {wheel.name.partition("-")[0]: wheel for wheel in built.iterdir()}
    assert sorted(wheels) == sorted(["pyquarantine_core", plugin.name])

    run(sys.executable, "-m", "venv", tmp_path / "empty", cwd=tmp_path)
    python = tmp_path / "empty" / "bin" / "python"
    run(
        python,
        *("-m", "pip", "install", *local_only),
        *(f"{wheels['pyquarantine_core']}[testing]", wheels[plugin.name], "hypothesis"),
        cwd=tmp_path,
    )
    shutil.copytree(plugin / "tests", tmp_path / "tests")
    flags = ("-q", "-W", "error", "--import-mode=importlib", "-p", "no:cacheprovider")
    without_extras = ("-m", "not browser and not databases")
    report = run(python, "-m", "pytest", *flags, *without_extras, "tests", cwd=tmp_path)
    assert " passed" in report
    listed = run(python.with_name("pyquarantine"), "plugins", "--json", cwd=tmp_path)
    assert [(one["package"], one["status"]) for one in json.loads(listed)] == [
        (plugin.name.replace("_", "-"), "active")
    ]
