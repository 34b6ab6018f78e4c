"""Which links are rewritten, and how they stand in the HTML."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, quote, urlsplit

import pyq_rewrite_links
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyq_rewrite_links.links import replaced, target

from pyquarantine_core.message import Message
from pyquarantine_core.testing.mail_client import as_sent, shown
from pyquarantine_core.testing.rules import judge, load, received, rule

REPL = "https://check.example/?a=1&u={URL}"
PREFIX = "https://check.example/?a=1&amp;u="


def rewritten(html: str | bytes, repl: str = REPL, charset: str = "utf-8") -> Message:
    data = html if isinstance(html, bytes) else html.encode(charset)
    message = received(f"Content-Type: text/html; charset={charset}\n\n".encode() + data)
    judge(load({"rules": [rule("rewrite_links", {"repl": repl})]}, pyq_rewrite_links), message)
    return message


def html_of(message: Message) -> str:
    return (shown(as_sent(message), "html") or "").removesuffix("\n")


@pytest.mark.parametrize(
    ("html", "expected"),
    {
        '<a href="http://x/">': '<a href="[http://x/]">',
        "<a href='http://x/'>": "<a href='[http://x/]'>",
        "<a href=http://x/ id=a>": '<a href="[http://x/]" id=a>',
        "<a href=http://x>": '<a href="[http://x]">',
        "<A\nHREF = 'HTTP://X/'\n>": "<A\nHREF = '[HTTP://X/]'\n>",
        '<area href="http://x/">': '<area href="[http://x/]">',
        '<svg><a xlink:href="http://x/">': '<svg><a xlink:href="[http://x/]">',
        '<a title=">" href="http://x/">': '<a title=">" href="[http://x/]">',
        '<a href="http://x/" href="http://y/">': '<a href="[http://x/]" href="http://y/">',
        '<a href="http://x/?a&amp;b=&#34;">': '<a href="[http://x/?a&b="]">',
        '<a href=" http://x/\n\ty ">': '<a href="[http://x/y]">',
        '<a href="//x/y">': '<a href="[//x/y]">',
        '<a href="javascript:alert(1)">': '<a href="[javascript:alert(1)]">',
        '<a href="&#104;ttp://x/">': '<a href="[http://x/]">',
        '<a/href="http://x/"/>': '<a/href="[http://x/]"/>',
        '<p <a href="http://x/">': '<p <a href="http://x/">',
        '<base href="http://x/y/"><a href="z">': '<base href="http://x/y/"><a href="[http://x/y/z]">',
        '<a href="http://x/ü">': '<a href="[http://x/ü]">',
        '</p></html><a href="http://x/">': '</p></html><a href="[http://x/]">',
        "<b><a href=http://x/>1</b><a href=http://y/>": (
            '<b><a href="[http://x/]">1</b><a href="[http://y/]">'
        ),
    }.items(),
)
def test_targets_are_replaced_where_they_stand(html: str, expected: str) -> None:
    start, end = expected.find("["), expected.find("]")
    while start >= 0:
        coded = PREFIX + quote(expected[start + 1 : end].encode(), safe="")
        expected = expected[:start] + coded + expected[end + 1 :]
        start, end = expected.find("["), expected.find("]")
    assert html_of(rewritten(html)) == expected


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:a@example.org">',
        '<a href=" MailTo:a@example.org">',
        '<a href="&#109;ailto:a@example.org">',
        '<a href="tel:+43123">',
        '<a href="#top">',
        '<a href="cid:picture@example">',
        '<a href="">',
        "<a href>",
        "<a href=>",
        '<a href="page.html">',
        '<a href="/page.html">',
        '<a name="x">',
        '<img src="http://x/"><link href="http://x/"><form action="http://x/">',
        '<!-- <a href="http://x/"> -->',
        '<style>a { b: "<a href=http://x/>" }</style>',
        '<a href="http://x/',
        "http://x/",
        "",
    ],
)
def test_everything_else_stays_byte_for_byte(html: str) -> None:
    message = rewritten(html)
    assert as_sent(message) == as_sent(message, original=True)


@pytest.mark.parametrize(
    "html",
    [
        '<!--[if mso]><p><a href="http://x/">ü</a></p><![endif]--><p>there</p>',
        "<!--[IF gte mso 9]><v:rect a='>' href='http://x/'></v:rect><![endif]-->",
        '<!--[if !mso]><!--><a href="http://x/">ü</a><!--<![endif]-->',
        '<svg><p><style><!--</style><a href="http://x/">ü</a>-->',
        '<svg><![CDATA[<!--]]></svg><a href="http://x/">ü</a>-->',
    ],
)
def test_no_comment_hides_a_link_that_some_client_shows(html: str) -> None:
    assert html_of(rewritten(html, "R")) == html.replace("http://x/", "R")


def test_base64_of_the_target_takes_its_place_as_in_pyquarantine_2() -> None:
    html = '<a href="http://x/?q=1&amp;r=&gt;">'
    expected = base64.b64encode(b"http://x/?q=1&r=>").decode()
    assert html_of(rewritten(html, "http://c/{URL_B64}")) == f'<a href="http://c/{expected}">'


@pytest.mark.parametrize("url", ["http://x.example/~~>", "http://x.example/?q=>>", "ä ?#&+"])
@pytest.mark.parametrize("name", ["URL", "URL_B64"])
def test_a_query_gives_the_target_back(name: str, url: str) -> None:
    link = replaced(f"https://check.example/?a=b&url={{{name}}}&c=d", url)
    (value,) = parse_qs(urlsplit(link).query)["url"]
    assert (base64.b64decode(value).decode() if name == "URL_B64" else value) == url


def test_both_forms_may_be_used_and_other_braces_stay() -> None:
    assert replaced("{URL_B64}|{URL}|{X}", "a b") == "YSBi|a%20b|{X}"


def test_a_target_is_not_expanded_twice() -> None:
    assert replaced("{URL}", "{URL_B64}") == "%7BURL_B64%7D"


def test_the_charset_of_the_target_is_minded() -> None:
    html = '<p>Grüße <a href="http://x/ü">ü</a>'
    message = rewritten(html, charset="iso-8859-1")
    assert html_of(message) == f'<p>Grüße <a href="{PREFIX}http%3A%2F%2Fx%2F%C3%BC">ü</a>'
    assert message.headers == tuple(message.received_headers)


def test_bytes_that_are_not_in_the_charset_stay() -> None:
    message = rewritten(b'\xff\x80<a href="http://x/">\xc3', "http://c/")
    assert message.body.read() == b'\xff\x80<a href="http://c/">\xc3\r\n'


@given(st.text(), st.text())
def test_any_target_is_read(value: str, base: str) -> None:
    assert isinstance(target(value, base), str)


@given(st.lists(st.sampled_from(["<a href=", "<", ">", '"', "'", "http://x/", " ", "-->", "<!--"])))
def test_any_html_keeps_what_is_no_target(pieces: list[str]) -> None:
    html = "".join(pieces)
    message = rewritten(html, "R")
    text = message.body.read().decode().removesuffix("\r\n")
    assert text.replace('"R"', "http://x/").count("<") <= html.count("<")
    at = 0
    for piece in text.replace('"R"', "R").split("R"):  # what is between the targets, in order
        at = html.find(piece, at)
        assert at >= 0
        at += len(piece)
