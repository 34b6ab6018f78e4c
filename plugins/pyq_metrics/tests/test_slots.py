"""Numbers of processes, while others look who lives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyq_metrics.slots import Slot, living

# Looks 2000 times, and tells how many lived each time; before that, that it has begun.
LOOK = """
import sys
from pathlib import Path
from pyq_metrics.slots import living

print(living(Path(sys.argv[1])), flush=True)
for _ in range(2000):
    print(living(Path(sys.argv[1])))
"""


def onlooker(directory: Path) -> subprocess.Popen[str]:
    """A process that looks; it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOOK, directory], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """A directory with five numbers that nobody has any more."""
    for one in [Slot.claim(tmp_path) for _ in range(5)]:
        one.free()
    return tmp_path


def test_the_lowest_that_is_free_is_taken_and_who_has_one_lives(tmp_path: Path) -> None:
    slots = [Slot.claim(tmp_path) for _ in range(3)]
    assert [one.number for one in slots] == [0, 1, 2]
    slots[1].free()
    assert living(tmp_path) == 2
    assert Slot.claim(tmp_path).number == 1
    assert living(tmp_path) == 3


def test_who_looks_takes_nobody_dead_for_alive_while_another_one_looks(numbered: Path) -> None:
    both = [onlooker(numbered), onlooker(numbered)]
    assert {line for one in both for line in one.communicate()[0].split()} == {"0"}


@pytest.fixture
def watched(numbered: Path) -> Iterator[Path]:
    """A directory that somebody looks at."""
    looking = onlooker(numbered)
    yield numbered
    looking.communicate()


def test_who_looks_takes_no_number_away(watched: Path) -> None:
    for _ in range(500):
        slot = Slot.claim(watched)
        assert slot.number == 0
        slot.free()
