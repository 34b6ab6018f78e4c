"""What `make fuzz` looks for, in short: every input it was given or has found, and random ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.atheris_runs import CORPUS, ROOT
from fuzz.targets import NAMES, Target

INPUTS = sorted(one for one in CORPUS.glob("*/*") if one.is_file())


def test_every_target_has_inputs_to_begin_with() -> None:
    assert {one.parent.name for one in INPUTS} == set(NAMES)


@pytest.mark.parametrize("file", INPUTS, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_nothing_is_wrong_with_the_corpus(file: Path) -> None:
    Target.of(file.parent.name).check(file.read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_the_seeds(name: str) -> None:
    target = Target.of(name)
    for seed in target.seeds:
        target.check(seed)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_random_inputs(name: str) -> None:
    target = Target.of(name)
    pieces = st.sampled_from(target.words) | st.binary(max_size=20)

    @settings(deadline=None)
    @given(st.integers(0, 255), st.lists(pieces, max_size=30))
    def check(options: int, content: list[bytes]) -> None:
        target.check(bytes([options]) + b"".join(content))

    check()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_damaged_inputs(name: str) -> None:
    target = Target.of(name)

    @settings(deadline=None)
    @given(st.sampled_from(target.seeds), st.data())
    def check(seed: bytes, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(seed)))
        end = data.draw(st.integers(start, min(len(seed), start + 50)))
        new = data.draw(st.sampled_from([b"", *target.words]) | st.binary(max_size=10))
        target.check(seed[:start] + new + seed[end:])

    check()


def test_what_was_found_is_repeated_without_atheris(tmp_path: Path) -> None:
    found = tmp_path / "crash"
    found.write_bytes(b"\0=?utf-8?q?a?=")
    command = [sys.executable, "-m", "fuzz", "repeat", "headers", str(found)]
    assert b"nothing is wrong" in subprocess.check_output(command, cwd=ROOT)
