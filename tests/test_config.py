"""From a file to what runs: inheritance, defaults, what is built, and what refuses to be."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pyquarantine_core import config as configuration
from pyquarantine_core.config import Config
from pyquarantine_core.config_file import read_config_file
from pyquarantine_core.errors import ConfigError, PyquarantineError
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.ruleset import OnError, Step
from pyquarantine_core.testing.daemon import write_config
from pyquarantine_core.testing.rules import judge, load, received, rule
from pyquarantine_core.types import (
    Action,
    ActionType,
    HoldsMail,
    ListType,
    MailList,
    Options,
    Part,
    Services,
    Stage,
    Verdict,
)

if TYPE_CHECKING:
    from pyquarantine_core.message import Message
    from tests.conftest import InstallPlugin

CONFIGS = Path(__file__).parent / "configs"
ADD = rule("add_header", {"field": "X-Seen", "value": "yes"})


class Everybody(MailList):
    def covers(self, sender: str, recipient: str) -> bool:
        return True


class Told(Action):
    """Keeps what it was built with."""

    def __init__(self, options: Options, services: Services) -> None:
        if "fail" in options:
            raise {"admin": PyquarantineError, "bug": ValueError}[options["fail"]]("no luck")
        self.options = options
        self.name = services.name
        self.networks = services.local_networks
        self.list = services.mail_list(options["list"]) if "list" in options else None

    def apply(self, message: Message) -> None:
        pass


@hookimpl
def pyquarantine_lists() -> Iterable[ListType]:
    yield ListType(
        name="everybody",
        summary="All",
        schema={"type": "object", "properties": {}},
        build=lambda _options, _services: Everybody(),
    )


@hookimpl
def pyquarantine_actions() -> Iterable[ActionType]:
    yield ActionType(
        name="told",
        summary="Keeps what it was built with",
        schema={
            "type": "object",
            "properties": {
                "size": {"type": "integer", "default": 7},
                "list": {"type": "string"},
                "fail": {"enum": ["admin", "bug"]},
            },
        },
        needs=Stage.CONNECT,
        changes=Part.NOTHING,
        build=Told,
    )


def built(config: dict[str, Any]) -> Config:
    """Built with this module as the only plugin."""
    return load(config, import_module(__name__))


def told(config: dict[str, Any]) -> Told:
    (action,) = built(config).rules.actions
    assert isinstance(action.action, Told)
    return action.action


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        configuration.load(path)
    return str(caught.value)


class TestExamples:
    @pytest.mark.parametrize("name", ["store-originals", "subject-mark"])
    def test_it_loads(self, name: str) -> None:
        assert configuration.load(CONFIGS / f"{name}.conf").rules.rules

    def test_the_subject_is_marked_on_the_way_in_and_unmarked_on_the_way_out(self) -> None:
        config = configuration.load(CONFIGS / "subject-mark.conf")
        message = received(b"Subject: Hello\n\n")
        judge(config, message)
        assert message.subject == "[EXTERNAL] Hello"
        message = received(b"Subject: Re: [EXTERNAL] Hello\n\n", client="10.1.2.3")
        judge(config, message)
        assert message.subject == "Re: Hello"

    def test_quarantines_with_notifications_need_the_type_email(self, tmp_path: Path) -> None:
        data: Any = read_config_file(CONFIGS / "virus-and-spam.conf").data
        path = write_config(tmp_path / "test.conf", {"plugins": {"deny": ["email-notify"]}, **data})
        assert [line.partition(": ")[2] for line in refusal(path).splitlines()] == [
            f"notifications.{name}.type: no installed plugin provides the notification 'email'"
            " (not let in by 'plugins': pyq-email-notify)"
            for name in ("virus", "spam")
        ]

    def test_quarantines_load_with_notifications(self) -> None:
        config = configuration.load(CONFIGS / "virus-and-spam.conf")
        assert [one.name for one in config.notifications.values()] == ["virus", "spam"]
        assert all(
            isinstance(one.action, HoldsMail) and one.action.holding.notifier is not None
            for one in config.rules.actions
        )

    def test_quarantines_load_without_notifications(self, tmp_path: Path) -> None:
        data: Any = read_config_file(CONFIGS / "virus-and-spam.conf").data
        del data["notifications"]
        for action in data["rules"][0]["actions"]:
            del action["options"]["notification"]
        config = configuration.load(write_config(tmp_path / "test.conf", data))
        assert [one.step.name for one in config.rules.actions] == ["inbound/virus", "inbound/spam"]


class TestInheritance:
    def steps(self, **config: Any) -> list[Step]:
        """Of the rule and of its actions `plain` and `own`; `own` are the keys of the latter."""
        own = config.pop("own", {})
        action = {"type": "nothing", "options": {}}
        actions = [{"name": "plain", **action}, {"name": "own", **action, **own}]
        top = {key: config.pop(f"global_{key}") for key in ("loglevel", "pretend")
               if f"global_{key}" in config}  # fmt: skip
        loaded = built({**top, "rules": [{"name": "r", "actions": actions, **config}]})
        (found,) = loaded.rules.rules
        return [found.step, *(action.step for action in found.actions)]

    def test_loglevel(self) -> None:
        def levels(**config: Any) -> list[int]:
            return [step.logger.level for step in self.steps(**config)]

        info, debug, error = logging.INFO, logging.DEBUG, logging.ERROR
        assert levels() == [info, info, info]
        assert levels(global_loglevel="DEBUG") == [debug, debug, debug]
        assert levels(global_loglevel="debug", loglevel="error") == [error, error, error]
        assert levels(loglevel="error", own={"loglevel": "debug"}) == [error, error, debug]

    def test_pretend(self) -> None:
        def pretends(**config: Any) -> list[bool]:
            return [step.pretend for step in self.steps(**config)]

        assert pretends() == [False, False, False]
        assert pretends(global_pretend=True) == [True, True, True]
        assert pretends(global_pretend=True, pretend=False) == [False, False, False]
        assert pretends(pretend=True, own={"pretend": False}) == [True, True, False]

    def test_on_error(self) -> None:
        def on_errors(**config: Any) -> list[OnError]:
            return [step.on_error for step in self.steps(**config)]

        tempfail, go_on = OnError.TEMPFAIL, OnError.CONTINUE
        assert on_errors() == [tempfail, tempfail, tempfail]
        assert on_errors(on_error="continue") == [go_on, go_on, go_on]
        assert on_errors(on_error="continue", own={"on_error": "tempfail"}) == [
            go_on,
            go_on,
            tempfail,
        ]

    def test_a_log_level_keeps_quiet_what_is_below_it(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        adding = ADD["actions"][0]
        quiet = {**adding, "name": "quiet", "loglevel": "warning"}
        config = load(
            {"rules": [{**ADD, "actions": [adding, quiet]}]}, import_module("pyq_headers")
        )
        judge(config, received())
        assert caplog.messages == ["4XyZ1234: rule/action: added the header X-Seen"]

    def test_debugging_overrides_every_log_level(self, tmp_path: Path) -> None:
        path = write_config(tmp_path / "test.conf", {"rules": [{**ADD, "loglevel": "error"}]})
        config = configuration.load(path, debug=True)
        assert all(one.step.logger.level == logging.DEBUG for one in config.rules.rules)


class TestWhatIsBuilt:
    def test_options_have_their_defaults(self) -> None:
        assert told({"rules": [rule("told", {})]}).options == {"size": 7}
        assert told({"rules": [rule("told", {"size": 8})]}).options == {"size": 8}

    def test_an_action_learns_its_name_and_the_local_networks(self) -> None:
        action = told({"local_addrs": ["192.0.2.1/24"], "rules": [rule("told", {})]})
        assert action.name == "rule/action"
        assert list(map(str, action.networks)) == ["192.0.2.0/24"]

    def test_lists_resolve_by_name(self) -> None:
        lists = {"all": {"type": "everybody"}}
        action = told({"lists": lists, "rules": [rule("told", {"list": "all"})]})
        assert action.list is not None
        assert action.list.covers("a@example.org", "b@example.org") is True

    def test_global_defaults_are_filled_in(self) -> None:
        settings = built({"rules": [rule("told", {})]}).settings
        assert settings["pretend"] is False
        assert "10.0.0.0/8" in settings["local_addrs"]
        assert "fe80::/64" in settings["local_addrs"]

    def test_the_outbox_is_where_the_config_says_and_has_bounds(self) -> None:
        outbox = built({"outbox": "/srv/outbox", "rules": [rule("told", {})]}).outbox.settings
        assert outbox.directory == Path("/srv/outbox")
        assert outbox.lifetime == 5 * 24 * 3600
        assert (outbox.minimal_backoff, outbox.maximal_backoff) == (30, 3600)
        assert (outbox.max_items, outbox.max_bytes) == (20_000, 2**30)

    def test_back_offs_that_do_not_go_together_are_an_error(self) -> None:
        with pytest.raises(
            ConfigError,
            match=r"^pyquarantine.conf:2: outbox_minimal_backoff: 7200 s is longer than the "
            r"outbox_maximal_backoff, 3600 s$",
        ):
            built({"outbox_minimal_backoff": 7200, "rules": [rule("told", {})]})

    def test_a_name_that_does_not_resolve_is_an_error_at_the_options(self) -> None:
        with pytest.raises(
            ConfigError,
            match=r"^pyquarantine.conf:9: rules\[0\].actions\[0\].options: 'x' is not in 'lists'$",
        ):
            built({"rules": [rule("told", {"list": "x"})]})

    @pytest.mark.parametrize(
        ("cause", "text"),
        [("admin", "no luck"), ("bug", "tests.test_config ? cannot build it: ValueError: no luck")],
    )
    def test_what_build_raises_is_one_line(self, cause: str, text: str) -> None:
        with pytest.raises(ConfigError) as caught:
            built({"rules": [rule("told", {"fail": cause})]})
        assert str(caught.value) == f"pyquarantine.conf:9: rules[0].actions[0].options: {text}"


class TestPlugins:
    def test_a_denied_plugin_that_is_named_is_an_error_that_says_so(self, tmp_path: Path) -> None:
        path = tmp_path / "test.conf"
        write_config(path, {"plugins": {"deny": ["headers"]}, "rules": [ADD]})
        text = refusal(path)
        assert text.startswith(f"{path}:13: rules[0].actions[0].type: no installed plugin provides")
        assert "pyq-headers" in text
        assert "not let in by 'plugins'" in text

    def test_a_failed_plugin_that_is_named_is_an_error_with_the_cause(
        self, tmp_path: Path, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_stamp", "import no_such_module")
        text = refusal(write_config(tmp_path / "test.conf", {"rules": [rule("stamp", {})]}))
        assert "no installed plugin provides the action 'stamp'" in text
        assert "pyq-stamp 1.0 failed: ModuleNotFoundError: No module named 'no_such" in text

    def test_a_failed_plugin_that_is_not_named_does_no_harm(
        self, tmp_path: Path, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("pyq_stamp", "import no_such_module")
        config = configuration.load(write_config(tmp_path / "test.conf", {"rules": [ADD]}))
        assert judge(config, received()).decision.verdict is Verdict.ACCEPT


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "x.conf") == (
        f"{tmp_path / 'x.conf'}: cannot be read: No such file or directory"
    )
