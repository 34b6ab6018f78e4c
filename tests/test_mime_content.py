"""Transfer encodings: what is encoded reads back, in lines that every MTA takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core.mime.content import LONGEST_LINE, decode_transfer, encode_transfer

PIECES = st.sampled_from(
    [b"a", b" ", b"\t", b"\r\n", b".", b"=", "é".encode(), b"x" * 30, b"\r", b"\n", b"\0", b"From "]
)
DATA = st.lists(PIECES, max_size=15).map(b"".join) | st.binary(max_size=200)


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
@given(data=DATA)
def test_what_is_encoded_reads_back(encoding: str, data: bytes) -> None:
    encoded = encode_transfer(data, encoding)
    assert encoded.encoding == encoding
    assert decode_transfer(encoded.data, encoding) == data


@given(DATA)
def test_quoted_printable_is_ascii_in_short_lines_without_blanks_at_their_ends(data: bytes) -> None:
    encoded = encode_transfer(data, "quoted-printable").data
    assert encoded.isascii()
    assert encoded.count(b"\r") == encoded.count(b"\n") == encoded.count(b"\r\n")
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.endswith((b" ", b"\t"))


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r"])
@pytest.mark.parametrize("over", [0, 1])
def test_lines_that_are_too_long_for_smtp_are_encoded(line_end: bytes, over: int) -> None:
    short = b"a" * 70 + line_end
    data = short * 30 + b"b" * (LONGEST_LINE + over) + line_end + short
    assert encode_transfer(data).encoding == ("quoted-printable" if over else "")
    assert encode_transfer(data, "", data).encoding == ""
