"""What the daemon says of plugins that somebody should mend, and that it runs all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pyquarantine_core import __version__
from pyquarantine_core.testing.mta import Mail, Verdict, send
from pyquarantine_core.testing.rules import rule

if TYPE_CHECKING:
    from tests.conftest import InstallPlugin
    from tests.end_to_end.conftest import DaemonFactory

OUTDATED = """
import warnings
from pyquarantine_core.errors import DeprecatedApiWarning
from pyquarantine_core.hookspecs import hookimpl

@hookimpl
def pyquarantine_actions():
    warnings.warn("the field old goes away; use new", DeprecatedApiWarning)
    return ()
"""


@pytest.mark.usefixtures("for_daemons")
def test_the_log_names_plugins_that_failed_or_are_outdated_and_mail_is_served(
    install_plugin: InstallPlugin, start_daemon: DaemonFactory
) -> None:
    install_plugin("pyq_bad", "raise SystemExit(3)")
    install_plugin("pyq_newer", "1 / 0", requires=("pyquarantine-core>=99",))
    install_plugin("pyq_old", OUTDATED)
    daemon = start_daemon({"rules": [rule("add_header", {"field": "X-A", "value": "b"})]})
    mail = Mail("a@example.org", ("b@example.org",), b"Subject: x\n\n")
    assert send(daemon.address, mail).verdict is Verdict.ACCEPT
    assert daemon.stop() == 0
    lines = [one.partition(": plugin ")[2].strip() for one in daemon.log.splitlines()]
    assert sorted(filter(None, lines)) == [
        "pyq-bad 1.0 failed: SystemExit: 3",
        f"pyq-newer 1.0 failed: wants pyquarantine-core>=99, this is {__version__}",
        "pyq-old 1.0 is outdated: the field old goes away; use new",
    ]
