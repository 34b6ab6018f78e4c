"""Run a command and print what it used, as JSON: `timed.py OUTPUT COMMAND ...`.

The peak of memory that wait4(2) tells is never below that of the process which started the
command, so that must be a small one: this one, run with `python -I -S`.
"""

import json
import os
import sys
import time

_OUTPUT = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def main(output: str, *command: str) -> None:
    """Print wall and CPU time in seconds, the peak of memory in bytes, and the exit status."""
    to_file = [(os.POSIX_SPAWN_OPEN, 1, output, _OUTPUT, 0o600)]
    began = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=to_file)
    _, status, used = os.wait4(pid, 0)
    result = {
        "wall": time.monotonic() - began,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss * 1024,
        "status": os.waitstatus_to_exitcode(status),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
