"""Subjects that hide a word from a pattern by encoded words (RFC 2047), sound and unsound."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product

from pyquarantine_core.testing.answers import Verdict

from .case import FORBIDDEN, SECOND, Case, contents, with_subject, word

CHARSETS = (
    "utf-8 UTF8 us-ascii iso-8859-1 ISO-8859-15 windows-1251 koi8-r gb2312 gbk big5 shift_jis"
    " iso-2022-jp euc-kr utf-7 cp437 macintosh hz-gb-2312 tis-620 x-no-such-charset unknown-8bit"
)
GAPS = {
    "a blank": b" ",
    "a tab": b"\t",
    "many blanks": b" " * 50,
    "a fold": b"\n ",
    "a fold and a tab": b"\n\t",
    "folds without text": b"\n \n\t\n ",
    "nothing": b"",
}
PLAIN = FORBIDDEN.encode()
BROKEN = {
    "no padding": b"=?utf-8?b?Zm9yYmlkZGVu=?=",
    "too much padding": b"=?utf-8?b?Zm9yYmlkZGVu====?=",
    "padding in the middle": b"=?utf-8?b?Zm9yYg==aWRkZW4=?=",
    "junk in base64": b"=?utf-8?b?Zm9y!YmlkZGVu?=",
    "blanks in base64": b"=?utf-8?b?Zm9y YmlkZGVu?=",
    "base64 that breaks off": b"=?utf-8?b?Zm9yYmlkZGVuX?=",
    "blanks in Q": b"=?utf-8?q?a forbidden b?=",
    "underscores in Q": b"=?utf-8?q?a_forbidden_b?=",
    "hexadecimal in lower case": b"=?utf-8?q?=66=6frbidden?=",
    "hexadecimal that breaks off": b"=?utf-8?q?forbidden=?=",
    "hexadecimal that is none": b"=?utf-8?q?=zzforbidden?=",
    "a question mark in it": b"=?utf-8?q?forbidden??=",
    "a question mark before it": b"=?utf-8?q??forbidden?=",
    "8 bit in Q": b"=?utf-8?q?\xc3\xbcforbidden?=",
    "a language": b"=?utf-8*en-GB?q?forbidden?=",
    "a language that is none": b"=?utf-8*?q?forbidden?=",
    "letters around it": b"x=?utf-8?q?forbidden?=x",
    "quotes around it": b'"=?utf-8?q?forbidden?="',
    "parentheses around it": b"(=?utf-8?q?forbidden?=)",
    "one that is never closed before it": b"=?utf-8?q?open =?utf-8?q?forbidden?=",
    "one that is never closed around it": b"=?utf-8?q?forbidden",
    "an unknown encoding around it": b"=?utf-8?x?forbidden?=",
    "an empty one before it": b"=?utf-8?q??= =?utf-8?q?forbidden?=",
    "empty ones inside it": b"=?utf-8?q?forb?= =?utf-8?q??= =?utf-8?b??= =?utf-8?q?idden?=",
    "plain text that goes on": b"for=?utf-8?q?bid?=den",
    "a charset of 100 characters": b"=?" + b"x" * 100 + b"?q?forbidden?=",
    "one after 1,000 others": b"=?utf-8?q?a?= " * 1000 + b"=?utf-8?q?forbidden?=",
    "one after 50,000 bytes": b"=?utf-8?q?" + b"a" * 50_000 + b"?= =?utf-8?q?forbidden?=",
    "a character for each word": b" ".join(word("utf-8", "q", b"%c" % one) for one in PLAIN),
    "NUL around it": b"=?utf-8?q?=00forbidden=00?=",
    "line breaks around it": b"=?utf-8?q?a=0D=0Aforbidden=0Ab?=",
    "upper case": b"=?UTF-8?Q?FORBIDDEN?=",
    "a soft break of quoted-printable": b"=?utf-8?q?forbidden=?= =?utf-8?q?x?=",
}


def cases() -> Iterator[Case]:
    for charset, encoding in product(CHARSETS.split(), "qB"):
        subject = word(charset, encoding, PLAIN)
        yield _hidden(f"the word in {charset}, {encoding}", subject)
    for cut, first, second in product(range(1, len(PLAIN)), "qb", "qb"):
        halves = word("utf-8", first, PLAIN[:cut]), word("utf-8", second, PLAIN[cut:])
        yield _hidden(f"cut after {cut}, {first} then {second}", b" ".join(halves))
    data = SECOND.encode()
    cut = data.index(b"\xc3") + 1
    for (gap, blank), first, second in product(GAPS.items(), "qb", "qb"):
        halves = word("utf-8", first, data[:cut]), word("utf-8", second, data[cut:])
        name = f"cut inside of a character, {first}, {gap}, {second}"
        yield _hidden(name, blank.join(halves))
    built = {name: with_subject(value) for name, value in BROKEN.items()}
    yield from contents(built, Verdict.DISCARD)


def _hidden(name: str, subject: bytes) -> Case:
    return Case(name=name, build=partial(with_subject, subject), verdict=Verdict.DISCARD)
