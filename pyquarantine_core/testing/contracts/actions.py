"""The contract of actions: they work on any message, and change what they declare, no more."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pyquarantine_core.config import Config
from pyquarantine_core.message import Message
from pyquarantine_core.testing import hostile
from pyquarantine_core.testing.contracts.common import TypeContract, in_threads
from pyquarantine_core.testing.elsewhere import Spec
from pyquarantine_core.testing.mail_mix import MIX
from pyquarantine_core.testing.rules import Judged, judge, received
from pyquarantine_core.types import Kind, Verdict


class ActionContract(TypeContract):
    """What the engine relies on in an action."""

    kind: Kind = Kind.ACTION

    # -- what a subclass may give ------------------------------------------------------------

    def messages(self) -> Iterable[tuple[str, Message]]:
        """More messages to try it on, each with a name."""
        return ()

    def comparable(self, message: Message) -> object:
        """What of a message must be equal whenever the action is applied to equal messages.

        By default all of it; without what an action makes up at random on purpose (a boundary).
        """
        return (
            message.addresses,
            b"".join(message.chunks()),
            sorted(message.variables),
            [effect.describe() for effect in message.effects],
        )

    # -- the promises ------------------------------------------------------------------------

    def test_it_works_on_any_message_with_what_it_declares(self, config: Config) -> None:
        for name, message in self._samples():
            judged = _judge(config, message, name)
            assert judged.ran == ("rule/action",), name
            _end(message)

    def test_the_message_as_received_stays_as_it_was(self, config: Config) -> None:
        for name, message in self._samples():
            before = b"".join(message.chunks(original=True))
            recipients = list(message.received_recipients)
            _judge(config, message, name)
            assert b"".join(message.chunks(original=True)) == before, name
            assert message.received_recipients == recipients, name
            _end(message)

    def test_equal_messages_are_treated_alike(self, config: Config) -> None:
        for (name, one), (_, other) in zip(self._samples(), self._samples(), strict=True):
            first, second = _judge(config, one, name), _judge(config, other, name)
            assert first == second, name
            assert self.comparable(one) == self.comparable(other), name
            _end(one)
            _end(other)

    def test_it_makes_no_header_of_a_text(self, config: Config) -> None:
        message = hostile.with_text(hostile.TEXTS["line breaks"])
        before = sum(one.name == "X-Injected" for one in message.headers)
        _judge(config, message, "line breaks")
        head = b"".join(message.chunks()).partition(b"\r\n\r\n")[0]
        assert head.split(b"\r\n").count(hostile.INJECTED.encode()) == before
        _end(message)

    @pytest.mark.usefixtures("config")  # what it names is set up
    def test_pretended_it_leaves_all_as_it_is(self, spec: Spec) -> None:
        pretended = spec.load(pretend=True)
        for _, component in pretended.components():
            component.open()
        for name, message in self._samples():
            before = (message.snapshot(), _bytes(message))
            judged = _judge(pretended, message, name)
            assert (judged.ran, judged.decision.verdict) == ((), Verdict.ACCEPT), name
            assert (message.snapshot(), _bytes(message)) == before, name
            message.close()
        for _, component in pretended.components():
            component.close()

    def test_what_it_stages_is_described_and_committed(self, config: Config) -> None:
        message = received(MIX["attachments"])
        _judge(config, message, "attachments")
        for effect in sorted(message.effects, key=lambda one: one.phase):
            assert effect.describe().isprintable()
            effect.commit()
        for effect in message.effects:
            effect.conclude()

    def test_threads_use_it_at_the_same_time(self, config: Config) -> None:
        expected = [_judge(config, received(content), name) for name, content in MIX.items()]
        found: list[list[Judged]] = []

        def work() -> None:
            messages = [(name, received(content)) for name, content in MIX.items()]
            found.append([_judge(config, message, name) for name, message in messages])
            for _, message in messages:
                _end(message)

        in_threads(work, 4)
        assert found == [expected] * 4

    # -- help --------------------------------------------------------------------------------

    def _samples(self) -> Iterable[tuple[str, Message]]:
        yield from hostile.messages()
        yield from self.messages()


def _judge(config: Config, message: Message, name: str) -> Judged:
    """Let the engine run it, which refuses what was not declared."""
    try:
        return judge(config, message)
    except Exception as error:
        raise AssertionError(f"{name}: {str(error)!a}") from error


def _bytes(message: Message) -> tuple[bytes, bytes]:
    """As it is now, and as it was received."""
    return b"".join(message.chunks()), b"".join(message.chunks(original=True))


def _end(message: Message) -> None:
    message.undo_effects()
    message.close()
