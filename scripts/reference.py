"""Writes docs/reference.md, for `make docs`: the options of the plugins in plugins/."""

from __future__ import annotations

from pathlib import Path

from pyquarantine_core.loading import load
from pyquarantine_core.reference import reference
from pyquarantine_core.registry import PluginPolicy

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference.md"


def page() -> str:
    """What the page should say, whatever else is installed."""
    built_in = frozenset(project.parent.name for project in ROOT.glob("plugins/*/pyproject.toml"))
    return reference(load(PluginPolicy(allow=built_in)))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
