from __future__ import annotations

import contextlib
import re
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pyquarantine_core.errors import PatternError, PatternTimeoutError
from pyquarantine_core.patterns import Pattern, check_template, compile_pattern

CONFIGURATION = Path(__file__).parent.parent / "docs" / "configuration.md"
SYNTAX = (
    r"a b B z 0 _ - . ^ $ \b \A \Z \w \W \d \s \S \n \x61 \u0061 \141 \07 \- \{ { } {} {a} {id}"
    r" {secret} {x,y} \1 (?P=n) ] ~~ && ß é [a-z] [^a] []a] [^]a] [a-] [\w-] [A-Z_] [\]a]"
    r" [^\W\d] [k-s] [^s] (?#x)"
)
ATOMS = [*SYNTAX.split(), r"\N{DIGIT ONE}", "\u017f", "\u212a"]
TEXTS = [
    "",
    "a",
    "ab",
    "aba",
    "AB zB0",
    "b\na\n",
    "{a}{id}{secret}",
    "aé",
    "sS\u017fkKßSS",
    "_0]-~~&&1",
]
quantifiers = st.sampled_from(
    ["", "", "", "?", "*", "+", "{2}", "{1,2}", "{,2}", "{1,}", "*?", "??"]
)
PREFIXES = ["", "?:", "?P<n>", "?=", "?!", "?<=", "?<!", "?>", "?i:", "?-i:", "?s:", "?a:", "?(1)"]
prefixes = st.sampled_from(PREFIXES)
quantified = st.builds(str.__add__, st.sampled_from(ATOMS), quantifiers)
grammar = st.recursive(
    quantified,
    lambda inner: (
        st.builds("({}{}){}".format, prefixes, inner, quantifiers)
        | st.builds("(?:{}|{})".format, inner, inner)
        | st.builds("{}{}".format, inner, inner)
    ),
    max_leaves=5,
)


def refusal(pattern: str) -> str:
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern)
    message = str(caught.value)
    assert "\n" not in message
    return message


def found(pattern: Pattern | re.Pattern[str], text: str) -> object:
    match = pattern.search(text)
    start = pattern.match(text)
    return (
        match and (match.span(), match.groups()),
        start and (start.span(), start.groups()),
        pattern.sub(r"<\g<0>>", text),
    )


@settings(max_examples=400, deadline=None)
@given(grammar, st.booleans(), st.sampled_from(["", "", "(?a)", "(?x)", "(?s)"]))
@example(pattern="(?:[^a]|[^s])", ignore_case=False, prefix="")
@example(pattern=r"b[^\x61]|b[^]]", ignore_case=True, prefix="")
def test_an_accepted_pattern_finds_what_re_finds(
    pattern: str, ignore_case: bool, prefix: str
) -> None:
    pattern = prefix + pattern
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            expected = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
        compiled = compile_pattern(pattern, ignore_case=ignore_case)
    except (re.error, Warning):
        with pytest.raises(PatternError):
            compile_pattern(pattern, ignore_case=ignore_case)
        return
    except PatternError:
        return
    for text in TEXTS:
        assert found(compiled, text) == found(expected, text)


LINES = ["ab: ab", "AB: b", "s\u017f: k", "\u212a: sS", "b", "{a}: _", "X: ab", "ab", ""]


@settings(max_examples=400, deadline=None)
@given(grammar, st.sampled_from(["ab: ", "AB", "k", "s", "{a}", r"a\-b", ""]), st.booleans())
@example(pattern="(?#x)?", literal="k", multiline=False)
def test_where_a_pattern_is_found_the_line_begins_with_its_start(
    pattern: str, literal: str, multiline: bool
) -> None:
    try:
        compiled = compile_pattern(f"^{literal}{pattern}", multiline=multiline)
    except PatternError:
        return
    for line in LINES:
        match = compiled.search(line)
        begins = line.casefold().startswith(compiled.start.casefold())
        assert match is None or match.start() > 0 or begins


