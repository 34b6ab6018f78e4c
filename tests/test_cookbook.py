"""The configs of docs/cookbook.md: they load, and do what the page says."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

import pyq_disclaimer
import pyq_email_notify
import pytest

from pyquarantine_core import config as configuration
from pyquarantine_core import loading
from pyquarantine_core.config import Config
from pyquarantine_core.config_file import read_config_file
from pyquarantine_core.testing.rules import judge, received

DOCS = Path(__file__).parent.parent / "docs"
RECIPES = sorted((DOCS / "cookbook").glob("*.conf"))


class Recipe(Protocol):
    def __call__(self, name: str) -> Config: ...


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Loads one, with the templates as `pyquarantine-milter --install` brings them."""
    templates = tmp_path / "templates"
    for plugin in (pyq_disclaimer, pyq_email_notify):
        shutil.copytree(Path(plugin.__path__[0], "defaults"), templates, dirs_exist_ok=True)

    def load(name: str) -> Config:
        text = (DOCS / "cookbook" / f"{name}.conf").read_text()
        path = tmp_path / f"{name}.conf"
        path.write_text(text.replace("/etc/pyquarantine/templates", str(templates)))
        return configuration.build(read_config_file(path), loading.load())

    return load


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_it_loads_with_the_built_in_plugins(path: Path, recipe: Recipe) -> None:
    assert recipe(path.stem).rules.rules


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_page_links_it(path: Path) -> None:
    assert f"(cookbook/{path.name})" in (DOCS / "cookbook.md").read_text()


@pytest.mark.parametrize(
    ("client", "subject", "becomes"),
    [
        ("192.0.2.1", "Hello", "[EXTERNAL] Hello"),
        ("192.0.2.1", "Re: [EXTERNAL] Hello", "[EXTERNAL] Re: Hello"),
        ("127.0.0.1", "Re: [EXTERNAL] Hello", "Re: Hello"),
        ("127.0.0.1", "Hello", "Hello"),
    ],
)
def test_a_subject_has_one_mark_inside_and_none_outside(
    client: str, subject: str, becomes: str, recipe: Recipe
) -> None:
    message = received(f"Subject: {subject}\n\n".encode(), client=client)
    judge(recipe("subject-mark"), message)
    assert [header.text for header in message.headers] == [f"Subject: {becomes}"]


@pytest.mark.parametrize(("client", "is_warned"), [("192.0.2.1", True), ("127.0.0.1", False)])
def test_mail_from_outside_alone_has_a_warning(
    client: str, is_warned: bool, recipe: Recipe
) -> None:
    message = received(b"Subject: Hello\n\nHello\n", client=client)
    judge(recipe("disclaimer"), message)
    text = message.body.read().decode()
    assert text.startswith("CAUTION: This message comes from outside") == is_warned
    assert text.endswith("Hello\r\n")
