"""One target under Atheris, in a process of its own: `python -m fuzz.engine NAME ARGUMENTS`.

The arguments are those of libFuzzer. It ends with status 0 when the time is over, else the input is
in a file.
"""

from __future__ import annotations

import logging
import sys

import atheris


def main(name: str, *arguments: str) -> None:
    """Fuzz until libFuzzer has had enough."""
    logging.disable()
    with atheris.instrument_imports(include=["pyquarantine_core", "pyq_*", "html", "bs4"]):
        from fuzz.targets import Target  # noqa: PLC0415 - what is imported here is instrumented

        target = Target.of(name)
    atheris.Setup([name, *arguments], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
