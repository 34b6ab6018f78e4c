"""Sends the hostile messages of a family through the real daemon, and looks at what comes of it."""

from __future__ import annotations

import email
import email.policy
import json
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyquarantine_core.testing.daemon import Daemon
from pyquarantine_core.testing.mail import crlf, split
from pyquarantine_core.testing.mta import ConnectionLost, Mail, MilterConnection, Result, Verdict

from . import (
    encoded_words,
    envelope,
    file_names,
    header_bounds,
    header_fields,
    injection,
    markup,
    mime_structure,
    sizes,
    texts,
    time_bombs,
)
from .case import Case
from .site import JUDGED, PATTERN_SECONDS, TOUCHED, running

FAMILIES = (
    encoded_words,
    header_fields,
    header_bounds,
    envelope,
    injection,
    mime_structure,
    file_names,
    texts,
    markup,
    time_bombs,
    sizes,
)
"""A module for each family."""
HANGS_AFTER = 60.0
"""Seconds in which each answer must have come."""
CONNECTIONS = 4
OWN_HEADERS = frozenset(
    {"x-seen", "mime-version", "content-type", "content-transfer-encoding", "content-disposition"}
)
"""What the rules of `site` may add to a message."""
NOTICE = frozenset(
    {
        *("from", "to", "subject", "date", "message-id", "auto-submitted"),
        *("mime-version", "content-type"),
    }
)
"""The headers of a notification."""
CONTROLS = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def name_of(family: object) -> str:
    """How a family is called: its module without underscores."""
    return str(getattr(family, "__name__", "")).rpartition(".")[2].replace("_", " ")


@dataclass
class Outcome:
    """What has become of a family's messages.

    Attributes:
        family: its name.
        messages: how many there were; each is sent twice, to be judged and to be touched.
        crashes: connections that were lost, workers that ended.
        hangs: answers that did not come.
        wrong: verdicts and effects that are not as they must be.
        memory: the most that a worker ever had (VmHWM), in bytes.
        seconds: for all of it.
    """

    family: str
    messages: int
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    memory: int = 0
    seconds: float = 0.0

    @property
    def complaints(self) -> list[str]:
        """All that is wrong."""
        return [
            *(f"crash: {one}" for one in self.crashes),
            *(f"hang: {one}" for one in self.hangs),
            *(f"wrong: {one}" for one in self.wrong),
        ]


def run(family: Any, directory: Path) -> Outcome:
    """Send all messages of a family.

    Args:
        family: a module with `cases`.
        directory: for the daemon's files; must be empty.
    """
    cases = list(family.cases())
    started = time.monotonic()
    outcome = Outcome(name_of(family), len(cases))
    seconds = getattr(family, "PATTERN_SECONDS", PATTERN_SECONDS)
    with running(directory, seconds) as daemon:
        workers = daemon.workers()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            numbered = list(enumerate(cases))
            batches = [numbered[start::CONNECTIONS] for start in range(CONNECTIONS)]
            list(pool.map(lambda batch: _send(batch, daemon.address, outcome), batches))
        outcome.memory = max(map(_most_memory, workers), default=0)
        gone = set(workers) - set(daemon.workers())
        outcome.crashes += [f"worker {one} ended" for one in gone]
        daemon.stop()
        _look_at_log(daemon, outcome)
    _look_at_storages(directory, cases, outcome)
    _look_at_outbox(directory, outcome)
    outcome.seconds = time.monotonic() - started
    return outcome


def _send(batch: Sequence[tuple[int, Case]], address: str, outcome: Outcome) -> None:
    """Send messages as both kinds of clients, on connections that last as long as they work."""
    for client in (JUDGED, TOUCHED):
        waiting = list(batch)
        while waiting:
            with MilterConnection(address, timeout=HANGS_AFTER) as connection:
                connection.client_connects(address=client)
                while waiting:
                    number, case = waiting.pop()
                    try:
                        result = connection.send(_mail(number, case, client))
                    except TimeoutError:
                        outcome.hangs.append(f"{client}: {case.name}")
                        break
                    except ConnectionLost:
                        outcome.crashes.append(f"{client}: {case.name}")
                        break
                    outcome.wrong += _wrong(case, client, result)


def _mail(number: int, case: Case, client: str) -> Mail:
    queue_id = f"{'J' if client == JUDGED else 'T'}{number}"
    return Mail(case.sender, case.recipients, case.build(), queue_id=queue_id)


