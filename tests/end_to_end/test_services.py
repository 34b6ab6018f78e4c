"""What plugins run beside the mail, in processes of their own."""

from __future__ import annotations

import os
import signal

import pytest

from pyquarantine_core import loading
from pyquarantine_core.registry import Status
from pyquarantine_core.testing.mta import send

from ..conftest import InstallPlugin
from .conftest import DaemonFactory
from .test_reload import MAIL, adds, await_end

SERVICE = """
import logging, os
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Service, ServiceType

logger = logging.getLogger(__name__)

class Beside(Service):
    def __init__(self, greeting):
        self.greeting = greeting

    def run(self, stopping):
        logger.info("%s from %d", self.greeting, os.getpid())
        stopping.wait()
        logger.info("goodbye")

    def message_done(self, done):
        logger.info("heard of <%s>", done.sender)
        raise RuntimeError("does not matter")

@hookimpl
def pyquarantine_services():
    yield ServiceType(name="{name}", summary="", build=lambda value, services: Beside(value),
        schema={{"type": "string", "description": "What it says"}})
"""


def pid_in(line: str) -> int:
    return int(line.rpartition(" ")[2])


@pytest.mark.usefixtures("for_daemons")
def test_a_service_runs_in_a_process_of_its_own_and_is_started_again(
    install_plugin: InstallPlugin, start_daemon: DaemonFactory
) -> None:
    install_plugin("greeting", SERVICE.format(name="greet"))
    daemon = start_daemon(adds("x", greet="hello"))
    pid = pid_in(daemon.wait_for_log("hello from "))
    assert len(daemon.workers()) == 3
    assert pid in daemon.workers()
    send(daemon.address, MAIL)
    daemon.wait_for_log("heard of <a@x.example>")
    daemon.wait_for_log("greet failed to observe the message")

    end = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    await_end(end)
    daemon.wait_for_log(f"greet {pid} ended unexpectedly (signal 9); replacing it")
    daemon.reload()  # so that the one that runs is ready, and not ended while it starts
    assert daemon.stop() == 0
    daemon.wait_for_log("goodbye")


@pytest.mark.usefixtures("for_daemons")
def test_a_service_that_ends_at_once_does_not_keep_the_daemon_from_starting(
    install_plugin: InstallPlugin, start_daemon: DaemonFactory
) -> None:
    install_plugin("greeting", SERVICE.format(name="greet").replace("stopping.wait()", "return"))
    daemon = start_daemon(adds("x", greet="hello"))
    daemon.wait_for_log("ended unexpectedly (exit status 0); replacing it in 1 s")


@pytest.mark.usefixtures("for_daemons")
def test_a_service_without_its_key_does_not_run(
    install_plugin: InstallPlugin, start_daemon: DaemonFactory
) -> None:
    install_plugin("greeting", SERVICE.format(name="greet"))
    daemon = start_daemon(adds("x"))
    assert len(daemon.workers()) == 2


def test_a_service_cannot_take_a_key_of_the_core(install_plugin: InstallPlugin) -> None:
    install_plugin("greeting", SERVICE.format(name="rules"))
    (plugin,) = (one for one in loading.load().plugins if one.name == "greeting")
    assert plugin.status is Status.FAILED
    assert plugin.cause == "the key 'rules' of the config belongs to the core"
