"""The short form of `make fuzz ONLY=protocol`: MTAs that do not keep to the milter protocol.

After each round clean messages get the right answer, no worker has died, no descriptor is left
open, and nothing is staged.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from fuzz.protocol.scene import Scene

ROUNDS = 60


def test_whatever_mtas_say_the_daemon_goes_on(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        for number in range(ROUNDS):
            scene.round(Random(f"short {number}"))
        scene.check_storage()
