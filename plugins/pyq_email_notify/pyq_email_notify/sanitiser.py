"""What HTML of strangers may be in a preview: an allow-list, as data for nh3.

Text, structure and the direction of writing are left. Links, forms, scripts, styles, colours,
positions, names and everything that a mail client would fetch are not.
"""

from __future__ import annotations

from collections.abc import Mapping

import nh3

_INLINE = "abbr b big cite code del em i ins kbd q s samp small strike strong sub sup tt u var"
_TABLE = "caption tbody td tfoot th thead tr"
_BLOCK = (
    "address article blockquote center dd div dl dt footer h1 h2 h3 h4 h5 h6 header hr li ol p pre"
    " section table ul"
)
_ALIGNED = "center div h1 h2 h3 h4 h5 h6 p table td th tr"

INLINE_TAGS = frozenset(_INLINE.split())
TABLE_TAGS = frozenset(_TABLE.split())
"""Those that stand only inside a table."""
BLOCK_TAGS = frozenset(_BLOCK.split())
TAGS = INLINE_TAGS | TABLE_TAGS | BLOCK_TAGS | {"br"}

_ALIGNMENTS = frozenset({"center", "left", "right"})
_DIRECTIONS = frozenset({"auto", "ltr", "rtl"})
_SPANS = frozenset(map(str, range(2, 101)))


def _attributes(tag: str) -> Mapping[str, frozenset[str]]:
    allowed = {"dir": _DIRECTIONS}
    if tag in _ALIGNED.split():
        allowed["align"] = _ALIGNMENTS
    if tag in {"td", "th"}:
        allowed |= {"colspan": _SPANS, "rowspan": _SPANS}
    return allowed


ATTRIBUTE_VALUES = {tag: {**_attributes(tag)} for tag in TAGS}
"""By tag, the attributes it may have, and their values."""


def sanitiser(image: str | None) -> nh3.Cleaner:
    """A sanitiser.

    Args:
        image: URL of the one image that every `img` shows; None to let none be.
    """
    return nh3.Cleaner(
        tags=set(TAGS if image is None else TAGS | {"img"}),
        attributes={"*": set(), "img": set() if image is None else {"alt"}},
        tag_attribute_values={
            tag: {name: set(values) for name, values in allowed.items()}
            for tag, allowed in ATTRIBUTE_VALUES.items()
        },
        set_tag_attribute_values={} if image is None else {"img": {"src": image}},
        url_schemes={"cid"},
        link_rel=None,
    )
