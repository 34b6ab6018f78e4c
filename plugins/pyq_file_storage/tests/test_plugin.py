from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyq_file_storage
import pytest
from jsonschema import Draft202012Validator
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.schema import check_fragment, with_defaults
from pyquarantine_core.types import Services

if TYPE_CHECKING:
    from .conftest import MakeMessage, Store

(DECLARED,) = pyq_file_storage.pyquarantine_storages()


def test_the_storage_type_file_is_declared_with_a_schema_that_the_core_takes() -> None:
    assert DECLARED.name == "file"
    check_fragment("storage", DECLARED.name, DECLARED.schema)


@pytest.mark.parametrize(
    ("options", "valid"),
    [
        ({"directory": "/var/held"}, True),
        ({"directory": "/var/held", "mode": "0660"}, True),
        ({"directory": "/var/held", "mode": "640"}, True),
        ({}, False),
        ({"directory": ""}, False),
        ({"directory": "held"}, False),
        ({"directory": "/a\0b"}, False),
        ({"directory": 1}, False),
        ({"directory": "/var/held", "mode": "1777"}, False),
        ({"directory": "/var/held", "mode": "0680"}, False),
        ({"directory": "/var/held", "mode": 640}, False),
    ],
)
def test_options_are_checked(options: dict[str, object], valid: bool) -> None:
    assert Draft202012Validator(DECLARED.schema).is_valid(options) is valid


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
