"""What is fuzzed: modules with a function `check` of bytes, and words of their language."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NAMES = ("mime", "headers", "disclaimer", "links", "notification", "config")


@dataclass(frozen=True, slots=True)
class Target:
    """A target.

    Attributes:
        name: of its module, and of its directory in the corpus.
        check: takes an input; raises when a promise is broken.
        words: what inputs are put together from, beside bytes.
        seeds: inputs to begin with, beside those of the corpus.
    """

    name: str
    check: Callable[[bytes], None]
    words: Sequence[bytes]
    seeds: Sequence[bytes]

    @classmethod
    def of(cls, name: str) -> Target:
        """The target of this name; what it fuzzes is imported here."""
        module = importlib.import_module(f"fuzz.targets.{name}")
        return cls(name, module.check, module.WORDS, module.SEEDS)
