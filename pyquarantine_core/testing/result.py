"""What a filter did with a message."""

from __future__ import annotations

from dataclasses import dataclass

from pyquarantine_core.testing.answers import Verdict
from pyquarantine_core.testing.delivery import Delivered, Modification, deliver
from pyquarantine_core.testing.events import Stage
from pyquarantine_core.testing.mail import Mail, bracketed


@dataclass(frozen=True)
class Refused:
    """A recipient that the filter refused, and the SMTP reply to its RCPT command."""

    recipient: str
    reply: str


@dataclass(frozen=True)
class Result:
    """What a filter did with a message.

    Attributes:
        mail: The message as sent.
        queue_id: Its {i} macro.
        verdict: What becomes of it.
        stage: Where that was decided; EOM unless the filter decided early.
        reply: The SMTP reply with which the message is refused, else empty. (Of a rejection at
            CONNECT the client sees the 554 with which Postfix then greets; this goes to the log.)
        refused: Recipients refused one by one at RCPT.
        modifications: What the filter asked to change, in its order; chunks of a body are one.
        round_trips: How many times the MTA waited for the filter during this message.
        bytes_sent: What was sent to the filter for this message, packets as a whole.
        leading_space: Whether header values carry their own leading space (HDR_LEADSPC).
    """

    mail: Mail
    queue_id: str
    verdict: Verdict
    stage: Stage
    reply: str
    refused: tuple[Refused, ...]
    modifications: tuple[Modification, ...]
    round_trips: int
    bytes_sent: int
    leading_space: bool

    @property
    def delivered(self) -> Delivered | None:
        """What the next MTA gets; None when the message goes nowhere."""
        if self.verdict is not Verdict.ACCEPT:
            return None
        refused = {refusal.recipient for refusal in self.refused}
        recipients = [to for to in self.mail.recipients if bracketed(to) not in refused]
        return deliver(self.mail, recipients, self.modifications, leading_space=self.leading_space)
