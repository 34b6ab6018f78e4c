"""Texts of parts: decoded, edited and encoded again, and nothing else of them changes."""

from __future__ import annotations

import binascii
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core.limits import Limits
from pyquarantine_core.mime.content import ContentError, decode_transfer, encode_transfer
from pyquarantine_core.mime.structure import MimePart, scan
from pyquarantine_core.mime.text import PartText, TextEdit, read_text

ENCODINGS = ["", "7bit", "8bit", "binary", "quoted-printable", "base64"]


def part_of(data: bytes, charset: str = "", encoding: str = "") -> MimePart:
    kind = f"text/plain; charset={charset}" if charset else "text/plain"
    headers = [("Content-Type", kind.encode()), ("Content-Transfer-Encoding", encoding.encode())]
    return scan(headers, data).root


class TestTransferEncodings:
    @pytest.mark.parametrize(
        ("encoding", "raw", "data"),
        [
            ("base64", b"SGVsbG8=", b"Hello"),
            ("base64", b" S!G\r\nVs=bG8", b"HelmG8"[:3] + binascii.a2b_base64("bG8=")),
            ("base64", b"SGVsb", b"Hel"),
            ("quoted-printable", b"a=3D=\r\nb=20\t\r\nc", b"a=b \r\nc"),
            ("quoted-printable", b"a= \r\nb=zz=", b"ab=zz"),
            ("8bit", b"\xff\r\n", b"\xff\r\n"),
        ],
    )
    def test_they_are_read_forgivingly(self, encoding: str, raw: bytes, data: bytes) -> None:
        assert decode_transfer(raw, encoding) == data

    def test_an_unknown_one_is_not_guessed(self) -> None:
        with pytest.raises(ContentError, match="'x-uuencode' is not known"):
            decode_transfer(b"", "x-uuencode")

    @given(st.binary(), st.sampled_from(ENCODINGS))
    def test_what_is_encoded_is_read_back(self, data: bytes, wanted: str) -> None:
        encoded = encode_transfer(data, wanted)
        assert decode_transfer(encoded.data, encoded.encoding) == data

    @given(st.binary())
    def test_quoted_printable_is_fit_for_any_mail_server(self, data: bytes) -> None:
        encoded = encode_transfer(data, "quoted-printable").data
        for line in encoded.split(b"\r\n"):
            assert len(line) <= 76
            assert line.isascii()
            assert line == line.rstrip(b" \t")
            assert line != b"."
        assert b"\n" not in encoded.replace(b"\r\n", b"")
        assert quopri.decodestring(encoded.replace(b"\r\n", b"\n")) == data.replace(b"\r\n", b"\n")

    @pytest.mark.parametrize(
        ("data", "wanted", "before", "expected"),
        [
            (b"a", "", b"", ""),
            (b"aaaaaaa\xc3\xbc", "", b"", "quoted-printable"),
            (b"a\xc3\xbc" + b"a" * 9, "7bit", b"", "quoted-printable"),
            (b"\xd0\x90" * 50, "7bit", b"", "base64"),
            (b"\xc3\xbc", "8bit", b"", "8bit"),
            (b"\xc3\xbc", "", b"\xff", ""),
            (b"a" * 999, "8bit", b"", "quoted-printable"),
            (b"a" * 999, "", b"b" * 1200, ""),
            (b"a" * 998 + b"\r\n", "", b"", ""),
            (b"aaaaaaa\0", "7bit", b"", "quoted-printable"),
        ],
    )
    def test_one_that_does_not_carry_the_data_gives_way(
        self, data: bytes, wanted: str, before: bytes, expected: str
    ) -> None:
        assert encode_transfer(data, wanted, before).encoding == expected


