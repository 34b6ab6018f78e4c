from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core import config_file
from pyquarantine_core.config_file import (
    format_error,
    format_path,
    parse_config,
    read_config_file,
)
from pyquarantine_core.errors import ConfigError

NAME = Path("pyquarantine.conf")
EXAMPLE = """\
# what to do with spam
{
  "rules": [
    {
      "name": "spam",
      # hold it
      "actions": [
        {"type": "store"},
        {"type": "quarantine",
         "options":
           {"milter_action": "REJECT"}}
      ]
    }
  ]
}
"""
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, NAME)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_comment_lines_are_skipped_and_lines_still_count() -> None:
    config = parse_config(EXAMPLE, NAME)
    assert config.data == {
        "rules": [
            {
                "name": "spam",
                "actions": [
                    {"type": "store"},
                    {"type": "quarantine", "options": {"milter_action": "REJECT"}},
                ],
            }
        ]
    }
    assert config.line(("rules",)) == 3
    assert config.line(("rules", 0)) == 4
    assert config.line(("rules", 0, "name")) == 5
    assert config.line(("rules", 0, "actions", 1)) == 9
    assert config.line(("rules", 0, "actions", 1, "options", "milter_action")) == 11


def test_a_key_may_stand_on_another_line_than_its_value() -> None:
    config = parse_config(EXAMPLE, NAME)
    keys = ("rules", 0, "actions", 1, "options")
    assert (config.key_line(keys), config.line(keys)) == (10, 11)


def test_a_path_the_file_does_not_have_is_at_its_nearest_ancestor() -> None:
    config = parse_config(EXAMPLE, NAME)
    assert config.line(("rules", 0, "actions", 7, "options")) == 7
    assert config.line(("rules", 0, "on_error")) == 4
    assert config.line(("workers",)) == config.line() == 2


def test_windows_line_ends_and_a_byte_order_mark_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode())
    config = read_config_file(path)
    assert config.data == parse_config(EXAMPLE, NAME).data
    assert config.line(("rules", 0, "name")) == 5


def test_a_hash_inside_a_string_is_text() -> None:
    assert parse_config('{"a": "# no comment"}', NAME).data == {"a": "# no comment"}


@given(st.dictionaries(st.text(), values), st.sampled_from([None, 0, 2]))
def test_whatever_json_writes_is_read_back(data: dict[str, object], indent: int | None) -> None:
    text = json.dumps(data, indent=indent)
    assert parse_config(text, NAME).data == data


