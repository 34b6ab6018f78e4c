"""A filter on bare pymilter that does what its second argument says; run as a script.

    python bare_filter.py SOCKET SPECIFICATION

The specification is JSON:

    answers         by callback, or "callback:first argument": the name of a constant of Milter,
                    "EXIT" to end the process there, "HANG" not to return
    reply           arguments of setreply, given before each REJECT and TEMPFAIL
    changes         calls made in eom, such as ["addheader", "X-A", "b"]
    progress        how many times to say "still working" in eom
    noreply         callbacks that do not reply
    callbacks       the callbacks there are, if not all
    leading_space   whether header values keep their leading space
    macros          macro names to log with each event, and to ask for at RCPT
    log             file that gets one JSON list for each event
"""

import importlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

Milter: Any = importlib.import_module("Milter")

CALLBACKS = (
    *("connect", "hello", "envfrom", "envrcpt", "data", "header", "eoh", "body"),
    *("unknown", "eom", "abort", "close"),
)


def plain(argument: object) -> object:
    """The argument as JSON can hold it."""
    return argument.decode("latin-1") if isinstance(argument, bytes) else argument


def make_callback(name: str, specification: dict[str, Any]) -> Any:
    answers = specification.get("answers", {})

    def callback(self: Any, *arguments: Any) -> int:
        macros = {macro: self.getsymval(macro) for macro in specification.get("macros", ())}
        with Path(specification["log"]).open("a") as log:
            log.write(json.dumps([name, *map(plain, arguments), macros]) + "\n")
        if name == "eom":
            for _ in range(specification.get("progress", 0)):
                self.progress()
            for method, *values in specification.get("changes", ()):
                if method == "replacebody":
                    self.replacebody(*(value.encode() for value in values))
                else:
                    getattr(self, method)(*values)
        first = plain(arguments[0]) if arguments else ""
        answer = answers.get(f"{name}:{first}", answers.get(name, "CONTINUE"))
        if answer == "EXIT":
            os._exit(1)
        if answer == "HANG":
            threading.Event().wait()
        if answer in {"REJECT", "TEMPFAIL"} and "reply" in specification:
            self.setreply(*specification["reply"])
        return int(getattr(Milter, answer))

    callback.__name__ = name
    if name in specification.get("noreply", ()):
        callback = Milter.noreply(callback)
    if name == "envrcpt" and specification.get("macros"):
        callback = Milter.symlist(*specification["macros"])(callback)
    return callback


def main(socket: str, specification: dict[str, Any]) -> None:
    namespace = {
        name: make_callback(name, specification)
        for name in CALLBACKS
        if name in specification.get("callbacks", CALLBACKS)
    }
    factory = type("BareFilter", (Milter.Base,), namespace)
    if specification.get("leading_space", True):
        factory = Milter.header_leading_space(factory)
    Milter.factory = factory
    Milter.set_flags(0x1FF)
    Milter.runmilter("bare", socket, 0)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
