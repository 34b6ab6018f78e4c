from __future__ import annotations

import base64
import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyquarantine_core.header_text import clean_text, decode_value, encode_value

PIECES = [
    *(b"=?", b"?=", b"=?utf-8?q?", b"=?UTF-7*en?B?", b"=?x\0y?q?", b"=?iso-2022-jp?b?", b"?", b"="),
    *(b"\r\n ", b"\n\t", b"\r", b"\n", b"\0", b" ", b'"', b"(", b"<", b"\xe9", b"\xc3\xa9", b"a"),
    *(b"=E9", b"=0D=0A", b"w7w", b"=ED=A0=80", b"+2AA-", b"=?rot13?q?", b"=?idna?q?", b"\x1b$B"),
]
texts = st.text() | st.text(alphabet="ab \t=?üß_日q\U0001f600\r\n\0", max_size=300)
name_words = st.text(
    st.characters(categories=["L", "N", "S", "Zs"], exclude_characters='<>"()@,;:\\'), min_size=1
)
ENCODED_WORD = re.compile(r"=\?[^?]*\?[bq]\?[^?]*\?=")


def checked(name: str, text: str) -> bytes:
    """Encode, and check what holds for every value that needs no raw UTF-8."""
    value = encode_value(name, text)
    assert value.isascii()
    assert value.startswith(b" ")
    lines = f"{name}:{value.decode()}".split("\n")
    assert all(len(line) <= 998 for line in lines)
    assert all(line[0] in " \t" and line.strip() for line in lines[1:])
    assert all(len(word) <= 75 for word in ENCODED_WORD.findall(value.decode()))
    assert not re.search(r"[\0\r]|\n(?![ \t])", value.decode())
    return value


