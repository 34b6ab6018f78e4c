"""The scan over a message: where its parts are, whatever is wrong with it."""

from __future__ import annotations

import re
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyquarantine_core.limits import DEFAULT_LIMITS, Limits
from pyquarantine_core.mime import bare_cr, structure
from pyquarantine_core.mime.structure import MimePart, Structure, scan

MIXED = [("Content-Type", b"multipart/mixed; boundary=b")]


def scanned(body: bytes, content_type: bytes = b"multipart/mixed; boundary=b") -> MimePart:
    return scan([("Content-Type", content_type)], body).root


def contents(part: MimePart, body: bytes) -> list[bytes]:
    return [body[one.start : one.end] for one in part.parts]


def outline(part: MimePart) -> str:
    inner = ",".join(outline(one) for one in part.parts)
    return part.type.partition("/")[2] + (f"({inner})" if inner else "")


class TestBoundaries:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b"--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--\r\n", [b"1", b"2"]),
            (b"--b\n\n1\n--b\n\n2\n--b--", [b"1", b"2"]),
            (b"--b\r\n\r\n1\n--b\n\r\n2\r\n--b--", [b"1", b"2"]),
            (b"preamble\r\n--b\r\n\r\n1\r\n--b--\r\nepilogue\r\n--b\r\n", [b"1"]),
            (b"--b \t\r\n\r\n1\r\n--b-- \r\n", [b"1"]),
            (b"--b\r\n\r\n1\r\n--bc\r\n --b\r\n--b-\r\n", [b"1\r\n--bc\r\n --b\r\n--b-\r\n"]),
            (b"--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n", [b"1", b"2\r\n"]),
            (b"--b\r\n\r\n\r\n--b--", [b""]),
            (b"--b\r\n\r\n--b--", [b""]),
            (b"--b\r\n--b\r\n--b--", [b"", b""]),
            (b"--b", [b""]),
            (b"--B\r\n\r\n1", []),
            (b"", []),
        ],
    )
    def test_they_are_found_as_mail_clients_find_them(
        self, body: bytes, expected: list[bytes]
    ) -> None:
        assert contents(scanned(body), body) == expected

    def test_one_of_an_outer_multipart_ends_the_inner_one(self) -> None:
        body = (
            b"--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\n1\n--b\n"
            b"Content-Type: text/html\n\n2\n--c\n--b--\n"
        )
        root = scanned(body)
        assert outline(root) == "mixed(alternative(plain),html)"
        assert contents(root, body)[1] == b"2\n--c"

    def test_inner_and_outer_may_be_the_same(self) -> None:
        body = (
            b"--b\nContent-Type: multipart/related; boundary=b\n\n--b\n\n1\n--b--\n--b\n\n2\n--b--"
        )
        root = scanned(body)
        assert outline(root) == "mixed(related(plain),plain)"
        assert contents(root.parts[0], body) == [b"1"]

    @pytest.mark.parametrize(
        "content_type",
        [
            b'multipart/mixed; boundary="a b:c"',
            b"multipart/mixed; boundary=a b:c",
            b'MULTIPART/Mixed;\r\n\tBOUNDARY = "a b:c" ; x=y',
            b'multipart/mixed; boundary="a b:c',
            b'multipart/mixed; boundary*0="a b"; boundary*1=:c',
            b"multipart/mixed; boundary*=us-ascii''a%20b%3Ac",
            b'multipart/mixed; boundary="a b:c"; boundary=other',
        ],
    )
    def test_they_may_be_written_in_many_ways(self, content_type: bytes) -> None:
        body = b"--a b:c\r\n\r\n1\r\n--a b:c--\r\n"
        assert contents(scanned(body, content_type), body) == [b"1"]

    def test_they_may_have_8_bit(self) -> None:
        body = b"--\xff\xfe\r\n\r\n1\r\n--\xff\xfe--\r\n"
        assert contents(scanned(body, b"multipart/mixed; boundary=\xff\xfe"), body) == [b"1"]

    @pytest.mark.parametrize("value", [b"multipart/mixed", b'multipart/mixed; boundary=""'])
    def test_without_one_a_multipart_is_a_leaf(self, value: bytes) -> None:
        root = scanned(b"--\r\n\r\n1\r\n----", value)
        assert not root.parts
        assert not root.is_multipart


