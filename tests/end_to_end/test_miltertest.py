"""`miltertest`, OpenDKIM's client, as a second opinion on how we speak the protocol."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .conftest import Admin, DaemonFactory
from .test_examples import SUBJECT_MARK, quarantines

PRELUDE = """
function expect(what, got, wanted)
    if got ~= wanted then
        mt.echo(what .. ": " .. tostring(got) .. " instead of " .. tostring(wanted))
        error("see above")
    end
end
function message(headers)
    mt.macro(conn, SMFIC_MAIL, "i", "MTEST1")
    expect("mail", mt.mailfrom(conn, "<a@example.net>"), nil)
    expect("rcpt", mt.rcptto(conn, "<u@example.org>"), nil)
    for _, header in ipairs(headers) do
        expect("header", mt.header(conn, header[1], header[2]), nil)
    end
end
conn = mt.connect("%s")
expect("connected", conn ~= nil, true)
expect("conninfo", mt.conninfo(conn, "mail.example.net", "192.0.2.25"), nil)
"""

MARKED = """
message({{"From", " a@example.net"}, {"Subject", " first"}, {"Subject", " second"}})
expect("eom", mt.eom(conn), nil)
expect("answer", mt.getreply(conn), SMFIR_ACCEPT)
expect("first", mt.eom_check(conn, MT_HDRCHANGE, "Subject", " [EXTERNAL] first"), true)
expect("second", mt.eom_check(conn, MT_HDRCHANGE, "Subject", " [EXTERNAL] second"), true)
expect("nothing added", mt.eom_check(conn, MT_HDRADD, "Subject"), false)
mt.disconnect(conn)
"""

JUDGED = """
message({{"Subject", " ham"}})
expect("eoh", mt.eoh(conn), nil)
expect("ham", mt.getreply(conn), SMFIR_ACCEPT)
message({{"Subject", " spam"}, {"X-Spam", " Yes"}})
expect("eoh", mt.eoh(conn), nil)
expect("spam goes on", mt.getreply(conn), SMFIR_CONTINUE)
expect("body", mt.bodystring(conn, "text\\r\\n"), nil)
expect("eom", mt.eom(conn), nil)
expect("spam", mt.getreply(conn), SMFIR_DISCARD)
message({{"Subject", " virus"}, {"X-Virus", " Yes"}})
expect("eoh", mt.eoh(conn), nil)
expect("body", mt.bodystring(conn, "text\\r\\n"), nil)
expect("eom", mt.eom(conn), nil)
expect("virus", mt.getreply(conn), SMFIR_REPLYCODE)
expect("its text", mt.eom_check(conn, MT_SMTPREPLY, "554", "5.7.0",
    "Message rejected due to virus"), true)
mt.disconnect(conn)
"""


def run(script: str, address: str, directory: Path) -> None:
    path = directory / "script.lua"
    path.write_text(PRELUDE % address + script)
    done = subprocess.run(
        ["miltertest", "-s", str(path)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_headers_are_changed(start_daemon: DaemonFactory, tmp_path: Path) -> None:
    run(MARKED, start_daemon(SUBJECT_MARK).address, tmp_path)


def test_ham_spam_and_virus_are_told_apart(
    start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    run(JUDGED, start_daemon(quarantines(tmp_path, 25)).address, tmp_path)
    assert [one["subject"] for one in admin.held("spam")] == ["spam"]
    assert [one["subject"] for one in admin.held("virus")] == ["virus"]
