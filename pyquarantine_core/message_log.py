"""What is logged of a message: lines of rules and actions, and the one that says how it ended."""

from __future__ import annotations

import logging

from pyquarantine_core.types import MessageDone, Stage

logger = logging.getLogger(__name__)

SHOWN_RECIPIENTS = 10
"""Recipients that the line in text names."""
LISTED_RECIPIENTS = 50
"""Recipients that the fields name: syslogd cuts lines, often at 8 kB."""


class MessageLog(logging.LoggerAdapter[logging.Logger]):
    """Puts queue ID and rule before each line, and both into the fields of JSON lines."""

    def process(self, msg, kwargs):  # type: ignore[no-untyped-def] # as LoggerAdapter has it
        fields = dict(self.extra or {})
        kwargs["extra"] = {**(kwargs.get("extra") or {}), "fields": fields}
        return f"{fields['queue_id'] or '-'}: {fields['step']}: {msg}", kwargs


def log_done(done: MessageDone) -> None:
    """Log that a message was answered; for debugging alone when that was before its headers."""
    level = logging.INFO if done.stage >= Stage.HEADERS else logging.DEBUG
    if not logger.isEnabledFor(level):
        return
    milliseconds = round(done.seconds * 1000, 1)
    shown = ",".join([f"<{address}>" for address in done.recipients[:SHOWN_RECIPIENTS]])
    text = (
        f"{done.queue_id or '-'}: verdict={done.verdict.value}"
        f" rules={','.join(done.rules) or 'none'} actions={','.join(done.actions) or 'none'}"
        f" client={done.client} from=<{done.sender}> nrcpt={len(done.recipients)} to={shown}"
        f" ms={milliseconds}"
    )
    fields = {
        "queue_id": done.queue_id,
        "verdict": done.verdict.value,
        "rules": done.rules,
        "actions": done.actions,
        "client": done.client,
        "sender": done.sender,
        "recipients": done.recipients[:LISTED_RECIPIENTS],
        "recipient_count": len(done.recipients),
        "milliseconds": milliseconds,
    }
    # Not by logger.log, which looks for the line of code that called it, for each message anew.
    extra = {"fields": fields}
    logger.handle(logger.makeRecord(logger.name, level, "", 0, text, (), None, extra=extra))
