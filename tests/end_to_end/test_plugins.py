"""What the daemon says of plugins that somebody should mend, and that it runs all the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pyquarantine_core import __version__
from pyquarantine_core.testing.daemon import Daemon, DaemonFailed, write_config
from pyquarantine_core.testing.mta import Mail, Verdict, send
from pyquarantine_core.testing.rules import rule

if TYPE_CHECKING:
    from tests.conftest import InstallPlugin
    from tests.end_to_end.conftest import DaemonFactory

ADDS = rule("add_header", {"field": "X-A", "value": "b"})
MAIL = Mail("a@example.org", ("b@example.org",), b"Subject: x\n\n")
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
    daemon = start_daemon({"rules": [ADDS]})
    assert send(daemon.address, MAIL).verdict is Verdict.ACCEPT
    assert daemon.stop() == 0
    lines = [one.partition(": plugin ")[2].strip() for one in daemon.log.splitlines()]
    assert sorted(filter(None, lines)) == [
        "pyq-bad 1.0 failed: SystemExit: 3 (pyq_bad.py:1)",
        f"pyq-newer 1.0 failed: wants pyquarantine-core>=99, this is {__version__}",
        "pyq-old 1.0 is outdated: the field old goes away; use new",
    ]


ENDING = """
import os
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import *

class Ending(MailList):
    def {step}(self):
        {end}

    def covers(self, sender, recipient):
        return False

@hookimpl
def pyquarantine_lists():
    yield ListType(name="ending", summary="x", schema={{"type": "object", "properties": {{}}}},
                   build=lambda options, services: Ending())
"""


@pytest.mark.usefixtures("for_daemons")
@pytest.mark.parametrize(
    ("step", "end", "said"),
    [
        ("set_up", "raise SystemExit(0)", "lists.mine: set_up() raised SystemExit: 0"),
        ("set_up", "raise KeyError('x')", "lists.mine: set_up() raised KeyError: 'x'"),
        ("open", "raise SystemExit(0)", "lists.mine: open() raised SystemExit: 0"),
        ("open", "os._exit(0)", "ended before it was ready (exit status 0)"),
    ],
)
def test_one_that_ends_its_process_keeps_the_daemon_from_starting_and_it_says_why(
    step: str, end: str, said: str, install_plugin: InstallPlugin, tmp_path: Path
) -> None:
    install_plugin("pyq_ending", ENDING.format(step=step, end=end))
    settings = {"lists": {"mine": {"type": "ending"}}, "rules": [ADDS]}
    config = write_config(tmp_path / "c.conf", settings)
    with pytest.raises(DaemonFailed, match=re.escape(said)):
        Daemon(config, "inet:0@127.0.0.1").start()


SERVICE = """
import os
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Service, ServiceType

class Ending(Service):
    def run(self, stopping):
        {end}

@hookimpl
def pyquarantine_services():
    yield ServiceType(name="ending", summary="x", schema={{"type": "boolean", "description": "x"}},
                      build=lambda value, services: Ending())
"""


@pytest.mark.usefixtures("for_daemons")
@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("raise SystemExit(3)", "ending stopped\n  Traceback"),
        ("os._exit(3)", "ended unexpectedly (exit status 3); replacing it in 1 s"),
    ],
)
def test_a_service_that_ends_its_process_keeps_nothing_from_starting(
    end: str, said: str, install_plugin: InstallPlugin, start_daemon: DaemonFactory
) -> None:
    install_plugin("pyq_ending", SERVICE.format(end=end))
    daemon = start_daemon({"ending": True, "rules": [ADDS]})
    assert send(daemon.address, MAIL).verdict is Verdict.ACCEPT
    daemon.wait_for_log(said.splitlines()[-1])
    assert said in daemon.log