@pytest.mark.parametrize(
    ("pattern", "start"),
    [
        ("^X-Spam: Yes", "X-Spam: Yes"),
        ("^X-Spam: Y(es|ep)", "X-Spam: Y"),
        (r"^X\-Spam:\s*Yes", "X-Spam:"),
        ("^X-Spam:? Yes", "X-Spam"),
        ("^X-Spam: Y{2}", "X-Spam: "),
        ("^X-Spam(?#or not):? Yes", "X-Spam"),
        ("^X-Spam:(?#or not)? Yes", "X-Spam"),
        ("^X-Spam:(?#always) Yes", "X-Spam: Yes"),
        ("^X-Spam: a|b", ""),
        ("X-Spam", ""),
        ("(?x)^X-Spam", ""),
        ("^", ""),
    ],
)
def test_the_start_of_a_pattern_is_what_all_its_matches_begin_with(
    pattern: str, start: str
) -> None:
    assert compile_pattern(pattern).start == start


@given(st.text(alphabet="a{}deis<=+,:1 2[]-^()?x\\|#P", max_size=15))
def test_any_pattern_compiles_or_is_refused(pattern: str) -> None:
    with contextlib.suppress(PatternError):
        assert compile_pattern(pattern).source == pattern


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(ab", "missing ), unterminated subpattern at position 0 in '(ab'"),
        ("a\n(", "missing ), unterminated subpattern at position 2 (line 2, column 1) in 'a\\n('"),
        ("a{99999999999}", "the repetition number is too large in 'a{99999999999}'"),
        ("(" * 5000 + ")" * 5000, f"groups are nested too deeply in '{'(' * 60}...'"),
        ("[[a]", "Possible nested set at position 1 in '[[a]'; put \\ before a literal"),
        ("[a||b]", "Possible set union at position 2 in '[a||b]'; put \\ before a literal"),
    ],
)
def test_what_re_refuses_or_doubts_is_a_pattern_error(pattern: str, message: str) -> None:
    assert refusal(pattern) == message


def test_doubts_are_found_even_when_re_has_cached_the_pattern() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        re.compile("[[a]", re.IGNORECASE)
    for _ in range(2):
        assert refusal("[[a]").startswith("Possible nested set")


@pytest.mark.parametrize(
    "constraint",
    [
        *("{e}", "{s}", "{e<=1}", "{e<2}", "{s<=2,i<=3}", "{1<=e<=3}", "{2i+2d+1s<=4}"),
        *("{e:[a-z]}", "{i<=1,e<=2:[0-9]}", "{i,1s+1d<3}"),
    ],
)
def test_fuzzy_constraints_are_refused(constraint: str) -> None:
    assert refusal(f"(?:viagra){constraint}").startswith(
        "fuzzy matching is not supported; write \\{ for a literal brace at position 10 in"
    )


@pytest.mark.parametrize(
    "text", ["{foo bar}", "{secret}", "{id}", "{date}", "{", "{}", "{e", "{i<=}", "{1<=e}", "x{ 2}"]
)
def test_other_literal_braces_are_literal(text: str) -> None:
    assert compile_pattern(text).match(text)


@pytest.mark.parametrize("pattern", ["[[:alpha:]]", "[a[:alpha:]]", "[^b[:^alpha:]c]"])
def test_posix_classes_are_refused(pattern: str) -> None:
    assert refusal(pattern).startswith(r"write a range such as a-z, or \w, \d, \s, for [:")


