"""Where a disclaimer goes in HTML, broken HTML included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyq_disclaimer.html_body import body_end, body_start, inside_body

if TYPE_CHECKING:
    from .conftest import AddDisclaimer


@pytest.mark.parametrize(
    "marked",
    [
        "<html><body>|text</body></html>",
        "<html><head><title><body></title></head><body a='>'>|text</body></html>",
        "<!-- <body> --><body>|text",
        "<style><body></style><body>|text",
        "|text",
        "|<p>text</p>",
        "<html>|<p>text</p></html>",
        "<html><head><meta charset=x></head>|text",
        "<html><head><title>x</title>|<p>text",
        "<!doctype html>\n<?xml?>|text",
        "<html>|text<body>more</body></html>",
        "<html><head>|<template><body></template>",
        "<head></head>|",
        "",
        "|<body",
        "|<!-- <body>",
        "<style></style>|<style><body>",
        "<BODY\n>|text",
        "</p></div><body>|text",
        "|</body>text",
    ],
)
def test_the_beginning_is_where_browsers_begin_the_body(marked: str) -> None:
    html = marked.replace("|", "")
    assert body_start(html) == max(marked.find("|"), 0)


@pytest.mark.parametrize(
    "marked",
    [
        "<body>text|</body></html>",
        "<body>text|</html>",
        "<body>text|",
        "<body>one</body>two|</BODY >three",
        "<body>text<!-- </body> -->|",
        "<body>text<style></body></style>|</body>",
        "<body>text|<!-- </body>",
        "<body>text|<style>",
        "<body>text|<a href='</body>",
        "text|</html>",
        "|",
    ],
)
def test_the_end_is_before_the_last_end_of_the_body(marked: str) -> None:
    assert body_end(marked.replace("|", "")).offset == marked.index("|")


@pytest.mark.parametrize(
    ("html", "inside"),
    [
        ("<p>x</p>", "<p>x</p>"),
        ("<html><body class=x>\n<p>x</p></body></html>\n", "\n<p>x</p>"),
        ("<body><p>x", "<p>x"),
        ("</body><body>", ""),
    ],
)
def test_of_a_template_that_is_a_document_the_inside_is_used(html: str, inside: str) -> None:
    assert inside_body(html) == inside


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<html><head></head><body><p>x</p><br><img src=x>", ""),
        ("<div><SPAN>x", "</span></div>"),
        ("<div><span>x</div>", ""),
        ("</div></b><div></p></i>", "</div>"),
        ("<p>x<p>y<div>z</div>", ""),
        ("<p>x<p>y", "</p>"),
        ("<span><p>x", "</p></span>"),
        ("<ul><li>x<li>y", "</li></ul>"),
        ("<table><tr><td>x<tr><td>y<td>z", "</td></tr></table>"),
        ("<div><b>x</div><i>y</i>", "</b>"),
        ("<p><b>x</p><p><b>y</p></b>", "</b>"),
        ("<o:p><x-y>", "</x-y></o:p>"),
        ("<x\xc3><y'>", ""),
        ("<style><div></style><!-- <div> -->", ""),
    ],
)
def test_what_is_open_is_closed_from_the_inside(html: str, expected: str) -> None:
    assert body_end(html).open.end_tags() == expected
    assert body_end(html + "</body><div>").open.end_tags() == expected


def test_what_is_appended_stands_outside_of_what_was_left_open(
    add_disclaimer: AddDisclaimer,
) -> None:
    html = b"<body><p>x</p><div style='display:none'>y</body>\r\n"
    message, _ = add_disclaimer(b"Content-Type: text/html\n\n" + html, html="<hr>")
    assert message.body.read() == html.replace(b"y</body>", b"y</div><hr></body>")
    message, _ = add_disclaimer(
        b"Content-Type: text/html\n\n" + html, html="<hr>", action="prepend"
    )
    assert message.body.read() == html.replace(b"<body>", b"<body><hr>")


TAGS = ["<div>", "</div>", "<p>", "</p>", "<b>", "</b>", "<ul>", "</ul>", "<span>", "<img>", "x"]


@given(st.lists(st.sampled_from(TAGS)).map("".join))
def test_nothing_is_open_behind_the_end_tags(html: str) -> None:
    assert body_end(html + body_end(html).open.end_tags()).open.end_tags() == ""


@given(
    st.text()
    | st.lists(st.sampled_from(["<body>", "</body>", "<p", ">", "x", "<!--"])).map("".join)
)
def test_any_html_has_a_beginning_and_an_end(html: str) -> None:
    assert 0 <= body_start(html) <= len(html)
    assert 0 <= body_end(html).offset <= len(html)
    assert inside_body(html) in html


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-8", "shift_jis"])
@pytest.mark.parametrize("action", ["append", "prepend"])
def test_bytes_that_are_not_in_the_charset_stay(
    charset: str, action: str, add_disclaimer: AddDisclaimer
) -> None:
    html = b"<html><body>\xff\x80\xc3<br>\xa0\x81</body></html>\r\n"
    mail = f"Content-Type: text/html; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    message, _ = add_disclaimer(mail.encode() + html, html="<hr>", action=action)
    at = html.index(b"</body>" if action == "append" else b"\xff")
    assert message.body.read() == html[:at] + b"<hr>" + html[at:]
    assert message.headers == tuple(message.received_headers)
