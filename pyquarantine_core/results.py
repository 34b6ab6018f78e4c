"""What plugins give back while a message passes: a wrong result is an error, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyquarantine_core.errors import PluginError, WrongResultError
from pyquarantine_core.printable import shown
from pyquarantine_core.types import Decision, Match, Part, Verdict

if TYPE_CHECKING:
    from pyquarantine_core.message import Message, Snapshot
    from pyquarantine_core.types import Action, Condition


def sound_decision(action: Action, decision: object) -> Decision | None:
    """What an action decided, if it is a Decision in all its parts, or None."""
    if decision is None:
        return None
    if not isinstance(decision, Decision):
        text = f"apply() returned {shown(decision)}, not a Decision or None"
        raise WrongResultError(text, action)
    verdict: object = decision.verdict
    if not isinstance(verdict, Verdict):
        raise WrongResultError(f"apply() decided {shown(verdict)}, which is no Verdict", action)
    return decision


def sound_match(condition: Condition, match: object) -> Match:
    """What a condition found, if it is a Match in all its parts."""
    if not isinstance(match, Match):
        raise WrongResultError(f"check() returned {shown(match)}, not a Match", condition)
    matched: object = match.matched
    if not isinstance(matched, bool):
        text = f"check() found {shown(matched)}, which is not True or False"
        raise WrongResultError(text, condition)
    groups: Mapping[str, object] = match.groups
    for group, value in groups.items():
        if not isinstance(value, str):
            text = f"check() found {shown(value)} for the group {group!a}, not a text"
            raise WrongResultError(text, condition)
    return match


def refuse_undeclared(declared: Part | None, message: Message, before: Snapshot) -> None:
    """See to it that nothing has changed but what was declared.

    Args:
        declared: `changes` of an action; None for a condition, which may set metavariables alone.
        message: the message now.
        before: as it was.

    Raises:
        PluginError: something else has.
    """
    for changed in message.changed_since(before):
        if declared is None:
            raise PluginError(f"it changes {changed.name}; a condition may set metavariables alone")
        if changed not in declared:
            raise PluginError(f"it changes {changed.name}, which its `changes` does not declare")
