"""Which plugins are installed, and whether their packages fit this core, before any is imported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from importlib_metadata import Distribution, EntryPoint, PackageNotFoundError

from pyquarantine_core import __version__
from pyquarantine_core.hookspecs import GROUP

CORE = "pyquarantine-core"
"""The distribution whose version is that of the plugin API."""

_NAME = re.compile(r"\s*([A-Za-z0-9._-]+)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin as its package announces it.

    Attributes:
        name: of its entry point; of the package when its entry points cannot be read.
        package: the distribution it came in.
        version: of that distribution.
        point: the entry point.
        objection: why it cannot be used as it is installed, in one line; empty when it can.
    """

    name: str
    package: str
    version: str
    point: EntryPoint | None = None
    objection: str = ""

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.package} {self.version} ({self.name})"

    @classmethod
    def of(cls, point: EntryPoint, package: Package | None = None) -> Candidate:
        """The plugin that an entry point names; one without a distribution fits any core.

        Args:
            point: the entry point.
            package: its package, if that has been read already.
        """
        if point.dist is None:
            return cls(point.name, point.module, "?", point)
        package = package or Package.of(cast(Distribution, point.dist))
        problem = package.problem
        if point.pattern.match(point.value) is None:
            problem = f"its entry point {point.value!r} does not name a module"
        return cls(point.name, package.name or point.name, package.version, point, problem)


def installed() -> Iterator[Candidate]:
    """The plugins on the path, whatever state they are in.

    Of two packages of one name the first on the path counts, as in importlib.metadata.
    """
    seen = set()
    for distribution in Distribution.discover():
        if not _announces_plugins(distribution):
            continue
        package = Package.of(distribution)
        if package.name and normalised(package.name) in seen:
            continue
        seen.add(normalised(package.name))
        try:
            points = tuple(distribution.entry_points.select(group=GROUP))
        except (TypeError, ValueError):
            name = package.name or "?"
            problem = "its entry_points.txt cannot be read"
            yield Candidate(name, name, package.version, objection=problem)
            continue
        yield from (Candidate.of(one, package) for one in points)


def without_plugin(name: str) -> str:
    """The installed package of this name, with `pyq-` before it or not; empty when there is none.

    Of one that `installed` knows nothing of, it says that no entry point is in our group.
    """
    for package in (name, f"pyq-{normalised(name)}"):
        try:
            return str(Distribution.from_name(package).name)
        except (PackageNotFoundError, KeyError, OSError, ValueError):
            continue
    return ""


def normalised(name: str) -> str:
    """A plugin or package name as package tools compare them: `Pyq_Tag` is `pyq-tag`."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, slots=True)
class Package:
    """What the metadata of a distribution say.

    Attributes:
        name: of it; empty when they cannot be read.
        version: likewise `?`.
        problem: why its plugins cannot be used, in one line; empty when they can.
    """

    name: str = ""
    version: str = "?"
    problem: str = ""

    @classmethod
    def of(cls, distribution: Distribution) -> Package:
        try:
            name, version, requires = _metadata(distribution)
            return cls(name, version, _core_wanted(requires))
        except (KeyError, OSError, ValueError):
            return cls(problem="the metadata of its package cannot be read")


def _metadata(distribution: Distribution) -> tuple[str, str, list[str]]:
    """Name, version and requirements.

    The fields of METADATA (core metadata) stand on a line each. `Distribution.metadata` reads the
    description below them, too, with the email package: that takes longer than all else here.
    """
    text = distribution.read_text("METADATA")
    if text is None:  # an older format
        return distribution.name, distribution.version, distribution.requires or []
    fields = [line.partition(":") for line in text.partition("\n\n")[0].splitlines()]
    first = {name.lower(): value.strip() for name, _, value in reversed(fields)}
    requires = [value.strip() for name, _, value in fields if name.lower() == "requires-dist"]
    return first["name"], first["version"], requires


def _announces_plugins(distribution: Distribution) -> bool:
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except ValueError:  # not UTF-8, so that nobody knows whose it is
        return False
    return f"[{GROUP}]" in map(str.strip, text.splitlines())


def _core_wanted(requires: Iterable[str]) -> str:
    """What the package says against this core (core metadata, Requires-Dist)."""
    for line in requires:
        name = _NAME.match(line)
        if name is None or normalised(name[1]) != CORE:
            continue
        if name.end() == len(line):  # any version, as for most
            continue
        from packaging.requirements import Requirement  # noqa: PLC0415 - rarely needed, and large

        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        if not wanted.specifier.contains(__version__, prereleases=True):
            return f"wants {CORE}{wanted.specifier}, this is {__version__}"
    return ""