@pytest.mark.parametrize("pattern", ["[:alpha:]", r"[a\[:alpha:]]", r"[a[:\]:]", "[a[:alpha]"])
def test_sets_that_only_look_like_posix_classes_are_sets(pattern: str) -> None:
    assert found(compile_pattern(pattern), "b:[a]") == found(re.compile(pattern), "b:[a]")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(a)(?(1)b|c)", "conditional groups are not supported; write alternatives a|b"),
        ("(?<=(a|b){2})c", "a group inside a lookbehind; write (?:...) there"),
        ("(?<!(?:(a)))c", "a group inside a lookbehind; write (?:...) there"),
        ("(?a:a)", "flags a, u and x only work for the whole pattern; begin it with (?a) or (?x)"),
        ("(?x:a)", "flags a, u and x only work for the whole pattern; begin it with (?a) or (?x)"),
        ("(?i:z)??[^]a]", "(?i:...) or (?-i:...) beside a negated set [^...]"),
        ("(?#a\\)b(c)", "a backslash in a comment"),
        ("(?x)a#\\\nb", "a backslash in a comment"),
        ("(?x)a\xa0b", "white space other than blank, tab and line ends; write \\ before it"),
        ("(?x)a\x1cb", "white space other than blank, tab and line ends; write \\ before it"),
        ("(?x)(a)\\1 0", "space after a backslash and digits; write (?:) between them"),
        ("(?x)\\0#\n1", "space after a backslash and digits; write (?:) between them"),
        ("a{100001}", "repeats make the pattern longer than 100000 characters"),
        ("(?:(?:ab){500}){500}", "repeats make the pattern longer than 100000 characters"),
    ],
)
def test_what_regex_reads_otherwise_is_refused(pattern: str, message: str) -> None:
    assert refusal(pattern).startswith(message)


def refused_patterns() -> list[str]:
    """The examples of docs/configuration.md of what is refused."""
    table = CONFIGURATION.read_text().partition("| refused, such as |")[2].partition("\n\n")[0]
    cells = [re.split(r"(?<!\\)\|", line)[1] for line in table.splitlines()[2:]]
    return [found.replace("\\|", "|") for cell in cells for found in re.findall("`([^`]+)`", cell)]


@pytest.mark.parametrize("pattern", refused_patterns())
def test_what_the_documentation_calls_refused_is_refused(pattern: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        re.compile(pattern)  # it is sound to Python
    with pytest.raises(PatternError):
        compile_pattern(pattern)


def test_verbose_mode_reads_as_in_re() -> None:
    pattern = compile_pattern("(?x) a # (b\n {1, 2} [ #] \\  (?P<c>c)")
    match = pattern.search("a{1,2}# c")
    assert match
    assert pattern.named_groups(match) == {"c": "c"}


def test_case_is_ignored_unless_told_otherwise() -> None:
    assert compile_pattern("viagra").search("cheap VIAGRA")
    assert not compile_pattern("viagra", ignore_case=False).search("cheap VIAGRA")


def test_multiline_and_dotall_are_off_unless_told_otherwise() -> None:
    assert not compile_pattern("^b").search("a\nb")
    assert compile_pattern("^b", multiline=True).search("a\nb")
    assert not compile_pattern("a.b").search("a\nb")
    assert compile_pattern("a.b", dotall=True).search("a\nb")


def test_match_is_anchored_at_the_start_only() -> None:
    pattern = compile_pattern("b")
    assert pattern.match("bc")
    assert not pattern.match("ab")


def test_named_groups_that_took_no_part_are_left_out() -> None:
    pattern = compile_pattern("(?P<one>a)|(?P<two>b)|(c)")
    match = pattern.search("b")
    assert match
    assert pattern.named_groups(match) == {"two": "b"}


SLOW = "(a|aa)+$"
HOSTILE = "a" * 100 + "!"


@pytest.mark.parametrize(
    "run",
    [
        lambda pattern: pattern.search(HOSTILE),
        lambda pattern: pattern.match(HOSTILE),
        lambda pattern: pattern.sub("", HOSTILE),
    ],
    ids=["search", "match", "sub"],
)
def test_a_run_that_takes_too_long_is_given_up(run: Callable[[Pattern], object]) -> None:
    started = time.thread_time()
    with pytest.raises(PatternTimeoutError) as caught:
        run(compile_pattern(SLOW, time_limit=0.05))
    assert time.thread_time() - started < 2  # of the CPU, however busy it is
    assert str(caught.value) == (
        "pattern '(a|aa)+$' took longer than 0.05 s on a text of 101 characters"
    )


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a*)*b", "(a|a?)+$", "(?:a?){50}a{50}b", SLOW])
@pytest.mark.parametrize("length", [100, 5000])
def test_no_pattern_hangs_on_hostile_text(pattern: str, length: int) -> None:
    started = time.thread_time()
    with contextlib.suppress(PatternTimeoutError):
        compile_pattern(pattern, time_limit=0.1).search("a" * length + "!")
    assert time.thread_time() - started < 2  # of the CPU, however busy it is


