"""The adapter between libmilter's callbacks and the rules; the only module that imports milter.

It asks the MTA for no more than the rules need, and sends what they decided: all changes, then
the effects are committed, then the answer.
"""

from __future__ import annotations

import logging
import textwrap
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVarTuple

import milter

from pyquarantine_core.address import Recipient, bare_address
from pyquarantine_core.difference import header_difference
from pyquarantine_core.engine import Cursor, RuleError, Ruleset, is_bug
from pyquarantine_core.errors import PyquarantineError
from pyquarantine_core.message import Client, Message
from pyquarantine_core.needs import BodyNeed, Needs, needs_of
from pyquarantine_core.types import Decision, MessageDone, Part, Stage, Verdict
from pyquarantine_core.underway import MessagesUnderWay

logger = logging.getLogger(__name__)

Arguments = TypeVarTuple("Arguments")

ANSWERS = {
    Verdict.ACCEPT: milter.ACCEPT,
    Verdict.REJECT: milter.REJECT,
    Verdict.DISCARD: milter.DISCARD,
    Verdict.TEMPFAIL: milter.TEMPFAIL,
}
SHOWN_RECIPIENTS = 10
"""Recipients that the log line of a message names."""
REPLY_LINE = 400
"""Characters of a reply line; libmilter refuses over 980 bytes, RFC 5321 512."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What all connections of a worker share.

    Attributes:
        rules: what messages go through.
        needs: what the MTA is asked for.
        activity: hears of messages under way.
        message_done: hears of messages answered.
    """

    rules: Ruleset
    needs: Needs
    activity: MessagesUnderWay
    message_done: Callable[[MessageDone], None]

    @property
    def actions(self) -> int:
        """The changes to ask leave for (`smfi_register`, xxfi_flags)."""
        changes = self.needs.changes
        return (
            (milter.ADDHDRS | milter.CHGHDRS if Part.HEADERS in changes else 0)
            | (milter.CHGBODY if Part.BODY in changes else 0)
            | (milter.DELRCPT if Part.RECIPIENTS in changes else 0)
        )

    @property
    def steps(self) -> int:
        """The steps to switch off and the replies not to wait for (`xxfi_negotiate`)."""
        needs, answers = self.needs, self.needs.answers
        steps = milter.P_NOHELO | milter.P_NOUNKNOWN | milter.P_NR_MAIL | milter.P_NR_RCPT
        steps |= milter.P_SKIP | milter.P_HDR_LEADSPC
        steps |= 0 if Stage.CONNECT in answers else milter.P_NR_CONN
        steps |= 0 if Stage.ENVELOPE in answers else milter.P_NODATA
        steps |= milter.P_NR_HDR if needs.headers else milter.P_NOHDRS
        steps |= 0 if Stage.HEADERS in answers else milter.P_NOEOH
        return (
            steps
            | {
                BodyNeed.NEVER: milter.P_NOBODY,
                BodyNeed.SOMETIMES: 0,
                BodyNeed.ALWAYS: milter.P_NR_BODY,
            }[needs.body]
        )


