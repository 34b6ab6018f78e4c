"""The SMTP sink keeps mail byte for byte and fails on demand."""

from __future__ import annotations

import smtplib
import ssl
from typing import TYPE_CHECKING

import pytest

from pyquarantine_core.testing.sink import Received, SmtpSink
from pyquarantine_core.testing.submit import SmtpReply, submit

if TYPE_CHECKING:
    from pyquarantine_core.testing.pytest_plugin import PostfixFactory

CONTENT = b"Subject: \xe4\r\n\r\n.\r\n..two\r\nbare\rCR \x00\xff\r\n" + b"x" * 200_000 + b"\r\n"


def test_it_keeps_every_byte(smtp_sink: SmtpSink) -> None:
    recipients = ["<u1@example.org>", "<u2@example.org>"]
    options = ["BODY=8BITMIME"]
    sent = submit(smtp_sink.port, "a@example.org", recipients, CONTENT, mail_options=options)
    assert sent.final == SmtpReply(250, "2.0.0 OK")
    (received,) = smtp_sink.wait_for(1)
    assert received.content == CONTENT
    assert received.sender == "a@example.org"
    assert received.recipients == ("u1@example.org", "u2@example.org")
    assert received.mail_options == ("BODY=8BITMIME",)
    assert not received.tls


def test_the_null_sender_is_empty(smtp_sink: SmtpSink) -> None:
    submit(smtp_sink.port, "<>", ["u@example.org"], b"A: b\n\n")
    assert smtp_sink.wait_for(1)[0].sender == ""


def test_an_international_address(smtp_sink: SmtpSink) -> None:
    sent = submit(smtp_sink.port, "ä@example.org", ["ü@bücher.example"], b"A: b\n\n", smtputf8=True)
    assert sent.accepted
    (received,) = smtp_sink.received
    assert (received.sender, received.recipients) == ("ä@example.org", ("ü@bücher.example",))


def test_what_it_announces_can_be_switched_off() -> None:
    with SmtpSink(eight_bit_mime=False, smtputf8=False) as sink:
        with smtplib.SMTP("127.0.0.1", sink.port) as client:
            client.ehlo()
            assert not {"8bitmime", "smtputf8", "starttls", "auth"} & client.esmtp_features.keys()
        assert submit(sink.port, "a@x.example", ["b@x.example"], b"A: b\n\n").accepted
        refused = submit(sink.port, "a@x.example", ["b@x.example"], b"A: b\n\n", smtputf8=True)
        assert not refused.accepted


def test_mail_over_tls() -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with SmtpSink(starttls=True) as sink:
        with smtplib.SMTP("127.0.0.1", sink.port) as client:
            client.starttls(context=context)
            client.sendmail("a@x.example", ["b@x.example"], b"A: b\r\n\r\nc\r\n")
        assert sink.wait_for(1)[0].tls


def test_it_refuses_as_told(smtp_sink: SmtpSink) -> None:
    def attempt() -> tuple[list[int], str]:
        sent = submit(smtp_sink.port, "a@x.example", ["b@x.example", "c@x.example"], b"A: b\n\n")
        return [reply.code for reply in sent.recipients], str(sent.final)

    smtp_sink.refuse_recipients = {"b@x.example": "550 5.1.1 nobody"}
    assert attempt() == ([550, 250], "250 2.0.0 OK")
    assert smtp_sink.received[0].recipients == ("c@x.example",)
    smtp_sink.refuse_data = "451 4.3.0 later"
    assert attempt() == ([550, 250], "451 4.3.0 later")
    smtp_sink.refuse_sender = "553 5.1.8 no"
    assert attempt() == ([], "553 5.1.8 no")
    assert (len(smtp_sink.received), smtp_sink.failures) == (1, 4)
    smtp_sink.clear()
    assert (smtp_sink.received, smtp_sink.failures) == ((), 0)


