"""What a filter's replies mean: verdicts and modifications."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from pyquarantine_core.testing.delivery import (
    BodyReplaced,
    HeaderAdded,
    HeaderChanged,
    HeaderInserted,
    Modification,
    Quarantined,
    RecipientAdded,
    RecipientDeleted,
    SenderChanged,
)
from pyquarantine_core.testing.events import Stage
from pyquarantine_core.testing.protocol import Actions, ProtocolError, Reply


class Verdict(enum.Enum):
    """What becomes of a message."""

    ACCEPT = "accept"
    REJECT = "reject"
    DISCARD = "discard"
    TEMPFAIL = "tempfail"


@dataclass(frozen=True)
class Answer:
    """A filter's answer at one stage; without a verdict, and not `skip`, it means "go on"."""

    verdict: Verdict | None = None
    reply: str = ""
    skip: bool = False


CONTINUE = Answer()

_REFUSALS = {
    Reply.REJECT: Answer(Verdict.REJECT, "550 5.7.1 Command rejected"),
    Reply.TEMPFAIL: Answer(Verdict.TEMPFAIL, "451 4.7.1 Service unavailable - try again later"),
    Reply.SHUTDOWN: Answer(Verdict.TEMPFAIL, "421 4.7.0 Server closing connection"),
    Reply.CONN_FAIL: Answer(Verdict.TEMPFAIL, "421 4.7.0 Server closing connection"),
}
"""What Postfix says to its client when the filter gives no words of its own."""

MODIFICATIONS = {
    Reply.ADDHEADER: Actions.ADDHDRS,
    Reply.INSHEADER: Actions.ADDHDRS,
    Reply.CHGHEADER: Actions.CHGHDRS,
    Reply.REPLBODY: Actions.CHGBODY,
    Reply.ADDRCPT: Actions.ADDRCPT,
    Reply.ADDRCPT_PAR: Actions.ADDRCPT_PAR,
    Reply.DELRCPT: Actions.DELRCPT,
    Reply.CHGFROM: Actions.CHGFROM,
    Reply.QUARANTINE: Actions.QUARANTINE,
}
"""The replies that ask for a change, and what a filter must have negotiated to send them."""

_REPLY_CODE = re.compile(r"([45])\d\d[ -]\1")


def read_answer(stage: Stage, reply: Reply, data: bytes) -> Answer:
    """What a reply at this stage means.

    Raises:
        ProtocolError: The reply may not be given here.
    """
    match reply:
        case Reply.CONTINUE:
            return CONTINUE
        case Reply.ACCEPT:
            return Answer(Verdict.ACCEPT)
        case Reply.DISCARD if stage not in {Stage.CONNECT, Stage.HELO}:
            return Answer(Verdict.DISCARD)
        case Reply.SKIP if stage is Stage.BODY:
            return Answer(skip=True)
        case Reply.REPLYCODE:
            return _own_words(data)
        case Reply() if reply in _REFUSALS:
            return _REFUSALS[reply]
    raise ProtocolError(f"the filter answers {reply.name} at {stage.value}")


def read_modification(reply: Reply, data: bytes) -> Modification:
    """The change that a reply asks for.

    Raises:
        ProtocolError: Its data are not what this reply carries.
    """
    try:
        return _modification(reply, data)
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"the filter sends {reply.name} with {data[:80]!r}") from error


def _modification(reply: Reply, data: bytes) -> Modification:
    match reply:
        case Reply.ADDHEADER:
            name, value = _texts(data)
            return HeaderAdded(_text(name), value)
        case Reply.INSHEADER:
            name, value = _texts(data[4:])
            return HeaderInserted(int.from_bytes(data[:4]), _text(name), value)
        case Reply.CHGHEADER:
            name, value = _texts(data[4:])
            return HeaderChanged(int.from_bytes(data[:4]), _text(name), value)
        case Reply.REPLBODY:
            return BodyReplaced(data)
        case Reply.ADDRCPT | Reply.ADDRCPT_PAR:
            return RecipientAdded(*map(_text, _texts(data)))
        case Reply.DELRCPT:
            return RecipientDeleted(*map(_text, _texts(data)))
        case Reply.CHGFROM:
            return SenderChanged(*map(_text, _texts(data)))
        case Reply.QUARANTINE:
            return Quarantined(*map(_text, _texts(data)))
    raise ValueError(reply)


def _own_words(data: bytes) -> Answer:
    """A refusal in the filter's own words, which double every percent sign (smfi_setreply)."""
    text = _text(data.rstrip(b"\0"))
    if not _REPLY_CODE.match(text):
        raise ProtocolError(f"the filter refuses with {text!r}, which is no reply of SMTP")
    verdict = Verdict.TEMPFAIL if text.startswith("4") else Verdict.REJECT
    return Answer(verdict, re.sub("%(%?)", r"\1", text))


def _texts(data: bytes) -> list[bytes]:
    """The NUL-terminated strings that make up the data."""
    *texts, rest = data.split(b"\0")
    if rest:
        raise ValueError("a string without its NUL")
    return texts


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
