"""Commands at one entry at the same time: one copy for each recipient, and no half entry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import pytest
from pyq_file_storage.directory import Directory

from pyquarantine_core.address import Recipient
from pyquarantine_core.config import load
from pyquarantine_core.message import Message
from pyquarantine_core.quarantine import Quarantine, find_quarantine
from pyquarantine_core.testing.daemon import write_config
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.types import Entry

from ..conftest import InstallPlugin
from .conftest import Admin
from .test_notifications import NOTES
from .test_recipients import config

RECIPIENTS = ("u1@example.org", "u2@example.org", "u3@example.org")

# What commands do, one after the other, so that a round does not cost a start of Python.
OPERATOR = """
import json, sys
from pathlib import Path
from pyquarantine_core.config import load
from pyquarantine_core.errors import PyquarantineError
from pyquarantine_core.quarantine import find_quarantine

held = find_quarantine(load(Path(sys.argv[1])), "hold")
held.holding.notifier.notification.open()
print("ready", flush=True)
for line in sys.stdin:
    entry_id, operation, recipients = json.loads(line)
    try:
        if operation == "release":
            result = held.release(entry_id, recipients).sent
        elif operation == "delete":
            held.delete(entry_id, recipients)
            result = recipients or "all"
        elif operation == "copy":
            result = held.copy(entry_id, ["copy@example.org"]).sent
        elif operation == "notify":
            result = held.notify(entry_id, recipients).told
        elif operation == "purge":
            result = [one.id for one in held.purge(0)]
    except PyquarantineError as error:
        result = [type(error).__name__]
    print(json.dumps(result), flush=True)
"""


class Operator:
    """An admin in a process of its own."""

    def __init__(self, config: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OPERATOR, config],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready\n"

    def begin(self, entry: Entry, operation: str, recipients: Sequence[str] | None = None) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([entry.id, operation, recipients]) + "\n")
        self.process.stdin.flush()

    def end(self) -> Any:
        return json.loads(self._line())

    def wait_until_it_waits(self) -> None:
        """Until it waits for a lock that another process has (flock(2), proc_locks(5))."""
        while not any(
            words[1] == "->" and int(words[5]) == self.process.pid
            for words in map(str.split, Path("/proc/locks").read_text().splitlines())
        ):
            assert self.process.poll() is None

    def kill(self) -> None:
        """As kill -9 does it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        self.process.communicate()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.fixture
def path(
    tmp_path: Path, smtp_sink: SmtpSink, install_plugin: InstallPlugin, for_daemons: None
) -> Path:
    install_plugin("notes", NOTES)
    (tmp_path / "told").mkdir()
    settings = config(tmp_path, smtp_sink.port, milter_action="DISCARD", notification="note")
    settings["storages"]["spam"]["metavar"] = "Q"
    settings["notifications"] = {"note": {"type": "notes", "directory": f"{tmp_path}/told"}}
    settings["outbox"] = f"{tmp_path}/outbox"
    return write_config(tmp_path / "pyquarantine.conf", settings)


@pytest.fixture
def quarantine(path: Path) -> Quarantine:
    found = find_quarantine(load(path), "hold")
    found.holding.storage.storage.set_up()
    return found


@pytest.fixture
def operators(path: Path, quarantine: Quarantine) -> Iterator[tuple[Operator, Operator]]:
    with ExitStack() as running:
        pair = Operator(path), Operator(path)
        for one in pair:
            running.callback(one.close)
        yield pair


def hold(quarantine: Quarantine) -> Entry:
    """Hold a message for three recipients."""
    message = Message(sender="from@example.net")
    for one in RECIPIENTS:
        message.receive_recipient(Recipient(one))
    message.receive_header("Subject", b" held")
    message.received_body.append(b"Hello\r\n")
    quarantine.holding.storage.keep(
        message, RECIPIENTS, metadata_default=True, quarantine=quarantine.name
    )
    for effect in message.effects:
        effect.commit()
        effect.conclude()
    message.close()
    return quarantine.get(message.variables["Q_ID"])


