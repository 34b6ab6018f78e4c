"""SECURITY.md names tests that are there, and people find it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
FILES = sorted(
    {
        *re.findall(r"`((?:fuzz|plugins|tests)(?:/[\w./-]+)?)`", PAGE),
        *re.findall(r"\]\(([^)#]+)\)", PAGE),
    }
)


def test_it_names_files_and_pages() -> None:
    assert "docs/reliability.md" in FILES
    assert sum(one.endswith(".py") for one in FILES) > 20


@pytest.mark.parametrize("file", FILES)
def test_what_it_names_is_there(file: str) -> None:
    assert (ROOT / file).exists()


def test_every_promise_has_a_test() -> None:
    promises, _, _ = PAGE.partition("\n## What is promised")[2].partition("\n## ")
    for promise in promises.split("\n\n**")[1:]:
        tests = re.findall(r"`((?:plugins/\w+/)?tests/[\w./]+)`", promise)
        assert tests, promise


def test_the_readme_leads_to_it() -> None:
    assert "(SECURITY.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
