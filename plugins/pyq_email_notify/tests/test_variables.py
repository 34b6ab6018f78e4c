"""What templates, subject and From say about a message."""

from __future__ import annotations

import html
from urllib.parse import unquote

import pytest

from .conftest import Notifier

MAIL = (
    b"From: =?utf-8?q?J=C3=B6rg?= <j@example.net>\n"
    b"To: Anna <anna@example.org>, u@example.org\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= & <more>\n"
    b"\n"
    b"Hello\n"
)
EVERY = "ENVELOPE_FROM ENVELOPE_FROM_URL ENVELOPE_TO ENVELOPE_TO_URL FROM TO SUBJECT".split()  # noqa: SIM905 - as the reference lists them


def test_every_variable_has_its_value_escaped_for_html(notify: Notifier) -> None:
    told = notify(
        MAIL,
        template="".join(f'<p title="{name}={{{name}}}">' for name in EVERY),
        sender="o'neil+x&y@example.net",
        recipient="u+1@example.org",
        variables={"V_VIRUS": '"Eicar" <b>'},
    )
    assert told.html == (
        '<p title="ENVELOPE_FROM=o&#x27;neil+x&amp;y@example.net">'
        '<p title="ENVELOPE_FROM_URL=o%27neil%2Bx%26y@example.net">'
        '<p title="ENVELOPE_TO=u+1@example.org">'
        '<p title="ENVELOPE_TO_URL=u%2B1@example.org">'
        '<p title="FROM=Jörg &lt;j@example.net&gt;">'
        '<p title="TO=Anna &lt;anna@example.org&gt;, u@example.org">'
        '<p title="SUBJECT=[SPAM] Grüße &amp; &lt;more&gt;">\n'
    )


def test_the_plain_alternative_says_the_same_without_escapes(notify: Notifier) -> None:
    told = notify(
        MAIL,
        template='<h1>{SUBJECT}</h1><p>From {FROM}</p><a href="https://x/?to={ENVELOPE_TO_URL}">'
        "Get it</a>{HTML_TEXT}",
        recipient="u+1@example.org",
    )
    assert told.text == (
        "[SPAM] Grüße & <more>\n\nFrom Jörg <j@example.net>\n\n"
        "Get it <https://x/?to=u%2B1@example.org>Hello\n"
    )


def test_metavariables_are_there_and_escaped(notify: Notifier) -> None:
    told = notify(
        template="<b>{V_NAME}</b> {Q_ID}", variables={"V_NAME": "<i>x</i>", "Q_ID": "2026_4XyZ"}
    )
    assert told.html == "<b>&lt;i&gt;x&lt;/i&gt;</b> 2026_4XyZ\n"


def test_a_metavariable_never_takes_the_place_of_a_variable(notify: Notifier) -> None:
    told = notify(
        template="{FROM}|{HTML_TEXT}", variables={"HTML_TEXT": "<script>", "FROM": "forged"}
    )
    assert "forged" not in told.html
    assert "script" not in told.html


def test_names_in_values_are_not_looked_at_and_those_not_set_are_empty(notify: Notifier) -> None:
    told = notify(
        b"Subject: {ENVELOPE_TO} {V}\n\n{FROM}\n",
        template="{SUBJECT}; {V}; -{VIRUS_NAME}-{X-Spam_score}-{1}-{a.b}; {HTML_TEXT}",
        subject="[SPAM] {SUBJECT}{VIRUS_NAME}",
        variables={"V": "{SUBJECT}"},
    )
    assert "[SPAM] {ENVELOPE_TO} {V}; {SUBJECT}; ---{1}-{a.b}; " in told.html
    assert "[SPAM] {ENVELOPE_TO} {V}; {SUBJECT}; ---{1}-{a.b}; " in told.text
    assert "{FROM}" in told.html
    assert told.mail["Subject"] == "[SPAM] {ENVELOPE_TO} {V}"


def test_braces_of_styles_stay_whether_doubled_or_not(notify: Notifier) -> None:
    once = notify(template="<style>@media x { p { color: red }}</style>{ENVELOPE_TO}")
    assert once.html == "<style>@media x { p { color: red }}</style>u@example.org\n"
    doubled = notify(template="<style>p {{ color: red }}</style>{ENVELOPE_TO}{{FROM}}")
    assert doubled.html == "<style>p { color: red }</style>u@example.org{FROM}\n"


def test_the_null_sender_is_empty(notify: Notifier) -> None:
    assert notify(template="<{ENVELOPE_FROM}>", sender="").html == "<>\n"


def test_a_header_that_is_not_there_is_empty(notify: Notifier) -> None:
    told = notify(b"\nHello\n", template="-{FROM}-{TO}--{SUBJECT}-")
    assert told.html == "----[SPAM]-\n"


def test_of_several_equal_headers_the_first_counts(notify: Notifier) -> None:
    told = notify(b"From: a@x\nFrom: b@x\nsubject: one\nSubject: two\n\n", template="{FROM}")
    assert told.html == "a@x\n"
    assert told.mail["Subject"] == "[SPAM] one"


@pytest.mark.parametrize(
    ("address", "url"),
    [("ä b/?#%@example.org", "ä b/?#%@example.org"), ("\udcfc@example.org", "?@example.org")],
)
def test_addresses_survive_as_parts_of_urls(address: str, url: str, notify: Notifier) -> None:
    shown = html.unescape(notify(template="{ENVELOPE_FROM_URL}", sender=address).html).strip()
    assert shown.isascii()
    assert not set(shown) & set(' "<>&#?/')
    assert unquote(shown) == url


def test_a_value_of_any_length_is_cut(notify: Notifier) -> None:
    told = notify(b"To: " + b"u@example.org, " * 4000 + b"\n\n", template="{TO}")
    assert len(told.html) < 1100
    assert told.html.endswith("\u2026\n")


def test_what_turns_text_around_is_made_visible(notify: Notifier) -> None:
    told = notify("Subject: cod.\u202egpj.exe\n\n\u2067x\u2069\x1b[2J\n".encode())
    assert told.mail["Subject"] == "[SPAM] cod.\ufffdgpj.exe"
    assert not set(told.html + told.text) & set("\u202e\u2067\u2069\x1b")


def test_of_marks_stacked_on_a_character_those_beyond_any_language_go(notify: Notifier) -> None:
    stack = "\u030d\u0323" * 100
    told = notify(f"Subject: a{stack}b\n\na{stack}b\n".encode())
    assert told.mail["Subject"] == f"[SPAM] a{stack[:6]}b"
    assert f"a{stack[:6]}b" in told.html
    assert stack[:7] not in told.html + told.text


@pytest.mark.parametrize(
    "text",
    [
        "Vi\u1ec7\u0302\u0323t",
        "\u05e9\u05bc\u05c1\u05b8\u0591",
        "\u101c\u103b\u103e\u102d\u102f\u1037",
        "1\ufe0f\u20e3",
    ],
)
def test_the_marks_of_languages_stay(text: str, notify: Notifier) -> None:
    assert notify(f"Subject: {text}\n\n{text}\n".encode()).mail["Subject"] == f"[SPAM] {text}"
