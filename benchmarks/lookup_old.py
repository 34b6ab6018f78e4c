"""CPU seconds of look-ups in a list of 2.1.0: `lookup_old.py DATABASE SENDER RECIPIENT COUNT`.

On its own, for its daemon cannot use SQLite: libmilter moves a connection between threads.
"""

import logging
import sys
import time

from pyquarantine.config import ListConfig
from pyquarantine.lists import DatabaseList

database, sender, recipient, count = sys.argv[1:]
options = {"type": "db", "name": "allow", "connection": f"sqlite:///{database}", "table": "allow"}
config = ListConfig(options)
config["loglevel"] = "info"  # as its commands put it in
found = DatabaseList(config, debug=False)
logger = logging.getLogger("measurement")
assert found.check(sender, recipient, logger)
began = time.process_time()
for _ in range(int(count)):
    found.check(sender, recipient, logger)
print(time.process_time() - began)
