r"""Compiles and runs the config's regular expressions, in bounded time.

Patterns are written in the syntax of Python's `re`, as its manual describes it. They run on the
`regex` package, which can stop a match that takes too long and lets other threads run meanwhile.
What the two would read in different ways is refused when the config is loaded, so a pattern means
what the manual says.

Where Unicode is concerned `regex` follows the standard more closely, and so do matches: `\w`
includes combining marks, `\s` leaves out U+001C to U+001F, and a dotless or dotted Turkish I
ignores its case only among its own kind. `\B` matches in empty text, as in Python 3.14.
"""

from __future__ import annotations

import math
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import regex

from pyquarantine_core.errors import PatternError, PatternTimeoutError
from pyquarantine_core.limits import DEFAULT_LIMITS, Limits, over

AT_ONCE = 0.001
"""Seconds that a run may keep other threads waiting: it costs more to let them in than most runs
take. What is not done by then begins again, beside the others and with its own limit."""

RUNS = 32
"""Runs of AT_ONCE at most that a budget may be exceeded by."""

PLAIN_SIZE = 50
"""Characters of a pattern without repeats, groups and alternatives. On a short text, whatever it
is, that takes less than AT_ONCE: such runs need no clock, which costs more than most of them."""

PLAIN_TEXT = 4096
"""Characters of such a text."""

MAX_SIZE = 100_000
"""Characters that a pattern may have once `a{3}` is written as `aaa`, as `regex` does."""

R = TypeVar("R")

_SYNTAX = r"""
    (?P<number>\\[0-9]{1,3})
  | (?P<escape>\\N\{[^}]*\}|\\.)
  | (?P<set>\[\^?\]?(?:[^]\\]|\\.)*+\])
  | (?P<comment>\(\?\#[^)]*\))
  | (?P<flags>\(\?[a-zA-Z]*(?:-[a-zA-Z]+)?[:)])
  | (?P<lookbehind>\(\?<[=!])
  | (?P<condition>\(\?\()
  | (?P<reference>\(\?P=[^)]*\))
  | (?P<group>\(\?[=!>])
  | (?P<capture>\()
  | (?P<close>\))
  | (?P<repeat>\{(?:[0-9]+(?:,[0-9]*)?|,[0-9]*)\})
  | (?P<brace>\{)
"""
_PLAIN = re.compile(_SYNTAX + r"| .", re.VERBOSE | re.DOTALL)
_SPACED = re.compile(
    _SYNTAX + r"| (?P<remark>\#[^\n]*) | (?P<space>\s+) | .", re.VERBOSE | re.DOTALL
)
_POSIX_CLASS = re.compile(r"\\.|(?P<name>\[:[^]\\]*:\])", re.DOTALL)
_ALL_BUT_ONE = re.compile(r"\[\^(\\(?:x..|u.{4}|U.{8}|N\{[^}]*\}|[0-7]{1,3}|.)|[^\\])\]", re.DOTALL)
_SCOPED_CASE = re.compile(r"\(\?[a-z-]*i[a-z-]*:")
_COST = r"""(?:[deis](?:<=?[0-9]+)?
  | [0-9]+<=?[deis]<=?[0-9]+
  | [0-9]*[dis](?:\+[0-9]*[dis])*<=?[0-9]+)"""
_FUZZY = re.compile(rf"\{{{_COST}(?:,{_COST})*+(?::[^}}]*)?\}}", re.VERBOSE)