def copies(sink: SmtpSink) -> Counter[str]:
    return Counter(recipient for one in sink.received for recipient in one.recipients)


def faults(quarantine: Quarantine) -> list[str]:
    return [one.problem for one in quarantine.holding.storage.storage.faults(metadata=True)]


# -- many rounds, whoever is first -----------------------------------------------------------

OPERATIONS = ("release", "release one", "release two", "delete", "delete one", "copy", "notify")
PAIRS = [
    *combinations_with_replacement(OPERATIONS, 2),
    *((one, "purge") for one in (*OPERATIONS, "purge")),
]


def split(operation: str) -> tuple[str, Sequence[str] | None]:
    name, _, some = operation.partition(" ")
    return name, {"": None, "one": RECIPIENTS[:1], "two": RECIPIENTS[:2]}[some]


def test_of_any_two_operations_at_once_none_sends_twice_or_leaves_half_an_entry(
    quarantine: Quarantine, operators: tuple[Operator, Operator], smtp_sink: SmtpSink
) -> None:
    for pair in PAIRS * 3:
        smtp_sink.clear()
        entry = hold(quarantine)
        for operator, operation in zip(operators, pair, strict=True):
            operator.begin(entry, *split(operation))
        results = [operator.end() for operator in operators]
        left = list(quarantine.find())
        sent = copies(smtp_sink)
        released = Counter(
            one
            for result, operation in zip(results, pair, strict=True)
            if operation.startswith(("release", "copy"))
            for one in result
            if "@" in one
        )
        assert sent == released, (pair, results)
        assert all(sent[one] <= 1 for one in RECIPIENTS), (pair, results)
        remaining = set(left[0].recipients or ()) if left else set()
        assert not remaining & set(sent), (pair, results)
        if not any(one.startswith(("delete", "purge")) for one in pair):
            assert remaining | set(sent) >= set(RECIPIENTS), (pair, results)
        if left:
            assert left[0] == quarantine.get(entry.id)
            with quarantine.open_message(entry.id) as stored:
                assert stored.read().endswith(b"Hello\r\n")
            quarantine.delete(entry.id, None)
        assert faults(quarantine) == [], (pair, results)


# -- one amid the other ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "result", "left"),
    [
        (("release", None), ["EntryNotFoundError"], []),
        (("release", RECIPIENTS[:1]), ["EntryNotFoundError"], []),
        (("delete", None), ["EntryNotFoundError"], []),
        (("purge", None), [], []),
    ],
)
def test_what_comes_amid_a_release_waits_for_its_end(
    quarantine: Quarantine,
    operators: tuple[Operator, Operator],
    smtp_sink: SmtpSink,
    second: tuple[str, Sequence[str] | None],
    result: list[str],
    left: list[str],
) -> None:
    entry = hold(quarantine)
    smtp_sink.hold_answers = True
    operators[0].begin(entry, "release")
    smtp_sink.wait_for(1)
    operators[1].begin(entry, *second)
    operators[1].wait_until_it_waits()
    assert faults(quarantine) == []
    smtp_sink.hold_answers = False
    assert operators[0].end() == list(RECIPIENTS)
    assert operators[1].end() == result
    assert copies(smtp_sink) == dict.fromkeys(RECIPIENTS, 1)
    assert [one.id for one in quarantine.find()] == left


def test_a_partial_release_leaves_the_refused_one_to_the_next_that_waits(
    quarantine: Quarantine, operators: tuple[Operator, Operator], smtp_sink: SmtpSink
) -> None:
    entry = hold(quarantine)
    smtp_sink.refuse_recipients = {RECIPIENTS[1]: "450 4.2.1 later"}
    smtp_sink.hold_answers = True
    operators[0].begin(entry, "release")
    smtp_sink.wait_for(1)
    operators[1].begin(entry, "release")
    operators[1].wait_until_it_waits()
    smtp_sink.refuse_recipients = {}
    smtp_sink.hold_answers = False
    assert operators[0].end() == [RECIPIENTS[0], RECIPIENTS[2]]
    assert operators[1].end() == [RECIPIENTS[1]]
    assert copies(smtp_sink) == dict.fromkeys(RECIPIENTS, 1)
    assert list(quarantine.find()) == []


