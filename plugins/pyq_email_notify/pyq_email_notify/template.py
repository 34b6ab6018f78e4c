"""Templates: texts with `{NAME}` where values go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pyq_email_notify.html_text import text_of

_PLACE = re.compile(r"\{([^{}\s]+)\}")
_VARIABLE = re.compile(r"[A-Za-z_][\w-]*")
"""What can be the name of a metavariable that is not set; style sheets have nothing like it."""
_PLACE_OR_BRACE = re.compile(r"(\{\{|\}\})|" + _PLACE.pattern)


@dataclass(frozen=True, slots=True)
class Template:
    """The body of a notification in both forms.

    Attributes:
        html: as the admin wrote it.
        text: what of it is text, for the plain alternative.
        doubled: whether braces that mean themselves are doubled, as pyquarantine 2.x had it; so
            it is where there are `{{`.
    """

    html: str
    text: str
    doubled: bool

    @classmethod
    def from_html(cls, html: str) -> Self:
        return cls(html, text_of(html), "{{" in html)

    def fill_html(self, values: Mapping[str, str]) -> str:
        """The HTML with these values, which must be HTML."""
        return fill(self.html, values, doubled=self.doubled)

    def fill_text(self, values: Mapping[str, str]) -> str:
        """The text with these values."""
        return fill(self.text, values, doubled=self.doubled)


def fill(template: str, values: Mapping[str, str], *, doubled: bool = False) -> str:
    """The template with values for its names: nothing for a metavariable that is not set.

    It goes through the template once: names in values are not looked at.
    """

    def value(name: str) -> str:
        return values.get(name, "" if _VARIABLE.fullmatch(name) else f"{{{name}}}")

    if not doubled:
        return _PLACE.sub(lambda found: value(found[1]), template)
    return _PLACE_OR_BRACE.sub(lambda found: found[1][0] if found[1] else value(found[2]), template)
