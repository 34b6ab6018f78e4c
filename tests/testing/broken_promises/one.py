"""What one of them is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Break:
    """A plugin with one promise broken.

    Attributes:
        test: the test that must notice it.
        file: of the plugin, the one to change.
        old: what stands there.
        new: what is put in its place.
    """

    test: str
    file: str
    old: str
    new: str
