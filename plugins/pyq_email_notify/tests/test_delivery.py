"""A notification on its way: to whom, from whom, and what happens when the server says no."""

from __future__ import annotations

import pytest

from pyquarantine_core.errors import ReleaseError
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.types import Delivery

from .conftest import Notifier

CONTENT = b"Subject: x\r\n\r\nHello\r\n"


@pytest.mark.parametrize(
    ("envelope_from", "sender"), [("f@example.org", "f@example.org"), ("<>", ""), ("", "")]
)
def test_it_goes_to_its_recipient_alone(
    envelope_from: str, sender: str, notify: Notifier, smtp_sink: SmtpSink
) -> None:
    notification = notify.build(smtp_port=smtp_sink.port, envelope_from=envelope_from)
    notification.deliver(Delivery("n", "U@example.org", CONTENT))
    (received,) = smtp_sink.received
    assert (received.sender, received.recipients) == (sender, ("U@example.org",))
    assert received.content == CONTENT


def test_what_is_prepared_arrives_unchanged(notify: Notifier, smtp_sink: SmtpSink) -> None:
    told = notify("Subject: x\n\n.\n..\nГ\n".encode())
    notify.build(smtp_port=smtp_sink.port).deliver(Delivery("n", "u@example.org", told.raw))
    (received,) = smtp_sink.received
    assert received.content == told.raw
    assert received.mail_options == ()


@pytest.mark.parametrize("reply", ["451 4.3.0 later", "554 5.7.1 no"])
def test_a_refusal_is_an_error_so_that_it_is_tried_again(
    reply: str, notify: Notifier, smtp_sink: SmtpSink
) -> None:
    smtp_sink.refuse_recipients = {"u@example.org": reply}
    notification = notify.build(smtp_port=smtp_sink.port)
    with pytest.raises(ReleaseError, match=reply):
        notification.deliver(Delivery("n", "u@example.org", CONTENT))
