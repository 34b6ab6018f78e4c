"""The adapter between libmilter's callbacks and the rules; the only module that imports milter.

It asks the MTA for no more than the rules need, and sends what they decided: all changes, then
the effects are committed, then the answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVarTuple

import milter

from pyquarantine_core.address import Recipient, mailbox, plain_address
from pyquarantine_core.client import Client
from pyquarantine_core.difference import header_difference
from pyquarantine_core.engine import Cursor, RuleError
from pyquarantine_core.errors import PyquarantineError, is_bug
from pyquarantine_core.message import Message
from pyquarantine_core.message_log import log_done
from pyquarantine_core.needs import BodyNeed, Needs, needs_of
from pyquarantine_core.reply import reply_lines
from pyquarantine_core.ruleset import Ruleset
from pyquarantine_core.types import Decision, EffectPhase, MessageDone, Part, Stage, Verdict
from pyquarantine_core.underway import MessagesUnderWay

logger = logging.getLogger(__name__)

Arguments = TypeVarTuple("Arguments")

ANSWERS = {
    Verdict.ACCEPT: milter.ACCEPT,
    Verdict.REJECT: milter.REJECT,
    Verdict.DISCARD: milter.DISCARD,
    Verdict.TEMPFAIL: milter.TEMPFAIL,
}
AFTER_ALL_HEADERS = 2**31 - 1
"""As an index of `smfi_insheader`: one past the last header appends, to Postfix and sendmail."""


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
            | (milter.ADDRCPT | milter.DELRCPT if Part.RECIPIENTS in changes else 0)
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
        self._leading_space = False
        self._header_answer = milter.CONTINUE
        self._client = Client()
        self._shown_client = "local"
        self._unfit: str | None = None
        self._failure: str | None = None
        self._message: Message | None = None
        self._cursor = Cursor(filter_.rules, Message())
        self._seconds = 0.0
        self._entered: float | None = None
        filter_.activity.opened(self)

    def at_work(self) -> tuple[float, str] | None:
        """Since when a callback runs, and what it looked at last (`underway.Busy`)."""
        since, message = self._entered, self._message
        if since is None:
            return None
        if message is None:
            return since, f"-: {self._cursor.where()}"
        since = max(since, message.advanced)  # many recipients take long, and are no hang
        return since, f"{message.queue_id or '-'}: {self._cursor.where()}"

    # -- libmilter's callbacks ---------------------------------------------------------------

    def negotiate(self, options: list[int]) -> int:
        """Switch off what is not needed. `options` is [actions, steps, 0, 0] as offered."""
        offered, steps = options[0], options[1]
        missing = self._filter.actions & ~offered
        if missing:
            self._unfit = f"the MTA does not allow changes that the rules need (0x{missing:x})"
            logger.error("tempfail for all messages of this connection: %s", self._unfit)
        self._steps = steps & self._filter.steps
        self._leading_space = bool(self._steps & milter.P_HDR_LEADSPC)
        self._header_answer = milter.NOREPLY if self._steps & milter.P_NR_HDR else milter.CONTINUE
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
        """Keep a header; no guard around it, for there are many and nothing of ours runs."""
        if self._message is not None:
            self._message.receive_header(name, value if self._leading_space else b" " + value)
        return self._header_answer

    def end_of_header(self) -> int:
        return self._guard(milter.P_NR_EOH, self._stage, Stage.HEADERS)

    def body(self, chunk: bytes) -> int:
        return self._guard(milter.P_NR_BODY, self._body, chunk)

    def end_of_message(self) -> int:
        return self._guard(0, self._stage, Stage.BODY)

    def abort(self) -> int:
        """Give up the message under way, if any; libmilter may call it twice."""
        outer, self._entered = self._entered, time.monotonic()  # a storage may hang in an undo
        if self._message is not None:
            self._message.undo_effects()
            self._leave()
        self._filter.activity.end(self)
        self._entered = outer
        return milter.CONTINUE

    def close(self) -> None:
        """The connection is over."""
        self.abort()
        self._filter.activity.closed(self)

    # -- what they do ------------------------------------------------------------------------

    def _connect(self, name: str, address: tuple[str, int] | str | None) -> int:
        self._client = Client.from_text(name, address[0] if isinstance(address, tuple) else None)
        self._shown_client = str(self._client.address or self._client.name or "local")
        if Stage.CONNECT not in self._filter.needs.answers:
            return milter.CONTINUE
        self._cursor = Cursor(self._filter.rules, Message(self._client))
        decision = self._cursor.advance(Stage.CONNECT)
        if decision is None:
            return milter.CONTINUE
        self._message = self._cursor.message
        self._done(decision.verdict, Stage.CONNECT)
        return ANSWERS[decision.verdict]

    def _mail(self, argument: bytes, parameters: tuple[bytes, ...]) -> int:
        self.abort()
        self._filter.activity.begin(self)
        text = _text(argument)
        sender = plain_address(text)
        if sender is None:
            sender = mailbox(text, self._macro("{mail_addr}"))
        self._message = Message(self._client, sender)
        self._message.limits = self._filter.rules.limits
        self._message.smtputf8 = any(one.upper() == b"SMTPUTF8" for one in parameters)
        self._cursor = Cursor(self._filter.rules, self._message)
        self._failure = self._unfit
        self._seconds = 0.0
        return milter.CONTINUE

    def _rcpt(self, argument: bytes) -> int:
        recipient = Recipient.from_mta(_text(argument), self._macro("{rcpt_addr}"))
        self._now.receive_recipient(recipient)
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
            try:
                self._send_changes(message)
            except milter.error as error:
                raise PyquarantineError(f"the MTA does not take the changes: {error}") from error
        if decision.verdict is Verdict.REJECT:
            self._context.setreply("554", "5.7.0", *reply_lines(decision.text))
        self._done(decision.verdict, stage, self._cursor.commit())
        return ANSWERS[decision.verdict]

    def _send_changes(self, message: Message) -> None:
        if message.headers_changed:
            self._send_headers(message)
        if message.current_body is not message.received_body:
            for chunk in message.current_body.chunks():
                self._context.replacebody(chunk)
        if message.recipients_changed:
            for recipient in message.removed_recipients:
                self._delete_recipient(recipient)
            for recipient in message.added_recipients:
                self._context.addrcpt(f"<{recipient.address}>")

    def _send_headers(self, message: Message) -> None:
        difference = header_difference(message.received_headers, message.current_headers)
        for change in (*difference.edits, *difference.deletions):
            value = "" if change.raw is None else self._outgoing(change.raw)
            self._context.chgheader(change.name, change.index, value)
        for header in difference.additions:
            # smfi_addheader will not do: sendmail puts that before other headers of its name.
            self._context.addheader(header.name, self._outgoing(header.raw), AFTER_ALL_HEADERS)

    def _delete_recipient(self, recipient: Recipient) -> None:
        for form in recipient.forms:
            try:
                self._context.delrcpt(form)
            except UnicodeEncodeError:
                raise PyquarantineError(
                    f"the recipient {form!a} is not UTF-8 and cannot be taken out of the envelope"
                ) from None

    def _outgoing(self, raw: bytes) -> str:
        """A header value as `smfi_insheader` wants it: never empty, which would delete it."""
        value = raw.decode()
        if not self._leading_space:
            value = value.removeprefix(" ")
        return value or " "

    def _done(
        self, verdict: Verdict, stage: Stage, committed: Mapping[EffectPhase, int] | None = None
    ) -> None:
        message = self._now
        committed = committed or {}
        done = MessageDone(
            queue_id=message.queue_id,
            client=self._shown_client,
            sender=message.sender,
            recipients=tuple(one.address for one in message.received_recipients),
            verdict=verdict,
            stage=stage,
            rules=tuple(self._cursor.matched),
            actions=tuple(self._cursor.ran),
            stored=committed.get(EffectPhase.STORAGE, 0),
            notified=committed.get(EffectPhase.NOTIFICATION, 0),
            seconds=self._spent(),
            failures=tuple(self._cursor.failures),
        )
        log_done(done)
        self._filter.message_done(done)
        self._leave()  # from here on the answer is on its way

    def _leave(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            message.close()
            self._filter.activity.answered(self)

    # -- the guard ---------------------------------------------------------------------------

    def _guard(
        self, no_reply: int, callback: Callable[[*Arguments], int], *arguments: *Arguments
    ) -> int:
        self._entered = entered = time.monotonic()
        answer = milter.CONTINUE
        replies = not self._steps & no_reply
        if self._failure is None:
            try:
                answer = callback(*arguments)
            except BaseException as error:  # nothing may reach libmilter
                self._fail(error)
        if replies and self._failure is not None:
            answer = self._give_up()
        self._seconds += time.monotonic() - entered
        self._entered = None
        return answer if replies else milter.NOREPLY

    def _spent(self) -> float:
        """Seconds of work on the message so far, up to now."""
        since = self._entered
        return self._seconds + (0.0 if since is None else time.monotonic() - since)

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

    def begun(context: milter.Context) -> Connection:
        connection = Connection(filter_, context)
        context.setpriv(connection)  # the other callbacks find it there
        return connection

    def negotiate(context: milter.Context, options: list[int]) -> int:
        return begun(context).negotiate(options)  # libmilter lets an MTA leave it out

    def close(context: milter.Context) -> int:
        known = context.getpriv()
        if isinstance(known, Connection):
            known.close()
            context.setpriv(None)
        return milter.CONTINUE

    milter.set_flags(filter_.actions)
    milter.set_exception_policy(milter.TEMPFAIL)
    milter.set_connect_callback(
        lambda c, name, _family, addr: (c.getpriv() or begun(c)).connect(name, addr)
    )
    milter.set_helo_callback(lambda _c, _name: milter.CONTINUE)
    milter.set_envfrom_callback(lambda c, *arguments: (c.getpriv() or begun(c)).mail(*arguments))
    milter.set_envrcpt_callback(lambda c, *arguments: (c.getpriv() or begun(c)).rcpt(arguments[0]))
    milter.set_header_callback(lambda c, name, value: (c.getpriv() or begun(c)).header(name, value))
    milter.set_eoh_callback(lambda c: (c.getpriv() or begun(c)).end_of_header())
    milter.set_body_callback(lambda c, chunk: (c.getpriv() or begun(c)).body(chunk))
    milter.set_eom_callback(lambda c: (c.getpriv() or begun(c)).end_of_message())
    milter.set_abort_callback(lambda c: (c.getpriv() or begun(c)).abort())
    milter.set_close_callback(close)
    milter.setconn(private_address)
    milter.register(
        "pyquarantine",
        unknown=lambda _c, _command: milter.CONTINUE,
        data=lambda c: (c.getpriv() or begun(c)).data(),
        negotiate=negotiate,
    )
    milter.opensocket(True)


def make_filter(
    rules: Ruleset, activity: MessagesUnderWay, message_done: Callable[[MessageDone], None]
) -> Filter:
    """A filter for these rules."""
    return Filter(rules, needs_of(rules), activity, message_done)


def serve() -> None:
    """Run libmilter, which starts threads of its own, for as long as the process lives."""
    milter.main()


def _text(argument: bytes) -> str:
    return argument.decode("utf-8", "surrogateescape")
