"""The manual of hooks is whole and true: every hook is described, and every example is run."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from pyquarantine_core import hookspecs
from pyquarantine_core.registry import Status
from pyquarantine_core.testing.contracts.storing import store
from pyquarantine_core.testing.rules import judge, load, matches, received, rule
from pyquarantine_core.types import (
    CommandType,
    Delivery,
    Failure,
    Kind,
    MessageDone,
    Stage,
    Verdict,
)

HOOKS = {
    name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, f"{hookspecs.GROUP}_spec")
}
SECTIONS = ("Example:", "Returns:", "Called:", "Raises:")


def example(hook: str) -> str:
    """The code block of a hook's documentation."""
    found = re.search(r"```python\n(.*?)```", inspect.getdoc(HOOKS[hook]) or "", re.DOTALL)
    assert found is not None, f"{hook} has no example"
    return textwrap.dedent(found[1])


@pytest.fixture
def plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], ModuleType]]:
    """Makes the example of a hook an installed plugin."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(hook: str) -> ModuleType:
        name = f"example_of_{hook}"
        (tmp_path / f"{name}.py").write_text(example(hook))
        return importlib.import_module(name)

    yield install
    for name in [name for name in sys.modules if name.startswith("example_of_")]:
        del sys.modules[name]


def test_there_is_a_hook_for_each_kind() -> None:
    others = {"pyquarantine_message_done", "pyquarantine_files"}
    assert set(HOOKS) == {*(kind.hook for kind in Kind), *others}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_says_what_it_is_returns_and_does_when_it_fails(hook: str) -> None:
    text = inspect.getdoc(HOOKS[hook]) or ""
    assert len(text.splitlines()[0]) > 20
    wanted = [one for one in SECTIONS if hook != "pyquarantine_message_done" or one != "Returns:"]
    assert [one for one in SECTIONS if f"\n{one}\n" in text] == wanted
    ast.parse(example(hook))


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_test_of_its_example(hook: str) -> None:
    assert f"test_{hook.removeprefix('pyquarantine_')}" in globals()


Install = Callable[[str], ModuleType]


def test_conditions(plugin: Install) -> None:
    bulk = plugin("pyquarantine_conditions")
    many = [f"u{number}@example.org" for number in range(11)]
    assert matches({"bulk": True}, received(recipients=many), bulk)
    assert not matches({"bulk": True}, received(), bulk)
    assert matches({"bulk": False}, received(), bulk)


def test_actions(plugin: Install) -> None:
    stamp = plugin("pyquarantine_actions")
    message = received(b"Subject: x\n\n")
    judge(load({"rules": [rule("stamp", {"text": "seen"})]}, stamp), message)
    assert [(one.name, one.value) for one in message.headers][-1] == ("X-Stamp", "seen")


def test_storages(plugin: Install) -> None:
    shelf = plugin("pyquarantine_storages")
    config = load({"storages": {"s": {"type": "shelf"}}, "rules": [rule("nothing", {})]}, shelf)
    storage = config.storages["s"].storage
    message = received(b"Subject: hello\n\nBody\n")
    entry_id = store(storage, message)
    assert [(one.id, one.subject) for one in storage.entries()] == [(entry_id, "hello")]
    with storage.open_message(entry_id) as file:
        assert file.read() == b"".join(message.chunks())
    with storage.claim(entry_id) as claim:
        claim.keep_only(("kept@example.org",))
    assert storage.get(entry_id).recipients == ("kept@example.org",)
    with storage.claim(entry_id) as claim:
        claim.keep_only(())
    assert list(storage.entries()) == []


def test_notifications(plugin: Install, capsys: pytest.CaptureFixture[str]) -> None:
    pager = plugin("pyquarantine_notifications")
    config = load(
        {"notifications": {"n": {"type": "pager"}}, "rules": [rule("nothing", {})]}, pager
    )
    notification = config.notifications["n"].notification
    made = notification.prepare(received(sender="a@example.net"), "u@example.org")
    notification.deliver(Delivery("n", "u@example.org", made))
    assert capsys.readouterr().out == "a@example.net wrote to u@example.org\n"


def test_lists(plugin: Install) -> None:
    colleagues = plugin("pyquarantine_lists")
    options = {"type": "colleagues", "domain": "Example.org"}
    config = load({"lists": {"l": options}, "rules": [rule("nothing", {})]}, colleagues)
    assert config.lists["l"].covers("bob@EXAMPLE.org", "me@us.example")
    assert not config.lists["l"].covers("bob@example.net", "me@us.example")


def test_services(plugin: Install, tmp_path: Path) -> None:
    path = tmp_path / "beat"
    settings = {"heartbeat": str(path), "rules": [rule("nothing", {})]}
    config = load(settings, plugin("pyquarantine_services"))
    (service,) = config.services.values()
    waited: list[float | None] = []

    class Once(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            return len(waited) > 1

    service.run(Once())
    assert path.exists()
    assert waited == [60, 60]


def test_files(plugin: Install, tmp_path: Path) -> None:
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "pager.template").write_text("{SUBJECT}")
    (declared,) = plugin("pyquarantine_files").pyquarantine_files()
    assert declared.path.name == "pager.template"
    assert declared.source.read_text() == "{SUBJECT}"


def test_commands(plugin: Install) -> None:
    config = load({"rules": [rule("nothing", {})]}, plugin("pyquarantine_commands"))
    declared = config.registry.find(Kind.COMMAND, "hello")
    assert isinstance(declared, CommandType)
    assert CliRunner().invoke(declared.build(), []).output == "hello\n"


def test_message_done(plugin: Install, capsys: pytest.CaptureFixture[str]) -> None:
    config = load({"rules": [rule("nothing", {})]}, plugin("pyquarantine_message_done"))
    assert all(one.status is Status.ACTIVE for one in config.registry.plugins)
    failure = Failure(
        plugin="pyq-x 1.0", kind=Kind.ACTION, type="x", step="r/a", text="failed", tempfail=True
    )
    done = MessageDone(
        queue_id="4XYZ",
        client="192.0.2.1",
        sender="",
        recipients=(),
        verdict=Verdict.TEMPFAIL,
        stage=Stage.BODY,
        rules=("r",),
        actions=(),
        stored=0,
        notified=0,
        seconds=0.0,
        failures=(failure,),
    )
    config.registry.message_done(done)
    assert capsys.readouterr().out == "4XYZ tempfail pyq-x 1.0\n"
