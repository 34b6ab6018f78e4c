"""A notification on its way: to whom, from whom, and what happens when the server says no."""

from __future__ import annotations

import pytest

from pyquarantine_core.errors import OutboxError, RefusedError, UnreachableError
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.sockets import refusing_port
from pyquarantine_core.types import Delivery, Notification

from .conftest import Notifier

CONTENT = b"Subject: x\r\n\r\nHello\r\n"


def deliver(notification: Notification, *recipients: str, content: bytes = CONTENT) -> None:
    try:
        for recipient in recipients:
            notification.deliver(Delivery("n", recipient, content))
    finally:
        notification.finish()


@pytest.mark.parametrize(
    ("envelope_from", "sender"), [("f@example.org", "f@example.org"), ("<>", ""), ("", "")]
)
def test_it_goes_to_its_recipient_alone(
    envelope_from: str, sender: str, notify: Notifier, smtp_sink: SmtpSink
) -> None:
    notification = notify.build(smtp_port=smtp_sink.port, envelope_from=envelope_from)
    deliver(notification, "U@example.org")
    (received,) = smtp_sink.received
    assert (received.sender, received.recipients) == (sender, ("U@example.org",))
    assert received.content == CONTENT


def test_what_is_prepared_arrives_unchanged(notify: Notifier, smtp_sink: SmtpSink) -> None:
    told = notify("Subject: x\n\n.\n..\nГ\n".encode())
    deliver(notify.build(smtp_port=smtp_sink.port), "u@example.org", content=told.raw)
    (received,) = smtp_sink.received
    assert received.content == told.raw
    assert received.mail_options == ()


def test_many_go_on_one_connection_until_it_is_finished(
    notify: Notifier, smtp_sink: SmtpSink
) -> None:
    notification = notify.build(smtp_port=smtp_sink.port)
    recipients = tuple(f"u{number}@example.org" for number in range(5))
    deliver(notification, *recipients)
    assert [one.recipients for one in smtp_sink.received] == [(one,) for one in recipients]
    assert smtp_sink.connections == 1
    deliver(notification, "late@example.org")
    assert smtp_sink.connections == 2


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("451 4.3.0 later", OutboxError),
        ("554 5.7.1 no", RefusedError),
        ("421 4.3.2 going down", UnreachableError),
    ],
)
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_the_outbox_learns_what_a_refusal_means(
    step: str, reply: str, error: type[Exception], notify: Notifier, smtp_sink: SmtpSink
) -> None:
    smtp_sink.refuse_sender = reply if step == "MAIL" else ""
    smtp_sink.refuse_recipients = {"u@example.org": reply} if step == "RCPT" else {}
    smtp_sink.refuse_data = reply if step == "DATA" else ""
    notification = notify.build(smtp_port=smtp_sink.port)
    with pytest.raises(OutboxError, match=reply) as caught:
        deliver(notification, "u@example.org")
    assert type(caught.value) is error


def test_a_server_that_is_not_there_makes_all_wait(notify: Notifier) -> None:
    with refusing_port() as port, pytest.raises(UnreachableError, match="Connection refused"):
        deliver(notify.build(smtp_port=port), "u@example.org")


def test_an_address_that_cannot_be_sent_is_refused(notify: Notifier, smtp_sink: SmtpSink) -> None:
    with pytest.raises(RefusedError, match="no address that can be sent"):
        deliver(notify.build(smtp_port=smtp_sink.port), "u> x@example.org")
