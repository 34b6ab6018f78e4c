"""What one message may ask for: sizes, depths and seconds. The names are the config's, in `limits`.

Strangers choose the bytes of a message, so whatever grows with them has a bound here. What happens
past it is told with each; a message over a bound is never let through as if it had been looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one message.

    Attributes:
        header_bytes: of all header fields together, colons and line ends included (that of a fold
            as one); a message with more is rejected by the first condition or action that reads
            its header or stores it (`HeaderLimitError`).
        header_count: header fields, likewise.
        mime_depth: parts inside each other; what is deeper is not taken apart, nor edited.
        mime_parts: parts of a message; what comes after them is not taken apart, nor edited.
        mime_header_bytes: of one part's header; what comes after them counts as its content.
        edit_bytes: of one text, encoded, that an action changes; a larger one is left alone.
        html_bytes: the same of a text in HTML, before it is parsed.
        html_depth: elements that a text in HTML leaves open at its end; one with more gets no
            disclaimer there, for each is closed before it.
        preview_bytes: of one text, encoded, that are decoded for a preview, which is cut there.
        preview_characters: of all texts that a preview is made of, likewise.
        preview_texts: texts of a message that a preview shows, likewise.
        preview_depth: elements of a preview inside each other; the tags of deeper ones are left
            out, their text stays.
        pattern_seconds: for the regular expressions of one condition or action.
        message_seconds: for all conditions and actions together.
    """

    header_bytes: int = 4 * 1024 * 1024
    header_count: int = 10_000
    mime_depth: int = 100
    mime_parts: int = 10_000
    mime_header_bytes: int = 64 * 1024
    edit_bytes: int = 16 * 1024 * 1024
    html_bytes: int = 4 * 1024 * 1024
    html_depth: int = 2000
    preview_bytes: int = 600_000
    preview_characters: int = 100_000
    preview_texts: int = 100
    preview_depth: int = 100
    pattern_seconds: float = 1.0
    message_seconds: float = 30.0

    @classmethod
    def from_config(cls, settings: Mapping[str, Any]) -> Self:
        """From the config's `limits`; what it leaves out has its default."""
        return cls(**settings)


DEFAULT_LIMITS = Limits()


def over(excess: str, setting: str) -> str:
    """How messages name a bound and the setting that moves it."""
    return f"{excess} (limits.{setting})"