def _wrong(case: Case, client: str, result: Result) -> Iterator[str]:
    expected = case.verdict if client == JUDGED or case.everywhere else Verdict.ACCEPT
    if result.verdict is not expected:
        yield f"{client}: {case.name}: {result.verdict.value}, not {expected.value} {result.reply}"
    if client == TOUCHED and result.verdict is Verdict.ACCEPT:
        if result.delivered is None:
            yield f"{case.name}: it is delivered to nobody"
        else:
            yield from _wrong_content(case, result.delivered.content)


def _wrong_content(case: Case, content: bytes) -> Iterator[str]:
    """What is in the delivered message that neither the sender nor a rule has put there."""
    before = [one.name.lower() for one in split(crlf(case.build()))[0]]
    after = [one.name.lower() for one in split(content)[0]]
    for name in set(after):
        added = after.count(name) - before.count(name)
        if added > 0 and name.decode("latin-1") not in OWN_HEADERS:
            yield f"{case.name}: it is delivered with a header {name!r} more"
    if after.count(b"x-seen") != before.count(b"x-seen") + 1:
        yield f"{case.name}: the header of the rule is missing"
    if b"CAUTION" not in content and b"Q0FVVElPT" not in content and not _encoded(content):
        yield f"{case.name}: the disclaimer is missing"


def _encoded(content: bytes) -> bool:
    """Whether a disclaimer may be there in base64, which no search finds, or in a wide charset."""
    lower = content.lower()
    return b"base64" in lower or b"utf-16" in lower or b"utf-32" in lower


def _most_memory(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _look_at_log(daemon: Daemon, outcome: Outcome) -> None:
    for line in daemon.log.splitlines():
        if CONTROLS.search(line):
            outcome.wrong.append(f"the log has controls: {line[:200]!r}")
        if "Traceback" in line or "ended unexpectedly" in line or " hangs: " in line:
            outcome.crashes.append(f"the log says: {line[:200]}")


def _look_at_storages(directory: Path, cases: Sequence[Case], outcome: Outcome) -> None:
    """What is held is there once, byte for byte as it came."""
    touched = {f"T{number}" for number, case in enumerate(cases) if not case.everywhere}
    held = {
        f"J{number}"
        for number, case in enumerate(cases)
        if case.verdict is Verdict.DISCARD
        or (case.verdict is Verdict.REJECT and not case.everywhere)
    }
    for storage, expected in (("held", held), ("kept", touched)):
        found = []
        for path in (directory / storage).glob("*.metadata"):
            metadata = json.loads(path.read_bytes())
            queue_id = metadata["queue_id"]
            found.append(queue_id)
            case = cases[int(queue_id[1:])]
            if path.with_suffix("").read_bytes() != _as_received(case):
                outcome.wrong.append(f"{case.name}: it is not stored as it came")
            if path.stat().st_mode & 0o077:
                outcome.wrong.append(f"{case.name}: others may read it")
        if sorted(found) != sorted(expected):
            missing, more = sorted(expected - set(found))[:5], sorted(set(found) - expected)[:5]
            outcome.wrong.append(f"{storage}: {missing} are missing, {more} are too many")


def _as_received(case: Case) -> bytes:
    headers, body = split(crlf(case.build()))
    return b"".join(one.raw + b"\r\n" for one in headers) + b"\r\n" + body


def _look_at_outbox(directory: Path, outcome: Outcome) -> None:
    """Each notification is a sound message with no headers but its own."""
    for path in (directory / "outbox").glob("2*"):
        head, _, content = path.read_bytes().partition(b"\n")
        queue_id = json.loads(head)["queue_id"]
        notice = email.message_from_bytes(content, policy=email.policy.default)
        fields = {name.lower() for name in notice.keys()}  # noqa: SIM118 - a message is no dict
        if fields != NOTICE or len(notice) != len(NOTICE):
            outcome.wrong.append(f"{queue_id}: a notification has the headers {sorted(fields)}")
        if any(part.defects for part in notice.walk()) or not notice.is_multipart():
            outcome.wrong.append(f"{queue_id}: a notification is broken")
        if CONTROLS.search(str(notice["Subject"])):
            outcome.wrong.append(f"{queue_id}: a notification's subject has controls")
