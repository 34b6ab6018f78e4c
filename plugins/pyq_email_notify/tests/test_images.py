"""Images of a message and of the template: stripped, replaced, embedded; none is ever fetched."""

from __future__ import annotations

import re

import pytest

from .conftest import GIF, PNG, Image, Notifier

REPLACEMENT = "removed_for_security_reasons"
"""What 2.x calls the image, too."""
CID = f"cid:{REPLACEMENT}"
PICTURES = (
    b"Content-Type: text/html\n\n<p>a<img src='http://evil.example/p.gif' alt='A \"cat\"' width=1>b"
    b'<img src="cid:other"><image src=data:image/png;base64,AAAA alt=x>c</p>'
)


def test_without_an_option_alternative_texts_are_shown(notify: Notifier) -> None:
    told = notify(PICTURES, template="{HTML_TEXT}")
    assert told.html == '<p>a[A "cat"]b[x]c</p>\n'
    assert told.images == {}


def test_strip_imgs_leaves_nothing_of_them_whatever_repl_img_says(
    notify: Notifier, image: Image
) -> None:
    told = notify(
        PICTURES, template="{HTML_TEXT}", strip_imgs=True, repl_img=image("gone.png", PNG)
    )
    assert told.html == "<p>abc</p>\n"
    assert told.images == {}


def test_repl_img_stands_for_every_image_and_is_embedded_once(
    notify: Notifier, image: Image
) -> None:
    told = notify(PICTURES, template="{HTML_TEXT}", repl_img=image("gone.png", PNG))
    assert told.html == (
        f'<p>a<img alt="A &quot;cat&quot;" src="{CID}">b<img alt="" src="{CID}">'
        f'<img alt="x" src="{CID}">c</p>\n'
    )
    assert told.images == {f"<{REPLACEMENT}>": PNG}
    assert told.text == 'a[A "cat"]b[x]c\n'
    assert [part.get_content_type() for part in told.mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
    ]


def test_repl_img_is_left_out_where_no_image_is_shown(notify: Notifier, image: Image) -> None:
    assert notify(b"\nno image\n", repl_img=image("gone.png", PNG)).images == {}


def test_embed_imgs_are_there_under_their_file_names(notify: Notifier, image: Image) -> None:
    told = notify(
        PICTURES,
        template='<img src="cid:logo.gif">{HTML_TEXT}',
        embed_imgs=[image("logo.gif", GIF), image("x@y.png", PNG), image("gone.png", PNG)],
        repl_img=image("gone.png", PNG),
    )
    assert told.images == {
        "<logo.gif>": GIF,
        "<x@y.png>": PNG,
        "<gone.png>": PNG,
        f"<{REPLACEMENT}>": PNG,
    }
    (related,) = (one for one in told.mail.walk() if one.get_content_subtype() == "related")
    assert related.get_param("type") == "text/html"
    for part in related.iter_attachments():
        assert part.get_content_disposition() == "inline"
        assert f"<{part.get_filename()}>" == part["Content-ID"]


@pytest.mark.parametrize("option", ["none", "strip_imgs", "repl_img"])
def test_nothing_of_a_message_is_fetched(option: str, notify: Notifier, image: Image) -> None:
    options = {"none": {}, "strip_imgs": {"strip_imgs": True}}.get(
        option, {"repl_img": image("gone.png", PNG)}
    )
    told = notify(
        b"Content-Type: text/html\n\n<body background=http://e/1><table background=http://e/2>"
        b"<tr><td style='background:url(http://e/3)'>x</table><img srcset='http://e/4 2x'>"
        b"<video poster=http://e/5><source src=http://e/6></video><link rel=stylesheet href=//e/7>"
        b"<picture><source srcset=//e/8><img src=//e/9></picture><object data=//e/10>"
        b"<iframe src=//e/11></iframe><embed src=//e/12><input type=image src=//e/13>"
        b"<style>@import '//e/14'</style><meta http-equiv=refresh content='0;url=//e/15'>"
        b"<base href=//e/16><svg><image href=//e/17></svg><bgsound src=//e/18><q cite=//e/19>",
        template="{HTML_TEXT}",
        **options,
    )
    assert "//e/" not in told.html
    assert set(re.findall(r'src="([^"]*)"', told.html)) <= {CID}
