"""The errors this package raises on purpose; each message is one line a person can act on."""

from __future__ import annotations


class PyquarantineError(Exception):
    """Something an admin or a user can mend; commands print it as one line and exit 1."""


class ConfigError(PyquarantineError):
    """The configuration cannot be used; daemon and commands exit 78 (EX_CONFIG, sysexits.h)."""


class ListenError(PyquarantineError):
    """The socket cannot be listened on now; another process may have it."""


class InstallError(PyquarantineError):
    """The files of the service cannot be installed."""


class PatternError(ConfigError):
    """A regular expression of the configuration is wrong or would be read in two ways."""


class TimeLimitError(PyquarantineError):
    """The rules have worked on a message for longer than they may; it is refused for now."""


class PatternTimeoutError(TimeLimitError):
    """A regular expression took longer on this text than it may."""


class HeaderLimitError(PyquarantineError):
    """The header of a message is larger than what is looked at; the message is rejected.

    Attributes:
        excess: what is too large, without the setting that bounds it, for the client to read.
    """

    def __init__(self, text: str, excess: str) -> None:
        super().__init__(text)
        self.excess = excess


class PluginError(PyquarantineError):
    """A plugin is missing, failed to load, or claims a name that is taken."""


class WrongResultError(PluginError):
    """A method of a plugin returned what it may not.

    Attributes:
        giver: whose method it was: no traceback leads there.
    """

    def __init__(self, text: str, giver: object) -> None:
        super().__init__(text)
        self.giver = giver


class ScaffoldError(PyquarantineError):
    """A new plugin cannot be written; nothing is."""


class StorageError(PyquarantineError):
    """A storage could not do what it was asked; what it holds is unchanged."""


class EntryNotFoundError(StorageError):
    """The storage holds no entry with this ID."""


class OutboxError(PyquarantineError):
    """A notification cannot be put into the outbox, or not be delivered from it now."""


class RefusedError(OutboxError):
    """A notification will never be taken; the outbox does not try it again by itself."""


class UnreachableError(OutboxError):
    """No notification of this name can be delivered now; all of them wait."""


class ListError(PyquarantineError):
    """A list could not be asked or changed; what it holds is unchanged."""


class ReleaseError(PyquarantineError):
    """Held mail could not be sent on; the entry keeps every recipient that did not get it."""


class InDoubtError(ReleaseError):
    """The connection was lost when the server had the message, and it may have taken it."""


LOOK_IN_LOG = "look in the log of the mail server before you release it to them again"
WHEN_IN_DOUBT = (
    "look in the log of the mail server, then release it to them (-t) with --again, "
    "or take them off it with delete -t"
)
"""What a person can do about recipients of whom nobody knows whether they have the message."""


class DeprecatedApiWarning(FutureWarning):
    """Something that a plugin uses, and that a later core will not have.

    A hook gives it as `hookspec(warn_on_impl=DeprecatedApiWarning("..."))`, a declaration passes it
    to `warnings.warn` in its `__post_init__`. The text says what to use instead.
    """


def is_bug(error: BaseException) -> bool:
    """Whether a traceback says more than the message: not for what the world does to us."""
    return not isinstance(error, OSError | PyquarantineError)


def why(error: BaseException) -> str:
    """What went wrong, on one line; of a bug also its kind, since `'x'` alone says nothing."""
    try:
        text = " ".join(str(error).split())
    except Exception as worse:  # a stranger's class, whose __str__ may be broken, too
        text = f"its text cannot be had: {type(worse).__name__}"
    return f"{type(error).__name__}: {text}".rstrip(": ") if is_bug(error) else text
