"""Disclaimers in HTML, as a browser shows them: there, in sight, and dressed as the template says.

What a sender hides on purpose with a style sheet, such as `body { display: none }`, is not in here:
all of such a message is hidden, the disclaimer with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pyquarantine_core.testing.browser import Page, browse
from pyquarantine_core.testing.mail_client import as_sent, shown
from pyquarantine_core.testing.mail_mix import EDITABLE

if TYPE_CHECKING:
    from .conftest import AddDisclaimer

pytestmark = pytest.mark.browser

DISCLAIMER = (
    '<div><span id="disclaimer">VORSICHT: {ENVELOPE_FROM} schreibt von außen (снаружи)</span></div>'
)
LOOK = """
const mark = document.getElementById("disclaimer");
mark.scrollIntoView({block: "center", inline: "center"});
const box = mark.getBoundingClientRect();
const above = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
const dress = one => {
  const style = window.getComputedStyle(one);
  return [style.color, style.fontSize, style.fontWeight, style.textAlign];
};
const text = document.body.innerText;
return {
  text: mark.innerText,
  in_sight: box.width > 0 && box.height > 0 && mark.contains(above)
    && mark.checkVisibility({opacityProperty: true, visibilityProperty: true}),
  dressed_as_body: String(dress(mark)) === String(dress(document.body)),
  is_link: mark.closest("a") !== null,
  behind_mail: text.indexOf(mark.innerText) > text.search(/MAIL|Hello/),
  has_mail: /MAIL|Hello/.test(text),
};
"""

NEWSLETTER = """\
<html><head><style>td { font: 13px sans-serif } .m { color: #fff }</style></head>
<body bgcolor="#eeeeee"><center><table width="600" bgcolor="#ffffff"><tr><td bgcolor="#003366">
<font color="white" size="5">MAIL</font></td></tr><tr><td><table><tr><td>one</td><td>two</td></tr>
</table></td></tr></table></center></body></html>
"""
PREHEADER = (
    '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">Read this</div>'
    '<div style="background:#111;color:#eee">MAIL</div>'
)
DOCUMENTS = {
    "a document": "<!DOCTYPE html><html><head><title>x</title></head><body>MAIL</body></html>",
    "no body": "<p>MAIL</p>",
    "body left out": "<html><head><style>p { color: red }</style></head><p>MAIL</html>",
    "nothing closed": "<html><body><table border=1><tr><td><p>MAIL<ul><li>one<li>two",
    "closed wrongly": "<body><b><p>MAIL</b></div></p></i></table></body></body></html></p>",
    "text after the end": "<body><p>MAIL</body></html><p>and more",
    "newsletter": NEWSLETTER,
    "newsletter cut off": NEWSLETTER.partition("</td></tr></table>")[0],
    "newsletter cut off in a row": NEWSLETTER.partition("</td></tr></table>")[0] + "</td>",
    "preheader": f"<html><body>{PREHEADER}</body></html>",
    "dark": "<body style='background:#000;color:#fff'><div style='color:#ccc'>MAIL</div></body>",
    "Outlook": (
        "<html><body><!--[if mso]><table><tr><td><![endif]--><div>MAIL</div>"
        "<!--[if !mso]><!--><p>not Outlook</p><!--<![endif]--><!--[if mso]></td></tr></table>"
        "<![endif]--></body></html>"
    ),
    "noscript in the head": "<html><head><noscript><p>x</noscript></head><body>MAIL</body></html>",
    "SVG in the head": "<html><head><svg><style>p {}</style></svg></head><body>MAIL</body></html>",
    "Outlook's own tags": "<body><p class=MsoNormal>MAIL<o:p></o:p></p><o:p style='display:none'>",
}
LEFT_OPEN = {
    "hidden": "<div style='display:none'>",
    "hidden, deep": "<div><table><tr><td><div hidden><span><p><b>x",
    "hidden span with a paragraph": "<span style='display:none'><p>x",
    "hidden paragraph": "<p style='display:none'>x",
    "hidden item": "<li style='display:none'>x",
    "hidden word": "<x-y style='display:none'>",
    "closed around it": "<div><font style='display:none'>x</div>",
    "invisible": "<div style='visibility:hidden'>",
    "transparent": "<div style='opacity:0'>",
    "preheader": "<div style='max-height:0;overflow:hidden;font-size:1px;color:#fff'>x",
    "white": "<font color=white size=1>",
    "link": "<a href='http://evil.example'>x",
    "bold and struck": "<p><b><s>x</p><p><i><s>y",
    "table": "<table style='display:none'><tr><td>x",
    "row": "<table><tr style='display:none'>",
    "cell": "<table><tr><td style='display:none'>x<td>y<tr>",
    "list": "<ul style='display:none'><li>x<li>y",
    "select": "<select><option>x",
    "details": "<details><summary>x</summary>",
    "template": "<template><p>x",
    "dialog": "<dialog>x",
    "button": "<button hidden>x",
    "noscript": "<noscript><div hidden>x",
    "formatting around a table": "<b hidden><table><tr><td><i hidden>x",
    "iframe": "<iframe>x",
    "svg": "<svg><defs><text>x",
    "style in svg": "<svg><style>x",
    "style after svg": "<svg><p><style>x",
    "math": "<math><mi>x",
    "object": "<object data='about:blank'><p>x",
    "video": "<video><p>x",
    "textarea": "<textarea>x",
    "title": "<title>x",
    "style": "<style>p {",
    "script": "<script>x",
    "plaintext": "<plaintext>x",
    "xmp": "<xmp>x",
    "comment": "<!-- x",
    "conditional comment": "<!--[if mso]> x",
    "tag": "<div title='x",
    "many": "<div hidden>" * 600 + "<b>" * 600,
}


OLD_CHARSET = (
    "<html><head><meta http-equiv=Content-Type content='text/html; charset=iso-8859-1'>"
    "<meta charset='iso-8859-1'></head><body><p>MAIL: Grüße</p></body></html>\n"
)


def mail(document: str, charset: str = "utf-8") -> bytes:
    head = f"Content-Type: text/html; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    return head.encode() + document.encode(charset)


MAILS = {
    **{name: one for name, one in EDITABLE.items() if shown(one, "html") is not None},
    **{name: mail(one) for name, one in DOCUMENTS.items()},
    **{f"{name} left open": mail(f"<p>MAIL</p>{one}") for name, one in LEFT_OPEN.items()},
    **{
        f"{name} left open in a body": mail(f"<html><body><p>MAIL</p>{one}</body></html>\n")
        for name, one in LEFT_OPEN.items()
    },
}
"""HTML mail: that of the mix, and worse."""


@pytest.mark.parametrize("action", ["append", "prepend"])
def test_it_is_in_sight_in_every_message(action: str, add_disclaimer: AddDisclaimer) -> None:
    pages = {
        name: Page.of_message(as_sent(add_disclaimer(one, html=DISCLAIMER, action=action)[0]))
        for name, one in MAILS.items()
    }
    expected = {
        "text": "VORSICHT: sender@example.org schreibt von außen (снаружи)",
        "in_sight": True,
        "dressed_as_body": True,
        "is_link": False,
        "behind_mail": action == "append",
        "has_mail": True,
    }
    seen = browse(pages, LOOK)
    assert {name: found for name, found in seen.found.items() if found != expected} == {}


def test_the_charset_of_the_header_counts_when_the_document_names_an_old_one(
    add_disclaimer: AddDisclaimer,
) -> None:
    message, _ = add_disclaimer(mail(OLD_CHARSET, "iso-8859-1"), html=DISCLAIMER)
    changed = Page.of_message(as_sent(message))
    assert changed.content_type == 'text/html; charset="utf-8"'
    assert b"iso-8859-1" in changed.content
    (text,) = browse({"": changed}, "return document.body.innerText").found.values()
    assert text.split() == [
        *("MAIL:", "Grüße", "VORSICHT:"),
        *("sender@example.org", "schreibt", "von", "außen", "(снаружи)"),
    ]


def test_one_that_is_hidden_is_not_in_sight() -> None:
    hidden = DISCLAIMER.replace("<div>", "<div style='max-height:0;overflow:hidden'>")
    (found,) = browse({"": Page(f"<p>MAIL</p>{hidden}".encode())}, LOOK).found.values()
    assert found["in_sight"] is False