class Budget:
    """Time that several searches share, so that their number does not multiply the limit.

    `message.budget()` makes one.

    Args:
        limits: how long they may take together.
        deadline: when they must have ended anyway (time.monotonic).

    Attributes:
        runs: how many there have been.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS, deadline: float = math.inf) -> None:
        self._limits = limits
        self._deadline = deadline
        end = time.monotonic() + limits.pattern_seconds
        self._end = min(deadline, end)
        self.runs = 0

    def __str__(self) -> str:
        if self._end < self._deadline:
            return over(f"{self._limits.pattern_seconds:g} s", "pattern_seconds")
        total = f"what was left of {self._limits.message_seconds:g} s"
        return over(total, "message_seconds")

    @property
    def left(self) -> float:
        """Seconds that are left, and never nothing: a search that is quick is always tried."""
        return max(self._end - time.monotonic(), AT_ONCE)

    @property
    def is_used_up(self) -> bool:
        """Whether nothing is left."""
        return time.monotonic() > self._end


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; safe to share between threads.

    Its methods raise PatternTimeoutError when they take longer than what is left of a budget, or
    without one than `time_limit` seconds.

    Attributes:
        source: as it stands in the config.
        time_limit: seconds for one run.
        start: what every match begins with at the start of a line, apart from case: `X-Spam: Y`
            of `^X-Spam: Y(es|ep)`. Empty when there is no such text. Where it cannot be, the
            pattern need not be tried.
        timed: whether a run of it may take long on a short text.
    """

    source: str
    time_limit: float
    start: str
    timed: bool
    _compiled: regex.Pattern[str] = field(repr=False)

    def search(self, text: str, budget: Budget | None = None) -> regex.Match[str] | None:
        """The first match anywhere in `text`."""
        return self._run(self._compiled.search, text, budget)

    def match(self, text: str, budget: Budget | None = None) -> regex.Match[str] | None:
        """The match that begins where `text` begins."""
        return self._run(self._compiled.match, text, budget)

    def sub(self, template: str, text: str, budget: Budget | None = None) -> str:
        """`text` with every match replaced; `check_template` tells whether `template` will do."""
        return self._run(partial(self._compiled.sub, template), text, budget)

    def named_groups(self, match: regex.Match[str]) -> dict[str, str]:
        """What the named groups matched; without those that took no part."""
        return {name: value for name, value in match.groupdict().items() if value is not None}

    def _run(self, run: Callable[..., R], text: str, budget: Budget | None) -> R:
        if budget is not None:
            budget.runs += 1
            if budget.runs % RUNS == 0 and budget.is_used_up:
                raise self._timeout(text, budget)
        if not self.timed and len(text) <= PLAIN_TEXT:
            return run(text, concurrent=False)
        try:
            return run(text, timeout=AT_ONCE, concurrent=False)
        except TimeoutError:
            limit = self.time_limit if budget is None else budget.left
        try:
            return run(text, timeout=limit, concurrent=True)
        except TimeoutError:
            raise self._timeout(text, budget) from None

    def _timeout(self, text: str, budget: Budget | None) -> PatternTimeoutError:
        limit = f"{self.time_limit:g} s" if budget is None else str(budget)
        return PatternTimeoutError(
            f"pattern {self.source!r} took longer than {limit} on a text of {len(text)} characters"
        )


def compile_pattern(
    pattern: str,
    *,
    ignore_case: bool = True,
    multiline: bool = False,
    dotall: bool = False,
    time_limit: float = DEFAULT_LIMITS.pattern_seconds,
) -> Pattern:
    """Compile a pattern of the config.

    Args:
        pattern: In the syntax of `re`.
        ignore_case: As `re.IGNORECASE`.
        multiline: As `re.MULTILINE`.
        dotall: As `re.DOTALL`.
        time_limit: Seconds that one run of the pattern may take, where it is given no budget.

    Raises:
        PatternError: `re` finds it wrong or doubtful, or `regex` would read it otherwise.
    """
    flags = (
        (re.IGNORECASE if ignore_case else 0)
        | (re.MULTILINE if multiline else 0)
        | (re.DOTALL if dotall else 0)
    )
    re.purge()  # a pattern that is cached warns no more
    try:
        with warnings.catch_warnings(record=True) as doubts:
            warnings.simplefilter("always")
            verbose = bool(re.compile(pattern, flags).flags & re.VERBOSE)
        translated = _translate(pattern, verbose=verbose)
        if doubts:
            raise PatternError(f"{doubts[0].message} in {pattern!r}; put \\ before a literal")
        compiled = regex.compile(translated, flags | regex.VERSION0)
    except RecursionError:
        raise PatternError(f"groups are nested too deeply in {_shorten(pattern)!r}") from None
    except (re.error, regex.error, ValueError, TypeError, OverflowError) as error:
        raise PatternError(f"{error} in {pattern!r}") from None
    start = "" if verbose else _literal_start(pattern)
    return Pattern(pattern, time_limit, start, verbose or not _is_plain(pattern), compiled)


def check_template(pattern: Pattern, template: str) -> None:
    r"""Find out whether `Pattern.sub` can use a template such as `\g<subject>`.

    Raises:
        PatternError: It names a group that the pattern lacks, or an escape that `re` refuses or
            expands otherwise than `regex`.
    """
    # A stand-in with the same groups, each matching one character of its own.
    compiled = pattern._compiled
    names = {number: f"?P<{name}>" for name, number in compiled.groupindex.items()}
    groups = [f"({names.get(number, '')}.)" for number in range(1, compiled.groups + 1)]
    stand_in = "." + "".join(groups)
    text = "".join(chr(0xF0000 + number) for number in range(compiled.groups + 1))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            expected = re.sub(stand_in, template, text)
        same = regex.sub(stand_in, template, text, flags=regex.VERSION0) == expected
    except (re.error, regex.error, IndexError, ValueError, Warning) as error:
        raise PatternError(f"{error} in template {template!r}") from None
    if not same:
        raise PatternError(f"an escape can be read in two ways in template {template!r}")


