"""What the config says of the outbox: where it is, how long it tries, how much it may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pyquarantine_core.errors import ConfigError

JITTER = 0.25
"""By how much a delay may be longer or shorter, as a part of it: not all are tried at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSettings:
    """The keys `outbox` and `outbox_...` of the config; times are in seconds.

    Attributes:
        directory: `outbox`.
        lifetime: for how long the delivery of a notification is tried.
        minimal_backoff: until the second try.
        maximal_backoff: between two tries.
        max_items: notifications that may wait, and as many that have failed.
        max_bytes: of all that wait, and likewise.
    """

    directory: Path
    lifetime: float
    minimal_backoff: float
    maximal_backoff: float
    max_items: int
    max_bytes: int

    @classmethod
    def from_config(cls, settings: Mapping[str, Any]) -> Self:
        """Take them from the global keys, defaults filled in.

        Raises:
            ConfigError: two of them do not go together.
        """
        shortest, longest = settings["outbox_minimal_backoff"], settings["outbox_maximal_backoff"]
        if shortest > longest:
            raise ConfigError(
                f"{shortest} s is longer than the outbox_maximal_backoff, {longest} s"
            )
        return cls(
            directory=Path(settings["outbox"]),
            lifetime=settings["outbox_lifetime"],
            minimal_backoff=shortest,
            maximal_backoff=longest,
            max_items=settings["outbox_max_items"],
            max_bytes=settings["outbox_max_bytes"],
        )

    @property
    def longest_delay(self) -> float:
        """The longest that `delay` can be."""
        return self.maximal_backoff * (1 + JITTER)

    def delay(self, attempts: int, chance: float) -> float:
        """Seconds from a failure to the next try.

        Args:
            attempts: how many have failed, at least one.
            chance: a random number from 0 to 1.
        """
        doubled = self.minimal_backoff * 2.0 ** min(attempts - 1, 60)
        return min(doubled, self.maximal_backoff) * (1 - JITTER + 2 * JITTER * chance)
