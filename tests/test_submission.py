"""Released mail on its way to a server: a real one, that keeps what it gets or fails on demand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pyquarantine_core.errors import ReleaseError
from pyquarantine_core.submission import submit
from pyquarantine_core.testing.sink import Received, SmtpSink
from pyquarantine_core.testing.sockets import free_port

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

    def test_a_connection_lost_before_the_answer_is_no_delivery(self, smtp_sink: SmtpSink) -> None:
        smtp_sink.drop_after_data = True
        assert refusal(smtp_sink).startswith("127.0.0.1 port PORT: ")

    def test_a_server_that_is_not_there(self) -> None:
        port = free_port()
        with pytest.raises(ReleaseError, match=f"127.0.0.1 port {port}: .*Connection refused"):
            submit(("127.0.0.1", port), SENDER, (ONE,), CONTENT)

    def test_what_the_server_says_cannot_steer_the_terminal(self, smtp_sink: SmtpSink) -> None:
        smtp_sink.refuse_data = "554 \x1b[2Jgone"
        assert refusal(smtp_sink).endswith(r"554 \x1b[2Jgone")
