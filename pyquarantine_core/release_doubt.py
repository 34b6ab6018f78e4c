"""Recipients of whom nobody knows whether they have a message that is being released."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pyquarantine_core.errors import (
    LOOK_IN_LOG,
    WHEN_IN_DOUBT,
    InDoubtError,
    ReleaseError,
    StorageError,
)

if TYPE_CHECKING:
    from pyquarantine_core.types import Claim, Entry


class Doubt:
    """What a release records on the entry before the server can take the message.

    Whatever ends the release, the next one knows. Where the recipients of an entry are not known,
    nothing can be recorded.

    Args:
        claim: on the entry.

    Attributes:
        offered: who may have the message since.
    """

    def __init__(self, claim: Claim) -> None:
        self.offered: Sequence[str] = ()
        self._claim = claim
        self._entry = claim.entry
        self._begun = False

    def begin(self, recipients: Sequence[str]) -> None:
        """Record that these may get it from now on.

        Raises:
            StorageError: that cannot be; it must not be sent.
        """
        self._begun = True
        self._record({*self._entry.in_doubt, *recipients})
        self.offered = recipients

    def end(self) -> None:
        """Record that nobody has got it; they stay in doubt where that fails: it loses nothing."""
        if self._begun:
            with suppress(StorageError):
                self._record(set(self._entry.in_doubt))

    def told(self, error: BaseException) -> InDoubtError:
        """What to tell whoever has released it, when this came between."""
        why = str(error) or "you interrupted it"
        remedy = LOOK_IN_LOG if self._entry.recipients is None else WHEN_IN_DOUBT
        who = ", ".join(self.offered)
        return InDoubtError(f"{self._entry.id} may have been sent to {who}: {why}; {remedy}")

    def _record(self, doubtful: set[str]) -> None:
        recipients = self._entry.recipients
        if recipients is not None:
            in_doubt = tuple(one for one in recipients if one in doubtful)
            self._claim.keep_only(recipients, in_doubt=in_doubt)


def refuse_doubtful(entry: Entry, recipients: Sequence[str]) -> None:
    """Raise a ReleaseError where one of these may have the message already."""
    doubtful = [one for one in recipients if one in entry.in_doubt]
    if doubtful:
        who = ", ".join(doubtful)
        raise ReleaseError(
            f"{entry.id} was sent to nobody now, since {who} may have it already from a release "
            f"that was cut off; {WHEN_IN_DOUBT}"
        )