def _translate(pattern: str, *, verbose: bool) -> str:
    """The pattern, valid for `re`, such that `regex` reads it in the same way.

    Raises:
        PatternError: There is no such spelling, or it is likely that something else was meant.
    """
    parts: list[str] = []
    groups: list[str] = []
    sizes = [0]  # of the whole, then of each group that is open, once repeats are written out
    size = 0  # of the last item, the one that a repeat is about
    previous = ""
    for token in (_SPACED if verbose else _PLAIN).finditer(pattern):
        kind, text = token.lastgroup or "character", token[0]
        objection = _objection(kind, text)
        if kind == "brace":
            if _FUZZY.match(pattern, token.start()):
                objection = "fuzzy matching is not supported; write \\{ for a literal brace"
            text = "\\{"
        elif kind == "capture" and "lookbehind" in groups:
            objection = "a group inside a lookbehind; write (?:...) there"
        elif kind in ("space", "remark") and previous == "number":
            objection = "space after a backslash and digits; write (?:) between them"
        if kind in ("capture", "lookbehind", "group") or text.endswith(":"):
            groups.append(kind)
            sizes.append(0)
        elif kind == "close":
            groups.pop()
            size = sizes.pop()
            sizes[-1] += size
        elif kind == "repeat":
            sizes[-1] += size * (int(text[1:-1].split(",")[0] or 0) - 1)
            if sizes[-1] > MAX_SIZE:
                objection = f"repeats make the pattern longer than {MAX_SIZE} characters"
        elif kind not in ("space", "remark", "comment"):
            if kind == "set" and "|" in pattern:
                text = _ALL_BUT_ONE.sub(_twice, text)
            size = 1
            sizes[-1] += size
        if objection:
            raise PatternError(f"{objection} at position {token.start()} in {pattern!r}")
        parts.append(text)
        previous = kind
    if any(_SCOPED_CASE.match(part) for part in parts) and any(
        part.startswith("[^") for part in parts
    ):
        raise PatternError(
            f"(?i:...) or (?-i:...) beside a negated set [^...] in {pattern!r};"
            " set the case for the whole pattern"
        )
    return "".join(parts)


def _twice(found: re.Match[str]) -> str:
    """`[^aa]` for `[^a]`: `regex` 2026.11.15 takes `[^a]|[^b]` for what is neither a nor b."""
    again = "\\]" if found[1] == "]" else found[1]
    return f"[^{found[1]}{again}]"


def _literal_start(pattern: str) -> str:
    """The literal text after a `^` that every alternative begins with; empty when there is none."""
    literal, ended, depth = "", False, 0
    tokens = _PLAIN.finditer(pattern)
    first = next(tokens, None)
    if first is None or first[0] != "^":
        return ""
    for token in tokens:
        kind, text = token.lastgroup or "character", token[0]
        if kind == "character" and text == "|" and not depth:
            return ""
        if kind in ("capture", "lookbehind", "group", "condition") or (
            text.endswith(":") and kind == "flags"
        ):
            depth += 1
        elif kind == "close":
            depth -= 1
        if ended or kind == "comment":  # what repeats behind a comment is before it
            continue
        if kind == "repeat" or (kind == "character" and text in "?*+"):
            literal, ended = literal[:-1], True
        elif kind == "character" and text not in ".^$|":
            literal += text
        elif kind == "escape" and not text[1].isalnum():
            literal += text[1]
        else:
            ended = True
    return literal


def _is_plain(pattern: str) -> bool:
    """Whether it is short and all that it matches has the length of its tokens."""
    return len(pattern) <= PLAIN_SIZE and all(
        token.lastgroup in {"escape", "set", "brace"} if token.lastgroup else token[0] not in "?*+|"
        for token in _PLAIN.finditer(pattern)
    )


def _objection(kind: str, text: str) -> str | None:
    """Why a token is refused wherever it stands."""
    if kind == "set":
        for item in _POSIX_CLASS.finditer(text, 1):
            if item["name"]:
                return f"write a range such as a-z, or \\w, \\d, \\s, for {item['name']}"
    elif kind == "condition":
        return "conditional groups are not supported; write alternatives a|b"
    elif kind == "flags" and text.endswith(":") and set(text) & set("aux"):
        return "flags a, u and x only work for the whole pattern; begin it with (?a) or (?x)"
    elif kind in ("comment", "remark") and "\\" in text:
        return "a backslash in a comment"
    elif kind == "space" and set(text) - set(" \t\n\r\v\f"):
        return "white space other than blank, tab and line ends; write \\ before it"
    return None


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..."
