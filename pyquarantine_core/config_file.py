"""Reads the config file: JSON with `#` comment lines, every value at a known line."""

from __future__ import annotations

import contextlib
import difflib
import json
import math
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from pyquarantine_core.errors import ConfigError
from pyquarantine_core.printable import printable

CONFIG_DIRECTORY = Path("/etc/pyquarantine")
DEFAULT_PATH = CONFIG_DIRECTORY / "pyquarantine.conf"
"""Where daemon and commands look when no file is named."""

MAX_DEPTH = 100
"""How many brackets may be open at once; a real config needs about eight."""

Keys = Sequence[str | int]
"""The way to a value: the keys and list indexes from the top, such as ("rules", 0, "name")."""

_COMMENT = re.compile(r"^[ \t]*#.*", re.MULTILINE)
_SPACE = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(r'"[^"\n]{0,40}"|[\w.+-]{1,40}|.')
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WRONG_QUOTES = "'`\u2018\u2019\u201c\u201d\u201e"


@dataclass(frozen=True)
class ConfigFile:
    """A parsed config file that knows where each value stands."""

    path: Path
    data: dict[str, object]
    _lines: Mapping[tuple[str | int, ...], tuple[int, int]] = field(repr=False, compare=False)

    def line(self, keys: Keys = ()) -> int:
        """The line (from 1) of a value, or of its nearest ancestor that the file has."""
        return self._place(keys)[1]

    def key_line(self, keys: Keys) -> int:
        """The line (from 1) of a value's key; for a list item the same as `line`."""
        return self._place(keys)[0]

    def _place(self, keys: Keys) -> tuple[int, int]:
        for length in range(len(keys), 0, -1):
            if place := self._lines.get(tuple(keys[:length])):
                return place
        return self._lines[()]


def read_config_file(path: Path) -> ConfigFile:
    """Read and parse a config file.

    Raises:
        ConfigError: The file cannot be read or `parse_config` refuses it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        hint = ""
        if isinstance(error, FileNotFoundError) and path == DEFAULT_PATH:
            hint = "; name one with -c (`pyquarantine-milter --install` brings an example)"
        raise ConfigError(f"{path}: cannot be read: {error.strerror}{hint}") from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: this line is not UTF-8 text") from error
    return parse_config(text, path)


def parse_config(text: str, path: Path) -> ConfigFile:
    """Parse JSON (RFC 8259) in which lines that begin with `#` are comments.

    Stricter than `json.loads`: a key given twice in one object, NaN and Infinity, numbers out of
    range and lone surrogates are errors. A byte order mark at the start is skipped.

    Args:
        text: What the file holds.
        path: The file as the user named it, for messages.

    Raises:
        ConfigError: One line, `path:line: what is wrong`.
    """
    return _Parser(text, path).parse()


def format_path(keys: Keys) -> str:
    """A path as people read it: `rules[0].name`, `storages["my box"]`; empty for the top."""
    parts: list[str] = []
    for key in keys:
        if isinstance(key, int):
            parts.append(f"[{key}]")
        elif _IDENTIFIER.fullmatch(key):
            parts.append(f".{key}" if parts else key)
        else:
            parts.append(f"[{_quote(key)}]")
    return "".join(parts)


def format_error(config_file: ConfigFile, keys: Keys, message: str) -> str:
    """One line that says where in the file `message` applies: `path:line: rules[0]: message`."""
    where = f"{config_file.path}:{config_file.line(keys)}"
    return printable(": ".join(filter(None, (where, format_path(keys), message))))


def unreadable(path: str, error: OSError | ValueError) -> str:
    """Why a file that an option names cannot be read, and which one may be meant."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    hint = ""
    if isinstance(error, FileNotFoundError):
        wanted = Path(path)
        with contextlib.suppress(OSError):
            others = [other.name for other in wanted.parent.iterdir()]
            near = difflib.get_close_matches(wanted.name, others, n=1)
            hint = f"; did you mean {str(wanted.with_name(near[0]))!r}?" if near else ""
    return f"cannot read {path}: {reason}{hint}"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())


