"""Templates of disclaimers: files with `{NAME}` for metavariables."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from pyq_disclaimer.html_body import inside_body
from pyquarantine_core.config_file import CONFIG_DIRECTORY, unreadable
from pyquarantine_core.errors import ConfigError
from pyquarantine_core.header_text import clean_text
from pyquarantine_core.message import Message
from pyquarantine_core.printable import upright
from pyquarantine_core.types import Options

_NAME = re.compile(r"\{([^{}\s]+)\}")
_VARIABLE = re.compile(r"[A-Za-z_][\w-]*")
"""What can be the name of a metavariable that is not set; style sheets have nothing like it."""
_DOUBLED = re.compile(r"\{\{|\}\}")


@dataclass(frozen=True, slots=True)
class Disclaimer:
    """A disclaimer in both forms; lines end in LF."""

    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of an action."""

    text: str
    html: str

    @classmethod
    def from_options(cls, options: Options) -> Templates:
        """Read both files.

        Raises:
            ConfigError: one cannot be read.
        """
        return cls(_read(options, "text_template"), inside_body(_read(options, "html_template")))

    def fill(self, message: Message) -> Disclaimer:
        """The disclaimer for a message."""
        values = {
            **message.variables,
            "ENVELOPE_FROM": message.sender,
            "ENVELOPE_FROM_URL": quote(message.sender, safe="", errors="replace"),
        }
        clean = {name: upright(clean_text(value)) for name, value in values.items()}
        escaped = {name: html.escape(value) for name, value in clean.items()}
        return Disclaimer(_filled(self.text, clean), _filled(self.html, escaped))


def _read(options: Options, option: str) -> str:
    try:
        return Path(options[option]).read_text(encoding="utf-8-sig")
    except OSError as error:
        text = unreadable(options[option], error)
        hint = "; `pyquarantine-milter --install` brings it" if _is_shipped(error.filename) else ""
        raise ConfigError(f"{option}: {text}{hint}") from error
    except ValueError as error:
        raise ConfigError(f"{option}: {options[option]!r} is not a text in UTF-8") from error


def _is_shipped(path: str) -> bool:
    directory, name = Path(path).parent, Path(path).name
    defaults = resources.files("pyq_disclaimer") / "defaults"
    return directory == CONFIG_DIRECTORY / "templates" and (defaults / name).is_file()


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The template with values for its names: nothing for a metavariable that is not set.

    Doubled braces are single ones where there are `{{`, as pyquarantine 2.x had it.
    """
    if "{{" not in template:
        return _NAME.sub(lambda match: _value(match, values), template)
    pieces, at = [], 0
    for match in _DOUBLED.finditer(template):
        pieces += [_filled(template[at : match.start()].replace("{{", ""), values), match[0][0]]
        at = match.end()
    return "".join([*pieces, _filled(template[at:], values)])


def _value(place: re.Match[str], values: Mapping[str, str]) -> str:
    return values.get(place[1], "" if _VARIABLE.fullmatch(place[1]) else place[0])
