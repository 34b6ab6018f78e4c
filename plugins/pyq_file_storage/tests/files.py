"""What is in a directory, for all who look: names, and files that have none yet."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def names(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir())


def sizes(directory: Path) -> dict[str, int]:
    """Of the files in a directory by name, and of those that this process has open without one."""
    unnamed = (one for one in Path("/proc/self/fd").iterdir() if is_unnamed(one, directory))
    return {one.name: one.stat().st_size for one in [*directory.iterdir(), *unnamed]}


def is_unnamed(open_file: Path, directory: Path) -> bool:
    with suppress(FileNotFoundError):  # that of the listing itself
        target = os.readlink(open_file)  # noqa: PTH115 - which is no path
        return target.startswith(f"{directory}/") and target.endswith(" (deleted)")
    return False
