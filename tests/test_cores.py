"""Which cores the workers get."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyquarantine_core import cores

HEADING = "            CPU0       CPU1       CPU2       CPU3\n"
DISK = (
    "  36:          0   35620252          7          0   PCI-MSIX-0000:00:02.0   1-edge      vda\n"
)
CARD = (
    "  41:      21265          0          0         40   PCI-MSIX-0000:00:04.0   0-edge      eth0\n"
)
TIMER = " LOC:    9000000    8000000   95000000    8100000   Local timer interrupts\n"
ERRORS = " ERR:          0\n"


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "allowed", lambda: [0, 1, 2, 3])


def draws(workers: int) -> set[tuple[int, ...]]:
    """What comes out of many draws."""
    return {tuple(cores.dealt(workers)) for _ in range(200)}


def interrupts(monkeypatch: pytest.MonkeyPatch, path: Path, text: str | bytes) -> None:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    monkeypatch.setattr(cores, "INTERRUPTS", path)


def test_a_core_that_a_device_interrupts_comes_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    interrupts(monkeypatch, tmp_path / "interrupts", HEADING + DISK + CARD + TIMER + ERRORS)
    assert draws(1) == {(0,), (2,), (3,)}
    assert {one[3] for one in draws(4)} == {1}
    assert all(sorted(one[:4]) == [0, 1, 2, 3] and one[4:] == one[:2] for one in draws(6))


@pytest.mark.parametrize(
    "text",
    ["", HEADING, HEADING + TIMER, "x\n" + DISK, HEADING + "  36: many\n", b"\xff", HEADING + "\n"],
    ids=["empty", "none", "no devices", "heading", "no number", "bytes", "empty line"],
)
def test_where_that_is_not_known_each_core_may_be_the_first(
    text: str | bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    interrupts(monkeypatch, tmp_path / "interrupts", text)
    assert draws(1) == {(0,), (1,), (2,), (3,)}


def test_a_machine_that_does_not_tell_is_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cores, "INTERRUPTS", tmp_path / "none")
    assert draws(1) == {(0,), (1,), (2,), (3,)}