# Reading


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b" plain", "plain"),
        (b" a\n b\r\n\tc ", "a b\tc"),
        (b"a\n   b", "a   b"),
        (b" =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b" =?UTF-8?Q?a_b=5Fc?= d", "a b_c d"),
        (b"=?utf-8*de-AT?B?w7w=?=", "ü"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?=\n =?iso-8859-1?q?=FC?=", "aü"),
        (b"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        (b"=?utf-8?q?=C3?= =?UTF-8?Q?=BC?=", "ü"),
        (b"=?utf-8?b?ww==?= =?utf-8?b?vA==?=", "ü"),
        (b"=?utf-8?q?=C3?= =?utf-8?b?vA==?=", "ü"),
        (b"=?utf-8?b?ww==?=\n =?UTF-8*de?Q?=BC?=", "ü"),
        (b"=?utf-8?q?=C3?= =?utf8?b?vA==?=", "\ufffd\ufffd"),
        (b"=?utf-8?q?=C3?= x =?utf-8?b?vA==?=", "\ufffd x \ufffd"),
        (b"=?iso-2022-jp?b?GyRCRnwbKEI=?= =?iso-2022-jp?b?GyRCS1wbKEI=?=", "日本"),
        (b"=?iso-2022-jp?b?GyRCRnw=?= =?iso-2022-jp?b?S1wbKEI=?=", "日本"),
        (b'"=?iso-8859-1?Q?M=FCller=2C_J?=" <j@example.org>', '"Müller, J" <j@example.org>'),
        (b"x=?utf-8?b?w7w=?=y", "xüy"),
        (b"=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
        (b"=?utf-8?b?w7w?=", "ü"),
        (b"=?utf-8?b?w7 !w=====?=", "ü"),
        (b"=?utf-8?b?YQ==Yg==?=", "ab"),
        (b"=?utf-8?b?YWJjZ?=", "abc"),
        (b"=?utf-8?q?hello world?=", "hello world"),
        (b"=?utf-8?q?what??=", "what?"),
        (b"=?utf-8?q?100=_=zz?=", "100= =zz"),
        (b"=?utf-8?q?never closed =?utf-8?q?closed?=", "=?utf-8?q?never closed closed"),
        (b"=?utf-8?q?never closed", "=?utf-8?q?never closed"),
        (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
        (b"=?utf-8?q??=", ""),
        (b"=?utf-8?q?a=0D=0A=00b?=", "a b"),
        (b"=?utf-8?q?_a_?=", "a"),
        (b"a\rb\0\nc", "a b c"),
        (b"caf\xe9", "café"),
        (b"caf\xc3\xa9", "café"),
        (b"=?utf-8?q?=C3=BC?= \xe9", "ü é"),
        (b"=?utf-8?q?caf\xc3\xa9?=", "café"),
        (b"=?utf-8?q?=FF?=", "\ufffd"),
        (b"=?utf-7?q?+APw-?=", "ü"),
        (b"=?utf-7?q?+2AA-?=", "\ufffd"),
        (b"=?gb2312?B?xOO6ww==?=", "你好"),
        (b"=?iso-2022-jp?q?=1B$B$3+=1B(Bend?=", "こ\ufffdend"),  # half a character, then an escape
        (b"=?ks_c_5601-1987?B?x9GxuQ==?=", "한국"),
        (b"=?windows-1251?Q?=EF?=", "п"),
        (b"=?macintosh?Q?=8A?=", "ä"),
        *(
            (b"=?%s?q?=FC?=" % charset, "ü")
            for charset in (b"base64", b"rot13", b"idna", b"x\0y", b"utf-8\0", b"no-such", b"hex")
        ),
    ],
)
def test_a_value_reads_as_in_a_mail_client(raw: bytes, text: str) -> None:
    assert decode_value(raw) == text


@given(st.binary() | st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
def test_any_bytes_give_clean_text(raw: bytes) -> None:
    text = decode_value(raw)
    assert not re.search("[\r\n\0\ud800-\udfff]", text)
    assert text == text.strip(" \t")


@given(
    st.binary(max_size=60),
    st.sampled_from(
        "utf-8 utf-7 hz gb18030 big5 euc-jp iso-2022-jp iso-2022-kr johab cp949 koi8-r".split()  # noqa: SIM905  legible
    ),
)
def test_any_bytes_in_any_charset_give_clean_text(data: bytes, charset: str) -> None:
    text = decode_value(b"=?%s?b?%s?=" % (charset.encode(), base64.b64encode(data)))
    assert not re.search("[\r\n\0\ud800-\udfff]", text)


@pytest.mark.parametrize("unit", [*PIECES, b"=?a?q?x", b"=?a?q??=", b"=?a?b?YQ?= ", b"=?a*b?q?"])
@pytest.mark.parametrize("end", [b"", b"?="])
def test_hostile_values_are_read_in_linear_time(unit: bytes, end: bytes) -> None:
    raw = unit * (60_000 // len(unit)) + end
    started = time.thread_time()
    decode_value(raw)
    assert time.thread_time() - started < 1  # of the CPU, however busy it is


# Writing: headers without structure


@given(texts)
@example("=?utf-8?q?x?=")
@example("a =?utf-8?q?b c?= d")
@example("ü  \t ü ü\tb  ü")
@example("x" * 3000)
@example("a" + " " * 3000 + "b")
@example("ü" * 3000)
def test_a_subject_reads_back_as_its_cleaned_text(text: str) -> None:
    assert decode_value(checked("Subject", text)) == clean_text(text)


@given(st.from_regex(r"[A-Za-z][A-Za-z-]{0,70}", fullmatch=True), texts)
def test_any_other_header_reads_back_as_well(name: str, text: str) -> None:
    assert decode_value(checked(f"X-{name}", text)) == clean_text(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", b" "),
        ("plain  text\twith gaps", b" plain  text\twith gaps"),
        ("é", b" =?utf-8?b?w6k=?="),
        ("Fußballmannschaft", b" =?utf-8?q?Fu=C3=9Fballmannschaft?="),
        ("Grüße aus Wien", b" =?utf-8?b?R3LDvMOfZQ==?= aus Wien"),
        ("zu schöne große Dinge", b" zu =?utf-8?b?c2Now7ZuZSBncm/Dn2U=?= Dinge"),
        ("a\r\nBcc: b\0c", b" a Bcc: b c"),
        ("\x1b[31m\x85red\x7f", b" [31m red"),
        ("\ud800", b" =?utf-8?b?77+9?="),
        ("=?utf-8?q?x?= y", b" =?utf-8?b?PT91dGYtOD9xP3g/PQ==?= y"),
    ],
)
def test_words_stay_legible_where_they_can(text: str, value: bytes) -> None:
    assert checked("Subject", text) == value


def test_long_text_is_folded_before_its_own_white_space() -> None:
    text = "word " * 40
    value = checked("Subject", text)
    assert value.replace(b"\n", b"") == f" {text.strip()}".encode()
    assert all(len(line) <= 78 for line in f"Subject:{value.decode()}".split("\n"))


@given(st.text(alphabet="aü日 \U0001f600", max_size=500))
def test_encoded_text_fits_into_lines_of_78(text: str) -> None:
    text = "日" + text
    lines = f"Subject:{checked('Subject', text).decode()}".split("\n")
    assert all(len(line) <= 78 for line in lines)


def test_an_ascii_word_longer_than_the_line_stays_whole() -> None:
    url = "https://example.org/" + "x" * 200
    assert checked("Subject", f"see {url}") == f" see\n {url}".encode()


def test_no_character_is_cut_between_encoded_words() -> None:
    value = checked("Subject", "aß日\U0001f600" * 60)
    for word in ENCODED_WORD.findall(value.decode()):
        assert "\ufffd" not in decode_value(word.encode())


# Writing: addresses


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", b" "),
        ("j@example.org", b" j@example.org"),
        ("<j@example.org>", b" <j@example.org>"),
        ("Joe Miller <j@x>", b" Joe Miller <j@x>"),
        ('"Miller, J." <j@x>, b@y', b' "Miller, J." <j@x>, b@y'),
        ("undisclosed-recipients:;", b" undisclosed-recipients:;"),
        ("Team: a@x, B <b@y>;, c@z", b" Team: a@x, B <b@y>;, c@z"),
        ("Joe (at (home)) <j@x> (yes)", b" Joe (at (home)) <j@x> (yes)"),
        ('[EXT] "Miller, J" <j@x>', b' "[EXT] Miller, J" <j@x>'),
        ("Miller, J <j@x>", b' "Miller, J" <j@x>'),
        ("J. Miller <j@x>", b' "J. Miller" <j@x>'),
        ("Re: Joe <j@x>", b' "Re: Joe" <j@x>'),
        ('5" pipe <j@x>', b' "5\\" pipe" <j@x>'),
        ("a < b <j@x>", b' "a < b" <j@x>'),
        ("boss@bank <boss@bank.example> <j@x>", b' "boss@bank <boss@bank.example>" <j@x>'),
        ("root, joe@x", b" root, joe@x"),
        ("Jörg <j@x>", b" =?utf-8?b?SsO2cmc=?= <j@x>"),
        ("Jörg Meier <j@x>", b" =?utf-8?b?SsO2cmc=?= Meier <j@x>"),
        ("Müller, Jörg <j@x>", b" =?utf-8?b?TcO8bGxlciwgSsO2cmc=?= <j@x>"),
        ("Müller, Jörg <j@x>, a@b", b" =?utf-8?b?TcO8bGxlciwgSsO2cmc=?= <j@x>, a@b"),
        ('"Müller, J" <j@x>', b" =?utf-8?b?TcO8bGxlciw=?= J <j@x>"),
        ("Jörg<j@x>", b" =?utf-8?b?SsO2cmc=?= <j@x>"),
        ("a@b, Jörg <j@x>;c@d", b" a@b, =?utf-8?b?SsO2cmc=?= <j@x>;c@d"),
        ("j@x (Jörg M)", b" j@x (=?utf-8?b?SsO2cmc=?= M)"),
        ("Jörg(Köln) <j@x>", b" =?utf-8?b?SsO2cmc=?= (=?utf-8?b?S8O2bG4=?=) <j@x>"),
        ("Grüppe: a@b, ü <c@d>;", b" =?utf-8?q?Gr=C3=BCppe?=: a@b, =?utf-8?b?w7w=?= <c@d>;"),
        ("=?utf-8?q?x?= <j@x>", b" =?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <j@x>"),
        ('"=?utf-8?q?x?=" <j@x>', b" =?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <j@x>"),
        ("a <j@x>\r\nBcc: b@c", b" a <j@x> Bcc: b@c"),
    ],
)
def test_only_names_and_comments_of_addresses_are_encoded(text: str, value: bytes) -> None:
    assert checked("From", text) == value
    assert checked("RESENT-TO", text) == value


def test_an_internationalised_address_stays_utf8() -> None:
    value = encode_value("To", "Jörg <jörg@exämple.org>, ü@x")
    assert value == " =?utf-8?b?SsO2cmc=?= <jörg@exämple.org>, ü@x".encode()
    assert decode_value(value) == "Jörg <jörg@exämple.org>, ü@x"


@given(st.lists(name_words, min_size=1, max_size=6).map(" ".join))
def test_a_display_name_reads_back(words: str) -> None:
    name = clean_text(f"ü {words}")
    value = checked("From", f"{name} <j@example.org>")
    assert decode_value(value) == f"{name} <j@example.org>"
    assert value.endswith(b" <j@example.org>")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"(')))
def test_the_last_address_stays_as_it_is(name: str) -> None:
    assert checked("From", f"{name} <j@example.org>").endswith(b" <j@example.org>")


@given(texts | st.text(alphabet='aü<>@,;:"()\\ =?', max_size=60))
def test_any_text_becomes_a_clean_address_header(text: str) -> None:
    value = encode_value("To", text)
    assert not re.search(rb"[\0\r\x7f]|\n(?![ \t])", value)
    if text.isascii():
        assert value.isascii()


# Writing: other structured headers


@pytest.mark.parametrize("name", ["Content-Type", "Message-ID", "List-Id", "ARC-Seal", "Received"])
def test_other_structured_headers_are_only_folded(name: str) -> None:
    assert encode_value(name, 'a=?b "ü"\r\n;c') == ' a=?b "ü" ;c'.encode()
    folded = encode_value(name, "token; " * 30)
    assert folded.replace(b"\n", b"").decode() == " " + ("token; " * 30).strip()
    assert max(map(len, f"{name}:{folded.decode()}".split("\n"))) <= 78


@pytest.mark.parametrize("name", ["From", "Subject", "Received"])
@pytest.mark.parametrize(
    "unit",
    [
        *('"', "<", "(", ")", '"\\', '\\"', ",", '<"', "a,", "ü,", "=?", "ü ", "(ü", "a:b;", "ü:"),
        *("<ü>", '"ü" ', "(ü) ", " ", "\t", ";", "a@b,", "(\\", "=?utf-8?q?x?= ", "x"),
    ],
)
def test_hostile_text_is_written_in_linear_time(name: str, unit: str) -> None:
    text = unit * (60_000 // len(unit))
    started = time.thread_time()
    encode_value(name, text + "ü")
    encode_value(name, f'"{text}<a@b>')
    assert time.thread_time() - started < 4  # of the CPU, however busy it is


@pytest.mark.parametrize("name", ["Subject", "From", "Received", "X" * 50_000])
@pytest.mark.parametrize("unit", ["a ", "ü ", "\U0001f4e7", "=?a?q?", '"', "ü<a@x.example>, "])
def test_no_new_value_is_longer_than_libmilter_takes(name: str, unit: str) -> None:
    text = unit * (60_000 // len(unit))
    value = encode_value(name, text)
    assert len(value) + len(name) <= 65_000
    assert len(decode_value(value)) > 100  # as much of it as fits
