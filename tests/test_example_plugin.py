"""A stranger's plugin, from its sources to its removal: as its author and an admin see it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.mail_mix import HEAD, attachment, multipart
from pyquarantine_core.testing.mta import Mail, send

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "pyq_attachments"
PACKAGES = (ROOT, ROOT / "plugins" / "pyq_conditions", ROOT / "plugins" / "pyq_headers", EXAMPLE)
PROGRAMS: dict[str, Any] = {
    "name": "programs",
    "conditions": {"attachments": {"names": [r"\.exe$"]}},
    "actions": [
        {"name": "copy", "type": "add_recipient", "options": {"address": "lab@example.org"}},
        {"name": "mark", "type": "add_header", "options": {"field": "X-Program", "value": "yes"}},
    ],
}


class Environment:
    """A virtual environment of its own."""

    def __init__(self, directory: Path) -> None:
        self._run(sys.executable, "-m", "venv", directory)
        self.python = directory / "bin" / "python"

    def pip(self, *arguments: str | Path) -> None:
        status, output = self._run(self.python, "-m", "pip", *arguments)
        assert status == 0, output

    def program(self, name: str, *arguments: str | Path) -> tuple[int, str]:
        return self._run(self.python.with_name(name), *arguments)

    def _run(self, *command: str | Path) -> tuple[int, str]:
        done = subprocess.run(
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": "", "PIP_CONFIG_FILE": os.devnull},
        )
        return done.returncode, done.stdout


def build_wheels(directory: Path, local_only: tuple[str, ...]) -> Path:
    """Build from copies, so that nothing is left beside the sources."""
    sources = directory / "sources"
    for source in PACKAGES:
        ignored = (".*", "plugins", "examples", "tests", "build", "*.egg-info")
        shutil.copytree(source, sources / source.name, ignore=shutil.ignore_patterns(*ignored))
    built = directory / "built"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", *local_only, "--no-deps"),
            *("--wheel-dir", str(built), *map(str, sources.iterdir())),
        ],
        check=True,
        env={**os.environ, "PIP_CONFIG_FILE": os.devnull},
    )
    return built


def mail_with_a_program_in_an_archive_in_an_archive() -> Mail:
    inner, outer = io.BytesIO(), io.BytesIO()
    for archive, name, content in ((inner, "Setup.EXE", b"MZ"), (outer, "inner.zip", b"")):
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
            writer.writestr(name, content or inner.getvalue())
    text = b"Content-Type: text/plain\n\nHello\n"
    content = HEAD + multipart(
        "mixed", text, attachment("invoice.zip", outer.getvalue(), "application/zip")
    )
    return Mail("a@example.net", ("u@example.org",), content)


def test_a_plugin_is_built_installed_tested_used_denied_and_removed(
    local_only: tuple[str, ...], tmp_path: Path
) -> None:
    built = build_wheels(tmp_path, local_only)
    environment = Environment(tmp_path / "venv")
    wheels = {one.name.partition("-")[0]: one for one in built.iterdir()}
    core = f"{wheels.pop('pyquarantine_core')}[testing]"
    environment.pip("install", *local_only, core, *wheels.values(), "hypothesis")

    # It is listed, with what it provides and where it comes from.
    status, output = environment.program("pyquarantine", "plugins", "--json")
    (listed,) = [one for one in json.loads(output) if one["package"] == "pyq-attachments"]
    assert (status, listed["status"], listed["version"]) == (0, "active", "1.0.0")

    # Its tests, contracts among them, pass beside what is installed.
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    flags = ("-q", "-W", "error", "--import-mode=importlib", "-p", "no:cacheprovider")
    status, output = environment.program("pytest", *flags, tmp_path / "tests")
    assert status == 0, output

    # The daemon uses it on real mail.
    settings = {"socket": f"unix:{tmp_path}/milter.sock", "rules": [PROGRAMS]}
    config = write_config(tmp_path / "c.conf", settings)
    with Daemon(config, "inet:0@127.0.0.1", python=str(environment.python)) as daemon:
        harmless = send(daemon.address, Mail("a@example.net", ("u@example.org",), HEAD + b"\nHi\n"))
        harmful = send(daemon.address, mail_with_a_program_in_an_archive_in_an_archive())
    assert harmless.modifications == ()
    assert harmful.delivered is not None
    assert harmful.delivered.recipients == ("u@example.org", "lab@example.org")
    assert b"\r\nX-Program: yes\r\n" in harmful.delivered.content

    # Denied, it is not there; a config that names it does not start.
    denied = write_config(
        tmp_path / "denied.conf", {**settings, "plugins": {"deny": ["pyq-attachments"]}}
    )
    status, output = environment.program("pyquarantine-milter", "-t", "--config", denied)
    assert status == os.EX_CONFIG
    assert "no installed plugin provides the condition 'attachments'" in output
    assert "not let in by 'plugins': pyq-attachments" in output

    # Removed, likewise.
    assert environment.program("pyquarantine-milter", "-t", "--config", config)[0] == 0
    environment.pip("uninstall", "--quiet", "--yes", "pyq-attachments")
    status, output = environment.program("pyquarantine-milter", "-t", "--config", config)
    assert status == os.EX_CONFIG
    assert "no installed plugin provides the condition 'attachments'" in output
    assert "no installed plugin provides the action 'add_recipient'" in output
