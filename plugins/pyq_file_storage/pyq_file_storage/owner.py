"""Working with no more rights than the owner of a file has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def rights_of(owner: os.stat_result) -> Iterator[None]:
    """Let root have the rights of an owner meanwhile; others keep theirs.

    They are those of the whole process (seteuid(2) of the C library), so do not wait in there.

    Args:
        owner: status of what belongs to it.

    Raises:
        OSError: this root may not do so, as in some containers.
    """
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    try:
        os.setgroups([])
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
