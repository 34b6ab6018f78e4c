"""Which cores the workers get."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyquarantine_core import cores

HEADING = "            CPU0       CPU1       CPU2       CPU3\n"
DISK = "  36:          0   35620252          7          0   PCI-MSIX   1-edge      vda\n"
CARD = "  41:      91265          0          0         40   PCI-MSIX   0-edge      eth0\n"
KEYS = "   1:          9          8          0          0   IO-APIC    1-edge      i8042\n"
SPREAD = "  50:    9000000    3000000    1000000    7000000   PCI-MSIX   2-edge      nvme0q1\n"
TIMER = " LOC:    9000000    8000000   95000000    8100000   Local timer interrupts\n"
ARM_TIMER = "  11:   98000000   70000000       9000   71000000     GICv3  27 Level     arch_timer\n"
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
    lines = HEADING + DISK + CARD + TIMER + ARM_TIMER + ERRORS
    interrupts(monkeypatch, tmp_path / "interrupts", lines)
    assert draws(1) == {(0,), (2,), (3,)}
    assert {one[3] for one in draws(4)} == {1}
    assert all(sorted(one[:4]) == [0, 1, 2, 3] and one[4:] == one[:2] for one in draws(6))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HEADING + SPREAD, id="they are spread"),
        pytest.param(HEADING + KEYS, id="they are few"),
        pytest.param(HEADING + TIMER, id="there are no devices"),
        pytest.param("x\n" + DISK, id="another heading"),
        pytest.param(HEADING + "  36: many\n", id="no number"),
        pytest.param(HEADING + "\n" + DISK, id="an empty line"),
        pytest.param("", id="empty"),
        pytest.param(b"\xff", id="no text"),
    ],
)
def test_where_that_says_nothing_each_core_may_be_the_first(
    text: str | bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    interrupts(monkeypatch, tmp_path / "interrupts", text)
    assert draws(1) == {(0,), (1,), (2,), (3,)}


def test_a_machine_that_does_not_tell_is_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cores, "INTERRUPTS", tmp_path / "none")
    assert draws(1) == {(0,), (1,), (2,), (3,)}
