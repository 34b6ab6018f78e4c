"""The same component in other processes: as workers, commands and the outbox sender have it.

    python -m pyquarantine_core.testing.elsewhere MODULE:FUNCTION ARGUMENTS < SPEC

runs a task there: a function of the component, a `Teller` and JSON arguments.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

from pyquarantine_core.config import Config
from pyquarantine_core.testing.rules import load
from pyquarantine_core.types import Component, Kind

NAME = "it"
"""The component's name in the config."""


class Teller:
    """A task's line to the test: what it has done, and when to go on."""

    def tell(self, value: object) -> None:
        """Tell the test something, at once."""
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()

    def wait(self) -> None:
        """Wait until the test says so."""
        if not sys.stdin.readline():
            raise SystemExit("the test has ended")


Task = Callable[..., None]
"""Takes the component, a Teller, and what the test has given."""


@dataclass(frozen=True, slots=True)
class Spec:
    """How a component is built.

    Attributes:
        plugins: names of the modules with hooks.
        kind: what it is.
        type: its name in the config.
        options: its options, or its value.
        settings: more keys at the top of the config.
    """

    plugins: tuple[str, ...]
    kind: Kind
    type: str
    options: Any
    settings: Mapping[str, Any]

    def load(self, options: Any = None, **keys: Any) -> Config:
        """A config with it; `keys` are more keys of an action.

        Raises:
            ConfigError: what is wrong with the options.
        """
        plugins = [importlib.import_module(name) for name in self.plugins]
        return load(self._data(self.options if options is None else options, keys), *plugins)

    def _data(self, options: Any, keys: Mapping[str, Any]) -> dict[str, Any]:
        action = {"name": "action", "type": "nothing", "options": {}}
        data: dict[str, Any] = {**self.settings}
        rule: dict[str, Any] = {"name": "rule"}
        match self.kind:
            case Kind.ACTION:
                action = {**action, "type": self.type, "options": options, **keys}
            case Kind.CONDITION:
                rule["conditions"] = {self.type: options}
            case _:
                entry = {"type": self.type, **options}
                data[self.kind.value] = {**data.get(self.kind.value, {}), NAME: entry}
        return {**data, "rules": [{**rule, "actions": [action]}]}

    def component(self, config: Config) -> Component:
        """What `build` has made, in a config that `load` gave."""
        match self.kind:
            case Kind.STORAGE:
                return config.storages[NAME].storage
            case Kind.NOTIFICATION:
                return config.notifications[NAME].notification
            case Kind.LIST:
                return config.lists[NAME]
            case Kind.ACTION:
                return next(config.rules.actions).action
            case _:
                return config.rules.rules[0].conditions.all[0].condition

    def dump(self) -> str:
        """As text for another process."""
        return json.dumps(
            [list(self.plugins), self.kind.value, self.type, self.options, dict(self.settings)]
        )

    @classmethod
    def read(cls, text: str) -> Self:
        """What `dump` gave."""
        plugins, kind, *rest = json.loads(text)
        return cls(tuple(plugins), Kind(kind), *rest)


class Process:
    """A process at work on a task."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def hear(self) -> Any:
        """What it tells next.

        Raises:
            AssertionError: it ended instead.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the process ended with status {self._process.wait()}"
        return json.loads(line)

    def tells_within(self, seconds: float) -> bool:
        """Whether it tells something soon: to see that it does not."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def go_on(self) -> None:
        """Let it go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it with SIGKILL: no code of its own runs any more."""
        self._process.kill()
        self._process.wait()

    def finish(self) -> None:
        """Wait for its end.

        Raises:
            AssertionError: it failed.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait() == 0, "a process failed; its traceback is above"


class Elsewhere:
    """Starts processes that have the component; those still running are killed at the end."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._running = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._running.close()

    def start(self, task: Task, *arguments: object) -> Process:
        """Start a task: a function at the top of a module."""
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pyquarantine_core.testing.elsewhere"),
                *(f"{task.__module__}:{task.__qualname__}", json.dumps(arguments)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._running.callback(_end, process)
        assert process.stdin is not None
        process.stdin.write(self._spec.dump() + "\n")
        process.stdin.flush()
        return Process(process)

    def at_once(self, task: Task, *arguments: tuple[object, ...]) -> list[Process]:
        """Start a task for each of these arguments; all begin together.

        The task begins with `Teller.wait`, after it has told that it is ready.
        """
        started = [self.start(task, *one) for one in arguments]
        for process in started:
            process.hear()
        for process in started:
            process.go_on()
        return started


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def main() -> None:
    """Run a task."""
    module, _, function = sys.argv[1].partition(":")
    task = getattr(importlib.import_module(module), function)
    spec = Spec.read(sys.stdin.readline())
    component = spec.component(spec.load())
    component.open()
    task(component, Teller(), *json.loads(sys.argv[2]))
    component.close()


if __name__ == "__main__":
    main()
