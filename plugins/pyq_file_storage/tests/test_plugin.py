from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyq_file_storage
import pytest
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.schema import with_defaults
from pyquarantine_core.types import Services

if TYPE_CHECKING:
    from .conftest import MakeMessage, Store

(DECLARED,) = pyq_file_storage.pyquarantine_storages()


@pytest.mark.parametrize(("options", "mode"), [({}, 0o600), ({"mode": "0640"}, 0o640)])
def test_what_is_built_stores_with_these_options(
    directory: Path, mail: MakeMessage, store: Store, options: dict[str, str], mode: int
) -> None:
    filled = with_defaults(DECLARED.schema, {"directory": str(directory), **options})
    storage = DECLARED.build(filled, cast("Services", None))
    assert isinstance(storage, FileStorage)
    assert not directory.exists()
    storage.set_up()
    path = directory / store(storage, mail())
    assert stat.S_IMODE(path.stat().st_mode) == mode
    storage.close()
