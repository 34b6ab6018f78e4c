"""What one message may ask for (`limits`), and what becomes of one that asks for more."""

from __future__ import annotations

import logging
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyq_conditions
import pyq_disclaimer
import pyq_file_storage
import pyq_headers
import pyq_quarantine
import pyq_rewrite_links
import pytest

from pyquarantine_core.config_keys import limit_keys
from pyquarantine_core.engine import RuleError
from pyquarantine_core.errors import ConfigError
from pyquarantine_core.explain import explain
from pyquarantine_core.limits import DEFAULT_LIMITS, Limits
from pyquarantine_core.message import Message
from pyquarantine_core.testing.mail_mix import HEAD, multipart
from pyquarantine_core.testing.rules import Judged, judge, load, received, rule
from pyquarantine_core.types import Verdict

PLUGINS = (
    *(pyq_conditions, pyq_disclaimer, pyq_file_storage, pyq_headers, pyq_quarantine),
    pyq_rewrite_links,
)
SPAM = {"headers": ["^X-Spam: Yes"]}
TIME_BOMB = {"headers": ["^X-Bomb: (a+)+$"]}
BOMB = b"X-Bomb: " + b"a" * 5000 + b"!\n"


def with_headers(count: int, more: bytes = b"") -> Message:
    return received(b"X-Padding: y\n" * count + more + b"\nbody\n")


def judged(message: Message, *rules: dict[str, Any], **settings: Any) -> Judged:
    return judge(load({"rules": rules, **settings}, *PLUGINS), message)


class TestSettings:
    def test_each_is_described_with_its_default(self) -> None:
        described = limit_keys()
        assert list(described) == [one.name for one in fields(Limits)]
        assert {name: one["default"] for name, one in described.items()} == asdict(DEFAULT_LIMITS)

    def test_those_left_out_keep_their_default(self) -> None:
        config = load({"rules": [rule("nothing", {})], "limits": {"header_count": 7}})
        assert config.rules.limits == Limits(header_count=7)
        assert load({"rules": [rule("nothing", {})]}).rules.limits == DEFAULT_LIMITS

    @pytest.mark.parametrize(
        ("limits", "error"),
        [
            ({"header_cuont": 7}, "did you mean 'header_count'"),
            ({"header_count": 0}, "0 is less than the minimum of 1"),
            ({"pattern_seconds": "1"}, "'1' should be a number"),
            ({"message_seconds": 0}, "0 is less than the minimum of 0.01"),
        ],
    )
    def test_a_mistake_is_told(self, limits: dict[str, Any], error: str) -> None:
        with pytest.raises(ConfigError, match="limits") as caught:
            load({"rules": [rule("nothing", {})], "limits": limits})
        assert error in str(caught.value)

    def test_plugins_see_them_when_they_are_built_and_on_the_message(self) -> None:
        config = load({"rules": [rule("nothing", {})], "limits": {"edit_bytes": 5}})
        message = received()
        judge(config, message)
        assert message.limits.edit_bytes == 5


