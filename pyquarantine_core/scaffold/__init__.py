"""A new plugin: a package with a small, working example, its tests and its packaging.

The templates are working code in which these names stand for others: `sample` for the type,
`pyq-sample` and `pyq_sample` for the package, `sample-kind` for the kind and `sample-core` for the
requirement on the core.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import Version

from pyquarantine_core import __version__
from pyquarantine_core.declared import RESERVED_CONDITIONS
from pyquarantine_core.discovery import CORE, normalised
from pyquarantine_core.errors import ScaffoldError
from pyquarantine_core.registry import Registry
from pyquarantine_core.types import Kind

KINDS = (Kind.CONDITION, Kind.ACTION, Kind.STORAGE, Kind.NOTIFICATION, Kind.LIST)
PREFIX = "pyq-"
LONGEST_NAME = 40
"""Characters, without the prefix: longer ones make lines that ruff would wrap."""

_STANDS_FOR = re.compile(r"\b(?:pyq-sample|pyq_sample|sample-kind|sample-core|sample)\b")
_INCLUDED = "@configure.md"


@dataclass(frozen=True, slots=True)
class PluginNames:
    """What a plugin is called.

    Attributes:
        type: how configs name what it provides: `bulk_mail`. So its entry point is named, too.
        package: its distribution: `pyq-bulk-mail`.
        module: what is imported: `pyq_bulk_mail`.
    """

    type: str
    package: str
    module: str

    @classmethod
    def parse(cls, text: str) -> PluginNames:
        """The names that follow from `Bulk.Mail`, `bulk-mail` or `pyq_bulk_mail`.

        Raises:
            ScaffoldError: no package can be named so (PEP 508).
        """
        try:
            name = canonicalize_name(text, validate=True).removeprefix(PREFIX)
        except InvalidName:
            raise ScaffoldError(
                f"no package can be named {text!r}: a name is made of the letters a to z, "
                "digits and hyphens between them, such as bulk-mail"
            ) from None
        if len(name) > LONGEST_NAME:
            raise ScaffoldError(f"{text!r} has more than {LONGEST_NAME} characters")
        module = name.replace("-", "_")
        return cls(module, f"{PREFIX}{name}", f"pyq_{module}")


def create(kind: Kind, name: str, parent: Path, registry: Registry) -> tuple[PluginNames, Path]:
    """Write a package with a plugin of this kind into a new directory.

    Args:
        kind: one of `KINDS`.
        name: of the plugin, in any of the spellings of `PluginNames.parse`.
        parent: where the directory is made; it is named as the package.
        registry: the plugins at hand, whose names are taken.

    Raises:
        ScaffoldError: the name is unfit or taken, or the directory is there. Nothing is written.
    """
    names = PluginNames.parse(name)
    _refuse_taken(kind, names, registry)
    target = parent / names.package
    content = render(kind, names)
    try:
        target.mkdir()
    except FileExistsError:
        raise ScaffoldError(f"{target} is there already; nothing is written") from None
    for path, text in content.items():
        file = target / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return names, target


def render(kind: Kind, names: PluginNames) -> Mapping[str, str]:
    """The files of the package: their content by their path in it."""
    stands_for = {
        "sample": names.type,
        "pyq-sample": names.package,
        "pyq_sample": names.module,
        "sample-kind": kind.singular,
        "sample-core": core_wanted(),
    }

    def filled(name: str) -> str:
        text = files(__name__).joinpath("templates", *name.split("/")).read_text("utf-8")
        return _STANDS_FOR.sub(lambda found: stands_for[found[0]], text)

    one = kind.singular
    configure = filled(f"{one}/configure.md").rstrip()
    return {
        "pyproject.toml": filled("pyproject.toml"),
        "README.md": filled("README.md").replace(_INCLUDED, configure),
        ".gitignore": filled("gitignore"),
        f"{names.module}/__init__.py": filled(f"{one}/plugin.py"),
        f"{names.module}/{one}.py": filled(f"{one}/{one}.py"),
        f"{names.module}/py.typed": "",
        f"tests/test_{names.type}.py": filled(f"{one}/test_plugin.py"),
    }


def core_wanted() -> str:
    """The requirement of a plugin made with this core: this one or newer, and its API."""
    version = Version(__version__)
    return f"{CORE}>={version.public},<{version.major + 1}"


def _refuse_taken(kind: Kind, names: PluginNames, registry: Registry) -> None:
    for plugin in registry.plugins:
        if normalised(plugin.package) == names.package:
            raise ScaffoldError(f"a package {names.package} is installed; choose another name")
        if any(one.name == names.type for one in plugin.provides.get(kind, ())):
            raise ScaffoldError(
                f"the {kind.singular} {names.type!r} is in {plugin.label}; choose another name"
            )
    if kind is Kind.CONDITION and names.type in RESERVED_CONDITIONS:
        raise ScaffoldError(f"the condition name {names.type!r} belongs to the core")
