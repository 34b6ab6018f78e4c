"""CPU seconds of look-ups in a list: `lookup_ours.py DATABASE SENDER RECIPIENT COUNT`."""

import sys
import time

from pyq_db_list.mail_list import DbList
from pyq_db_list.pool import Pool


def main(database: str, sender: str, recipient: str, count: str) -> None:
    """Print what so many take, once the connection is open."""
    found = DbList(Pool.of(f"sqlite:///{database}"), "allow")
    found.open()
    assert found.covers(sender, recipient)
    began = time.process_time()
    for _ in range(int(count)):
        found.covers(sender, recipient)
    print(time.process_time() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
