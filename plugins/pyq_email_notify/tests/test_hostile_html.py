"""Nothing that runs, looks like the template's, leads anywhere or is fetched survives in a preview.

What is tried is in `hostile`; `test_browser` shows the same to a browser.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyq_email_notify.preview import Preview, Previewer
from pyq_email_notify.sanitiser import ATTRIBUTE_VALUES, TAGS

from pyquarantine_core.testing.rules import received

from .hostile import DOCUMENTS, HTML_MAILS, html_mail, plain_mail

PICTURE = "removed.png"


class Reader(HTMLParser):
    """Collects the tags of a document, as another parser than the sanitiser's reads them."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.starts: list[tuple[str, dict[str, str | None]]] = []
        self.depth = 0
        self.lowest = 0
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.starts.append((tag, dict(attrs)))
        self.depth += tag not in {"br", "hr", "img"}

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1
        self.lowest = min(self.lowest, self.depth)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"a processing instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")


def preview(content: str | bytes, *, image: str | None) -> Preview:
    """Of a document, or of a message."""
    mail = html_mail(content) if isinstance(content, str) else content
    return Previewer(image).make(received(mail))


def assert_harmless(shown: str, image: str | None) -> None:
    document = Reader(shown)
    for tag, attributes in document.starts:
        if tag == "img":
            assert image is not None
            assert attributes.pop("src") == f"cid:{image}"
            attributes.pop("alt")
            assert attributes == {}
        else:
            assert tag in TAGS
            for name, value in attributes.items():
                assert str(value).lower() in ATTRIBUTE_VALUES[tag][name]
    assert (document.depth, document.lowest) == (0, 0)
    assert re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown) is None


@pytest.mark.parametrize("name", HTML_MAILS)
def test_only_what_is_harmless_is_left_of(name: str) -> None:
    for image in (None, PICTURE):
        assert_harmless(preview(HTML_MAILS[name], image=image).html, image)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_as_plain_text_all_of_it_is_text(name: str) -> None:
    shown = preview(plain_mail(DOCUMENTS[name]), image=PICTURE)
    assert {tag for tag, _ in Reader(shown.html).starts} <= {"br", "div", "em", "p"}
    assert_harmless(shown.html, PICTURE)


def test_what_is_left_is_text_that_can_be_read() -> None:
    shown = preview(
        "<p onclick=x>Dear <a href='javascript:x'>client</a><script>x</script>,", image=None
    )
    assert shown.html == "<p>Dear client,</p>"
    assert shown.text == "Dear client,\n"


def test_all_cases_one_after_the_other_are_harmless_too() -> None:
    for image in (None, PICTURE):
        assert_harmless(preview("\n".join(DOCUMENTS.values()), image=image).html, image)
        assert_harmless(
            preview("\n".join(reversed(list(DOCUMENTS.values()))), image=image).html, image
        )


SHORT = sorted(one for one in DOCUMENTS.values() if len(one) < 1000)
"""Of the long ones a few together are over what a preview shows, and cut."""

TAG_SOUP = st.lists(
    st.one_of(
        st.sampled_from(SHORT),
        st.sampled_from(sorted(TAGS)).map("<{}>".format),
        st.sampled_from(sorted(TAGS)).map("</{}>".format),
        st.sampled_from(
            ["<svg>", "</svg>", "<math>", "<style>", "<!--", "-->", "<a href=x>", "'", '"', ">"]
        ),
        st.text(max_size=5),
    ),
    max_size=30,
).map("".join)


@settings(deadline=None)
@given(TAG_SOUP)
def test_no_soup_of_tags_is_harmful(document: str) -> None:
    for image in (None, PICTURE):
        assert_harmless(preview(document, image=image).html, image)


@settings(deadline=None)
@given(TAG_SOUP)
def test_what_was_cleaned_is_clean(document: str) -> None:
    once = preview(document, image=None).html
    again = preview(once, image=None).html
    assert "".join(again.split()) == "".join(once.split())
