"""A filter's address is read as libmilter writes it and given to Postfix as Postfix writes it."""

import pytest

from pyquarantine_core.testing.sockets import MilterSocket


@pytest.mark.parametrize(
    ("written", "for_postfix"),
    [
        ("unix:/run/filter.sock", "unix:/run/filter.sock"),
        ("local:/run/filter.sock", "unix:/run/filter.sock"),
        ("inet:8899@localhost", "inet:localhost:8899"),
        ("inet:8899", "inet:127.0.0.1:8899"),
        ("inet6:8899@::1", "inet:[::1]:8899"),
        ("inet6:8899@[::1]", "inet:[::1]:8899"),
    ],
)
def test_an_address(written: str, for_postfix: str) -> None:
    assert MilterSocket.parse(written).for_postfix() == for_postfix


@pytest.mark.parametrize("text", ["", "unix:", "/run/x", "inet:", "inet:localhost:8899", "tcp:1@x"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is not unix:PATH"):
        MilterSocket.parse(text)
