"""The message under way: what was received, and what became of it."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core.body import Body
from pyquarantine_core.changes import describe_changes
from pyquarantine_core.client import Client
from pyquarantine_core.errors import PluginError
from pyquarantine_core.message import Message
from pyquarantine_core.testing.rules import received

CONTENT = b"Subject:  Hello\r\n\tagain\r\nX-Eight:\xfc\xff\r\nsubject: other\r\n\r\nBody \xe4\r\n"


def content(message: Message, *, original: bool = False) -> bytes:
    return b"".join(message.chunks(original=original))


class TestClient:
    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("fe80::1%eth0", "fe80::1"),
        ],
    )
    def test_its_address_is_read_from_text(self, text: str, address: str) -> None:
        client = Client.from_text("mx.example", text)
        assert (client.name, client.address) == ("mx.example", ip_address(address))

    @pytest.mark.parametrize("text", [None, ""])
    def test_a_local_submission_has_none(self, text: str | None) -> None:
        assert Client.from_text("localhost", text).address is None


class TestBytes:
    def test_they_are_those_received(self) -> None:
        assert content(received(CONTENT)) == CONTENT
        assert content(received(CONTENT), original=True) == CONTENT

    def test_folds_that_arrive_as_lf_are_crlf(self) -> None:
        message = Message()
        message.receive_header("X", b" one\n\ttwo\r\n three")
        assert content(message) == b"X: one\r\n\ttwo\r\n three\r\n\r\n"

    def test_the_original_survives_every_change(self) -> None:
        message = received(CONTENT)
        message.edit_headers([(message.headers[0], "new"), (message.headers[2], None)])
        message.add_header("X-New", "1")
        message.replace_body(Body([b"Other\r\n"]))
        assert content(message, original=True) == CONTENT
        assert content(message) == (
            b"Subject: new\r\nX-Eight:\xfc\xff\r\nX-New: 1\r\n\r\nOther\r\n"
        )

    @given(st.lists(st.binary().map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))))
    def test_any_header_bytes_come_out_as_they_went_in(self, values: list[bytes]) -> None:
        message = Message()
        for raw in values:
            message.receive_header("X", raw)
        assert content(message) == b"".join(b"X:%b\r\n" % raw for raw in values) + b"\r\n"


class TestHeaders:
    def test_they_are_read_decoded_and_unfolded(self) -> None:
        message = received(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n an alle\n\n")
        assert message.headers[0].value == "Grüße an alle"
        assert message.headers[0].text == "Subject: Grüße an alle"

    def test_the_subject_is_the_first_one_in_any_case(self) -> None:
        assert received(b"X: 1\nsubject: one\nSubject: two\n\n").subject == "one"
        assert received(b"X: 1\n\n").subject == ""

    def test_two_equal_ones_are_still_two(self) -> None:
        message = received(b"X: same\nX: same\n\n")
        message.edit_headers([(message.headers[1], None)])
        assert [header.origin for header in message.headers] == [0]

    def test_an_added_one_can_be_changed_and_deleted_again(self) -> None:
        message = received(b"\n")
        message.add_header("X-New", "1")
        message.edit_headers([(message.headers[0], "2")])
        assert [header.text for header in message.headers] == ["X-New: 2"]
        message.edit_headers([(message.headers[0], None)])
        assert message.headers == ()

    def test_one_that_is_no_longer_there_is_not_brought_back(self) -> None:
        message = received(b"X: 1\n\n")
        (old,) = message.headers
        message.edit_headers([(old, None)])
        message.edit_headers([(old, "new")])
        assert message.headers == ()


class TestRecipients:
    def envelope(self) -> Message:
        return received(
            recipients=["<u1@example.org>", "<U2@Example.ORG>", "<@relay.example:u3@example.org>"]
        )

    def test_order_and_spelling_are_kept(self) -> None:
        assert self.envelope().addresses == ("u1@example.org", "U2@Example.ORG", "u3@example.org")

    def test_they_are_taken_out_whatever_the_case(self) -> None:
        message = self.envelope()
        message.remove_recipients(["u2@example.org", "U3@EXAMPLE.ORG", "nobody@example.org"])
        assert message.addresses == ("u1@example.org",)
        assert [one.address for one in message.removed_recipients] == [
            "U2@Example.ORG",
            "u3@example.org",
        ]
        assert message.has_recipient("U1@example.org")
        assert not message.has_recipient("u2@example.org")

    def test_one_named_twice_is_taken_out_twice(self) -> None:
        message = received(recipients=["<a@example.org>", "<A@example.org>"])
        message.remove_recipients(["a@example.org"])
        assert message.addresses == ()


class TestSnapshot:
    def test_rolling_back_restores_everything(self) -> None:
        message = received(CONTENT)
        message.variables["BEFORE"] = "1"
        before = message.snapshot()
        message.remove_recipients(message.addresses)
        message.edit_headers([(header, None) for header in message.headers])
        message.replace_body(Body())
        message.variables.clear()
        message.roll_back(before)
        assert message.addresses == ("recipient@example.org",)
        assert content(message) == CONTENT
        assert message.variables == {"BEFORE": "1"}

    def test_it_can_be_gone_back_to_twice(self) -> None:
        message = received(CONTENT)
        before = message.snapshot()
        for _ in range(2):
            message.variables["X"] = "1"
            message.roll_back(before)
            assert message.variables == {}


def test_closing_gives_back_the_files_of_all_bodies() -> None:
    message = received()
    bodies = [Body([b"x" * 10], spool_limit=1) for _ in range(2)]
    before = message.snapshot()
    for body in bodies:
        message.replace_body(body)
    message.roll_back(before)
    message.close()
    assert [len(body) for body in bodies] == [0, 0]


class TestAddedRecipients:
    def test_a_recipient_is_added_once_in_any_case(self) -> None:
        message = received(recipients=["one@example.org"])
        for address in ("lab@example.org", "LAB@example.org", "One@example.org"):
            message.add_recipient(address)
        assert message.addresses == ("one@example.org", "lab@example.org")
        assert [one.address for one in message.added_recipients] == ["lab@example.org"]
        assert message.removed_recipients == ()

    def test_one_that_is_taken_out_again_was_never_there(self) -> None:
        message = received()
        message.add_recipient("lab@example.org")
        message.remove_recipients(["lab@example.org"])
        assert (message.added_recipients, message.removed_recipients) == ((), ())

    def test_it_goes_when_the_action_is_rolled_back(self) -> None:
        message = received()
        before = message.snapshot()
        message.add_recipient("lab@example.org")
        assert list(describe_changes(before, message)) == ["add the recipients lab@example.org"]
        message.roll_back(before)
        assert message.added_recipients == ()

    @pytest.mark.parametrize(
        "wrong", ["", "lab", "@x", "a@", "<a@b>", "a b@c", "a@b\r\nc", "a@b\0", "a@\udcff", "a@b@c"]
    )
    def test_what_is_no_address_is_refused(self, wrong: str) -> None:
        with pytest.raises(PluginError, match="is not an address that mail can be sent to"):
            received().add_recipient(wrong)
