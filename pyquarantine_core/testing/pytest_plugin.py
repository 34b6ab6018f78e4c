"""Fixtures for tests of filters and plugins; pytest finds them by itself (entry point pytest11).

The sink needs the extra `testing`; nothing of it is imported before a test asks for it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from pyquarantine_core.testing.daemon import Daemon
    from pyquarantine_core.testing.postfix import Postfix
    from pyquarantine_core.testing.power import Disk
    from pyquarantine_core.testing.sink import SmtpSink


pytest.register_assert_rewrite("pyquarantine_core.testing.contracts")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of tests that show HTML with `browser`."""
    config.addinivalue_line("markers", "browser: shows HTML in Chromium")


class PostfixFactory(Protocol):
    """Starts a Postfix whose mail ends in the test's `smtp_sink`; arguments as of `Postfix`."""

    def __call__(
        self,
        milter: str | None = None,
        *,
        non_smtpd_milter: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Postfix: ...


class DaemonFactory(Protocol):
    """Starts the daemon on a free port with this config."""

    def __call__(self, config: Mapping[str, Any]) -> Daemon: ...


@pytest.fixture(params=["journal", "no journal"])
def power_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A disk of its own, which shows what is left on it when the power fails; needs root."""
    from pyquarantine_core.testing.power import Disk, NoDiskError  # noqa: PLC0415 - likewise

    try:
        with Disk(tmp_path / "power", journal=request.param == "journal") as disk:
            yield disk
    except NoDiskError as error:
        pytest.skip(str(error))


@pytest.fixture
def start_daemon(tmp_path: Path) -> Iterator[DaemonFactory]:
    """Starts daemons from `tmp_path / "pyquarantine.conf"`, with every plugin that is installed.

    At the end each must stop cleanly; its log shows on failure.
    """
    from pyquarantine_core.testing.daemon import Daemon, write_config  # noqa: PLC0415 - likewise

    with contextlib.ExitStack() as running:

        def start(config: Mapping[str, Any]) -> Daemon:
            path = write_config(tmp_path / "pyquarantine.conf", {"workers": 2} | dict(config))
            daemon = Daemon(path, "inet:0@127.0.0.1").start()

            def stop() -> None:
                status = daemon.stop()
                sys.stdout.write(daemon.log)
                assert status == 0

            running.callback(stop)
            return daemon

        yield start


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
