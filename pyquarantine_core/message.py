"""The message under way: what the MTA has told of it, and what the rules have changed so far."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pyquarantine_core.address import Recipient, folded, same_address
from pyquarantine_core.body import Body
from pyquarantine_core.changes import described
from pyquarantine_core.client import Client
from pyquarantine_core.errors import HeaderLimitError, PluginError
from pyquarantine_core.header import Header, lines
from pyquarantine_core.header_meter import HeaderMeter
from pyquarantine_core.header_text import encode_value
from pyquarantine_core.limits import DEFAULT_LIMITS, over
from pyquarantine_core.message_log import MessageLog
from pyquarantine_core.patterns import Budget
from pyquarantine_core.printable import shown
from pyquarantine_core.types import Effect, Part, Stage

logger = logging.getLogger(__name__)

_WORD = r"[^\s<>@\x00-\x1f\x7f-\x9f\ud800-\udfff]+"
_HEADER_NAME = re.compile(r"[!-9;-~]+")
_ADDRESS = re.compile(f"{_WORD}@{_WORD}")
_MEASURED = 64
"""Header fields that are taken between two looks at whether they are too many."""


class Snapshot(NamedTuple):
    """A state of a message to go back to."""

    recipients: tuple[Recipient, ...]
    headers: tuple[Header, ...]
    body: Body
    variables: dict[str, str]
    effects: int


class Message:
    """A message under way. Conditions and actions get it; changes are recorded, not sent.

    Attributes:
        client: who handed it in.
        smtputf8: whether it came with SMTPUTF8 (RFC 6531).
        queue_id: the MTA's name for it; empty until DATA.
        variables: the metavariables set so far.
        advanced: when an effect was staged or committed last (time.monotonic).
        limits: what it may ask for.
        deadline: when the rules must have done with it (time.monotonic).
    """

    def __init__(self, client: Client | None = None, sender: str = "") -> None:
        self.client = client or Client()
        self._sender = sender
        self.smtputf8 = False
        self.queue_id = ""
        self.variables: dict[str, str] = {}
        self.limits = DEFAULT_LIMITS
        self.deadline = math.inf
        self._logger, self._step = logger, ""
        self._log: MessageLog | None = None
        self.visible = Stage.BODY
        self.pretending = False
        self.effects: list[Effect] = []
        self.advanced = 0.0
        self._effect_logs: dict[int, MessageLog] = {}
        self.received_recipients: list[Recipient] = []
        self.received_headers: list[Header] = []
        self.received_body = Body()
        # None until they are looked at; then, until they are changed, the same as received.
        self._recipients: tuple[Recipient, ...] | None = None
        self._recipients_as_received: tuple[Recipient, ...] | None = None
        self._headers: tuple[Header, ...] | None = None
        self._headers_as_received: tuple[Header, ...] | None = None
        self._indexed: tuple[Header, ...] | None = None
        self._index: dict[str, list[Header]] = {}
        self._places = iter(range(_MEASURED))
        self._meter = HeaderMeter(self.received_headers)
        self._is_measured = False
        self._body = self.received_body
        self._bodies = [self.received_body]

    # -- as the MTA tells of it --------------------------------------------------------------

    def receive_recipient(self, recipient: Recipient) -> None:
        """Take a recipient of the envelope."""
        self.received_recipients.append(recipient)
        self._recipients = self._recipients_as_received = None

    def receive_header(self, name: str, raw: bytes) -> None:
        """Take a header field; `raw` starts right after the colon. It never fails.

        What comes after far too many is not kept: nobody gets to see that header (`headers`).
        """
        try:
            place = next(self._places)
        except StopIteration:
            if any(self._meter.excess(self.limits)):
                return
            place = len(self.received_headers)
            self._places = iter(range(place + 1, place + _MEASURED))
        self.received_headers.append(Header(name, raw, place))
        self._headers = self._headers_as_received = None

    # -- to read -----------------------------------------------------------------------------

    @property
    def sender(self) -> str:
        """Envelope sender as a bare address; `""` is the null sender."""
        self._must_see(Stage.ENVELOPE, "the envelope sender")
        return self._sender

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """The envelope as it is now, in the order received."""
        self._must_see(Stage.ENVELOPE, "the recipients")
        return self._current_recipients

    @property
    def removed_recipients(self) -> tuple[Recipient, ...]:
        """Those taken out of the envelope so far."""
        kept = set(map(id, self._current_recipients))
        return tuple(one for one in self.received_recipients if id(one) not in kept)

    @property
    def added_recipients(self) -> tuple[Recipient, ...]:
        """Those put into the envelope so far."""
        received = set(map(id, self.received_recipients))
        return tuple(one for one in self._current_recipients if id(one) not in received)

    @property
    def headers(self) -> tuple[Header, ...]:
        """The headers as they are now, in order.

        Raises:
            HeaderLimitError: they are larger than what is looked at (`limits`).
        """
        self._must_see(Stage.HEADERS, "the headers")
        if not self._is_measured:
            self._measure()
        return self._current_headers

    def headers_named(self, name: str) -> Sequence[Header]:
        """Those of `headers` that have this name in any case, in order."""
        return self.headers_by_name.get(name.casefold(), ())

    @property
    def headers_by_name(self) -> Mapping[str, Sequence[Header]]:
        """`headers` by their names, casefolded."""
        headers = self.headers
        if self._indexed is not headers:
            index: dict[str, list[Header]] = {}
            for header in headers:
                name = header.name.casefold()
                if name in index:
                    index[name].append(header)
                else:
                    index[name] = [header]
            self._indexed, self._index = headers, index
        return self._index

    @property
    def body(self) -> Body:
        """The body as it is now."""
        self._must_see(Stage.BODY, "the body")
        return self._body

    @property
    def addresses(self) -> tuple[str, ...]:
        """The bare addresses of the recipients."""
        return tuple(recipient.address for recipient in self.recipients)

    @property
    def subject(self) -> str:
        """The decoded subject; empty when there is none."""
        return next((one.value for one in self.headers_named("subject")), "")

    def budget(self) -> Budget:
        """The time that one condition or action has for all its patterns on this message."""
        return Budget(self.limits, self.deadline)

    def chunks(self, *, original: bool = False) -> Iterator[bytes]:
        """The message's bytes, lines in CRLF, as received or as it is now: first the header.

        Raises:
            HeaderLimitError: the header is larger than what is kept of one (`limits`).
        """
        self._must_see(Stage.BODY, "the body")
        self._measure()
        headers = self.received_headers if original else self._current_headers
        yield lines(headers) + b"\r\n"
        yield from (self.received_body if original else self._body).chunks()

    @property
    def log(self) -> MessageLog:
        """Logs with the queue ID, the rule and the action."""
        if self._log is None:
            self._log = MessageLog(self._logger, {"queue_id": self.queue_id, "step": self._step})
        return self._log

    # -- to change ---------------------------------------------------------------------------

    def add_header(self, name: str, text: str) -> None:
        """Put a header after all others. The text is encoded once, here.

        Raises:
            PluginError: no header can have this name (RFC 5322, 2.2).
        """
        if not _HEADER_NAME.fullmatch(name):
            raise PluginError(f"no header can be named {name!a}")
        self._headers = (*self._current_headers, Header(name, encode_value(name, text)))

    def edit_headers(self, edits: Sequence[tuple[Header, str | None]]) -> None:
        """Give headers of `headers` a new text, or delete them (None)."""
        changed = {
            header: None
            if text is None
            else Header(header.name, encode_value(header.name, text), header.origin)
            for header, text in edits
        }
        self._headers = tuple(
            kept for one in self._current_headers if (kept := changed.get(one, one)) is not None
        )

    def replace_body(self, body: Body) -> None:
        """Put another body in the place of the present one."""
        self._body = body
        self._bodies.append(body)

    def remove_recipients(self, addresses: Iterable[str]) -> None:
        """Take recipients out of the envelope; letter case is ignored."""
        gone = set(map(folded, addresses))
        self._recipients = tuple(
            one for one in self._current_recipients if folded(one.address) not in gone
        )

    def add_recipient(self, address: str) -> None:
        """Put a recipient into the envelope; one that is there already, in any case, stays.

        Args:
            address: bare, such as `user@example.org`.

        Raises:
            PluginError: no MTA would take it.
        """
        if not _ADDRESS.fullmatch(address):
            raise PluginError(f"{address!a} is not an address that mail can be sent to")
        if not any(same_address(one.address, address) for one in self._current_recipients):
            self._recipients = (*self._current_recipients, Recipient(address, (f"<{address}>",)))

    def stage(self, effect: Effect) -> bool:
        """Prepare an effect and keep it to be committed before the answer.

        Returns:
            Whether it was prepared; False when the action is only pretended.
        """
        if not isinstance(effect, Effect):
            raise TypeError(f"stage() was given {shown(effect)}, not an Effect")
        self.advanced = time.monotonic()
        self.effects.append(effect)
        self._effect_logs[id(effect)] = self.log
        if self.pretending:
            return False
        effect.prepare()
        return True

    def has_recipient(self, address: str) -> bool:
        """Whether the envelope names this bare address now."""
        return any(same_address(one.address, address) for one in self.recipients)

    # -- for the engine and the adapter ------------------------------------------------------

    @property
    def current_headers(self) -> tuple[Header, ...]:
        """The headers as they are now, whatever is visible to plugins."""
        return self._current_headers

    @property
    def current_recipients(self) -> tuple[Recipient, ...]:
        """The envelope as it is now, whatever is visible to plugins."""
        return self._current_recipients

    @property
    def current_body(self) -> Body:
        """The body as it is now, whatever is visible to plugins."""
        return self._body

    @property
    def headers_changed(self) -> bool:
        """Whether an action has put other headers in the place of those received."""
        return self._headers is not self._headers_as_received

    @property
    def recipients_changed(self) -> bool:
        """Whether an action has put another envelope in the place of the one received."""
        return self._recipients is not self._recipients_as_received

    def log_as(self, logger: logging.Logger, step: str) -> None:
        """Let `log` speak for a rule or an action.

        Args:
            logger: has its level.
            step: its name.
        """
        self._logger, self._step, self._log = logger, step, None

    def snapshot(self) -> Snapshot:
        """The state to come back to."""
        return Snapshot(
            self._current_recipients,
            self._current_headers,
            self._body,
            dict(self.variables),
            len(self.effects),
        )

    def changed_since(self, snapshot: Snapshot) -> Iterator[Part]:
        """Which of headers, body and envelope are others now."""
        if self._headers is not snapshot.headers:
            yield Part.HEADERS
        if self._body is not snapshot.body:
            yield Part.BODY
        if self._recipients is not snapshot.recipients:
            yield Part.RECIPIENTS

    def roll_back(self, to: Snapshot) -> None:
        """Be as at the snapshot; effects staged since are undone, the last one first."""
        self.undo_effects(to.effects)
        self._recipients = to.recipients
        self._headers = to.headers
        self._body = to.body
        self.variables = dict(to.variables)

    def undo_effects(self, first: int = 0) -> None:
        """Undo the effects from the given one on; one that cannot be undone is logged."""
        for effect in reversed(self.effects[first:]):
            try:
                effect.undo()
            except BaseException:  # whatever it is, the others are undone
                log = self._effect_logs.get(id(effect), self.log)
                log.exception("could not undo: %s", described(effect))
        del self.effects[first:]

    def close(self) -> None:
        """Drop what it holds; effects not committed must have been undone."""
        for body in self._bodies:
            body.close()

    @property
    def _current_recipients(self) -> tuple[Recipient, ...]:
        if self._recipients is None:
            self._recipients = self._recipients_as_received = tuple(self.received_recipients)
        return self._recipients

    @property
    def _current_headers(self) -> tuple[Header, ...]:
        if self._headers is None:
            self._headers = self._headers_as_received = tuple(self.received_headers)
        return self._headers

    def _measure(self) -> None:
        """Refuse to show a header that is over a bound; once it is known not to be, it is not."""
        excess, setting = self._meter.excess(self.limits)
        if excess:
            raise HeaderLimitError(f"it has {over(excess, setting)}", excess)
        self._is_measured = True

    def _must_see(self, stage: Stage, part: str) -> None:
        if self.visible < stage:
            raise PluginError(f"{part} can be read only by what declares Stage.{stage.name}")
