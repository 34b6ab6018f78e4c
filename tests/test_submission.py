"""Released mail on its way to a server: a real one, that keeps what it gets or fails on demand."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import pytest

from pyquarantine_core import submission
from pyquarantine_core.errors import InDoubtError, ReleaseError, StorageError
from pyquarantine_core.submission import Failure, SmtpSession, SubmissionError, submit
from pyquarantine_core.testing.sink import Received, SmtpSink
from pyquarantine_core.testing.sockets import refusing_port

SENDER = "Sender@example.org"
ONE, TWO = "One@example.org", "two@example.org"
CONTENT = b"Subject: Hello\r\n\r\nBody\r\n"


def send(
    sink: SmtpSink,
    content: bytes = CONTENT,
    *,
    sender: str = SENDER,
    recipients: tuple[str, ...] = (ONE,),
    smtputf8: bool = False,
) -> Mapping[str, str]:
    return submit(("127.0.0.1", sink.port), sender, recipients, content, smtputf8=smtputf8)


def arrived(sink: SmtpSink) -> Received:
    (message,) = sink.received
    return message


def refusal(sink: SmtpSink, *, recipients: tuple[str, ...] = (ONE,)) -> str:
    with pytest.raises(ReleaseError) as caught:
        send(sink, recipients=recipients)
    assert sink.received == ()
    return str(caught.value).replace(str(sink.port), "PORT")


class TestContent:
    @pytest.mark.parametrize(
        "content",
        [
            CONTENT,
            b"Subject:  odd\r\n\t folds\r\n\r\n",
            b"X: \xfc\xff\x00\x01\r\n\r\n\xe4\r\n",
            b"\r\n.\r\n..\r\n.dot\r\n",
            b"\r\nbare \r CR\r\n",
            b"\r\n" + b"long " * 1000 + b"\r\n",
            b"\r\n",
        ],
    )
    def test_it_arrives_byte_for_byte(self, content: bytes, smtp_sink: SmtpSink) -> None:
        send(smtp_sink, content)
        assert arrived(smtp_sink).content == content

    def test_a_bare_lf_becomes_crlf_and_nothing_else_changes(self, smtp_sink: SmtpSink) -> None:
        send(smtp_sink, b"A: b\n c\r\n\n.\nend\r\n")
        assert arrived(smtp_sink).content == b"A: b\r\n c\r\n\r\n.\r\nend\r\n"

    def test_a_last_line_without_end_gets_one(self, smtp_sink: SmtpSink) -> None:
        send(smtp_sink, b"A: b\r\n\r\nend")
        assert arrived(smtp_sink).content == b"A: b\r\n\r\nend\r\n"


class TestEnvelope:
    def test_addresses_keep_their_spelling(self, smtp_sink: SmtpSink) -> None:
        assert send(smtp_sink, recipients=(ONE, TWO)) == {}
        message = arrived(smtp_sink)
        assert (message.sender, message.recipients) == (SENDER, (ONE, TWO))

    def test_the_sender_may_be_null(self, smtp_sink: SmtpSink) -> None:
        send(smtp_sink, sender="")
        assert arrived(smtp_sink).sender == ""

    @pytest.mark.parametrize(
        "address",
        [
            "a@example.org>\r\nRCPT TO:<b@example.org",
            "a@example.org\nDATA",
            "a@example.org> SIZE=1 <",
            "a\0@example.org",
            "\udcfc@example.org",
        ],
    )
    def test_an_address_that_could_carry_a_command_is_refused(
        self, address: str, smtp_sink: SmtpSink
    ) -> None:
        for sender, recipients in ((address, (ONE,)), (SENDER, (address,))):
            with pytest.raises(ReleaseError, match="is no address that can be sent") as caught:
                send(smtp_sink, sender=sender, recipients=recipients)
            assert len(str(caught.value).splitlines()) == 1
        assert smtp_sink.received == ()
        refused = send(smtp_sink, recipients=(ONE, address))
        assert refused == {address: "no address that can be sent"}
        assert arrived(smtp_sink).recipients == (ONE,)

    def test_a_quoted_local_part_may_hold_anything(self, smtp_sink: SmtpSink) -> None:
        send(smtp_sink, sender='"<x> y"@example.org', recipients=(ONE,))
        assert arrived(smtp_sink).sender == '"<x> y"@example.org'


class TestExtensions:
    def test_eight_bits_are_announced_where_that_is_offered(self, smtp_sink: SmtpSink) -> None:
        send(smtp_sink, b"X: \xfc\r\n\r\n")
        assert arrived(smtp_sink).mail_options == ("BODY=8BITMIME",)

    def test_seven_bits_need_no_announcement(self, smtp_sink: SmtpSink) -> None:
        send(smtp_sink)
        assert arrived(smtp_sink).mail_options == ()

    def test_eight_bits_are_sent_even_where_that_is_not_offered(self) -> None:
        with SmtpSink(eight_bit_mime=False, smtputf8=False) as sink:
            send(sink, b"X: \xfc\r\n\r\n")
            assert arrived(sink).mail_options == ()
            assert arrived(sink).content == b"X: \xfc\r\n\r\n"

    @pytest.mark.parametrize(
        ("sender", "recipient"), [("jörg@example.org", ONE), (SENDER, "müller@exämple.org")]
    )
    def test_an_address_beyond_ascii_needs_smtputf8(
        self, sender: str, recipient: str, smtp_sink: SmtpSink
    ) -> None:
        send(smtp_sink, sender=sender, recipients=(recipient,))
        message = arrived(smtp_sink)
        assert (message.sender, message.recipients) == (sender, (recipient,))
        assert message.mail_options == ("SMTPUTF8",)

    def test_an_address_beyond_ascii_cannot_go_to_a_server_without_smtputf8(self) -> None:
        with SmtpSink(smtputf8=False) as sink:
            assert refusal(sink, recipients=("müller@example.org",)) == (
                "an address is not ASCII, and the server does not offer SMTPUTF8"
            )

    def test_a_message_received_with_smtputf8_is_sent_with_it_where_possible(
        self, smtp_sink: SmtpSink
    ) -> None:
        send(smtp_sink, smtputf8=True)
        assert arrived(smtp_sink).mail_options == ("SMTPUTF8",)
        with SmtpSink(smtputf8=False) as sink:
            send(sink, smtputf8=True)
            assert arrived(sink).mail_options == ()

    def test_tls_is_used_when_it_is_offered(self) -> None:
        with SmtpSink(starttls=True) as sink:
            send(sink, b"X: \xfc\r\n\r\n")
            assert arrived(sink).tls
            assert arrived(sink).mail_options == ("BODY=8BITMIME",)

    def test_tls_is_not_asked_for_when_it_is_not_offered(self, smtp_sink: SmtpSink) -> None:
        send(smtp_sink)
        assert not arrived(smtp_sink).tls


class TestRefusals:
    def test_recipients_that_are_refused_are_told_and_the_others_get_it(
        self, smtp_sink: SmtpSink
    ) -> None:
        smtp_sink.refuse_recipients = {TWO: "550 5.1.1 no such user"}
        assert send(smtp_sink, recipients=(ONE, TWO)) == {TWO: "550 5.1.1 no such user"}
        assert arrived(smtp_sink).recipients == (ONE,)

    def test_when_all_are_refused_each_is_told(self, smtp_sink: SmtpSink) -> None:
        smtp_sink.refuse_recipients = {ONE: "550 5.1.1 unknown", TWO: "452 4.2.2 full"}
        assert refusal(smtp_sink, recipients=(ONE, TWO)) == (
            f"<{ONE}> refused: 550 5.1.1 unknown; <{TWO}> refused: 452 4.2.2 full"
        )

    def test_a_refused_sender(self, smtp_sink: SmtpSink) -> None:
        smtp_sink.refuse_sender = "553 5.7.1 not you"
        assert refusal(smtp_sink) == "127.0.0.1 port PORT: 553 5.7.1 not you"

    @pytest.mark.parametrize("reply", ["451 4.3.0 later", "554 5.7.1 spam"])
    def test_a_refusal_at_the_end_of_the_data(self, reply: str, smtp_sink: SmtpSink) -> None:
        smtp_sink.refuse_data = reply
        assert refusal(smtp_sink) == f"127.0.0.1 port PORT: {reply}"

    def test_a_connection_lost_before_the_answer_leaves_it_in_doubt(
        self, smtp_sink: SmtpSink
    ) -> None:
        smtp_sink.drop_after_data = True
        with pytest.raises(InDoubtError, match="it may have taken the message all the same"):
            send(smtp_sink)

    def test_who_may_get_it_is_told_before_the_content_is_sent(self, smtp_sink: SmtpSink) -> None:
        smtp_sink.refuse_recipients = {ONE: "550 5.1.1 unknown"}
        told: list[tuple[Sequence[str], int]] = []
        submit(
            ("127.0.0.1", smtp_sink.port),
            SENDER,
            (ONE, TWO),
            CONTENT,
            before_data=lambda accepted: told.append((accepted, len(smtp_sink.received))),
        )
        assert told == [([TWO], 0)]
        assert arrived(smtp_sink).recipients == (TWO,)

    def test_what_fails_before_the_content_keeps_it_from_being_sent(
        self, smtp_sink: SmtpSink
    ) -> None:
        def fail(_accepted: Sequence[str]) -> None:
            raise StorageError("the disk is full")

        with pytest.raises(StorageError, match="the disk is full"):
            submit(("127.0.0.1", smtp_sink.port), SENDER, (ONE,), CONTENT, before_data=fail)
        assert smtp_sink.received == ()

    def test_nobody_may_get_it_when_all_are_refused(self, smtp_sink: SmtpSink) -> None:
        smtp_sink.refuse_recipients = {ONE: "550 5.1.1 unknown"}
        told: list[Sequence[str]] = []
        with pytest.raises(ReleaseError):
            submit(("127.0.0.1", smtp_sink.port), SENDER, (ONE,), CONTENT, before_data=told.append)
        assert told == []

    def test_a_server_that_is_not_there(self) -> None:
        with refusing_port() as port:
            complaint = f"127.0.0.1 port {port}: .*Connection refused"
            with pytest.raises(ReleaseError, match=complaint):
                submit(("127.0.0.1", port), SENDER, (ONE,), CONTENT)

    def test_what_the_server_says_cannot_steer_the_terminal(self, smtp_sink: SmtpSink) -> None:
        smtp_sink.refuse_data = "554 \x1b[2Jgone"
        assert refusal(smtp_sink).endswith(r"554 \x1b[2Jgone")


class TestSession:
    """Several messages on one connection."""

    @pytest.fixture
    def session(self, smtp_sink: SmtpSink) -> Iterator[SmtpSession]:
        session = SmtpSession(("127.0.0.1", smtp_sink.port))
        yield session
        session.close()

    def test_each_has_a_transaction_of_its_own(
        self, session: SmtpSession, smtp_sink: SmtpSink
    ) -> None:
        session.send(SENDER, [ONE], CONTENT)
        session.send("", ["müller@example.org"], b"X: \xfc\r\n\r\n")
        session.send(SENDER, [TWO], CONTENT)
        first, second, third = smtp_sink.received
        assert (first.sender, first.recipients, first.mail_options) == (SENDER, (ONE,), ())
        assert second.recipients == ("müller@example.org",)
        assert set(second.mail_options) == {"BODY=8BITMIME", "SMTPUTF8"}
        assert (third.sender, third.recipients, third.mail_options) == (SENDER, (TWO,), ())
        assert smtp_sink.connections == 1

    @pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
    def test_a_refusal_leaves_nothing_for_the_next(
        self, step: str, session: SmtpSession, smtp_sink: SmtpSink
    ) -> None:
        smtp_sink.refuse_sender = "451 4.3.0 later" if step == "MAIL" else ""
        smtp_sink.refuse_recipients = {ONE: "550 5.1.1 unknown"} if step == "RCPT" else {}
        smtp_sink.refuse_data = "554 5.6.0 no" if step == "DATA" else ""
        with pytest.raises(SubmissionError):
            session.send(SENDER, [ONE], CONTENT)
        smtp_sink.refuse_sender = smtp_sink.refuse_data = ""
        session.send(SENDER, [TWO], CONTENT)
        assert arrived(smtp_sink).recipients == (TWO,)
        assert smtp_sink.connections == 1

    def test_a_server_that_ends_the_connection_after_some_is_called_again(
        self, session: SmtpSession, smtp_sink: SmtpSink
    ) -> None:
        smtp_sink.messages_per_connection = 2
        for _ in range(5):
            session.send(SENDER, [ONE], CONTENT)
        assert (len(smtp_sink.received), smtp_sink.connections) == (5, 3)

    def test_a_server_that_dropped_the_connection_meanwhile_is_called_again(
        self, session: SmtpSession, smtp_sink: SmtpSink
    ) -> None:
        session.send(SENDER, [ONE], CONTENT)
        smtp_sink.drop_at = "MAIL"
        smtp_sink.drops_left = 1
        session.send(SENDER, [TWO], CONTENT)
        assert [one.recipients for one in smtp_sink.received] == [(ONE,), (TWO,)]
        assert smtp_sink.connections == 2

    @pytest.mark.parametrize("step", ["EHLO", "MAIL", "RCPT"])
    def test_a_connection_lost_before_the_content_means_unreachable(
        self, step: str, session: SmtpSession, smtp_sink: SmtpSink
    ) -> None:
        smtp_sink.drop_at = step
        with pytest.raises(SubmissionError) as caught:
            session.send(SENDER, [ONE], CONTENT)
        assert caught.value.failure is Failure.UNREACHABLE
        smtp_sink.drop_at = ""
        session.send(SENDER, [TWO], CONTENT)
        assert arrived(smtp_sink).recipients == (TWO,)

    def test_a_message_whose_answer_was_lost_is_not_sent_again_at_once(
        self, session: SmtpSession, smtp_sink: SmtpSink
    ) -> None:
        session.send(SENDER, [ONE], CONTENT)
        smtp_sink.drop_before_reply = True
        with pytest.raises(InDoubtError, match="may have taken the message"):
            session.send(SENDER, [TWO], CONTENT)
        assert [one.recipients for one in smtp_sink.received] == [(ONE,), (TWO,)]

    @pytest.mark.parametrize(
        ("reply", "failure"),
        [
            ("450 4.2.0 greylisted", Failure.TEMPORARY),
            ("550 5.1.1 unknown", Failure.PERMANENT),
            ("421 4.3.2 going down", Failure.UNREACHABLE),
        ],
    )
    @pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
    def test_what_a_refusal_means(
        self, step: str, reply: str, failure: Failure, session: SmtpSession, smtp_sink: SmtpSink
    ) -> None:
        smtp_sink.refuse_sender = reply if step == "MAIL" else ""
        smtp_sink.refuse_recipients = {ONE: reply} if step == "RCPT" else {}
        smtp_sink.refuse_data = reply if step == "DATA" else ""
        with pytest.raises(SubmissionError, match=reply) as caught:
            session.send(SENDER, [ONE], CONTENT)
        assert caught.value.failure is failure

    def test_a_server_that_says_nothing_is_unreachable(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(submission, "TIMEOUT", 0.05)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            session = SmtpSession(("127.0.0.1", silent.getsockname()[1]))
            with pytest.raises(SubmissionError, match="timed out") as caught:
                session.send(SENDER, [ONE], CONTENT)
        assert caught.value.failure is Failure.UNREACHABLE

    @pytest.mark.parametrize("drop", [b"220-hello\r\n", b"2"], ids=["lines", "bytes"])
    def test_a_server_whose_reply_never_ends_is_unreachable(
        self, drop: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(submission, "TIMEOUT", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def drip() -> None:
                connection, _ = listening.accept()
                with connection, suppress(OSError):  # the client has hung up
                    for _ in range(500):
                        connection.sendall(drop)
                        time.sleep(0.01)

            dripping = threading.Thread(target=drip)
            dripping.start()
            session = SmtpSession(("127.0.0.1", listening.getsockname()[1]))
            with pytest.raises(SubmissionError, match="timed out") as caught:
                session.send(SENDER, [ONE], CONTENT)
            dripping.join()
        assert caught.value.failure is Failure.UNREACHABLE
