"""Tells systemd how far the daemon is (sd_notify(3), without its library)."""

from __future__ import annotations

import logging
import os
import socket

logger = logging.getLogger(__name__)


def notify(state: str) -> None:
    """Send a state such as `READY=1` to the service manager, if there is one that listens.

    Args:
        state: assignments, one a line.
    """
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = f"\0{path[1:]}" if path.startswith("@") else path  # abstract, unix(7)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(), address)
    except OSError as error:
        logger.warning("cannot tell systemd %r: %s", state, error)


def still_alive() -> None:
    """Tell the watchdog, if it waits for that (`WatchdogSec=` of the unit)."""
    if os.environ.get("WATCHDOG_USEC"):
        notify("WATCHDOG=1")
