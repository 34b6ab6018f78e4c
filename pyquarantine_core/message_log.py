"""The log line of a message, in text with the verdict first, and its fields for `json`."""

from __future__ import annotations

import logging

from pyquarantine_core.types import MessageDone, Stage

logger = logging.getLogger(__name__)

SHOWN_RECIPIENTS = 10
"""Recipients that the line in text names; the fields have all of them."""


def log_done(done: MessageDone) -> None:
    """Log that a message was answered; for debugging alone when that was before its headers."""
    level = logging.INFO if done.stage >= Stage.HEADERS else logging.DEBUG
    if not logger.isEnabledFor(level):
        return
    milliseconds = round(done.seconds * 1000, 1)
    logger.log(
        level,
        "%s: verdict=%s rules=%s actions=%s client=%s from=<%s> nrcpt=%d to=%s ms=%s",
        done.queue_id or "-",
        done.verdict.value,
        ",".join(done.rules) or "none",
        ",".join(done.actions) or "none",
        done.client,
        done.sender,
        len(done.recipients),
        ",".join(f"<{address}>" for address in done.recipients[:SHOWN_RECIPIENTS]),
        milliseconds,
        extra={
            "fields": {
                "queue_id": done.queue_id,
                "verdict": done.verdict.value,
                "rules": done.rules,
                "actions": done.actions,
                "client": done.client,
                "sender": done.sender,
                "recipients": done.recipients,
                "milliseconds": milliseconds,
            }
        },
    )
