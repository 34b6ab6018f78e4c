"""The main job, for `make demo`: real mail through the real daemon, held mail listed and released.

Everything lives in a temporary directory and ends by itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyquarantine_core.cli.output import print_table
from pyquarantine_core.testing import delivery
from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.mta import Mail, Result, Stage, Verdict, send
from pyquarantine_core.testing.postfix import Postfix, PostfixUnavailable
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

RECIPIENT = "anna@example.org"
STAGES = {
    Stage.CONNECT: "connection",
    Stage.EOH: "end of headers, body not sent",
    Stage.EOM: "end of message",
}


@dataclass(frozen=True)
class Sample:
    """A message and the client that hands it in."""

    title: str
    mail: Mail
    client: str = "192.0.2.25"


def samples() -> list[Sample]:
    """A handful of mail such as any server gets."""

    def mail(sender: str, subject: str, *headers: str, body: str = "Hello Anna") -> Mail:
        lines = [f"From: {sender}", f"To: {RECIPIENT}", f"Subject: {subject}", *headers, "", body]
        return Mail(sender, (RECIPIENT,), "\n".join(lines).encode() + b"\n")

    return [
        Sample("ham from inside", mail("bert@example.org", "Lunch?"), client="10.0.0.5"),
        Sample("ham from outside", mail("carla@example.net", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=")),
        Sample("spam", mail("win@example.com", "You won", "X-Spam: Yes", body="Click here.")),
        Sample("a virus", mail("bill@example.com", "Invoice", "X-Virus: Yes (Eicar)")),
        Sample("mail from outside in our name", mail("boss@example.org", "Pay this bill")),
    ]


def config(directory: Path, release_port: int) -> dict[str, object]:
    """Virus and spam are held; mail from outside in our own name is marked."""

    def quarantine(name: str, header: str, **options: str) -> dict[str, object]:
        smtp = {"smtp_host": "127.0.0.1", "smtp_port": release_port}
        return {
            "name": name,
            "type": "quarantine",
            "conditions": {"headers": [header]},
            "options": {"storage": name, **smtp, **options},
        }

    return {
        "socket": f"unix:{directory}/milter.sock",
        "socket_mode": "0666",
        "workers": 2,
        "storages": {
            name: {"type": "file", "directory": str(directory / name)} for name in ("virus", "spam")
        },
        "rules": [
            {
                "name": "inbound",
                "conditions": {"local": False},
                "actions": [
                    quarantine("virus", "^X-Virus: Yes", milter_action="REJECT"),
                    quarantine("spam", "^X-Spam: Yes", milter_action="DISCARD"),
                    {
                        "name": "mark",
                        "type": "mod_header",
                        "conditions": {"headers": ["^From: .*@example\\.org"]},
                        "options": {
                            "field": "^Subject$",
                            "search": "^(?P<subject>.*)",
                            "value": "[EXTERNAL] \\g<subject>",
                        },
                    },
                ],
            }
        ],
    }


def main() -> int:
    print("pyquarantine sits between your MTA and your users: it judges each message by rules,")
    print("changes it, or holds it in a quarantine until somebody releases it. The rules here:")
    print("mail from outside that another filter marked as virus is rejected, as spam discarded,")
    print("and held in both cases; the subject of mail from outside in our own name gets a mark.")
    with tempfile.TemporaryDirectory() as name, SmtpSink() as sink:
        directory = Path(name)
        directory.chmod(0o755)  # Postfix must reach the socket
        conf = write_config(directory / "pyquarantine.conf", config(directory, sink.port))
        with Daemon(conf) as daemon:
            heading(f"The daemon listens at {daemon.address}; an MTA hands it five messages")
            results = [send(daemon.address, one.mail, client=one.client) for one in samples()]
            print_table(
                ("Message", "Verdict", "Decided at", "Changes"),
                [
                    (sample.title, verdict(result), STAGES[result.stage], changes(result))
                    for sample, result in zip(samples(), results, strict=True)
                ],
            )
            rounds = ", of both rounds" if through_postfix(daemon, sink) else ""
        held = list_and_release(conf, sink, rounds)
    return 0 if held else 1


def verdict(result: Result) -> str:
    """The verdict as the SMTP client sees it."""
    return f"{result.verdict.value} {result.reply}".strip()


def changes(result: Result) -> str:
    """What the filter changed."""
    lines = []
    for change in result.modifications:
        match change:
            case delivery.HeaderChanged(index, header, value):
                lines.append(f"{header} {index}:{value.decode()}")
            case _:
                lines.append(type(change).__name__)
    if result.verdict is Verdict.DISCARD:
        lines.append("taken out of delivery")
    return "\n".join(lines) or "none"


def through_postfix(daemon: Daemon, sink: SmtpSink) -> bool:
    """The same through a real Postfix, where there is one; returns whether there is."""
    try:
        with Postfix(sink.port, daemon.address) as postfix:
            heading("The same messages through a throw-away Postfix")
            rows = []
            for sample in samples():
                before = len(sink.received)
                reply = submit(
                    postfix.port,
                    sample.mail.sender,
                    sample.mail.recipients,
                    sample.mail.content,
                    xclient={"ADDR": sample.client, "NAME": "client.example"},
                )
                postfix.wait_until_idle()
                delivered = sink.received[before:]
                subjects = [line(one.content, b"Subject:") for one in delivered]
                rows.append((sample.title, str(reply.final), "\n".join(subjects) or "nothing"))
            print_table(("Message", "Reply to the client", "Delivered"), rows)
    except PostfixUnavailable as reason:
        heading(f"Not tried through Postfix: {reason}")
        return False
    return True


def list_and_release(conf: Path, sink: SmtpSink, rounds: str) -> bool:
    """List what is held and release one message to the sink."""
    heading(f"What is held{rounds}: pyquarantine quarantine spam list")
    print(pyquarantine(conf, "quarantine", "spam", "list").decode(), end="")
    heading("and pyquarantine quarantine virus list")
    print(pyquarantine(conf, "quarantine", "virus", "list").decode(), end="")
    (entry, *_) = json.loads(pyquarantine(conf, "quarantine", "spam", "list", "--json"))
    stored = pyquarantine(conf, "quarantine", "spam", "get", entry["id"])
    before = len(sink.received)
    heading(f"Released: pyquarantine quarantine spam release {entry['id']} -a")
    print(pyquarantine(conf, "quarantine", "spam", "release", entry["id"], "-a").decode(), end="")
    (released,) = sink.received[before:]
    same = released.content == stored
    print(f"The SMTP server got it for {', '.join(released.recipients)} from {released.sender},")
    print(f"{len(stored)} bytes, {'byte for byte as stored' if same else 'NOT as stored'}.")
    return same


def pyquarantine(conf: Path, *arguments: str) -> bytes:
    """Run the command line as an admin would."""
    command = [str(Path(sys.executable).with_name("pyquarantine")), "-c", str(conf), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def line(content: bytes, start: bytes) -> str:
    """The first line that begins so."""
    return next((one.decode() for one in lines(content) if one.startswith(start)), "")


def lines(content: bytes) -> Iterator[bytes]:
    return iter(content.split(b"\r\n"))


def heading(text: str) -> None:
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "110")
    sys.exit(main())
