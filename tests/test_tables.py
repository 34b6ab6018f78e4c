"""Tables on a terminal: aligned, wrapped, and nothing is cut."""

from __future__ import annotations

from pyquarantine_core.cli.tables import table

WIDE = 1000


def lines(headings: list[str], rows: list[list[str]], width: int = WIDE) -> list[str]:
    cells = [[cell.splitlines() for cell in row] for row in rows]
    head, rest = table(headings, cells, width)
    return [*head, *rest]


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    assert lines(["ID", "Size"], [["1", "12345"], ["1234", "1"]]) == [
        " ID     Size",
        " ────────────",
        " 1      12345",
        " 1234   1",
    ]


def test_a_cell_may_have_many_lines_or_none() -> None:
    assert lines(["A", "B", "C"], [["1", "x\ny", "z"], ["2", "", "w"]]) == [
        " A   B   C",
        " ─────────",
        " 1   x   z",
        "     y",
        " 2       w",
    ]


def test_wide_and_combining_characters_count_as_a_terminal_shows_them() -> None:
    assert lines(["A", "B"], [["日本", "x"], ["e\u0301a", "x"], ["abcd", "x"]])[2:] == [
        " 日本   x",
        " e\u0301a     x",
        " abcd   x",
    ]


def test_what_is_too_wide_for_the_terminal_wraps_but_for_the_first_column() -> None:
    first, text, word = "x" * 40, "the quick brown fox jumps over it", "y" * 30
    shown = lines(["ID", "Text", "Word"], [[first, text, word]], width=80)
    assert all(len(line) <= 80 for line in shown)
    assert first in shown[2]
    columns = [line[1 + 40 + 3 :] for line in shown[2:]]
    width = columns[0].index("yy") - 3
    wrapped = [one[:width].strip() for one in columns]
    assert " ".join(filter(None, wrapped)) == text
    assert "".join(one[width:].strip() for one in columns) == word


def test_wide_characters_wrap_where_they_end() -> None:
    shown = lines(["", "Text"], [["", "日" * 20]], width=21)
    assert [line.strip() for line in shown[2:]] == ["日" * 8, "日" * 8, "日" * 4]


def test_on_a_terminal_that_is_too_narrow_nothing_is_lost_either() -> None:
    shown = lines(["ID", "A", "B"], [["x" * 30, "a" * 20, "b" * 20]], width=20)
    text = "".join(shown[2:])
    assert (text.count("x"), text.count("a"), text.count("b")) == (30, 20, 20)


def test_a_text_without_end_wraps_as_fast_as_it_is_read() -> None:
    shown = lines(["", "Text"], [["", "λ" * 200_000]], width=84)
    assert [line.strip() for line in shown[2:]] == ["λ" * 80] * 2_500
