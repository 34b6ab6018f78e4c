"""Does something with a storage in processes that die, or pause, before each step of it in turn.

    python crashes.py kill|check OPERATION DIRECTORY plain|indexed

For n = 1, 2, ... it prepares `DIRECTORY/n` and forks a process that does the operation there.
Before its n-th call of the system that changes or finds a name, that one kills itself (`kill`), or
waits until a check has mended all it finds (`check`). It ends with the n at which there was no
n-th call, and prints it.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from pyq_file_storage.storage import FileStorage

from pyquarantine_core.address import Recipient
from pyquarantine_core.message import Message
from pyquarantine_core.types import NewEntry, Query, StoreEffect

STEPS = {"open", "os.link", "os.rename", "os.remove", "os.mkdir", "fcntl.flock", "os.chmod"}
RECIPIENTS = ("one@example.org", "two@example.org")
CONTENT = b"Subject: whole\r\n\r\nHello\r\n"


def staged(storage: FileStorage, *, metadata: bool = True) -> StoreEffect:
    message = Message(sender="from@example.org")
    message.queue_id = "4XYZ"
    for address in RECIPIENTS:
        message.receive_recipient(Recipient(address))
    message.receive_header("Subject", b" whole")
    message.received_body.append(b"Hello\r\n")
    return storage.stage(
        NewEntry(
            message=message,
            recipients=RECIPIENTS,
            original=False,
            metadata=metadata,
            metavar="S",
            quarantine="rule/action",
        )
    )


def store(storage: FileStorage, *, metadata: bool = True) -> None:
    effect = staged(storage, metadata=metadata)
    effect.prepare()
    effect.commit()
    effect.conclude()


def store_without_metadata(storage: FileStorage) -> None:
    store(storage, metadata=False)


def store_and_undo(storage: FileStorage) -> None:
    effect = staged(storage)
    effect.prepare()
    effect.commit()
    effect.undo()


def prepare_and_undo(storage: FileStorage) -> None:
    effect = staged(storage)
    effect.prepare()
    effect.undo()


def take_one_off(storage: FileStorage) -> None:
    (entry,) = storage.entries()
    with storage.claim(entry.id) as claim:
        claim.keep_only(RECIPIENTS, in_doubt=RECIPIENTS[1:])
        claim.keep_only(RECIPIENTS[:1])


def delete(storage: FileStorage) -> None:
    (entry,) = storage.entries()
    with storage.claim(entry.id) as claim:
        claim.delete()


def mend(storage: FileStorage) -> None:
    for fault in storage.faults(metadata=True):
        if fault.mend is not None:
            fault.mend()


def leave_all_kinds(storage: FileStorage, directory: Path) -> None:
    """An entry with stale names, one never finished, metadata alone, an update cut off."""
    store(storage)
    (data,) = (one.id for one in storage.entries())
    os.link(directory / data, directory / f".{data}.tmp")
    (directory / f".{data}.metadata.new").write_text("{")
    for name in ("20200101000000_HALF.metadata", ".20200101000000_HALF.tmp"):
        (directory / name).write_text(f"content of {name}")
    (directory / "20200101000000_LOST.metadata").write_text("lost")


OPERATIONS: dict[str, Callable[[FileStorage], None]] = {
    one.__name__: one
    for one in (
        store,
        store_without_metadata,
        store_and_undo,
        prepare_and_undo,
        take_one_off,
        delete,
        mend,
    )
}


def run(mode: str, operation: str, directory: Path, kind: str) -> int:
    """Go through all steps; returns how many processes there were."""
    for number in itertools.count(1):
        storage = FileStorage(directory / str(number))
        storage.set_up()
        if kind == "indexed":
            (directory / str(number) / ".index").mkdir()
            list(storage.find(Query()))
        if operation == "mend":
            leave_all_kinds(storage, directory / str(number))
        elif operation in {"take_one_off", "delete"}:
            store(storage)
        reached, here = os.pipe()
        go_on, go = os.pipe()
        pid = os.fork()
        if not pid:
            do(OPERATIONS[operation], storage, number, here, go_on if mode == "check" else None)
        os.close(here)
        paused = mode == "check" and os.read(reached, 1) == b"+"
        if paused:
            mend(storage)
        os.write(go, b"+")
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        for descriptor in (reached, go_on, go):
            os.close(descriptor)
        if status not in {0, -signal.SIGKILL}:
            raise RuntimeError(f"{operation} ended with {status} at its step {number}")
        if not paused and not status:
            return number
    raise AssertionError


def do(
    operation: Callable[[FileStorage], None],
    storage: FileStorage,
    number: int,
    reached: int,
    go_on: int | None,
) -> None:
    """In the forked process: the operation, up to its n-th step or to its end."""
    left = number

    def watch(event: str, _arguments: object) -> None:
        nonlocal left
        left -= event in STEPS
        if left or event not in STEPS:
            return
        if go_on is None:
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            os.write(reached, b"+")
            os.read(go_on, 1)

    status = 1
    try:
        sys.addaudithook(watch)
        operation(storage)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    sys.stdout.write(f"{run(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])}\n")
