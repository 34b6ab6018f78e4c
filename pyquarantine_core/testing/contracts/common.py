"""What holds for every type: its declaration, its options, and what it opens and closes."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pyquarantine_core.config import Config
from pyquarantine_core.config_schema import merged_schema
from pyquarantine_core.errors import ConfigError
from pyquarantine_core.testing.elsewhere import Elsewhere, Spec
from pyquarantine_core.testing.rules import CONFIG_NAME
from pyquarantine_core.types import Kind, TypeDeclaration

JsonObject = Mapping[str, Any]

WRONG_VALUES: Sequence[Any] = (None, [[]], {"": {}}, -1, 10**30, 0.5, "", "\0", "a\nb", "(")
"""Values that most options cannot take; what one does take is no mistake."""


class TypeContract:
    """The part of all contracts.

    Attributes:
        plugin: the module with the hooks.
        type: what the plugin declares and the config names.
        others: modules of more plugins that the config below needs.
        bad_options: options that must be refused, each with a text that the error has in it.
    """

    kind: Kind
    plugin: ModuleType
    type: str
    others: tuple[ModuleType, ...] = ()
    bad_options: Sequence[tuple[Any, str]] = ()

    # -- what a subclass gives ---------------------------------------------------------------

    @pytest.fixture
    def options(self) -> Any:
        """Valid options of the type, all that it requires; of a condition, its value."""
        return {}

    @pytest.fixture
    def settings(self, tmp_path: Path) -> JsonObject:  # noqa: ARG002 - for those that override it
        """More keys at the top of the config: `storages` that an action names, and the like."""
        return {}

    # -- what its tests use ------------------------------------------------------------------

    @pytest.fixture(autouse=True)
    def _printable_log(self) -> Iterator[None]:
        """Escape hostile text in the log, as the daemon does: test runners may not print it."""
        make = logging.getLogRecordFactory()

        def printable(*arguments: Any, **keywords: Any) -> logging.LogRecord:
            record = make(*arguments, **keywords)
            record.msg = record.getMessage().encode("utf-8", "backslashreplace").decode()
            record.args = ()
            return record

        logging.setLogRecordFactory(printable)
        yield
        logging.setLogRecordFactory(make)

    @pytest.fixture
    def spec(self, options: Any, settings: JsonObject, tmp_path: Path) -> Spec:
        """Says how it is built, here and in other processes."""
        return Spec(
            plugins=(self.plugin.__name__, *(one.__name__ for one in self.others)),
            kind=self.kind,
            type=self.type,
            options=options,
            settings={"outbox": str(tmp_path / "outbox"), **settings},
        )

    @pytest.fixture
    def config(self, spec: Spec) -> Iterator[Config]:
        """A config with it, set up and open as in a worker."""
        loaded = spec.load()
        components = [component for _, component in loaded.components()]
        for component in components:
            component.set_up()
        for component in components:
            component.open()
        yield loaded
        for component in reversed(components):
            component.close()

    @pytest.fixture
    def elsewhere(self, spec: Spec) -> Iterator[Elsewhere]:
        """Other processes that use it at the same time."""
        with Elsewhere(spec) as processes:
            yield processes

    @pytest.fixture
    def declared(self, spec: Spec) -> TypeDeclaration:
        """The declaration."""
        found = spec.load().registry.find(self.kind, self.type)
        assert isinstance(found, TypeDeclaration)
        return found

    # -- the promises ------------------------------------------------------------------------

    def test_it_is_declared_with_a_line_that_says_what_it_is(
        self, declared: TypeDeclaration
    ) -> None:
        assert declared.summary.strip() == declared.summary != ""
        assert declared.summary.isprintable()

    def test_its_schema_can_be_merged_and_is_json(
        self, declared: TypeDeclaration, spec: Spec
    ) -> None:
        merged = merged_schema(spec.load().registry)
        Draft202012Validator.check_schema(merged)
        assert json.loads(json.dumps(declared.schema)) == declared.schema

    def test_every_option_is_described_and_its_default_is_valid(
        self, declared: TypeDeclaration
    ) -> None:
        described = dict(declared.schema.get("properties", {}))
        if self.kind is Kind.CONDITION:
            described[self.type] = declared.schema
        for name, schema in described.items():
            assert schema.get("description", "").strip(), f"{name} has no description"
            if "default" in schema:
                Draft202012Validator(schema).validate(schema["default"])
            assert name not in declared.schema.get("required", ()) or "default" not in schema, (
                f"{name} is required: its default is never used"
            )

    def test_building_it_opens_nothing_that_lasts(self, spec: Spec) -> None:
        spec.load()
        before = _held()
        kept = [spec.load() for _ in range(3)]
        assert _nothing_more(before)
        del kept

    def test_what_it_opens_it_closes_and_closing_again_does_no_harm(self, spec: Spec) -> None:
        component = spec.component(spec.load())
        component.set_up()
        component.open()  # what the first use imports and keeps for good is no leak
        component.close()
        before = _held()
        for _ in range(3):
            component.open()
            component.close()
        component.close()
        assert _nothing_more(before)
        spec.component(spec.load()).close()

    def test_a_value_that_an_option_cannot_take_is_told_in_one_line(
        self, declared: TypeDeclaration, spec: Spec
    ) -> None:
        refused = 0
        for where, options in self._wrong(declared, spec.options):
            try:
                spec.load(options)
            except ConfigError as error:
                refused += 1
                _assert_readable(str(error), where, self.plugin.__name__)
        assert refused or not declared.schema.get("properties", True), "anything is taken"

    def test_the_options_that_it_must_refuse_are_told_in_one_line(self, spec: Spec) -> None:
        for options, expected in self.bad_options:
            with pytest.raises(ConfigError) as caught:
                spec.load(options)
            _assert_readable(str(caught.value), "", self.plugin.__name__)
            assert expected in str(caught.value)

    # -- help --------------------------------------------------------------------------------

    def _wrong(self, declared: TypeDeclaration, options: Any) -> Iterator[tuple[str, Any]]:
        if self.kind is Kind.CONDITION:
            yield from (("", value) for value in WRONG_VALUES)
            return
        yield "no such option", {**options, "no such option": 1}
        for name in declared.schema.get("required", ()):
            yield name, {key: value for key, value in options.items() if key != name}
        for name in declared.schema.get("properties", {}):
            yield from (("", {**options, name: value}) for value in WRONG_VALUES)


def in_threads(work: Callable[[], None], count: int) -> None:
    """Do it in so many threads at the same time."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _assert_readable(text: str, where: str, plugin: str) -> None:
    """Each mistake is one line that begins with its place; an object can have more than one."""
    for line in text.splitlines():
        assert line.startswith(f"{CONFIG_NAME}:"), f"{plugin} breaks the line: {text!r}"
        assert line.isprintable(), repr(line)
        assert where in line
        assert " cannot build it: " not in line, f"{plugin} failed on it: {line}"


def _nothing_more(before: tuple[int, int]) -> bool:
    return all(now <= then for now, then in zip(_held(), before, strict=True))


def _held() -> tuple[int, int]:
    """Open descriptors and running threads of this process."""
    return len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208 - closed at once
