"""The files that the config names: the template and images."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pyq_email_notify.default_files import default_files
from pyquarantine_core.config_file import unreadable
from pyquarantine_core.errors import ConfigError
from pyquarantine_core.mime.entities import header_lines
from pyquarantine_core.types import DefaultFile

_SIGNATURES = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "gif": re.compile(rb"GIF8[79]a"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
_FIT_NAME = re.compile(r"[\w.@+-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Image:
    """An image to embed.

    Attributes:
        content_id: what `cid:` URLs call it.
        entity: a part of a multipart/related, ready for the wire (RFC 2387, RFC 2392).
    """

    content_id: str
    entity: bytes

    @classmethod
    def read(cls, option: str, path: str, content_id: str = "") -> Self:
        """Read an image.

        Args:
            option: what names it in the config.
            path: where it is.
            content_id: what to call it; empty: its file name.

        Raises:
            ConfigError: it cannot be read, or is none that mail clients show.
        """
        data = _read(option, path)
        name = content_id or Path(path).name
        kind = next((one for one, begins in _SIGNATURES.items() if begins.match(data)), None)
        if kind is None:
            raise ConfigError(f"{option}: {path} is no PNG, GIF, JPEG or WebP image")
        if not _FIT_NAME.fullmatch(name):
            raise ConfigError(
                f"{option}: {path} must have a name of letters, digits and . _ @ + - alone, "
                "for it becomes a Content-ID"
            )
        fields = {
            "Content-Type": f"image/{kind}",
            "Content-Transfer-Encoding": "base64",
            "Content-ID": f"<{name}>",
            "Content-Disposition": f'inline; filename="{name}"',
        }
        encoded = base64.encodebytes(data).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
        return cls(name, header_lines(fields) + b"\r\n" + encoded)


def read_template(option: str, path: str) -> str:
    """Read a template; lines end in LF.

    Raises:
        ConfigError: it cannot be read, or is not in UTF-8.
    """
    try:
        text = _read(option, path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{option}: {path} is not a text in UTF-8") from error
    return text.replace("\r\n", "\n")


def default_for(path: str) -> DefaultFile | None:
    """What a path stands for now, if for a file of this package."""
    if Path(path).exists():
        return None
    return next((one for one in default_files() if str(one.path) == path), None)


def _read(option: str, path: str) -> bytes:
    default = default_for(path)
    if default is not None:
        return default.source.read_bytes()
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{option}: {unreadable(path, error)}") from error