@given(st.text() | st.text(alphabet="{}[]:,\"\\ue1-.# \n'tn", max_size=40))
def test_any_text_is_read_as_json_reads_it_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        config = parse_config(text, NAME)
        lines = [line for line in text.split("\n") if not line.lstrip(" \t").startswith("#")]
        assert json.loads("\n".join(lines).removeprefix("\ufeff")) == config.data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: the file must hold one object: { ... }"),
        ("{\x1b[2J: 1}", "1: a key in double quotes is expected here, not '\\x1b'"),
        ('{"a": 1 "\u202eb"}', "1: a comma is missing between this value and '\"\\u202eb\"'"),
        ("\n[]", "2: the file must hold one object: { ... }"),
        ('{"a": 1,\n}', "1: remove the comma before the closing '}'"),
        ('{"a": [1,\n2,\n\n]}', "2: remove the comma before the closing ']'"),
        ('{"a": 1\n\n"b": 2}', "1: a comma is missing between this value and '\"b\"'"),
        ('{"a": [1\n2]}', "1: a comma is missing between this value and '2'"),
        ("{\n'a': 1}", '2: a key stands in double quotes: "name"'),
        ("{\"a\":\n'b'}", '2: a string stands in double quotes: "text"'),
        ('{"a": \u201cb\u201d}', '1: a string stands in double quotes: "text"'),
        ("{\na: 1}", "2: a key in double quotes is expected here, not 'a'"),
        ("{1: 1}", "1: a key in double quotes is expected here, not '1'"),
        ("{,}", "1: a key in double quotes is expected here, not ','"),
        ('{"a" 1}', '1: a colon is missing after key "a"'),
        ('{"a"\n}', '1: a colon is missing after key "a"'),
        ('{"a": }', "1: a value is missing before '}'"),
        ('{"a": [,1]}', "1: a value is missing before ','"),
        ('{"a":\n', "1: the '{' on this line is never closed"),
        ('{\n"a": [1,\n2\n\n', "2: the '[' on this line is never closed"),
        ('{\n"a": [\n1}\n', "3: '}' found, but the '[' of line 2 is still open"),
        ('{"a":\n"b}\n', "2: the string that begins on this line is not closed by a double quote"),
        ('{"a": "b', "1: the string that begins on this line is not closed by a double quote"),
        ('{"a": "b\r\n"}', "1: the string that begins on this line is not closed by a double"),
        ('{"a": "\t"}', "1: a string cannot hold a bare control character; write \\u0009"),
        ('{"a": "\\d"}', "1: wrong escape in a string; write \\\\ for a backslash"),
        ('{"a": "\\ud800"}', "1: \\ud800 to \\udfff only make a character in pairs"),
        ('{"a": True}', "1: 'True' is not a value: a string in double quotes, a number, true"),
        ('{"a": 1 # one\n}', "1: a comment needs a line of its own that begins with #"),
        ('{"a": 1, # one\n"b": 2}', "1: a comment needs a line of its own that begins with #"),
        ("// one\n{}", "1: a comment needs a line of its own that begins with #"),
        ('{"a": 01}', "1: a comma is missing between this value and '1'"),
        ('{"a":\nNaN}', "2: NaN is not a number that JSON knows"),
        ('{"a": -Infinity}', "1: -Infinity is not a number that JSON knows"),
        ('{"a": 1e999}', "1: this number is too large"),
        ('{"a": ' + "1" * 5000 + "}", "1: this number is too large"),
        ("{}\n{}", "2: '{' follows the '}' that closes the file's object"),
        ('{"a": 1,\n"b": 2,\n"a": 3}', '3: key "a" was already given on line 1'),
        ('{"a": ' + "[" * 100_000, "1: brackets are nested more than 100 deep"),
        ('{"a":' * 100_000, "1: brackets are nested more than 100 deep"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, message: str) -> None:
    assert complaint(text).startswith(f"pyquarantine.conf:{message}")


def test_the_same_key_in_different_objects_is_no_duplicate() -> None:
    assert parse_config('{"a": {"a": [{"a": 1}, {"a": 2}]}}', NAME).line(("a", "a", 1, "a")) == 1


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "missing.conf"
    with pytest.raises(ConfigError) as caught:
        read_config_file(path)
    assert str(caught.value) == f"{path}: cannot be read: No such file or directory"


def test_a_missing_config_in_the_usual_place_tells_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "missing.conf"
    monkeypatch.setattr(config_file, "DEFAULT_PATH", path)
    with pytest.raises(ConfigError, match=r"name one with -c \(`pyquarantine-milter --install`"):
        read_config_file(path)


def test_the_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin1.conf"
    path.write_bytes('{"a": 1,\n"b": "ü"}'.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        read_config_file(path)
    assert str(caught.value) == f"{path}:2: this line is not UTF-8 text"


def test_a_large_file_is_read_in_linear_time() -> None:
    text = json.dumps({f"key{n}": [n] * 10 for n in range(20_000)}, indent=1)
    assert parse_config(text, NAME).line(("key19999", 9)) == text.count("\n") - 1


def test_paths_read_as_people_write_them() -> None:
    keys = ("rules", 0, "actions", 1, "options", "milter_action")
    assert format_path(keys) == "rules[0].actions[1].options.milter_action"
    assert format_path(("storages", "my box", "type")) == 'storages["my box"].type'
    assert format_path(("a\nb",)) == r'["a\nb"]'
    assert format_path(()) == ""


def test_an_error_names_file_line_and_path() -> None:
    config = parse_config(EXAMPLE, NAME)
    keys = ("rules", 0, "name")
    assert format_error(config, keys, "is taken") == "pyquarantine.conf:5: rules[0].name: is taken"
    assert format_error(config, (), "'rules' is missing").startswith("pyquarantine.conf:2: 'rules'")