@given(grammar, st.sampled_from(TEXTS) | st.text("aAbBzsk{}1,2-_\n", max_size=30))
def test_what_is_not_timed_matches_no_more_characters_than_it_has(source: str, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pattern = compile_pattern(source)
        except PatternError:
            return
    found = pattern.search(text)
    assert pattern.timed or found is None or len(found[0]) <= len(source)


@pytest.mark.parametrize(
    ("pattern", "timed"),
    [
        (r"^X-Spam: Yes", False),
        (r"^X-Spam: [Yy]es, score=\d\.\d", False),
        ("a{}", False),
        ("a" * 50, False),
        ("a" * 51, True),
        ("a{2}", True),
        ("a+", True),
        ("a|b", True),
        (r"(a)\1", True),
        ("(?x)a", True),
        ("(?:a)", True),
    ],
)
def test_short_patterns_that_do_not_branch_need_no_clock(pattern: str, timed: bool) -> None:
    assert compile_pattern(pattern).timed is timed


def test_other_threads_run_while_a_pattern_is_matched() -> None:
    pattern = compile_pattern(SLOW, time_limit=0.5)

    def run() -> None:
        with contextlib.suppress(PatternTimeoutError):
            pattern.search(HOSTILE)

    thread = threading.Thread(target=run)
    thread.start()
    turns = 0
    while thread.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > 20


@pytest.mark.parametrize(
    ("pattern", "template", "result"),
    [
        ("(?P<subject>.+)", r"[EXT] \g<subject>", "[EXT] ab"),
        ("(?i)(A)(?P<n>b)", r"\2\g<1>\g<n>", "bab"),
        ("(?x) (a) # first \n (b)", r"\2\1\\", "ba\\"),
        ("a(x)?b", r"<\1>\n", "<>\n"),
        ("ab", r"\g<0>\g<0>\061", "abab1"),
    ],
)
def test_a_sound_template_is_accepted_and_expanded(
    pattern: str, template: str, result: str
) -> None:
    compiled = compile_pattern(pattern)
    check_template(compiled, template)
    assert compiled.sub(template, "ab") == result


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (r"\g<sender>", r"unknown group name 'sender' in template '\\g<sender>'"),
        (r"\2", r"invalid group reference 2 at position 1 in template '\\2'"),
        (r"\x41", r"bad escape \x at position 0 in template '\\x41'"),
        ("\\", r"bad escape (end of pattern) at position 0 in template '\\'"),
        (r"\g<subject", r"missing >, unterminated name at position 3 in template '\\g<subject'"),
        (r"\400", r"octal escape value \400 outside of range 0-0o377 at position 0 in template"),
    ],
)
def test_a_template_that_does_not_fit_is_refused(template: str, message: str) -> None:
    for pattern in ("(?P<subject>a)", "(?i)(?P<subject>a)", "(?x) (?P<subject>a) # a"):
        with pytest.raises(PatternError) as caught:
            check_template(compile_pattern(pattern), template)
        assert str(caught.value).startswith(message)


@given(st.text(alphabet="\\gx01238<>ab&né{}N ", max_size=8))
def test_an_accepted_template_expands_as_in_re(template: str) -> None:
    source = "(?P<a>.)(.)(?P<b>z)?"
    pattern = compile_pattern(source)
    try:
        check_template(pattern, template)
    except PatternError:
        return
    assert pattern.sub(template, "12345") == re.sub(source, template, "12345")