class TestHeaders:
    def part(self, header: bytes) -> MimePart:
        return scanned(b"--b\r\n" + header + b"\r\n--b--").parts[0]

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (b"text/html", "text/html"),
            (b" Text / HTML ; charset=x", "text/html"),
            (b"text/html charset=x", "text/html"),
            (b"text", "text/plain"),
            (b"html;text/html", "text/plain"),
            (b";", "text/plain"),
            (b"", "text/plain"),
            (b"\xff/\xff", "text/plain"),
            (b"application/x-\r\n\tfolded", "application/x-"),
        ],
    )
    def test_a_broken_content_type_is_plain_text(self, value: bytes, expected: str) -> None:
        assert self.part(b"Content-Type:" + value + b"\r\n").type == expected

    def test_the_first_of_several_counts(self) -> None:
        part = self.part(b"Content-Type: text/html\r\nContent-Type: image/png\r\n")
        assert part.type == "text/html"

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            (b"Content-Disposition: attachment; filename=a.txt", "a.txt"),
            (b'Content-Disposition: attachment; filename="a b\\"c.txt"', 'a b"c.txt'),
            (b"Content-Disposition: attachment; filename=my file.txt ; x=y", "my file.txt"),
            (b"Content-Disposition: inline; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
            (b"Content-Disposition: inline; a*0*=b; filename*0*=iso-8859-1'de'%fc", "ü"),
            (b"Content-Disposition: inline; filename*0*=''a; filename*1=%41", "a%41"),
            (b"Content-Disposition: inline; filename=x; filename*=utf-8''y", "y"),
            (b"Content-Disposition: inline; filename*1=b; filename*0=a; filename*3=d", "ab"),
            (b'Content-Disposition: inline; filename="=?utf-8?q?=C3=BC?="', "ü"),
            (b"Content-Disposition: inline; filename=\xc3\xbc", "ü"),
            (b"Content-Disposition: inline; filename*=nonsense''%fc", "ü"),
            (b"Content-Disposition: inline; filename*99999999999999=a", ""),
            (b"Content-Type: text/plain; name=n.txt", "n.txt"),
            (b"Content-Disposition:attachment;;;filename", ""),
        ],
    )  # fmt: skip
    def test_file_names_are_decoded(self, header: bytes, expected: str) -> None:
        assert self.part(header + b"\r\n").filename == expected

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            (b"Content-Type: text/plain", False),
            (b"Content-Disposition: inline", False),
            (b"Content-Disposition: INLINE; filename=x", True),
            (b"Content-Type: image/png; name=x\r\nContent-Disposition: inline", False),
            (b"Content-Disposition: ATTACHMENT", True),
            (b"Content-Disposition: (comment) attachment", True),
            (b"Content-Disposition: unheard-of", True),
            (b"Content-Disposition:", False),
        ],
    )
    def test_attachments_are_known(self, header: bytes, expected: bool) -> None:
        assert self.part(header + b"\r\n").is_attachment is expected

    @pytest.mark.parametrize(
        ("part", "content"),
        [
            (b"no header\r\nContent-Type: text/html\r\n\r\nx", None),
            (b"Content-Type : text/html\r\n\r\nx", b"x"),
            (b"Content-Type: text/html\r\nx", b"x"),
            (b"Content-Type: text/html", b""),
            (b" continued\r\nContent-Type: text/html\r\n\r\nx", None),
        ],
    )
    def test_they_end_where_a_line_is_none(self, part: bytes, content: bytes | None) -> None:
        body = b"--b\r\n" + part + b"\r\n--b--"
        (found,) = scanned(body).parts
        assert found.type == ("text/plain" if content is None else "text/html")
        assert body[found.start : found.end] == (part if content is None else content)
        assert found.separated is part.endswith(b"\r\n\r\nx") if content is not None else True

    def test_a_part_of_a_digest_is_a_message(self) -> None:
        body = b"--b\r\n\r\nSubject: x\r\n\r\ntext\r\n--b--"
        assert outline(scanned(body, b"multipart/digest; boundary=b")) == "digest(rfc822(plain))"

    def test_an_attached_message_is_looked_into_unless_it_is_encoded(self) -> None:
        inner = b"Content-Type: text/html\r\n\r\nx\r\n--b--"
        body = b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner
        assert outline(scanned(body)) == "mixed(rfc822(html))"
        body = body.replace(b"822\r\n", b"822\r\nContent-Transfer-Encoding: base64\r\n")
        assert outline(scanned(body)) == "mixed(rfc822)"


