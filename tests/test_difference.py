"""Applied as Postfix applies it, the difference gives the headers as the rules left them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core.difference import header_difference
from pyquarantine_core.header import Header
from pyquarantine_core.message import Message
from pyquarantine_core.testing.delivery import HeaderAdded, HeaderChanged, deliver
from pyquarantine_core.testing.mail import Mail
from pyquarantine_core.testing.rules import received

NAMES = st.sampled_from(["Subject", "subject", "X-Spam", "Received", "x-spam"])
VALUES = st.sampled_from([b" one", b"two", b" \xfc", b"  folded\n\tvalue", b""])
TEXTS = st.sampled_from(["one", "grün", "", "long " * 30])
EDITS = st.one_of(
    st.tuples(st.just("add"), NAMES, TEXTS),
    st.tuples(st.just("change"), st.integers(0, 7), TEXTS),
    st.tuples(st.just("delete"), st.integers(0, 7), st.none()),
)


def sent(message: Message) -> list[HeaderChanged | HeaderAdded]:
    """The requests to the MTA, in their order; an emptied value goes as one space."""
    found = header_difference(message.received_headers, message.headers)
    return [
        *(
            HeaderChanged(one.index, one.name, b"" if one.raw is None else one.raw or b" ")
            for one in (*found.edits, *found.deletions)
        ),
        *(HeaderAdded(one.name, one.raw or b" ") for one in found.additions),
    ]


def changed(message: Message, *edits: tuple[Header, str | None]) -> list[object]:
    message.edit_headers(edits)
    return [*sent(message)]


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=6),
    st.lists(EDITS, max_size=6),
)
def test_what_is_sent_gives_what_is_there_now(
    headers: list[tuple[str, bytes]], edits: list[tuple[str, int | str, str | None]]
) -> None:
    content = b"".join(
        b"%b:%b\r\n" % (name.encode(), raw.replace(b"\n", b"\r\n")) for name, raw in headers
    )
    mail = Mail("<a@example.org>", ("<b@example.org>",), content + b"\r\nBody\r\n")
    message = received(mail.content)
    for kind, where, text in edits:
        if kind == "add":
            message.add_header(str(where), str(text))
        elif message.headers:
            header = message.headers[int(where) % len(message.headers)]
            message.edit_headers([(header, text)])
    delivered = deliver(mail, mail.recipients, sent(message), leading_space=True)
    assert delivered is not None
    assert delivered.content == b"".join(message.chunks())


def test_nothing_is_sent_for_headers_that_nobody_touched() -> None:
    assert sent(received(b"Subject:\tgr\xfcn\n und blau\nX: 1\n\n")) == []


def test_a_header_changed_and_changed_back_is_not_sent() -> None:
    message = received(b"Subject: one\n\n")
    message.edit_headers([(message.headers[0], "two")])
    assert changed(message, (message.headers[0], "one")) == []


def test_a_header_added_and_deleted_is_not_sent() -> None:
    message = received(b"Subject: one\n\n")
    message.add_header("X-Seen", "yes")
    assert changed(message, (message.headers[1], None)) == []


def test_indexes_count_headers_of_one_name_in_any_case_from_one() -> None:
    message = received(b"X: a\nSubject: b\nx: c\n\n")
    assert changed(message, (message.headers[2], "new")) == [HeaderChanged(2, "x", b" new")]


def test_deletions_come_from_the_highest_index_down_and_after_edits() -> None:
    message = received(b"X: a\nX: b\nX: c\nX: d\n\n")
    first, second, _, fourth = message.headers
    assert changed(message, (first, None), (second, None), (fourth, "new")) == [
        HeaderChanged(4, "X", b" new"),
        HeaderChanged(2, "X", b""),
        HeaderChanged(1, "X", b""),
    ]


def test_additions_come_last_in_their_order() -> None:
    message = received(b"X: a\n\n")
    message.add_header("X-One", "1")
    message.add_header("X-Two", "2")
    assert changed(message, (message.headers[0], None)) == [
        HeaderChanged(1, "X", b""),
        HeaderAdded("X-One", b" 1"),
        HeaderAdded("X-Two", b" 2"),
    ]
