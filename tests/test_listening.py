"""How a process leaves a socket that libmilter knows by its number."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from pyquarantine_core.listening import LibmilterSocket


def test_a_file_that_has_the_number_of_a_socket_libmilter_closed_is_left_alone(
    tmp_path: Path,
) -> None:
    with socket.socket() as one:
        descriptor, listening = one.fileno(), os.fstat(one.fileno())
    stored = os.open(tmp_path / "stored", os.O_WRONLY | os.O_CREAT)
    os.dup2(stored, descriptor)
    with socket.socket() as nobody:
        LibmilterSocket(descriptor, "", listening, nobody).stop()
    assert os.write(descriptor, b"mail") == 4
    assert (tmp_path / "stored").read_bytes() == b"mail"
    os.close(descriptor)
    if stored != descriptor:
        os.close(stored)
