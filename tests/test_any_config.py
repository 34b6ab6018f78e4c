"""Whatever stands anywhere in a config is used, or refused in lines that can be printed."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.targets.config import CONFIGS, check

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10)
    | st.sampled_from(["", "(", "{V}", "\\", "0.0.0.0/0", "tempfail", "file", "s", "a" * 300]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any, keys: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The ways to everything in a config but itself."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [way for key, one in inner for way in ((*keys, key), *places(one, (*keys, key)))]


@st.composite
def changed_configs(draw: st.DrawFn) -> Any:
    """A config with values put in, taken out, or in the place of others."""
    config: Any = copy.deepcopy(draw(st.sampled_from(CONFIGS)))
    for _ in range(draw(st.integers(1, 3))):
        *around, last = draw(st.sampled_from(places(config)))
        holder = config
        for key in around:
            holder = holder[key]
        match draw(st.sampled_from(["replace", "remove", "rename"])):
            case "replace":
                holder[last] = draw(VALUES)
            case "remove" if len(holder) > 1:
                del holder[last]
            case "rename" if isinstance(holder, dict):
                holder[draw(st.text(max_size=10))] = holder.pop(last)
    return config


@settings(deadline=None, max_examples=300)
@given(changed_configs())
def test_any_value_anywhere_is_used_or_refused(config: Any) -> None:
    check(json.dumps(config, indent=1).encode())