class Connection:
    """One connection of the MTA: one SMTP session, any number of messages in turn.

    No callback lets an exception out. What goes wrong is noted and answered with TEMPFAIL at
    the next callback that answers: an answer where none is awaited would leave the MTA waiting.
    """

    def __init__(self, filter_: Filter, context: milter.Context) -> None:
        self._filter = filter_
        self._context = context
        self._steps = 0
        self._client = Client()
        self._unfit: str | None = None
        self._failure: str | None = None
        self._message: Message | None = None
        self._cursor = Cursor(filter_.rules, Message())
        self._seconds = 0.0

    # -- libmilter's callbacks ---------------------------------------------------------------

    def negotiate(self, options: list[int]) -> int:
        """Switch off what is not needed. `options` is [actions, steps, 0, 0] as offered."""
        offered, steps = options[0], options[1]
        missing = self._filter.actions & ~offered
        if missing:
            self._unfit = f"the MTA does not allow changes that the rules need (0x{missing:x})"
            logger.error("tempfail for all messages of this connection: %s", self._unfit)
        self._steps = steps & self._filter.steps
        options[:] = [self._filter.actions & offered, self._steps, 0, 0]
        return milter.CONTINUE

    def connect(self, name: str, address: tuple[str, int] | str | None) -> int:
        answer = self._guard(milter.P_NR_CONN, self._connect, name, address)
        self._unfit = self._unfit or self._failure
        return answer

    def mail(self, argument: bytes, *parameters: bytes) -> int:
        self._failure = None
        return self._guard(milter.P_NR_MAIL, self._mail, argument, parameters)

    def rcpt(self, argument: bytes) -> int:
        return self._guard(milter.P_NR_RCPT, self._rcpt, argument)

    def data(self) -> int:
        return self._guard(milter.P_NR_DATA, self._stage, Stage.ENVELOPE)

    def header(self, name: str, value: bytes) -> int:
        return self._guard(milter.P_NR_HDR, self._header, name, value)

    def end_of_header(self) -> int:
        return self._guard(milter.P_NR_EOH, self._stage, Stage.HEADERS)

    def body(self, chunk: bytes) -> int:
        return self._guard(milter.P_NR_BODY, self._body, chunk)

    def end_of_message(self) -> int:
        return self._guard(0, self._stage, Stage.BODY)

    def abort(self) -> int:
        """Give up the message under way, if any; libmilter may call it twice."""
        if self._message is not None:
            self._message.undo_effects()
            self._leave()
        self._filter.activity.end(self)
        return milter.CONTINUE

    # -- what they do ------------------------------------------------------------------------

    def _connect(self, name: str, address: tuple[str, int] | str | None) -> int:
        self._client = Client.from_text(name, address[0] if isinstance(address, tuple) else None)
        if Stage.CONNECT not in self._filter.needs.answers:
            return milter.CONTINUE
        cursor = Cursor(self._filter.rules, Message(self._client))
        decision = cursor.advance(Stage.CONNECT)
        if decision is None:
            return milter.CONTINUE
        logger.debug("%s: nothing to do for this client", self._client.address)
        return ANSWERS[decision.verdict]

    def _mail(self, argument: bytes, parameters: tuple[bytes, ...]) -> int:
        self.abort()
        self._filter.activity.begin(self)
        self._message = Message(self._client, bare_address(_text(argument)))
        self._message.smtputf8 = any(one.upper() == b"SMTPUTF8" for one in parameters)
        self._cursor = Cursor(self._filter.rules, self._message)
        self._failure = self._unfit
        self._seconds = 0.0
        return milter.CONTINUE

    def _rcpt(self, argument: bytes) -> int:
        recipient = Recipient.from_mta(_text(argument), self._macro("{rcpt_addr}"))
        self._now.receive_recipient(recipient)
        return milter.CONTINUE

    def _header(self, name: str, value: bytes) -> int:
        if not self._steps & milter.P_HDR_LEADSPC:
            value = b" " + value
        self._now.receive_header(name, value)
        return milter.CONTINUE

    def _body(self, chunk: bytes) -> int:
        message = self._now
        if not message.received_body and not self._steps & milter.P_NR_BODY:
            answer = self._stage(Stage.HEADERS)
            if answer != milter.CONTINUE:
                return answer
            if self._steps & milter.P_SKIP and not self._cursor.may_need_body():
                return milter.SKIP
        message.received_body.append(chunk)
        return milter.CONTINUE

    def _stage(self, stage: Stage) -> int:
        message = self._now
        message.queue_id = message.queue_id or self._macro("i") or ""
        decision = self._cursor.advance(stage)
        return milter.CONTINUE if decision is None else self._finish(decision, stage)

    # -- the answer --------------------------------------------------------------------------

    def _finish(self, decision: Decision, stage: Stage) -> int:
        """Send changes, commit effects, answer; a step that fails leaves nothing behind."""
        message = self._now
        if decision.verdict is Verdict.TEMPFAIL:
            message.undo_effects()
        if decision.verdict is Verdict.ACCEPT:
            self._send_changes(message)
        if decision.verdict is Verdict.REJECT:
            self._context.setreply("554", "5.7.0", *_reply_lines(decision.text))
        for effect in sorted(message.effects, key=lambda one: one.phase):
            effect.commit()
        message.effects.clear()
        self._done(decision.verdict, stage)
        return ANSWERS[decision.verdict]

    def _send_changes(self, message: Message) -> None:
        difference = header_difference(message.received_headers, message.current_headers)
        for change in (*difference.edits, *difference.deletions):
            value = "" if change.raw is None else self._outgoing(change.raw)
            self._context.chgheader(change.name, change.index, value)
        for header in difference.additions:
            self._context.addheader(header.name, self._outgoing(header.raw))
        if message.current_body is not message.received_body:
            for chunk in message.current_body.chunks():
                self._context.replacebody(chunk)
        for recipient in message.removed_recipients:
            self._delete_recipient(recipient)

    def _delete_recipient(self, recipient: Recipient) -> None:
        for form in recipient.forms:
            try:
                self._context.delrcpt(form)
            except UnicodeEncodeError:
                raise PyquarantineError(
                    f"the recipient {form!a} is not UTF-8 and cannot be taken out of the envelope"
                ) from None

    def _outgoing(self, raw: bytes) -> str:
        """A header value as `smfi_addheader` wants it: never empty, which would delete it."""
        value = raw.decode()
        if not self._steps & milter.P_HDR_LEADSPC:
            value = value.removeprefix(" ")
        return value or " "

    def _done(self, verdict: Verdict, stage: Stage) -> None:
        message = self._now
        done = MessageDone(
            queue_id=message.queue_id,
            sender=message.sender,
            recipients=tuple(one.address for one in message.received_recipients),
            verdict=verdict,
            stage=stage,
            actions=tuple(self._cursor.ran),
            seconds=self._seconds,
        )
        logger.log(
            logging.INFO if stage >= Stage.HEADERS else logging.DEBUG,
            "%s: verdict=%s actions=%s client=%s from=<%s> nrcpt=%d to=%s",
            done.queue_id or "-",
            verdict.value,
            ",".join(done.actions) or "none",
            message.client.address or message.client.name or "local",
            done.sender,
            len(done.recipients),
            ",".join(f"<{address}>" for address in done.recipients[:SHOWN_RECIPIENTS]),
        )
        self._leave()
        self._filter.message_done(done)

    def _leave(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            message.close()
            self._filter.activity.answered(self)

    # -- the guard ---------------------------------------------------------------------------

    def _guard(
        self, no_reply: int, callback: Callable[[*Arguments], int], *arguments: *Arguments
    ) -> int:
        started = time.perf_counter()
        answer = milter.CONTINUE
        if self._failure is None:
            try:
                answer = callback(*arguments)
            except BaseException as error:  # nothing may reach libmilter
                self._fail(error)
        self._seconds += time.perf_counter() - started
        if self._steps & no_reply:
            return milter.NOREPLY
        return answer if self._failure is None else self._give_up()

    def _give_up(self) -> int:
        if self._message is not None:
            self._message.undo_effects()
            self._done(Verdict.TEMPFAIL, Stage.BODY)
        return milter.TEMPFAIL

    def _fail(self, error: BaseException) -> None:
        cause = error.__cause__ if isinstance(error, RuleError) and error.__cause__ else error
        name = "" if isinstance(error, RuleError | PyquarantineError) else type(error).__name__
        self._failure = ": ".join(filter(None, (name, str(error))))
        queue_id = self._message.queue_id if self._message is not None else ""
        traceback = cause if is_bug(cause) else None
        logger.error("%s: tempfail: %s", queue_id or "-", self._failure, exc_info=traceback)

    @property
    def _now(self) -> Message:
        if self._message is None:
            raise PyquarantineError("the MTA sent a step of a message before MAIL")
        return self._message

    def _macro(self, name: str) -> str | None:
        try:
            return self._context.getsymval(name)
        except UnicodeDecodeError:
            return None


def prepare(filter_: Filter, private_address: str) -> None:
    """Register the callbacks and open libmilter's own listener at a private address.

    Raises:
        milter.error: the address cannot be listened on.
    """

    def connection(context: milter.Context) -> Connection:
        known = context.getpriv()
        if isinstance(known, Connection):
            return known
        new = Connection(filter_, context)
        context.setpriv(new)
        return new

    def close(context: milter.Context) -> int:
        known = context.getpriv()
        if isinstance(known, Connection):
            known.abort()
            context.setpriv(None)
        return milter.CONTINUE

    milter.set_flags(filter_.actions)
    milter.set_exception_policy(milter.TEMPFAIL)
    milter.set_connect_callback(lambda c, name, _family, addr: connection(c).connect(name, addr))
    milter.set_helo_callback(lambda _c, _name: milter.CONTINUE)
    milter.set_envfrom_callback(lambda c, *arguments: connection(c).mail(*arguments))
    milter.set_envrcpt_callback(lambda c, *arguments: connection(c).rcpt(arguments[0]))
    milter.set_header_callback(lambda c, name, value: connection(c).header(name, value))
    milter.set_eoh_callback(lambda c: connection(c).end_of_header())
    milter.set_body_callback(lambda c, chunk: connection(c).body(chunk))
    milter.set_eom_callback(lambda c: connection(c).end_of_message())
    milter.set_abort_callback(lambda c: connection(c).abort())
    milter.set_close_callback(close)
    milter.setconn(private_address)
    milter.register(
        "pyquarantine",
        unknown=lambda _c, _command: milter.CONTINUE,
        data=lambda c: connection(c).data(),
        negotiate=lambda c, options: connection(c).negotiate(options),
    )
    milter.opensocket(True)


def make_filter(
    rules: Ruleset, activity: MessagesUnderWay, message_done: Callable[[MessageDone], None]
) -> Filter:
    """A filter for these rules."""
    return Filter(rules, needs_of(rules), activity, message_done)


def serve() -> None:
    """Run libmilter until `stop` is called; it starts threads of its own."""
    milter.main()


def stop() -> None:
    """Make `serve` return, within libmilter's five seconds."""
    milter.stop()


def _text(argument: bytes) -> str:
    return argument.decode("utf-8", "surrogateescape")


def _reply_lines(text: str) -> list[str]:
    """A reply text as libmilter takes it: ASCII (RFC 5321, 4.2), short lines, `%` doubled."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    clean = "".join(c if c.isprintable() else " " for c in plain).strip() or "Message rejected"
    return [line.replace("%", "%%") for line in textwrap.wrap(clean, REPLY_LINE)[:32]]