@pytest.mark.parametrize(
    ("limits", "excess", "setting"),
    [
        ({"header_count": 99}, "more than 99 header fields", "header_count"),
        ({"header_bytes": 999}, "a header of more than 999 bytes", "header_bytes"),
    ],
)
class TestAHeaderOverItsBounds:
    """It is rejected by the first rule that reads it: it can neither be judged nor stored whole."""

    def test_is_rejected_and_said_once(
        self,
        limits: dict[str, int],
        excess: str,
        setting: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        done = judged(with_headers(99, b"X-Spam: Yes\n"), rule("nothing", {}, conditions=SPAM),
                      rule("nothing", {}, conditions=SPAM), limits=limits)  # fmt: skip
        assert done.decision.verdict is Verdict.REJECT
        assert done.decision.text == f"Message rejected: it has {excess}"
        (line,) = (one for one in caplog.records if one.levelno >= logging.WARNING)
        assert line.getMessage().startswith("4XyZ1234: rule: condition headers of ")
        assert line.getMessage().endswith(f"it has {excess} (limits.{setting}); rejecting it")

    def test_is_rejected_wherever_what_a_rule_wants_stands_in_it(
        self, limits: dict[str, int], excess: str, setting: str
    ) -> None:
        for before in (0, 50, 500):
            content = b"X-Padding: y\n" * before + b"X-Spam: Yes\n"
            message = received(content + b"X-Padding: y\n" * (500 - before) + b"\n")
            done = judged(message, rule("nothing", {}, conditions=SPAM), limits=limits)
            assert done.decision.verdict is Verdict.REJECT

    def test_is_not_stored_in_part(
        self, limits: dict[str, int], excess: str, setting: str, tmp_path: Path
    ) -> None:
        storages = {"s": {"type": "file", "directory": str(tmp_path)}}
        for original in (True, False):
            done = judged(
                with_headers(500),
                rule("store", {"storage": "s"}),
                limits=limits,
                storages={"s": storages["s"] | {"original": original}},
            )
            assert done.decision.verdict is Verdict.REJECT
        assert list(tmp_path.iterdir()) == []

    def test_does_no_harm_where_no_rule_reads_it(
        self, limits: dict[str, int], excess: str, setting: str
    ) -> None:
        marked = rule("add_header", {"field": "X-A", "value": "b"}, conditions={"local": False})
        assert judged(with_headers(500), marked, limits=limits).decision.verdict is Verdict.ACCEPT

    def test_passes_where_an_admin_wants_errors_to_be_passed_over(
        self, limits: dict[str, int], excess: str, setting: str
    ) -> None:
        for keys in ({"on_error": "continue"}, {"pretend": True}):
            spam = rule("nothing", {}, conditions=SPAM, **keys)
            done = judged(with_headers(500, b"X-Spam: Yes\n"), spam, limits=limits)
            assert done.decision.verdict is Verdict.ACCEPT
            assert done.ran == ()

    def test_is_explained(self, limits: dict[str, int], excess: str, setting: str) -> None:
        config = load({"rules": [rule("nothing", {}, conditions=SPAM)], "limits": limits}, *PLUGINS)
        explained = explain(config.rules, with_headers(500))
        assert explained.decision.verdict is Verdict.REJECT

    def test_is_not_kept_in_memory(self, limits: dict[str, int], excess: str, setting: str) -> None:
        message = Message()
        message.limits = Limits(**limits)
        for _ in range(10_000):
            message.receive_header("X-Padding", b" y")
        assert len(message.received_headers) < 200

    def test_one_less_is_looked_at(self, limits: dict[str, int], excess: str, setting: str) -> None:
        padding = {"header_count": 98, "header_bytes": 70}[setting]
        message = with_headers(padding, b"X-Spam: Yes\n")
        spam = rule("nothing", {}, conditions=SPAM)
        assert judged(message, spam, limits=limits).ran == ("rule/action",)


@pytest.mark.parametrize(("bound", "verdict"), [(23, Verdict.ACCEPT), (22, Verdict.REJECT)])
def test_bytes_of_a_header_are_those_of_its_lines(bound: int, verdict: Verdict) -> None:
    header = b"Subject: x\r\nX:\r\nX-Sp:\r\n"
    assert len(header) == 23
    done = judged(
        received(header + b"\r\nbody\r\n"),
        rule("nothing", {}, conditions=SPAM),
        limits={"header_bytes": bound},
    )
    assert done.decision.verdict is verdict


@pytest.mark.parametrize("count", [63, 64, 65, 127, 128, 129])
def test_a_header_of_any_number_of_fields_is_whole_or_refused(count: int) -> None:
    for bound in (count - 1, count):
        message = Message()
        message.limits = Limits(header_count=bound)
        for number in range(count):
            message.receive_header("X-Number", b" %d" % number)
        if bound < count:
            with pytest.raises(Exception, match=f"more than {bound} header fields"):
                _ = message.headers
        else:
            assert len(message.headers) == count


class TestTime:
    def test_a_pattern_that_takes_too_long_is_named_with_the_setting(self) -> None:
        message = received(BOMB + b"\n")
        with pytest.raises(RuleError) as caught:
            judged(
                message, rule("nothing", {}, conditions=TIME_BOMB), limits={"pattern_seconds": 0.05}
            )
        assert "pattern '^X-Bomb: (a+)+$' took longer than 0.05 s (limits.pattern_seconds)" in str(
            caught.value
        )

    def test_many_patterns_share_the_time_of_the_message(self) -> None:
        bombs = [
            rule("nothing", {}, conditions=TIME_BOMB, on_error="continue") for _ in range(1000)
        ]
        limits = {"pattern_seconds": 0.05, "message_seconds": 0.1}
        with pytest.raises(RuleError, match=r"\(limits.message_seconds\)"):
            judged(received(BOMB + b"\n"), *bombs, rule("nothing", {}), limits=limits)

    def test_what_is_left_of_it_bounds_a_pattern(self) -> None:
        limits = {"pattern_seconds": 10, "message_seconds": 0.05}
        with pytest.raises(RuleError) as caught:
            judged(received(BOMB + b"\n"), rule("nothing", {}, conditions=TIME_BOMB), limits=limits)
        assert "took longer than what was left of 0.05 s (limits.message_seconds)" in str(
            caught.value
        )

    @pytest.mark.parametrize(
        "conditions",
        [
            {"envfrom": "^(a|aa)+$"},
            {"envto": "^(a|aa)+$"},
            {"headers": ["^From: (a|aa)+$"]},
        ],
    )
    def test_it_holds_for_every_condition(self, conditions: dict[str, Any]) -> None:
        address = "a" * 60 + "!@example.org"
        message = received(
            b"From: " + address.encode() + b"\n\n",
            sender=address,
            recipients=[address] * 1000,
        )
        with pytest.raises(RuleError, match=r"took longer than 0\.05 s"):
            judged(
                message,
                rule("nothing", {}, conditions=conditions),
                limits={"pattern_seconds": 0.05},
            )

    @pytest.mark.parametrize(
        ("action", "options"),
        [
            ("mod_header", {"field": "^X-Bomb", "search": "(a+)+$", "value": "x"}),
            ("del_header", {"field": "^X-Bomb", "value": "(a+)+$"}),
        ],
    )
    def test_it_holds_for_every_action_with_patterns(
        self, action: str, options: dict[str, Any]
    ) -> None:
        with pytest.raises(RuleError, match=r"took longer than 0\.05 s"):
            judged(received(BOMB + b"\n"), rule(action, options), limits={"pattern_seconds": 0.05})


class TestEdits:
    """What is over a bound is not edited, and `error_policy` decides."""

    @pytest.mark.parametrize(
        ("setting", "bound", "content"),
        [
            ("mime_parts", 2, HEAD + multipart("mixed", b"\na\n", b"\nb\n")),
            ("mime_depth", 1, HEAD + multipart("mixed", multipart("mixed", b"\na\n"))),
            ("mime_header_bytes", 20, HEAD + multipart("mixed", b"X-A: " + b"b" * 99 + b"\n\na\n")),
            ("edit_bytes", 9, HEAD + b"\n0123456789\n"),
            ("html_bytes", 9, HEAD + b"Content-Type: text/html\n\n0123456789\n"),
            ("html_depth", 3, HEAD + b"Content-Type: text/html\n\n" + b"<div>" * 4),
        ],
    )
    @pytest.mark.parametrize("policy", ["wrap", "ignore", "reject"])
    def test_a_disclaimer_goes_by_the_error_policy(
        self,
        setting: str,
        bound: int,
        content: bytes,
        policy: str,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        (tmp_path / "t").write_text("CAUTION")
        options = {
            "action": "append",
            "text_template": f"{tmp_path}/t",
            "html_template": f"{tmp_path}/t",
            "error_policy": policy,
        }
        message = received(content)
        before = b"".join(message.chunks())
        with caplog.at_level(logging.INFO):
            done = judged(message, rule("add_disclaimer", options), limits={setting: bound})
        after = b"".join(message.chunks())
        if policy == "wrap":
            assert b"Content-Type: message/rfc822" in after
            assert before.partition(b"\r\n\r\n")[2] in after
        else:
            assert after == before
        rejected = done.decision.verdict is Verdict.REJECT
        assert rejected is (policy == "reject")
        (line,) = (
            one.getMessage() for one in caplog.records if f"limits.{setting}" in one.msg % one.args
        )
        assert line.startswith("4XyZ1234: rule/action: no disclaimer can be put into the message")
        assert line.endswith(f"(limits.{setting}); {policy}")

    def test_links_are_left_and_the_log_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        html = b"Content-Type: text/html\n\n<a href=http://x.example/>x</a>\n"
        done = judged(
            received(HEAD + html),
            rule("rewrite_links", {"repl": "https://y/"}),
            limits={"html_bytes": 9},
        )
        assert done.decision.verdict is Verdict.ACCEPT
        assert caplog.messages[0].endswith(
            "the links of an HTML part are left: an HTML text has more than 9 bytes "
            "(limits.html_bytes)"
        )

    def test_links_of_many_parts_are_left_in_one_line(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        html = b"Content-Type: text/html\n\n<a href=http://x.example/>x</a>\n"
        judged(
            received(HEAD + multipart("mixed", *[html] * 300)),
            rule("rewrite_links", {"repl": "https://y/"}),
            limits={"html_bytes": 9},
        )
        (line,) = (one for one in caplog.records if one.levelno >= logging.WARNING)
        assert line.getMessage().endswith(
            "the links of 300 HTML parts are left: an HTML text has more than 9 bytes "
            "(limits.html_bytes)"
        )

    def test_no_choice_of_words_makes_more_lines_of_them(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        parts = [
            b"Content-Type: text/html\nContent-Transfer-Encoding: x%d\n\n<p>x</p>\n" % number
            for number in range(300)
        ]
        judged(
            received(HEAD + multipart("mixed", *parts)),
            rule("rewrite_links", {"repl": "https://y/"}),
        )
        told = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
        assert len(told) == 4
        assert told[-1].endswith("the links of 297 more HTML parts are left for other reasons")
