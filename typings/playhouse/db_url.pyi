"""The part of peewee's database URLs that is used here (peewee 4.5, playhouse/db_url.py)."""

from typing import Any

def parse(
    url: str, unquote_password: bool = False, unquote_user: bool = False
) -> dict[str, Any]: ...