def test_when_all_recipients_are_refused_there_is_no_data(smtp_sink: SmtpSink) -> None:
    smtp_sink.refuse_recipients = {"b@x.example": "550 5.1.1 nobody"}
    sent = submit(smtp_sink.port, "a@x.example", ["b@x.example"], b"A: b\n\n")
    assert str(sent.final) == "550 5.1.1 nobody"


def test_it_drops_the_connection(smtp_sink: SmtpSink) -> None:
    smtp_sink.drop_after_data = True
    with pytest.raises(ConnectionError):
        submit(smtp_sink.port, "a@x.example", ["b@x.example"], b"A: b\n\n")
    smtp_sink.wait_for_failures(1)
    assert smtp_sink.received == ()


def test_waiting_in_vain_says_so(smtp_sink: SmtpSink) -> None:
    with pytest.raises(TimeoutError, match="0 of 1"):
        smtp_sink.wait_for(1, timeout=0.01)
    with pytest.raises(TimeoutError, match="0 of 1"):
        smtp_sink.wait_for_failures(1, timeout=0.01)


def test_it_stops_under_an_open_connection() -> None:
    sink = SmtpSink().start()
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        client.ehlo()
        sink.stop()
        sink.stop()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.docmd("NOOP")


def test_postfix_converts_for_a_server_without_8bitmime(
    throwaway_postfix: PostfixFactory,
) -> None:
    with SmtpSink(eight_bit_mime=False, smtputf8=False) as sink:
        settings = {"relayhost": f"[127.0.0.1]:{sink.port}"}
        postfix = throwaway_postfix(settings=settings)
        body = b"MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n\n\xe4\n"
        options = ["BODY=8BITMIME"]
        submit(postfix.port, "a@x.example", ["b@x.example"], body, mail_options=options)
        assert sink.wait_for(1)[0].content.endswith(b"\r\n\r\n=E4\r\n")


@pytest.mark.parametrize("command", ["EHLO", "MAIL", "RCPT", "DATA"])
def test_it_drops_the_connection_at_a_command_so_many_times(
    command: str, smtp_sink: SmtpSink
) -> None:
    smtp_sink.drop_at = command
    smtp_sink.drops_left = 1
    with pytest.raises(ConnectionError):
        submit(smtp_sink.port, "a@x.example", ["b@x.example"], b"A: b\n\n")
    assert (smtp_sink.received, smtp_sink.failures) == ((), 1)
    assert submit(smtp_sink.port, "a@x.example", ["b@x.example"], b"A: b\n\n").accepted
    assert smtp_sink.connections == 2


def test_it_keeps_a_message_whose_answer_is_lost(smtp_sink: SmtpSink) -> None:
    seen: list[Received] = []
    smtp_sink.on_message = seen.append
    smtp_sink.drop_before_reply = True
    with pytest.raises(ConnectionError):
        submit(smtp_sink.port, "a@x.example", ["b@x.example"], b"A: b\n\n")
    smtp_sink.wait_until(lambda: smtp_sink.failures == 1)
    assert len(smtp_sink.received) == len(seen) == 1
    with pytest.raises(TimeoutError, match="1 messages, 1 failures"):
        smtp_sink.wait_until(lambda: smtp_sink.failures == 2, timeout=0.01)


def test_it_takes_so_many_messages_on_a_connection(smtp_sink: SmtpSink) -> None:
    smtp_sink.messages_per_connection = 1
    with smtplib.SMTP("127.0.0.1", smtp_sink.port) as client:
        client.sendmail("a@x.example", ["b@x.example"], b"A: b\r\n\r\n")
        with pytest.raises(smtplib.SMTPSenderRefused, match="421"):
            client.sendmail("a@x.example", ["b@x.example"], b"A: b\r\n\r\n")
    assert len(smtp_sink.received) == 1


def test_it_can_be_away_for_a_while(smtp_sink: SmtpSink) -> None:
    port = smtp_sink.port
    smtp_sink.stop()
    with pytest.raises(ConnectionRefusedError):
        submit(port, "a@x.example", ["b@x.example"], b"A: b\n\n")
    smtp_sink.start()
    assert submit(port, "a@x.example", ["b@x.example"], b"A: b\n\n").accepted
