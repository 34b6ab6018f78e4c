"""Bare CRs and odd white space: what some clients read otherwise is a doubt, all else is none."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pyquarantine_core.mime.doubts import BARE_CR_BOUNDARY, STRAY_HEADER
from pyquarantine_core.mime.structure import scan

from .test_mime_structure import MIXED, outline

BARE_CRS = [
    *(b"\r\n", b"\n", b"\r", b"\r\r", b"-", b"--", b"--b", b"--c", b"--b--", b"--c--", b" ", b"x"),
    *(b"X: y", b"Content-Type: text/html", b"Content-Type: message/rfc822", b"y" * 2000),
    b"Content-Type: multipart/mixed; boundary=c",
]


@given(st.lists(st.sampled_from(BARE_CRS), max_size=16))
@example([b"X: y\rContent-Type: multipart/mixed; boundary=c\r\n\r\nok\r--c\r--c--"])
@settings(max_examples=1000)
def test_a_client_that_ends_lines_at_bare_crs_sees_the_same_or_it_is_a_doubt(
    pieces: list[bytes],
) -> None:
    body = b"--b\n" + b"".join(pieces)
    found = scan(MIXED, body)
    seen = scan(MIXED, re.sub(rb"\r(?!\n)", b"\n", body))
    if not (found.doubt or seen.doubt == STRAY_HEADER):
        assert outline(found.root) == outline(seen.root)


IN_HEADERS = [
    *(b"\r\n", b"\n", b"\r", b"\x0b", b"\x0c", b"\xa0", b" ", b"\t", b":", b"none", b"X: y"),
    *(b"Content-Type: text/html", b"content-type", b"Content-Disposition: attachment"),
]


CONTENT = [b"content-type", b"content-disposition"]


def as_thunderbird_reads(header: bytes) -> list[bytes]:
    """The names of the fields that describe the content (jsmime)."""
    fields = re.split(rb"(?:\r\n|\n)(?![ \t])|\r(?![ \t\n])", header)
    names = [one.split(b":")[0].strip(b" \t\r\n\x0b\x0c\xa0") for one in fields if b":" in one]
    return [one.lower() for one in names if one.lower() in CONTENT]


@given(st.lists(st.sampled_from(IN_HEADERS), max_size=12))
@settings(max_examples=1000)
def test_a_header_that_thunderbird_reads_in_another_way_is_a_doubt(pieces: list[bytes]) -> None:
    header = b"".join(pieces)
    ends = re.search(rb"(?:^(?:\r\n|[\r\n]))|(\r\n|[\r\n])\1", header + b"\r\n\r\n")
    assert ends is not None
    found = scan(MIXED, b"--b\r\n" + header + b"\r\n\r\n1\r\n--b--")
    mixed = re.search(rb"(?<!\r)\n\r\n", header + b"\r\n")  # an MTA makes all of them CRLF
    if not (found.doubt or mixed):
        ours = [one.name.encode() for one in found.root.parts[0].fields]
        theirs = as_thunderbird_reads(header[: ends.start()])
        assert [one for one in ours if one in CONTENT] == theirs


@pytest.mark.parametrize("text", [b"1\r- 2\r-- \r3", b"\r---\r", b"1\r--c\r2", b"\rX: y\r"])
def test_bare_crs_that_no_client_takes_for_more_are_no_doubt(text: bytes) -> None:
    received = ("Received", b" from a\rby b")
    assert scan([*MIXED, received], b"--b\r\n\r\n" + text + b"\r\n--b--\r\n").doubt == ""


def test_a_boundary_of_a_part_that_has_ended_is_one_still() -> None:
    inner = b"--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n1\n--c--\n--b\n\n2"
    assert scan(MIXED, inner + b"\r--c\n--b--").doubt == BARE_CR_BOUNDARY
    assert scan(MIXED, inner + b"\r--d\n--b--").doubt == ""


def test_too_many_dashes_after_bare_crs_are_doubted_unread() -> None:
    assert scan(MIXED, b"--b\n\n" + b"\r--" * 10_000 + b"\n--b--").doubt == ""
    assert scan(MIXED, b"--b\n\n" + b"\r--" * 11_000 + b"\n--b--").doubt == BARE_CR_BOUNDARY