def test_a_release_killed_after_the_server_took_the_message_is_known_to_the_next(
    quarantine: Quarantine,
    operators: tuple[Operator, Operator],
    smtp_sink: SmtpSink,
    admin: Admin,
    path: Path,
) -> None:
    entry = hold(quarantine)
    smtp_sink.refuse_recipients = {RECIPIENTS[2]: "450 4.2.1 later"}
    smtp_sink.hold_answers = True
    operators[0].begin(entry, "release")
    smtp_sink.wait_for(1)
    operators[1].begin(entry, "release", RECIPIENTS[1:])
    operators[1].wait_until_it_waits()
    operators[0].kill()
    smtp_sink.hold_answers = False
    smtp_sink.refuse_recipients = {}

    assert operators[1].end() == ["ReleaseError"]  # at once: the claim has gone with its process
    done = admin.run("quarantine", "hold", "release", entry.id, "-a")
    assert done.returncode == 1
    doubtful = f"{entry.id} was sent to nobody now, since u1@example.org, u2@example.org may have"
    assert doubtful in done.stderr.decode()
    (checked,) = json.loads(admin.run("check", "--json").stdout)
    assert (checked["name"], checked["mendable"], checked["mended"]) == (entry.id, False, False)

    operators[1].begin(entry, "release", RECIPIENTS[2:])
    assert operators[1].end() == [RECIPIENTS[2]]
    assert copies(smtp_sink) == dict.fromkeys(RECIPIENTS, 1)
    left = quarantine.get(entry.id)
    assert left.recipients == left.in_doubt == RECIPIENTS[:2]
    for one in RECIPIENTS[:2]:
        operators[1].begin(entry, "delete", [one])
        operators[1].end()
    assert faults(quarantine) == []


def test_an_interrupt_after_the_server_took_the_message_comes_too_late(
    quarantine: Quarantine, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = hold(quarantine)
    sync, interrupts = Directory.sync, [KeyboardInterrupt]

    def interrupted(directory: Directory) -> None:
        if smtp_sink.received and interrupts:
            raise interrupts.pop()
        sync(directory)

    monkeypatch.setattr(Directory, "sync", interrupted)
    released = quarantine.release(entry.id, None)
    assert (released.sent, released.kept, interrupts) == (RECIPIENTS, False, [])
    assert copies(smtp_sink) == dict.fromkeys(RECIPIENTS, 1)
    assert list(quarantine.find()) == []
    assert faults(quarantine) == []


def test_a_command_killed_before_the_server_has_the_message_leaves_no_doubt(
    quarantine: Quarantine, operators: tuple[Operator, Operator], smtp_sink: SmtpSink
) -> None:
    entry = hold(quarantine)
    with quarantine.holding.storage.storage.claim(entry.id):
        operators[0].begin(entry, "release")
        operators[0].wait_until_it_waits()
        operators[0].kill()
    operators[1].begin(entry, "release")
    assert operators[1].end() == list(RECIPIENTS)
    assert copies(smtp_sink) == dict.fromkeys(RECIPIENTS, 1)


def test_a_message_that_is_being_held_is_not_there_for_commands_before_it_is_committed(
    quarantine: Quarantine, operators: tuple[Operator, Operator], smtp_sink: SmtpSink
) -> None:
    entry = hold(quarantine)
    directory = Path(entry.variables["Q_DATAFILE"]).parent
    (directory / entry.id).rename(directory / f".{entry.id}.tmp")
    for operation in ("release", "delete", "copy", "notify"):
        operators[0].begin(entry, operation)
        assert operators[0].end() == ["EntryNotFoundError"]
    assert smtp_sink.received == ()
    os.link(directory / f".{entry.id}.tmp", directory / entry.id)
    operators[0].begin(entry, "release")
    assert operators[0].end() == list(RECIPIENTS)