class _Parser:
    """One pass over the text; json's own decoder reads the strings, numbers and words."""

    def __init__(self, text: str, path: Path) -> None:
        self._text = _COMMENT.sub("", text.removeprefix("\ufeff"))
        self._path = path
        self._line_ends = [match.start() for match in re.finditer("\n", self._text)]
        self._pos = 0
        self._open: list[int] = []
        self._lines: dict[tuple[str | int, ...], tuple[int, int]] = {}
        self._scalars = json.JSONDecoder(parse_constant=self._refuse_constant)

    def parse(self) -> ConfigFile:
        if self._peek() != "{":
            self._refuse_comment()
            raise self._error("the file must hold one object: { ... }")
        self._lines[()] = (self._line(self._pos),) * 2
        data = self._object(())
        if self._peek():
            raise self._error(f"{self._found()} follows the '}}' that closes the file's object")
        return ConfigFile(self._path, data, self._lines)

    def _value(self, keys: tuple[str | int, ...], key_line: int | None = None) -> object:
        start = self._peek()
        line = self._line(self._pos)
        self._lines[keys] = (line if key_line is None else key_line, line)
        if start == "{":
            return self._object(keys)
        if start == "[":
            return [self._value((*keys, index)) for index, _ in enumerate(self._items("]"))]
        return self._scalar()

    def _object(self, keys: tuple[str | int, ...]) -> dict[str, object]:
        result: dict[str, object] = {}
        for _ in self._items("}"):
            line = self._line(self._pos)
            key = self._key()
            if key in result:
                first = self._lines[*keys, key][0]
                raise self._error(f"key {_quote(key)} was already given on line {first}", line=line)
            if self._peek() != ":":
                raise self._error(f"a colon is missing after key {_quote(key)}", line=line)
            self._pos += 1
            result[key] = self._value((*keys, key), line)
        return result

    def _items(self, closing: str) -> Iterator[None]:
        """Stop at the start of each item up to `closing`; brackets and commas are taken here."""
        if len(self._open) == MAX_DEPTH:
            raise self._error(f"brackets are nested more than {MAX_DEPTH} deep")
        self._open.append(self._pos)
        self._pos += 1
        if self._peek() != closing:
            yield
            end = self._pos
            while self._peek() == ",":
                comma = self._pos
                self._pos += 1
                if self._peek() in ("]", "}"):
                    raise self._error(f"remove the comma before the closing {self._found()}", comma)
                yield
                end = self._pos
            if self._peek() != closing:
                raise self._separator_error(end)
        self._pos += 1
        self._open.pop()

    def _separator_error(self, end: int) -> ConfigError:
        found = self._peek()
        if found in ("]", "}"):
            bracket = self._open[-1]
            return self._error(
                f"'{found}' found, but the '{self._text[bracket]}' of line {self._line(bracket)}"
                " is still open"
            )
        self._refuse_comment()
        return self._error(f"a comma is missing between this value and {self._found()}", end)

    def _key(self) -> str:
        if self._peek() == '"':
            return str(self._scalar())
        if self._peek() in _WRONG_QUOTES:
            raise self._error('a key stands in double quotes: "name"')
        self._refuse_comment()
        raise self._error(f"a key in double quotes is expected here, not {self._found()}")

    def _scalar(self) -> object:
        start = self._pos
        try:
            value, self._pos = self._scalars.raw_decode(self._text, start)
        except json.JSONDecodeError as error:
            raise self._scalar_error(error) from None
        except ValueError:  # int() refuses thousands of digits
            raise self._error("this number is too large") from None
        if isinstance(value, float) and math.isinf(value):
            raise self._error("this number is too large", start)
        if isinstance(value, str) and _SURROGATE.search(value):
            raise self._error("\\ud800 to \\udfff only make a character in pairs", start)
        return value

    def _scalar_error(self, error: json.JSONDecodeError) -> ConfigError:
        start, found = self._peek(), self._text[error.pos : error.pos + 1]
        if start == '"' and ("Unterminated" in error.msg or found in ("\n", "\r")):
            return self._error(
                "the string that begins on this line is not closed by a double quote"
            )
        if start == '"' and "control" in error.msg:
            return self._error(
                f"a string cannot hold a bare control character; write \\u{ord(found):04x}"
            )
        if start == '"':
            return self._error("wrong escape in a string; write \\\\ for a backslash", error.pos)
        if start in _WRONG_QUOTES:
            return self._error('a string stands in double quotes: "text"')
        if start in (",", "]", "}", ":"):
            return self._error(f"a value is missing before {self._found()}")
        return self._error(
            f"{self._found()} is not a value: a string in double quotes, a number, true, false,"
            " null, an object or a list is expected"
        )

    def _refuse_comment(self) -> None:
        if self._peek() in ("#", "/"):
            raise self._error("a comment needs a line of its own that begins with #")

    def _refuse_constant(self, name: str) -> NoReturn:
        raise self._error(f"{name} is not a number that JSON knows")

    def _peek(self) -> str:
        """Skip white space and look at the next character; empty at the end of the file."""
        space = _SPACE.match(self._text, self._pos)
        if space:
            self._pos = space.end()
        if self._pos == len(self._text) and self._open:
            bracket = self._open[-1]
            raise self._error(f"the '{self._text[bracket]}' on this line is never closed", bracket)
        return self._text[self._pos : self._pos + 1]

    def _found(self) -> str:
        token = _TOKEN.match(self._text, self._pos)
        return "the end of the file" if token is None else f"'{token[0]}'"

    def _line(self, pos: int) -> int:
        return bisect_left(self._line_ends, pos) + 1

    def _error(
        self, message: str, pos: int | None = None, *, line: int | None = None
    ) -> ConfigError:
        line = line or self._line(self._pos if pos is None else pos)
        return ConfigError(printable(f"{self._path}:{line}: {message}"))
