"""An MTA's side under load: some connections at once, each with messages one after another."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyquarantine_core.testing.mta import Mail, MilterConnection, Verdict

MESSAGES = 200
"""Of a load, on all connections together."""


@dataclass(frozen=True)
class Outcome:
    """What became of a load.

    Attributes:
        latencies: seconds from MAIL to the answer, of each message.
        round_trips: how many times the MTA waited, of each message.
        verdicts: the answers that came.
        seconds: from the first to the last.
    """

    latencies: Sequence[float]
    round_trips: Sequence[int]
    verdicts: frozenset[Verdict]
    seconds: float

    @property
    def p99(self) -> float:
        """Seconds within which 99 of 100 messages were answered."""
        return statistics.quantiles(self.latencies, n=100)[98]


@dataclass
class Load:
    """Sends a message again and again, as many clients would.

    Attributes:
        address: of the filter.
        mail: what to send.
        connections: how many at once.
        messages: on all of them together.
    """

    address: str
    mail: Mail
    connections: int
    messages: int = MESSAGES
    _latencies: list[float] = field(default_factory=list)
    _trips: list[int] = field(default_factory=list)
    _verdicts: set[Verdict] = field(default_factory=set)
    _errors: list[BaseException] = field(default_factory=list)

    def run(self) -> Outcome:
        """Send all of it.

        Raises:
            OSError, RuntimeError: the filter failed.
        """
        threads = [threading.Thread(target=self._client) for _ in range(self.connections)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - started
        if self._errors:
            raise self._errors[0]
        return Outcome(self._latencies, self._trips, frozenset(self._verdicts), seconds)

    def _client(self) -> None:
        try:
            with MilterConnection(self.address) as connection:
                connection.client_connects()
                for _ in range(self.messages // self.connections):
                    began = time.perf_counter()
                    result = connection.send(self.mail)
                    self._latencies.append(time.perf_counter() - began)
                    self._trips.append(result.round_trips)
                    self._verdicts.add(result.verdict)
        except BaseException as error:
            self._errors.append(error)
