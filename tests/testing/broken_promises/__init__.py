"""Plugins that break one promise each: what is changed in one that keeps them all.

The plugins are the stand-ins (`pyquarantine_core.testing.stand_ins`) and those in `stranger`.
"""

from __future__ import annotations

from .actions import ACTION
from .conditions import CONDITION
from .lists import LIST
from .notifications import NOTIFICATION
from .one import Break
from .storages import STORAGE

__all__ = ["ACTION", "CONDITION", "LIST", "NOTIFICATION", "STORAGE", "Break"]
