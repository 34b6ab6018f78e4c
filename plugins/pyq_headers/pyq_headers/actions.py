"""What the header actions do."""

from __future__ import annotations

import logging

from pyquarantine_core.header import Header
from pyquarantine_core.header_text import clean_text
from pyquarantine_core.message import Message
from pyquarantine_core.patterns import Budget, Pattern, check_template, compile_pattern
from pyquarantine_core.types import Action, Options, Services


class AddHeader(Action):
    """Adds a header after all others."""

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> AddHeader:
        return cls(options["field"], options["value"])

    def apply(self, message: Message) -> None:
        message.add_header(self._name, self._value)
        message.log.info("added the header %s", self._name)


class ModHeader(Action):
    """Changes the value of all headers that match, and leaves those alone that would be empty."""

    def __init__(self, name: Pattern, search: Pattern | None, value: str) -> None:
        self._name = name
        self._search = search
        self._value = value

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> ModHeader:
        search = _value_pattern(options.get("search"))
        if search is not None:
            check_template(search, options["value"])
        return cls(compile_pattern(options["field"]), search, options["value"])

    def apply(self, message: Message) -> None:
        edits: list[tuple[Header, str | None]] = []
        emptied: list[Header] = []
        budget = message.budget()
        for header in message.headers:
            if self._name.match(header.name, budget) is None:
                continue
            new = self._new_value(header.value, budget)
            if new == header.value:
                continue
            if clean_text(new):
                edits.append((header, new))
            else:
                emptied.append(header)
        message.edit_headers(edits)
        _log(message, logging.INFO, "changed", [header for header, _ in edits])
        _log(message, logging.WARNING, "left alone what would be empty:", emptied)

    def _new_value(self, value: str, budget: Budget) -> str:
        if self._search is None:
            return self._value
        return self._search.sub(self._value, value, budget)


class DelHeader(Action):
    """Deletes all headers that match."""

    def __init__(self, name: Pattern, value: Pattern | None) -> None:
        self._name = name
        self._value = value

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> DelHeader:
        return cls(compile_pattern(options["field"]), _value_pattern(options.get("value")))

    def apply(self, message: Message) -> None:
        budget = message.budget()
        gone = [
            header
            for header in message.headers
            if self._name.match(header.name, budget) is not None
            and (self._value is None or self._value.search(header.value, budget) is not None)
        ]
        message.edit_headers([(header, None) for header in gone])
        _log(message, logging.INFO, "deleted", gone)


def _log(message: Message, level: int, done: str, headers: list[Header]) -> None:
    """One line, however many headers a stranger has written."""
    if headers:
        names = ", ".join(dict.fromkeys(header.name for header in headers))
        message.log.log(level, "%s %d headers: %s", done, len(headers), names)


def _value_pattern(text: str | None) -> Pattern | None:
    return None if text is None else compile_pattern(text, multiline=True, dotall=True)
