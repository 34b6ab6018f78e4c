"""What is in a directory, for all who look."""

from __future__ import annotations

from pathlib import Path


def names(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir())


def sizes(directory: Path) -> dict[str, int]:
    return {one.name: one.stat().st_size for one in directory.iterdir()}
