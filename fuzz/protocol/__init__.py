"""MTAs that do not keep to the milter protocol, against the real daemon.

libmilter's parser is not ours, our callbacks are: whatever comes, the daemon goes on, and clean
messages get the right answer.
"""

from __future__ import annotations

import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from random import Random

from fuzz.protocol.scene import BrokenPromise, Scene

TRIES = 100
"""Of one round, to find again what depends on the moment."""


def fuzz(seconds: float, seed: int) -> bool:
    """Fuzz for so many seconds; returns whether nothing was found."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, Scene(Path(directory)) as scene:
        for number in count():
            try:
                scene.round(Random(f"{seed} {number}"))
                if time.monotonic() - started > seconds:
                    scene.check_storage()
                    break
            except BrokenPromise as error:
                print(error)
                print(f"repeat it with: {sys.executable} -m fuzz repeat protocol '{seed} {number}'")
                return False
    print(f"protocol: {number + 1} rounds in {time.monotonic() - started:.0f} s", flush=True)
    return True


def repeat(number: str) -> None:
    """Have one round again and again.

    Raises:
        BrokenPromise: it is found again.
    """
    with tempfile.TemporaryDirectory() as directory, Scene(Path(directory)) as scene:
        for _ in range(TRIES):
            scene.round(Random(number))
        scene.check_storage()