class TestBounds:
    def test_parts_are_looked_into_to_a_depth(self) -> None:
        levels = range(DEFAULT_LIMITS.mime_depth * 3)
        body = b"".join(
            b"--%d\nContent-Type: multipart/mixed; boundary=%d\n\n" % (n, n + 1) for n in levels
        )
        found = scan([("Content-Type", b"multipart/mixed; boundary=0")], body)
        assert len(list(found.root.walk())) == DEFAULT_LIMITS.mime_depth + 1
        assert found.limit == "parts nested deeper than 100 (limits.mime_depth)"

    def test_messages_in_messages_count_as_well(self) -> None:
        body = b"Content-Type: message/rfc822\n\n" * DEFAULT_LIMITS.mime_depth * 3
        found = scan([("Content-Type", b"message/rfc822")], body)
        assert len(list(found.root.walk())) == DEFAULT_LIMITS.mime_depth + 1
        assert found.limit

    def test_parts_are_counted(self) -> None:
        found = scan(MIXED, b"--b\n" * 20_000)
        assert len(found.root.parts) == DEFAULT_LIMITS.mime_parts - 1
        assert found.limit == "more than 10000 parts (limits.mime_parts)"

    def test_a_header_has_an_end(self) -> None:
        body = b"--b\n" + b"X: y\n" * 65_536 + b"\n1\n--b--"
        found = scan(MIXED, body)
        (part,) = found.root.parts
        assert part.start - part.header_start <= DEFAULT_LIMITS.mime_header_bytes
        assert found.limit == (
            "a part's header of more than 65536 bytes (limits.mime_header_bytes)"
        )

    def test_they_are_the_admins_to_set(self) -> None:
        body = b"--b\nContent-Type: message/rfc822\n\nA: b\n\n1\n--b\n\n2\n--b\n\n3\n--b--"
        assert scan(MIXED, body).limit == ""
        assert scan(MIXED, body, Limits(mime_parts=4)).limit.startswith("more than 4 parts")
        assert scan(MIXED, body, Limits(mime_depth=1)).limit.startswith("parts nested deeper")
        assert scan(MIXED, body, Limits(mime_header_bytes=20)).limit.startswith("a part's header")


class Counting(bytes):
    """Bytes that count how many of them are looked at."""

    looked_at: ClassVar[int] = 0

    def __getitem__(self, key):  # type: ignore[no-untyped-def] # as bytes has it
        part = bytes.__getitem__(self, key)
        Counting.looked_at += len(part) if isinstance(part, bytes) else 1
        return part

    def find(self, wanted, start=0, end=None):  # type: ignore[no-untyped-def] # as bytes has it
        found = bytes.find(self, wanted, start, end)
        Counting.looked_at += (found if found >= 0 else end or len(self)) - start + 1
        return found


