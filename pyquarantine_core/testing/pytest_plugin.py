"""Fixtures for tests of filters and plugins; pytest finds them by itself (entry point pytest11).

The sink needs the extra `testing`; nothing of it is imported before a test asks for it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from pyquarantine_core.testing.postfix import Postfix
    from pyquarantine_core.testing.sink import SmtpSink


class PostfixFactory(Protocol):
    """Starts a Postfix whose mail ends in the test's `smtp_sink`; arguments as of `Postfix`."""

    def __call__(
        self,
        milter: str | None = None,
        *,
        non_smtpd_milter: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Postfix: ...


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    """An SMTP server that keeps what it gets."""
    from pyquarantine_core.testing.sink import SmtpSink  # noqa: PLC0415 - only for those who ask

    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def throwaway_postfix(smtp_sink: SmtpSink) -> Iterator[PostfixFactory]:
    """Starts a Postfix, as in `throwaway_postfix("unix:PATH")`; its log shows on failure."""
    from pyquarantine_core.testing.postfix import Postfix  # noqa: PLC0415 - likewise

    with contextlib.ExitStack() as running:

        def start(
            milter: str | None = None,
            *,
            non_smtpd_milter: str | None = None,
            settings: Mapping[str, str] | None = None,
        ) -> Postfix:
            postfix = Postfix(
                smtp_sink.port, milter, non_smtpd_milter=non_smtpd_milter, settings=settings
            )
            running.enter_context(postfix)
            running.callback(lambda: sys.stdout.write(postfix.log()))
            return postfix

        yield start
