"""What a fault is, and what it may do to mail."""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random

from .load import Load
from .scene import Scene


class Fault(ABC):
    """Something that goes wrong while mail flows.

    Attributes:
        name: for the command line.
        messages: how many are sent at least.
        may_defer: whether senders may have to try again.
        may_double: whether a message may be held twice: something ends between the moment when
            it is held and the answer.
        may_leave: whether unfinished files may be left, for `pyquarantine check` to move aside.
        may_tell_twice: whether somebody may be told twice: likewise with the server's answer.
    """

    name: str
    messages: int = 200
    may_defer: bool = True
    may_double: bool = False
    may_leave: bool = False
    may_tell_twice: bool = False

    def prepare(self, scene: Scene) -> None:  # noqa: B027 - most need nothing
        """Change the config, bring what it takes, before the daemon starts."""

    @abstractmethod
    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        """Do it, under load, and end it."""

    def complaints(self, scene: Scene) -> list[str]:
        """What else is not as promised, once all mail has arrived."""
        return []

    def remark(self) -> str:
        """What else was seen; asked for last."""
        return ""
