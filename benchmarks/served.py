"""The filter of a config in one process, without the daemon: `served.py SOCKET CONFIG`."""

from __future__ import annotations

import sys
from pathlib import Path

from pyquarantine_core import config as configuration
from pyquarantine_core import milter
from pyquarantine_core.log import set_up_logging
from pyquarantine_core.underway import MessagesUnderWay


def main(address: str, path: Path) -> None:
    """Serve until SIGTERM."""
    config = configuration.load(path)
    set_up_logging()
    milter.prepare(
        milter.make_filter(config.rules, MessagesUnderWay(), config.message_done), address
    )
    milter.serve()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
