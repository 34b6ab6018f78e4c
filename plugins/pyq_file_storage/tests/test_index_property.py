"""Whatever is done to a directory, in whatever order, a listing with an index misses nothing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyq_file_storage import index, journal, upkeep
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.types import Query

if TYPE_CHECKING:
    from .conftest import MakeMessage, Stage, Store

ADDRESSES = ("one@example.org", "two@example.org")
QUERIES = (Query(), *(Query(recipients=(one,)) for one in ADDRESSES), Query(senders=("*",)))

OURS = ("", "store", "store", "store without metadata", "undo", "take off", "delete")
OTHERS = ("", "", "add", "add", "remove", "lose journal", "cut journal", "cut index", "lose it all")

steps = st.tuples(st.sampled_from(OTHERS), st.sampled_from(OURS), st.booleans(), st.integers(0, 5))


class Directory:
    """A directory that is changed by us and by others."""

    def __init__(self, path: Path, mail: MakeMessage, stage: Stage, store: Store) -> None:
        self.path = path
        self.storage = FileStorage(path)
        self.storage.set_up()
        (path / ".index").mkdir()
        self._mail, self._stage, self._store = mail, stage, store
        self._number = 0

    def do(self, what: str, number: int) -> None:
        ids = sorted(one.id for one in self.storage.entries())
        chosen = ids[number % len(ids)] if ids else None
        match what:
            case "store":
                self._store(self.storage, self._mail(recipients=ADDRESSES[number % 2 :]))
            case "store without metadata":
                self._store(self.storage, self._mail(), metadata=False)
            case "undo":
                effect = self._stage(self.storage, self._mail())
                effect.prepare()
                if number % 2:
                    effect.commit()
                effect.undo()
            case "take off" if chosen and (held := self.storage.get(chosen).recipients):
                with self.storage.claim(chosen) as claim:
                    claim.keep_only(held[number % 2 :])
            case "delete" if chosen:
                with self.storage.claim(chosen) as claim:
                    claim.delete()

    def do_as_others_do(self, what: str, number: int) -> None:
        ids = sorted(one.id for one in self.storage.entries())
        before = self.path.stat().st_mtime_ns
        match what:
            case "add":
                self._number += 1
                name = f"2020010100{self._number:04}_X"
                recipients = {"mailfrom": "x@example.org", "recipients": [ADDRESSES[number % 2]]}
                (self.path / f"{name}.metadata").write_text(json.dumps(recipients))
                (self.path / name).write_text("mail")
            case "remove" if ids:
                (self.path / ids[number % len(ids)]).unlink()
            case "lose journal":
                (self.path / ".index" / "journal").unlink(missing_ok=True)
            case "cut journal" if (self.path / ".index" / "journal").exists():
                os.truncate(self.path / ".index" / "journal", number * 50)
            case "cut index" if (self.path / ".index" / "index.sqlite").exists():
                os.truncate(self.path / ".index" / "index.sqlite", number * 1000)
            case "lose it all":
                shutil.rmtree(self.path / ".index")
                (self.path / ".index").mkdir()
        if self.path.stat().st_mtime_ns == before and what in {"add", "remove"}:
            os.utime(self.path, ns=(before, before + 1))  # the clock ticks too slowly for a test

    def assert_that_all_is_found(self) -> None:
        entries = list(self.storage.entries())[::-1]
        for query in QUERIES:
            assert list(self.storage.find(query)) == [one for one in entries if query.matches(one)]


@pytest.mark.parametrize("renewed", [0, 10**6])
@settings(deadline=None, max_examples=40)  # disks take their time
@given(done=st.lists(steps, max_size=12))
def test_a_listing_finds_all_there_is(
    tmp_path_factory: pytest.TempPathFactory,
    mail: MakeMessage,
    stage: Stage,
    store: Store,
    renewed: int,
    done: list[tuple[str, str, bool, int]],
) -> None:
    directory = Directory(tmp_path_factory.mktemp("held"), mail, stage, store)
    with (
        patch.object(upkeep, "UNDER_WAY", 0),
        patch.object(upkeep, "TICK", 0),
        patch.object(upkeep, "JOURNAL_RENEWED", renewed),
        patch.object(journal, "LIMIT", 2000),
        patch.object(index, "PAGE", 3),
    ):
        for by_others, by_us, listed, number in done:
            directory.do_as_others_do(by_others, number)
            directory.do(by_us, number)
            if listed:
                directory.assert_that_all_is_found()
        directory.assert_that_all_is_found()
