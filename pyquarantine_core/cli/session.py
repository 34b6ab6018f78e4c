"""What a command works with: the config file named on the command line, loaded when needed."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pyquarantine_core import loading
from pyquarantine_core.config_file import DEFAULT_PATH, read_config_file
from pyquarantine_core.registry import Registry
from pyquarantine_core.types import Component

if TYPE_CHECKING:
    from pyquarantine_core.config import Config


class Session:
    """One run of the program; a click context's `obj`.

    Attributes:
        path: the config file.
        closing: closes what was opened, when the command ends.
    """

    def __init__(self, path: Path = DEFAULT_PATH) -> None:
        self.path = path
        self.closing = ExitStack()

    @cached_property
    def registry(self) -> Registry:
        """The plugins that the config lets in; all of them when it cannot be read.

        What builds their types is imported when the config is built.
        """
        return loading.load_plugins(self.path, builders=False)

    @cached_property
    def whole_registry(self) -> Registry:
        """The same with all that they consist of, as the daemon loads them."""
        return loading.load_plugins(self.path)

    @cached_property
    def config(self) -> Config:
        """The configuration; ConfigError when it cannot be used."""
        from pyquarantine_core import config  # noqa: PLC0415 - not every command needs one

        return config.build(read_config_file(self.path), self.registry)

    def open(self, component: Component) -> None:
        """Open a storage or list for the time of the command."""
        component.open()
        self.closing.callback(component.close)
