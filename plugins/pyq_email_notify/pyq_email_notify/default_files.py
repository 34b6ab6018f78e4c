"""The template and the image that come with this package."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

from pyquarantine_core.types import DefaultFile


def default_files() -> Iterator[DefaultFile]:
    """Files of this package, which their paths stand for as long as nothing is there."""
    directory = resources.files("pyq_email_notify") / "defaults"
    for name in ("notification.template", "removed.png"):
        yield DefaultFile(name=f"templates/{name}", source=directory / name)
