"""HTML in tokens: cut where browsers cut it, whatever is wrong with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core.html_tokens import Kind, tokens


def cut(html: str) -> list[tuple[str, str]]:
    return [(one.kind.name.lower(), one.text) for one in tokens(html)]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("a<b>c</b >", [("text", "a"), ("start", "<b>"), ("text", "c"), ("end", "</b >")]),
        ("1 < 2 <3 <= </", [("text", "1 < 2 <3 <= </")]),
        ("<a b='>' c=\">\">d", [("start", "<a b='>' c=\">\">"), ("text", "d")]),
        ("<a b=it's>c", [("start", "<a b=it's>"), ("text", "c")]),
        ('<a b=="x>y', [("start", '<a b=="x>'), ("text", "y")]),
        ('<a ="x>y', [("start", '<a ="x>'), ("text", "y")]),
        ('<a b="c', [("unclosed", '<a b="c')]),
        ("<a b=", [("unclosed", "<a b=")]),
        ("<a b", [("unclosed", "<a b")]),
        ("<!-- <a> -->b", [("comment", "<!-- <a> -->"), ("text", "b")]),
        ("<!-->b", [("comment", "<!-->"), ("text", "b")]),
        ("<!--->b", [("comment", "<!--->"), ("text", "b")]),
        ("<!-- --!>b", [("comment", "<!-- --!>"), ("text", "b")]),
        ("<!-- <a>", [("unclosed", "<!-- <a>")]),
        ("<!doctype html>b", [("comment", "<!doctype html>"), ("text", "b")]),
        ("<![if mso]><a>", [("comment", "<![if mso]>"), ("start", "<a>")]),
        ("<?xml?></ x></>", [("comment", "<?xml?>"), ("comment", "</ x>"), ("comment", "</>")]),
        (
            "<style><b></styles></STYLE >",
            [("start", "<style>"), ("raw", "<b></styles>"), ("end", "</STYLE >")],
        ),
        ("a<title><b>", [("text", "a"), ("unclosed", "<title><b>")]),
        ("<plaintext></plaintext>", [("unclosed", "<plaintext></plaintext>")]),
        (
            "<svg><title><b></svg><title><b></title>",
            [
                ("start", "<svg>"),
                ("start", "<title>"),
                ("start", "<b>"),
                ("end", "</svg>"),
                ("start", "<title>"),
                ("raw", "<b>"),
                ("end", "</title>"),
            ],
        ),
        ("<svg><style><b>", [("start", "<svg>"), ("start", "<style>"), ("start", "<b>")]),
        ("<svg><g/><title>", [("start", "<svg>"), ("start", "<g/>"), ("start", "<title>")]),
        ("<svg/><title>b", [("start", "<svg/>"), ("unclosed", "<title>b")]),
        ("<svg a=/><style>b", [("start", "<svg a=/>"), ("start", "<style>"), ("text", "b")]),
        ("<svg><p><style>b", [("start", "<svg>"), ("start", "<p>"), ("unclosed", "<style>b")]),
        ("<math></p><style>b", [("start", "<math>"), ("end", "</p>"), ("unclosed", "<style>b")]),
        ("<math><mi><style>b", [("start", "<math>"), ("start", "<mi>"), ("unclosed", "<style>b")]),
        ("<math></svg><style>", [("start", "<math>"), ("end", "</svg>"), ("start", "<style>")]),
        (
            "<svg><font><style><font size=1><style>",
            [
                ("start", "<svg>"),
                ("start", "<font>"),
                ("start", "<style>"),
                ("start", "<font size=1>"),
                ("unclosed", "<style>"),
            ],
        ),
        (
            "<svg><![CDATA[<!--]]><b>",
            [("start", "<svg>"), ("text", "<![CDATA[<!--]]>"), ("start", "<b>")],
        ),
        ("<svg><![CDATA[<b>", [("start", "<svg>"), ("text", "<![CDATA[<b>")]),
        ("<![CDATA[<!--]]><b>", [("comment", "<![CDATA[<!--]]>"), ("start", "<b>")]),
    ],
)
def test_a_document_is_cut_as_browsers_cut_it(html: str, expected: list[tuple[str, str]]) -> None:
    assert cut(html) == expected


def test_attributes_have_places_and_quotes() -> None:
    (tag,) = tokens("<A href = 'x' HREF=y/ checked a=\"\" b=>")
    found = [(one.name, tag.html[one.start : one.end], one.quote) for one in tag.attributes]
    assert found == [
        ("href", "x", "'"),
        ("href", "y/", ""),
        ("checked", "", ""),
        ("a", "", '"'),
        ("b", "", ""),
    ]
    first = tag.attribute("href")
    assert first is not None
    assert first.quote == "'"
    assert tag.name == "a"


PIECES = [
    "<", ">", "</", "<!", "<!--", "-->", "=", '"', "'", "/", "a", "é", "<a", "<style>", "</style",
    "<title>", "<svg>", "</svg>", "<plaintext>", "<![CDATA[", "]]>", "<p>", "<mi>", "<math>",
]  # fmt: skip


@given(st.lists(st.sampled_from([*"<abA=\"'/> \n&", "<img ", "alt=", "ALT="])).map("".join))
def test_the_value_of_an_attribute_is_what_stands_at_its_place(html: str) -> None:
    for token in tokens(html):
        for name in {"alt", "a", "none", *(one.name for one in token.attributes)}:
            found = token.attribute(name)
            expected = None if found is None else html[found.start : found.end]
            assert token.value(name) == expected


@given(st.lists(st.sampled_from([*PIECES, " ", "\n"])).map("".join) | st.text())
def test_the_tokens_of_any_text_are_all_of_it(html: str) -> None:
    found = list(tokens(html))
    assert "".join(one.text for one in found) == html
    for one in found:
        assert one.start < one.end or one.kind is Kind.RAW
        for attribute in one.attributes:
            assert one.start < attribute.start <= attribute.end < one.end


@pytest.mark.parametrize(
    "piece", ["<", "<a ", '<a b="', "<!--", "</", "<style>", "<a b=", "<a" + " " * 50, "'=\"", "<!"]
)
def test_a_broken_document_has_no_more_tokens_than_pieces(piece: str) -> None:
    # Work is linear because a stretch without an end is one token, which is the last.
    found = list(tokens(piece * 20_000))
    assert [one.kind for one in found[:-1]].count(Kind.UNCLOSED) == 0
    assert sum(one.end - one.start for one in found) == len(piece) * 20_000
