"""New plugins: what `pyquarantine plugins new` writes works, is clean, and can be published."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from importlib_metadata import EntryPoint
from packaging.requirements import Requirement

from pyquarantine_core import __version__
from pyquarantine_core.errors import ScaffoldError
from pyquarantine_core.hookspecs import GROUP
from pyquarantine_core.loading import load_entry_points
from pyquarantine_core.registry import PluginPolicy, Registry
from pyquarantine_core.scaffold import KINDS, LONGEST_NAME, PluginNames, core_wanted, create, render
from pyquarantine_core.types import Kind

if TYPE_CHECKING:
    from tests.conftest import Run

Install = Callable[..., Path]
"""Installs something into a new environment; returns its Python."""
Make = Callable[[Kind, str], Path]

ROOT = Path(__file__).parent.parent
LONGEST = "x" * LONGEST_NAME


@pytest.fixture
def nothing_installed() -> Registry:
    return load_entry_points((), PluginPolicy())


@pytest.fixture
def make(tmp_path: Path, nothing_installed: Registry) -> Make:
    def made(kind: Kind, name: str) -> Path:
        return create(kind, name, tmp_path, nothing_installed)[1]

    return made


@pytest.fixture
def install(run: Run, local_only: tuple[str, ...], tmp_path: Path) -> Install:
    def installed(*what: str) -> Path:
        pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-build-isolation")
        run(*pip, *local_only, *what, cwd=tmp_path)
        return python

    run(sys.executable, "-m", "venv", "--without-pip", "empty", cwd=tmp_path)
    python = tmp_path / "empty" / "bin" / "python"
    return installed


@pytest.fixture
def core_wheel(run: Run, tmp_path: Path) -> Path:
    hidden = shutil.ignore_patterns(".*", "plugins", "tests", "build", "*.egg-info")
    shutil.copytree(ROOT, tmp_path / "core", ignore=hidden)
    build = ("wheel", "--quiet", "--no-build-isolation", "--no-deps", tmp_path / "core")
    run(sys.executable, "-m", "pip", *build, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    return wheel


def test_a_plugin_of_each_kind_installs_passes_its_tests_and_is_in_use(
    core_wheel: Path, install: Install, run: Run, tmp_path: Path
) -> None:
    python = install(f"{core_wheel}[testing]", "setuptools")
    pyquarantine = python.with_name("pyquarantine")
    projects = []
    for kind in KINDS:
        name = f"my-{kind.singular}"
        said = run(pyquarantine, "plugins", "new", name, "--kind", kind.singular, cwd=tmp_path)
        assert said.startswith(f"cd pyq-{name} && pip install -e '.[dev]' ")
        projects.append(tmp_path / f"pyq-{name}")
    install("--no-deps", *(f"--editable={project}" for project in projects))
    for project in projects:
        flags = ("-q", "-W", "error", "-p", "no:cacheprovider")
        assert " passed" in run(python, "-m", "pytest", *flags, cwd=project)
        types: tuple[str | Path, ...] = ("--python-executable", python, "--cache-dir", tmp_path)
        assert "Success" in run(sys.executable, "-m", "mypy", *types, cwd=project)
    listed = json.loads(run(pyquarantine, "plugins", "--json", cwd=tmp_path))
    assert {one["name"]: (one["status"], one["provides"]) for one in listed} == {
        f"my_{kind.singular}": ("active", {kind.value: [f"my_{kind.singular}"]}) for kind in KINDS
    }
    run(pyquarantine, "plugins", "check", cwd=tmp_path)


@pytest.mark.parametrize("name", ["x", "bulk-mail", LONGEST])
def test_its_code_is_formatted_and_keeps_our_rules_whatever_its_name(
    name: str, nothing_installed: Registry, run: Run, tmp_path: Path
) -> None:
    for kind in KINDS:
        (tmp_path / kind.singular).mkdir()
        _, project = create(kind, name, tmp_path / kind.singular, nothing_installed)
        run(sys.executable, "-m", "ruff", "check", "--no-cache", cwd=project)
        run(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", cwd=project)
    ours = ("--config", ROOT / "pyproject.toml", "--config", 'src = ["*/*"]')
    run(sys.executable, "-m", "ruff", "check", "--no-cache", *ours, cwd=tmp_path)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.singular)
def test_no_word_of_the_template_is_left(kind: Kind) -> None:
    for path, text in render(kind, PluginNames.parse("bulk-mail")).items():
        assert "sample" not in f"{path} {text}"
        assert "@configure" not in text


def test_it_has_what_a_package_needs(make: Make) -> None:
    project = make(Kind.LIST, "bulk-mail")
    assert project.name == "pyq-bulk-mail"
    assert sorted(str(path.relative_to(project)) for path in project.rglob("*.*")) == [
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "pyq_bulk_mail/__init__.py",
        "pyq_bulk_mail/list.py",
        "pyq_bulk_mail/py.typed",
        "tests/test_bulk_mail.py",
    ]


def test_it_wants_this_core_or_a_newer_one_with_the_same_api() -> None:
    wanted = Requirement(core_wanted()).specifier
    major = int(__version__.partition(".")[0])
    assert wanted.contains(__version__, prereleases=True)
    assert wanted.contains(f"{major}.99")
    assert not wanted.contains(f"{major + 1}.0")


@pytest.mark.parametrize(
    "text", ["bulk-mail", "Bulk_Mail", "bulk.mail", "pyq-bulk-mail", "PYQ_bulk__mail"]
)
def test_names_follow_from_any_spelling(text: str) -> None:
    assert PluginNames.parse(text) == PluginNames("bulk_mail", "pyq-bulk-mail", "pyq_bulk_mail")


@pytest.mark.parametrize(
    "text", ["", "bulk mail", "-bulk", "bulk-", "pyq-", "../bulk", "bülk", "bulk\n", "a/b", "."]
)
def test_a_name_that_no_package_can_have_is_refused(text: str, make: Make, tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match=r"no package can be named .* such as bulk-mail"):
        make(Kind.ACTION, text)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(ScaffoldError, match="more than 40 characters"):
        PluginNames.parse(f"{LONGEST}x")


@pytest.mark.parametrize("there", ["a directory", "a file", "a dangling link"])
def test_what_is_there_is_never_overwritten(there: str, make: Make, tmp_path: Path) -> None:
    place = tmp_path / "pyq-bulk"
    match there:
        case "a directory":
            place.mkdir()
        case "a file":
            place.write_text("mine")
        case "a dangling link":
            place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ScaffoldError, match="pyq-bulk is there already; nothing is written"):
        make(Kind.ACTION, "bulk")
    assert list(tmp_path.iterdir()) == [place]
    assert not place.is_dir() or list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name", "complaint"),
    [
        (Kind.ACTION, "nothing", "the action 'nothing' is in"),
        (Kind.CONDITION, "metavar", "the condition name 'metavar' belongs to the core"),
    ],
)
def test_a_name_that_is_taken_is_refused(
    kind: Kind, name: str, complaint: str, tmp_path: Path
) -> None:
    point = EntryPoint("rules", "pyquarantine_core.testing.rules", GROUP)
    with pytest.raises(ScaffoldError, match=complaint):
        create(kind, name, tmp_path, load_entry_points([point], PluginPolicy()))
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_something_of_another_kind_is_free(tmp_path: Path) -> None:
    point = EntryPoint("rules", "pyquarantine_core.testing.rules", GROUP)
    registry = load_entry_points([point], PluginPolicy())
    _, project = create(Kind.CONDITION, "nothing", tmp_path, registry)
    assert project.is_dir()
