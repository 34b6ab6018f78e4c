"""What leads away or asks servers: links, forms, frames, refreshes, resources, preloads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

URL = "http://evil.example/x"

_RESOURCES = [
    "<img src={0}>",
    "<img srcset='{0} 1x, {0} 2x' src=x>",
    "<img lowsrc={0} dynsrc={0} longdesc={0} usemap={0}>",
    "<picture><source srcset={0}><img></picture>",
    "<image src={0}>",
    "<input type=image src={0}>",
    "<body background={0}>",
    "<table background={0}><tr><td background={0}>x</table>",
    "<video poster={0}></video>",
    "<video autoplay muted src={0}></video>",
    "<audio autoplay src={0}></audio>",
    "<video><track default src={0}></video>",
    "<bgsound src={0}>",
    "<embed src={0}>",
    "<object data={0}></object>",
    "<object classid={0} codebase={0}></object>",
    "<applet archive={0}></applet>",
    "<iframe src={0}></iframe>",
    "<frameset><frame src={0}></frameset>",
    "<ilayer src={0}></ilayer><layer src={0}></layer>",
    "<script src={0}></script>",
    "<svg><image xlink:href={0} /></svg>",
    "<svg><use href={0}#x /></svg>",
    "<svg><filter><feImage href={0} /></filter></svg>",
    "<svg><script xlink:href={0} /></svg>",
    "<math><mglyph src={0} /></math>",
    "<v:image src={0} /><v:fill type=frame src={0}>",
    "<input type=hidden src={0}><button type=image src={0}>",
    "<menuitem icon={0}><command icon={0}>",
    "<html manifest={0}>",
    "<head profile={0}>",
    "<blockquote cite={0}><q cite={0}><ins cite={0}>x</ins></q></blockquote>",
    "<a href=x ping={0}>x</a>",
    "<x style='content:url({0})'>x",
    "<style>@import '{0}';</style>",
    "<style>@import url({0});</style>",
    "<style>@font-face{{font-family:x;src:url({0})}}*{{font-family:x}}</style><p>x",
    "<style>@namespace x url({0});@document url({0}){{}}</style>",
    "<style>p{{background:url({0})}}</style><p>x",
    "<style>p{{background:image-set('{0}' 1x)}}</style><p>x",
    "<style>p{{cursor:url({0}),auto;list-style:url({0})}}</style><p>x",
    "<style>p::before{{content:url({0})}}</style><p>x",
    "<style>p{{mask:url({0}#x);filter:url({0}#x);clip-path:url({0}#x)}}</style><p>x",
    "<style>[title^=a]{{background:url({0})}}</style><p title=abc>x",
    "<style>@media screen{{p{{background:url({0})}}}}@supports(a:b){{}}</style><p>x",
    "<p style=\"background:url('{0}')\">x",
    "<p style='background-image:\\75rl({0})'>x",
    "<p style='b\\61 ckground:u\\72 l({0})'>x",
    "<p style='background:/**/url(/**/{0})'>x",
    "<p style='--x:url({0});background:var(--x)'>x",
    "<ul style='list-style-image:url({0})'><li>x</ul>",
    "<p style='border-image:url({0}) 1;shape-outside:url({0})'>x",
    "<p style='behavior:url({0});-moz-binding:url({0}#x)'>x",
    "<p style='width:expression(new Image().src=\"{0}\")'>x",
    "<link rel=stylesheet href={0}>",
    "<link rel='alternate stylesheet' title=x href={0}>",
    "<link rel=icon href={0}><link rel=apple-touch-icon href={0}>",
    "<link rel=preload as=image href={0}>",
    "<link rel=modulepreload href={0}>",
    "<link rel=prefetch href={0}><link rel=prerender href={0}>",
    "<link rel=preconnect href={0}><link rel=dns-prefetch href={0}>",
    "<link rel=manifest href={0}>",
    "<link rel=import href={0}>",
    "<link rel=pingback href={0}><link rel=next href={0}>",
]
_LINKS = [
    "<a href={0}>x</a>",
    "<a href={0} target=_top>x</a>",
    "<a href={0} target=_self download>x</a>",
    "<area href={0}><map name=m><area shape=default href={0}></map><img usemap=#m>",
    "<svg><a xlink:href={0}><text y=20>x</text></a></svg>",
    "<math><mi href={0}>x</mi></math>",
    "<form action={0}><input type=submit value=x></form>",
    "<form action={0} method=post><button>x</button></form>",
    "<form id=f></form><button form=f formaction={0}>x</button>",
    "<input type=image formaction={0}>",
    "<form action={0}><input name=password type=password autofocus></form>",
    "<isindex action={0}>",
    "<object><form action={0}></object><input type=submit>",
    "<button command=show-modal commandfor=x>x</button><dialog id=x open>x</dialog>",
    "<details open><summary>x</summary><a href={0}>y</a></details>",
    "<label>x<input type=checkbox></label><fieldset><legend>x</legend></fieldset>",
    "<select><option>x<option>y</select><textarea>x</textarea><datalist><option>x</datalist>",
    "<output>x</output><meter value=1>x</meter><progress>x</progress>",
    "<base href={0}><a href=y>x</a>",
    "<base target=_top href={0}>",
    "<meta http-equiv=refresh content='0;url={0}'>",
    "<meta http-equiv=refresh content='0;{0}'>",
    "<META HTTP-EQUIV=REFRESH CONTENT=0;URL={0}>",
    "<meta http-equiv=Set-Cookie content='x=y'>",
    "<meta http-equiv=Content-Security-Policy content='img-src *;report-uri {0}'>",
    "<meta http-equiv=Link content='<{0}>; rel=stylesheet'>",
    "<meta http-equiv=X-UA-Compatible content=IE=7><meta name=referrer content=unsafe-url>",
    "<meta http-equiv=default-style content=x><meta name=viewport content=width=9999>",
    "<meta name=color-scheme content=dark><meta name=theme-color content=red>",
    "<meta itemprop=url content={0}><div itemscope itemid={0}>x</div>",
    "<plaintext><a href={0}>x</a>",
]


def _cases() -> Iterator[tuple[str, str]]:
    for where, how in product((URL, "//evil.example/y"), _RESOURCES):
        yield f"{where} in {how}", how.format(where)
    for how in _LINKS:
        yield how, how.format(URL)


LEADING = dict(_cases())
