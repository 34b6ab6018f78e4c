"""Runs targets under Atheris, each in a process of its own, and says what was found."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from fuzz.targets import Target

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "fuzz" / "corpus"
FOUND = ROOT / "build" / "fuzz"
"""What runs find and leave, a directory for each target."""

LONGEST = 4096
"""Bytes of an input that libFuzzer makes."""
SLOWEST = 10
"""Seconds after which an input is taken for a hang."""
MEMORY = 1024
"""Megabytes of memory of a process."""


def fuzz(name: str, seconds: int, seed: int) -> bool:
    """Fuzz one target; returns whether nothing was found."""
    found = FOUND / name
    for directory in ("seeds", "corpus"):
        (found / directory).mkdir(parents=True, exist_ok=True)
    target = Target.of(name)
    for number, one in enumerate(target.seeds):
        (found / "seeds" / str(number)).write_bytes(one)
    words = "".join(f'"{_escaped(word)}"\n' for word in target.words)
    (found / "words").write_text(words)
    before = {*found.iterdir()}
    started = time.monotonic()
    status = _run(name, found, seconds, seed)
    lines = (found / "log").read_text(errors="replace").splitlines()
    runs = next((one.split()[-1] for one in lines if "number_of_executed_units" in one), "?")
    print(f"{name}: {runs} inputs in {time.monotonic() - started:.0f} s", flush=True)
    if status == 0:
        return True
    print("\n".join(_report(lines)))
    for file in sorted({*found.iterdir()} - before - {found / "log"}):
        print(f"repeat it with: {sys.executable} -m fuzz repeat {name} {file}")
    return False


def _run(name: str, found: Path, seconds: int, seed: int) -> int:
    """Run libFuzzer; returns its exit status."""
    with (found / "log").open("w") as log:
        return subprocess.run(
            [
                *(sys.executable, "-m", "fuzz.engine", name),
                *(f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LONGEST}"),
                *(f"-timeout={SLOWEST}", f"-rss_limit_mb={MEMORY}", f"-dict={found}/words"),
                *(f"-artifact_prefix={found}/", "-print_final_stats=1"),
                *map(str, (found / "corpus", CORPUS / name, found / "seeds")),
            ],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            check=False,
        ).returncode


def _report(lines: list[str]) -> list[str]:
    """What the end of a log says of an input, without how it came to be."""
    begins = (at for at, one in enumerate(lines) if one.startswith((" ===", "==", "ALARM")))
    noise = ("0x", "\\", "stat::", "MS:")
    return [one for one in lines[next(begins, 0) :] if not one.startswith(noise)][:60]


def _escaped(word: bytes) -> str:
    return "".join(
        chr(one) if 32 <= one < 127 and one not in b'"\\' else f"\\x{one:02x}" for one in word
    )
