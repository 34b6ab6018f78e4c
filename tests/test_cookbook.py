"""The configs of docs/cookbook.md: they load, and do what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyquarantine_core import config as configuration
from pyquarantine_core import loading
from pyquarantine_core.config import Config
from pyquarantine_core.config_file import read_config_file
from pyquarantine_core.testing.rules import judge, received

DOCS = Path(__file__).parent.parent / "docs"
RECIPES = sorted((DOCS / "cookbook").glob("*.conf"))


def recipe(name: str) -> Config:
    return configuration.build(read_config_file(DOCS / "cookbook" / f"{name}.conf"), loading.load())


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_it_loads_with_the_built_in_plugins(path: Path) -> None:
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
    client: str, subject: str, becomes: str
) -> None:
    message = received(f"Subject: {subject}\n\n".encode(), client=client)
    judge(recipe("subject-mark"), message)
    assert [header.text for header in message.headers] == [f"Subject: {becomes}"]
