"""Of conditions."""

from __future__ import annotations

from .one import Break

CONDITION = [
    Break(
        "it_answers_with_a_match_that_is_true_or_false_and_says_why",
        "condition.py",
        "Match(bool(found)",
        "Match(int(found)",
    ),
    Break(
        "it_answers_with_a_match_that_is_true_or_false_and_says_why",
        "condition.py",
        "        return Match(",
        "        return bool(",
    ),
    Break(
        "it_is_decided_at_its_stage_and_what_comes_later_changes_nothing",
        "condition.py",
        "for one in message.headers",
        "for one in message.headers if message.body is not None",
    ),
    Break(
        "it_is_decided_at_its_stage_and_what_comes_later_changes_nothing",
        "condition.py",
        "        return Match(",
        "        found = found or len(message.current_body) > 3\n        return Match(",
    ),
    Break(
        "it_looks_at_no_part_that_it_does_not_declare_to_read",
        "condition.py",
        "reads=Part.HEADERS",
        "reads=Part.NOTHING",
    ),
    Break(
        "it_changes_nothing",
        "condition.py",
        "        return Match(",
        "        message.variables['FOUND'] = 'yes'\n        return Match(",
    ),
    Break(
        "it_answers_the_same_when_asked_again_and_by_many_threads",
        "condition.py",
        "        return Match(",
        "        self.times = getattr(self, 'times', 0) + 1\n        found = self.times % 3\n"
        "        return Match(",
    ),
    Break(
        "it_matches_what_it_should_and_nothing_else",
        "condition.py",
        "Match(bool(found)",
        "Match(not found",
    ),
    Break(
        "every_option_is_described_and_its_default_is_valid",
        "condition.py",
        ', "description": "Header that must be there."',
        "",
    ),
    Break(
        "a_value_that_an_option_cannot_take_is_told_in_one_line",
        "condition.py",
        '"type": "string", ',
        "",
    ),
]