class CountingPattern:
    """A pattern that counts over how many of those bytes it searches."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern = pattern

    def search(self, body: bytes, start: int, end: int) -> re.Match[bytes] | None:
        found = self._pattern.search(body, start, end)
        Counting.looked_at += (found.end() if found else end) - start
        return found


HOSTILE = {
    "dashes": b"--\n",
    "dashes and empty lines": b"--\n\n",
    "dashes after carriage returns": b"\r--",
    "dashes after carriage returns and boundaries": (
        b"\r--\n--b\nContent-Type: multipart/mixed; boundary=%s\n\n" % (b"c" * 60)
    ),
    "dashes after far carriage returns": b"\r\n--" + b"x" * 6000,
    "dashes alone": b"-",
    "boundaries": b"--b\n",
    "boundaries and empty lines": b"--b\n\n\n",
    "boundaries far from each other": b"--b\n\n" + b"x" * 6000 + b"\n",
    "empty lines": b"\n",
    "boundaries and headers": b"--b\nContent-Type: multipart/mixed; boundary=b\n\n",
    "nested messages": b"--b\nContent-Type: message/rfc822\n\n",
    "headers": b"X: y\n",
    "semicolons": b";",
    "headers without an end": b"--b\nContent-Type: text/plain;\n" + b" a=b;\n" * 10,
    "long lines": b"--b\n" + b"-" * 5000,
    "carriage returns": b"\r",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_twice_the_message_is_twice_the_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, pattern in ((structure, "_DASHES_AFTER_LF"), (bare_cr, "_DASHES_AFTER_CR")):
        monkeypatch.setattr(module, pattern, CountingPattern(getattr(module, pattern)))

    def work(size: int) -> int:
        body = Counting(b"--b\n" + HOSTILE[name] * (size // len(HOSTILE[name])))
        Counting.looked_at = 0
        scan([("Content-Type", b"multipart/mixed; boundary=b")], body)
        return Counting.looked_at

    assert work(200_000) < 2.5 * work(100_000) + 200_000
    assert work(200_000) < 20 * 200_000


PIECES = st.sampled_from(
    [
        b"--b", b"--c", b"--b--", b"--c--", b"--", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n",
        b"Content-Type: multipart/mixed; boundary=c", b"Content-Type: multipart/x; boundary=b",
        b"Content-Type: message/rfc822", b"Content-Type: text/html; charset=x", b"X:", b"\0",
        b"Content-Transfer-Encoding: base64", b"\xff", b" ",
        b"Content-Disposition: attachment; filename*0*='",
    ]
)  # fmt: skip
BODIES = st.lists(PIECES, max_size=40).map(b"".join) | st.binary()


@pytest.mark.parametrize(
    "empty",
    [b"Content-Type: message/rfc822\n\n", b"Content-Type: multipart/mixed; boundary=c\n\n--c\n"],
)
def test_what_is_empty_right_before_a_boundary_ends_with_what_it_is_in(empty: bytes) -> None:
    outer = scanned(b"--b\n" + empty + b"--b--").parts[0]
    (inner,) = outer.parts
    assert (inner.start, inner.end) == (outer.end, outer.end) == (4 + len(empty), 4 + len(empty))


@given(BODIES)
@settings(max_examples=500)
def test_any_bytes_are_taken_and_parts_lie_inside_each_other_in_order(body: bytes) -> None:
    found: Structure = scan([("Content-Type", b"multipart/mixed; boundary=b")], body)
    for part in found.root.walk():
        assert 0 <= part.header_start <= part.start <= part.end <= len(body)
        assert isinstance(part.filename, str)
        at = part.start
        for inner in part.parts:
            assert inner.parent is part
            assert at <= inner.boundary_start or part.is_message
            assert inner.end <= part.end
            at = inner.end
        for one in part.fields if part is not found.root else ():
            name = body[one.start : one.end].partition(b":")[0]
            assert name.rstrip(b" \t").lower() == one.name.encode()
            assert body[one.start : one.end].endswith(one.value)
            assert part.header_start <= one.start <= one.end <= max(part.start, one.end)


@given(st.binary(), st.binary(), st.binary())
def test_any_header_value_is_read(kind: bytes, disposition: bytes, encoding: bytes) -> None:
    root = scan(
        [
            ("Content-Type", kind),
            ("Content-Disposition", disposition),
            ("Content-Transfer-Encoding", encoding),
        ],
        b"--x\n\n--x--",
    ).root
    assert isinstance(root.filename + root.charset + root.encoding + root.type, str)


@pytest.mark.parametrize("value", [b";" * 60_000, b'"' * 60_000, b";a*0=" * 10_000, b"(" * 60_000])
def test_a_long_value_is_read_at_once(value: bytes) -> None:
    # Each of these takes Python's email package (policy.default) seconds, or an exception.
    root = scan([("Content-Type", b"text/html" + value)], b"").root
    assert root.type == "text/html"