class TestEdits:
    def edited(self, data: bytes, charset: str, text: str, at: int = 0) -> tuple[bytes, str | None]:
        part = PartText.of(part_of(data, charset, "8bit"), data)
        edited = part.edited([TextEdit(at, at, text)])
        content = decode_transfer(edited.content.data, edited.content.encoding)
        return content, edited.charset

    @pytest.mark.parametrize(
        ("data", "charset", "expected"),
        [
            (b"\xe4", "iso-8859-1", (b"\xfc\xe4", None)),
            (b"\xff\xc3", "utf-8", (b"\xc3\xbc\xff\xc3", None)),
            (b"\x81\xe4", "windows-1252", (b"\xfc\x81\xe4", None)),
            (b"\xcf\xf0", "windows-1251", ("üПр".encode(), "utf-8")),
            (b"a", "us-ascii", ("üa".encode(), "utf-8")),
            (b"\xc3\xa4", "", ("üä".encode(), "utf-8")),
            (b"\xe4\x80", "", ("üä€".encode(), "utf-8")),
            (b"\xe4", "unheard-of", ("üä".encode(), "utf-8")),
            ("日".encode("iso-2022-jp"), "iso-2022-jp", ("ü日".encode(), "utf-8")),
            ("日".encode("utf-16"), "utf-16", ("ü日".encode("utf-16"), None)),
            ("日".encode("gb2312"), "gb2312", ("ü日".encode("gb2312"), None)),
        ],
    )
    def test_the_charset_stays_when_the_new_text_fits_it(
        self, data: bytes, charset: str, expected: tuple[bytes, str | None]
    ) -> None:
        assert self.edited(data, charset, "ü") == expected

    def test_what_a_larger_charset_could_hold_is_not_written_under_the_name_of_a_smaller(
        self,
    ) -> None:
        assert self.edited(b"a", "gb2312", "€") == ("€a".encode(), "utf-8")

    def test_a_stateful_charset_is_edited_as_text(self) -> None:
        data = "日<b>本</b>".encode("iso-2022-jp")
        part = PartText.of(part_of(data, "iso-2022-jp"), data)
        at = part.view.index("<b>")
        edited = part.edited([TextEdit(at, at, "語")])
        assert edited.content.data.decode("iso-2022-jp") == "日語<b>本</b>"
        assert edited.charset is None

    @pytest.mark.parametrize("charset", ["iso-2022-jp", "utf-16", "utf-7"])
    def test_a_charset_unlike_ascii_that_is_broken_is_left(self, charset: str) -> None:
        data = b"\x1b$B\xff\x00"
        with pytest.raises(ContentError, match="not in its charset"):
            PartText.of(part_of(data, charset), data)

    def test_japanese_with_characters_of_a_vendor_keeps_its_bytes(self) -> None:
        circled = b"\x1b$B-!<\x21>>\x1b(B"  # the first is none of the standard's
        data = b"<b>" + circled + b"</b>" + circled + b"\r\n"
        part = PartText.of(part_of(data, "iso-2022-jp"), data)
        assert part.view.count("<") == 2
        at = part.view.index("</b>")
        edited = part.edited([TextEdit(at, at, "日")])
        assert edited.charset is None
        new = b"<b>" + circled + "日".encode("iso-2022-jp") + data[at:]
        assert edited.content.data == new
        with pytest.raises(ContentError, match="not in its charset"):
            part.edited([TextEdit(at, at, "ü")])

    @pytest.mark.parametrize("data", [b"\x1b$B-!", b"\x1b$" * 50_000 + b"\x1b(B\x1b$", b"\xff"])
    def test_japanese_that_breaks_off_is_left(self, data: bytes) -> None:
        with pytest.raises(ContentError, match="not in its charset"):
            PartText.of(part_of(data, "iso-2022-jp"), data)

    def test_a_text_has_a_largest_size(self) -> None:
        data = b"a" * 1001
        PartText.of(part_of(data), data, Limits(edit_bytes=1001))
        with pytest.raises(ContentError, match=r"more than 1000 bytes \(limits.edit_bytes\)"):
            PartText.of(part_of(data), data, Limits(edit_bytes=1000))

    def test_html_has_a_smaller_one(self) -> None:
        data = b"<p>" * 1000
        part = scan([("Content-Type", b"text/html")], data).root
        with pytest.raises(ContentError, match=r"HTML .* more than 2999 bytes \(limits.html_bytes"):
            PartText.of(part, data, Limits(html_bytes=2999))

    @given(
        st.binary(),
        st.sampled_from(["", "utf-8", "iso-8859-1", "shift_jis", "big5", "koi8-r", "x"]),
        st.sampled_from(ENCODINGS),
        st.data(),
    )
    def test_all_bytes_around_an_edit_stay(
        self, data: bytes, charset: str, encoding: str, draw: st.DataObject
    ) -> None:
        raw = encode_transfer(data, encoding)
        text = PartText.of(part_of(raw.data, charset, raw.encoding), raw.data)
        assert text.data == data
        start = draw.draw(st.integers(0, len(data)))
        end = draw.draw(st.integers(start, len(data)))
        edited = text.edited([TextEdit(start, end, "new")]).content
        new = decode_transfer(edited.data, edited.encoding)
        assert new == data[:start] + b"new" + data[end:]


@given(st.binary(), st.text(), st.text())
def test_any_text_can_be_read(data: bytes, charset: str, encoding: str) -> None:
    headers = [
        ("Content-Type", f'text/plain; charset="{charset}"'.encode()),
        ("Content-Transfer-Encoding", encoding.encode()),
    ]
    text = read_text(scan(headers, data).root, data)
    text.encode()  # no surrogates


def test_japanese_with_half_a_character_is_read_on_where_ascii_begins_again() -> None:
    data = b"\x1b$B$3+\x1b(Bend"
    assert read_text(part_of(data, "iso-2022-jp"), data) == "こ\ufffdend"


@pytest.mark.parametrize(
    "charset",
    ["utf-7", "utf-16", "hz", "johab", "iso-2022-kr", "gb18030", "euc-jp", "cp037", "rot13", "hex"],
)
@given(data=st.binary())
def test_any_bytes_can_be_read_in_any_charset(charset: str, data: bytes) -> None:
    read_text(part_of(data, charset), data).encode()
