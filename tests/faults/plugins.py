"""A plugin that raises, hangs, answers nonsense, or keeps ever more memory."""

from __future__ import annotations

from random import Random

from .fault import Fault
from .load import Load
from .processes import memory
from .scene import Scene

ODD = """
import time
from pathlib import Path
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Action, ActionType, Part, Stage

KEPT = []

class Odd(Action):
    "Does what the file `odd` says."

    def __init__(self, directory):
        self.directory = Path(directory)

    def apply(self, message):
        try:
            told = (self.directory / "odd").read_text()
        except FileNotFoundError:
            return None
        if told == "raise":
            raise RuntimeError("odd")
        if told == "answer nonsense":
            return "nonsense"
        if told == "leak":
            KEPT.append(b"x" * 500_000)
        if told == "hang":
            for token in self.directory.glob("hang-*"):
                token.unlink(missing_ok=True)
                time.sleep(3600)

@hookimpl
def pyquarantine_actions():
    yield ActionType(name="odd", summary="", needs=Stage.ENVELOPE, changes=Part.NOTHING,
        schema={"type": "object", "properties": {"directory": {"type": "string"}}},
        build=lambda options, services: Odd(options["directory"]))
"""


class OddPlugin(Fault):
    """A plugin that is asked about every message behaves oddly for a while."""

    def prepare(self, scene: Scene) -> None:
        site = scene.directory / "site"
        metadata = site / "odd-1.0.dist-info"
        metadata.mkdir(parents=True)
        (site / "odd.py").write_text(ODD)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text("[pyquarantine]\nodd = odd\n")
        scene.set_environment("PYTHONPATH", str(site))
        action = {"name": "odd", "type": "odd", "options": {"directory": str(scene.directory)}}
        scene.config["rules"].insert(0, {"name": "odd", "actions": [action]})

    def tell(self, scene: Scene, what: str) -> None:
        """Let it behave so; empty: well."""
        told = scene.directory / "odd"
        if what:
            told.with_name("next").write_text(what)
            told.with_name("next").rename(told)
        else:
            told.unlink()


class Raises(OddPlugin):
    def __init__(self, name: str, what: str) -> None:
        self.name = f"plugin-{name}"
        self._what = what

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        self.tell(scene, self._what)
        scene.wait_for_deferrals(30)
        self.tell(scene, "")


class Hangs(OddPlugin):
    """On four messages; their workers are replaced, and killed when their time is up."""

    name = "plugin-hangs"
    # A worker is killed with what its other connections have under way.
    may_double = True
    may_leave = True
    may_tell_twice = True

    def prepare(self, scene: Scene) -> None:
        super().prepare(scene)
        scene.config["timeout"] = 2
        for number in range(4):
            (scene.directory / f"hang-{number}").touch()

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        self.tell(scene, "hang")
        scene.wait_for(lambda: not any(scene.directory.glob("hang-*")), "four that hang")
        self.tell(scene, "")
        scene.wait_for(lambda: " hangs: " in scene.daemon.log, "a worker that is replaced")
        before = load.sent
        load.wait_for(before + 100)
        scene.daemon.wait_for_log("killing worker", timeout=60)
        scene.wait_for(lambda: len(scene.workers()) == 2, "workers that hang to be gone")

    def complaints(self, scene: Scene) -> list[str]:
        return [line for line in scene.daemon.log.splitlines() if "ended unexpectedly" in line]


class Leaks(OddPlugin):
    """Half a megabyte a message: it shows in the processes, and a reload gives it back."""

    name = "plugin-leaks"
    may_defer = False
    GROWTH = 30 * 1024 * 1024

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        self._before = memory(scene.processes())
        self.tell(scene, "leak")
        load.wait_for(load.sent + 200)
        self.tell(scene, "")
        self._leaked = memory(scene.processes())
        scene.daemon.reload()
        load.wait_for(load.sent + 50)

    def complaints(self, scene: Scene) -> list[str]:
        scene.wait_for(lambda: len(scene.generations()) == 1, "the old workers to leave")
        self._after = memory(scene.processes())
        if self._leaked < self._before + self.GROWTH:
            return ["nothing has leaked"]
        return [] if self._after < self._before + self.GROWTH else ["a reload gives nothing back"]

    def remark(self) -> str:
        sizes = (one // 1024**2 for one in (self._before, self._leaked, self._after))
        return "{} MB of memory, {} with the leak, {} after a reload".format(*sizes)


FAULTS: tuple[Fault, ...] = (
    Raises("raises", "raise"),
    Raises("nonsense", "answer nonsense"),
    Hangs(),
    Leaks(),
)
