"""Templates: their variables, and what a config says about files that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyq_disclaimer
import pytest

from pyquarantine_core.errors import ConfigError
from pyquarantine_core.testing.mail_client import as_sent, shown
from pyquarantine_core.testing.rules import load, received, rule

if TYPE_CHECKING:
    from .conftest import AddDisclaimer

BOTH = (
    b"Content-Type: multipart/alternative; boundary=b\n\n--b\n\ntext\n"
    b"--b\nContent-Type: text/html\n\nhtml\n--b--\n"
)


def filled(
    add_disclaimer: AddDisclaimer, template: str, sender: str = "a@x", **variables: str
) -> tuple[str, str]:
    message = received(BOTH, sender=sender)
    message.variables.update(variables)
    add_disclaimer(message, text=template, html=template)
    sent = as_sent(message)
    text, html = shown(sent, "plain") or "", shown(sent, "html") or ""
    return text.removeprefix("text\n").rstrip("\n"), html.removeprefix("html").rstrip("\n")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{ENVELOPE_FROM}", "a@x"),
        ("{ENVELOPE_FROM_URL}", "a%40x"),
        ("{SPAM_score} {SPAM_score}", "5 5"),
        ("-{SPAM_virus}-{UNSET}-{X-Spam_name}-", "----"),
        ("{1} {a.b} {} { SPAM_score } {SPAM_score", "{1} {a.b} {} { SPAM_score } {SPAM_score"),
        ("p {color:red} @media {a{b:c}}", "p {color:red} @media {a{b:c}}"),
        ("p {{color: red}} {SPAM_score}", "p {color: red} 5"),
        ("{{SPAM_score}}", "{SPAM_score}"),
        ("{NESTED}", "{SPAM_score}"),
    ],
)
def test_names_are_replaced_once_and_by_nothing_when_they_are_not_set(
    template: str, expected: str, add_disclaimer: AddDisclaimer
) -> None:
    found = filled(add_disclaimer, template, SPAM_score="5", NESTED="{SPAM_score}")
    assert found == (expected, expected)


def test_the_sender_is_one_part_of_a_url(add_disclaimer: AddDisclaimer) -> None:
    text, _ = filled(add_disclaimer, "{ENVELOPE_FROM_URL}", "a/b?#&+\udcfc@x")
    assert text == "a%2Fb%3F%23%26%2B%3F%40x"


def test_the_templates_that_come_with_it_warn_in_both_forms(add_disclaimer: AddDisclaimer) -> None:
    html, text = (
        file.source.read_text(encoding="utf-8") for file in pyq_disclaimer.pyquarantine_files()
    )
    message = received(BOTH)
    add_disclaimer(message, text=text, html=html, action="prepend")
    sent = as_sent(message)
    assert (shown(sent, "plain") or "").startswith("CAUTION: This message comes from outside")
    assert "<strong>Caution:</strong> This message comes from outside" in (
        shown(sent, "html") or ""
    )


def test_values_are_escaped_in_html_alone(add_disclaimer: AddDisclaimer) -> None:
    text, html = filled(add_disclaimer, "{V}|{ENVELOPE_FROM}", '"<b>"@x', V="<a href='x'>&")
    assert text == "<a href='x'>&|\"<b>\"@x"
    assert html == "&lt;a href=&#x27;x&#x27;&gt;&amp;|&quot;&lt;b&gt;&quot;@x"


def test_values_bring_neither_lines_nor_broken_characters(add_disclaimer: AddDisclaimer) -> None:
    text, _ = filled(add_disclaimer, "{V}", V="a\r\nb\0c\ud800")
    assert text == "a b c\ufffd"


def test_values_do_not_turn_the_disclaimer_around(add_disclaimer: AddDisclaimer) -> None:
    text, html = filled(add_disclaimer, "{V} external", V="a\u202eb\u2066c\u200f")
    assert text == html == "a\ufffdb\ufffdc\u200f external"


def test_a_byte_order_mark_is_no_part_of_a_template(add_disclaimer: AddDisclaimer) -> None:
    assert filled(add_disclaimer, "\ufeffD") == ("D", "D")


class TestConfig:
    def error(self, directory: Path, **options: object) -> str:
        for name in ("text", "html"):
            (directory / name).write_text("D")
        given = {
            "action": "append",
            "text_template": str(directory / "text"),
            "html_template": str(directory / "html"),
            **options,
        }
        with pytest.raises(ConfigError) as caught:
            load({"rules": [rule("add_disclaimer", given)]}, pyq_disclaimer)
        return str(caught.value).partition("rules[0].actions[0].options")[2]

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        path = str(tmp_path / "missing")
        assert self.error(tmp_path, html_template=path) == (
            f".html_template: cannot read {path}: No such file or directory"
        )

    def test_one_with_almost_that_name_is_suggested(self, tmp_path: Path) -> None:
        path = str(tmp_path / "htlm")
        assert self.error(tmp_path, html_template=path) == (
            f".html_template: cannot read {path}: No such file or directory;"
            f" did you mean '{tmp_path}/html'?"
        )

    def test_one_of_the_package_that_is_not_installed_yet_tells_how(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pyq_disclaimer.template.CONFIG_DIRECTORY", tmp_path)
        path = str(tmp_path / "templates" / "disclaimer_html.template")
        hint = "; `pyquarantine-milter --install` brings it"
        assert self.error(tmp_path, html_template=path).endswith(hint)
        other = str(tmp_path / "templates" / "other.template")
        assert not self.error(tmp_path, html_template=other).endswith(hint)

    def test_a_file_that_is_no_utf_8_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "latin"
        path.write_bytes(b"\xff")
        assert self.error(tmp_path, text_template=str(path)) == (
            f".text_template: '{path}' is not a text in UTF-8"
        )

    def test_a_wrong_word_is_named(self, tmp_path: Path) -> None:
        assert self.error(tmp_path, action="apend") == (
            ".action: 'apend' is not one of append, prepend; did you mean 'append'?"
        )
        assert self.error(tmp_path, error_policy="drop").startswith(
            ".error_policy: 'drop' is not one of wrap, ignore, reject"
        )
