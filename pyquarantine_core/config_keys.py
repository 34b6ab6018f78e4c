"""The keys of a config that are the core's own, as JSON Schema."""

from __future__ import annotations

from dataclasses import asdict

from pyquarantine_core.limits import DEFAULT_LIMITS
from pyquarantine_core.schema import EXPECTED, Json, one_of

MODE = "^0?[0-7]{3}$"
"""Permissions in octal, as the config and the command line take them."""
DEFAULT_LOCAL_ADDRS = (
    "fe80::/64",
    "::1/128",
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
)
LOG_LEVELS = ("error", "warning", "info", "debug")

STORAGE_KEYS: Json = {
    "original": {
        "type": "boolean",
        "default": False,
        "description": "Store the message byte for byte as the MTA handed it over, "
        "not as the rules have changed it so far.",
    },
    "metadata": {
        "type": "boolean",
        "description": "Keep metadata beside the message. "
        "Unset, it means false for `store` and true for `quarantine`.",
    },
    "metavar": {
        "type": "string",
        "minLength": 1,
        "description": "Prefix of the metavariables that storing sets, such as PREFIX_ID.",
    },
}


def global_keys() -> Json:
    """The keys at the top of the config."""
    return {
        "socket": {
            "type": "string",
            "description": "Where the MTA connects: unix:PATH, inet:PORT@HOST or inet6:PORT@HOST "
            "(without @HOST: on all addresses of the machine, for everybody). "
            "The option -s comes first.",
        },
        "socket_mode": {
            "type": "string",
            "pattern": MODE,
            EXPECTED: "an octal mode such as '0660'",
            "description": "Permissions of a unix socket, in octal; unset, by the umask.",
        },
        "socket_group": {
            "type": "string",
            "minLength": 1,
            "description": "Group of a unix socket, such as that of the MTA.",
        },
        "workers": {
            "type": "integer",
            "minimum": 1,
            "maximum": 256,
            "description": "Number of worker processes; unset, one per core.",
        },
        "pin_workers": {
            "type": "boolean",
            "default": True,
            "description": "Keep each worker on one of the cores it may use, on Linux: "
            "a message costs less.",
        },
        "timeout": {
            "type": "integer",
            "minimum": 1,
            "default": 60,
            "description": "Seconds that work on a message may take without a pause; then the "
            "worker is replaced, and the MTA tries the message again.",
        },
        "drain_timeout": {
            "type": "integer",
            "minimum": 0,
            "default": 300,
            "description": "Seconds after a reload that old workers have for their connections.",
        },
        "outbox": {
            "type": "string",
            "pattern": "^/",
            EXPECTED: "an absolute path",
            "default": "/var/lib/pyquarantine/outbox",
            "description": "Directory where notifications wait for their delivery.",
        },
        "outbox_lifetime": {
            "type": "integer",
            "minimum": 1,
            "default": 432000,
            "description": "Seconds for which the delivery of a notification is tried; then it is "
            "moved aside, into `failed` in the outbox.",
        },
        "outbox_minimal_backoff": {
            "type": "integer",
            "minimum": 1,
            "default": 30,
            "description": "Seconds until the second try; then twice as long each time.",
        },
        "outbox_maximal_backoff": {
            "type": "integer",
            "minimum": 1,
            "default": 3600,
            "description": "The longest time between two tries, in seconds.",
        },
        "outbox_max_items": {
            "type": "integer",
            "minimum": 1,
            "default": 20000,
            "description": "How many notifications may wait. At this bound mail is held all the "
            "same, and its notifications are dropped. As many that failed are kept.",
        },
        "outbox_max_bytes": {
            "type": "integer",
            "minimum": 1,
            "default": 1073741824,
            "description": "How many bytes they may have together, likewise.",
        },
        "local_addrs": {
            "type": "array",
            "items": {"type": "string", "format": "network"},
            "default": list(DEFAULT_LOCAL_ADDRS),
            "description": "What counts as local for the condition `local`.",
        },
        "limits": {
            "type": "object",
            "properties": limit_keys(),
            "additionalProperties": False,
            "default": {},
            "description": "What one message may ask for.",
        },
        "plugins": {
            "type": "object",
            "properties": {
                "allow": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Only these.",
                },
                "deny": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "All but these.",
                },
            },
            "additionalProperties": False,
            "description": "Which plugins are loaded, by the name of plugin or package; "
            "unset, all. A name that is not installed is an error.",
        },
        **_inherited_keys(),
        "loglevel": {**_inherited_keys()["loglevel"], "default": "info"},
        "log_format": {
            "enum": ["text", "json"],
            "default": "text",
            "description": "How log lines look; `json` is one object a line.",
        },
        "pretend": {**_inherited_keys()["pretend"], "default": False},
        "storages": _named("storage", "Where messages are stored."),
        "notifications": _named("notification", "What people are told with."),
        "lists": _named(
            "list", "Pairs of sender and recipient that conditions and quarantines ask for."
        ),
        "rules": {
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/$defs/rule"},
            "description": "What happens to a message, in this order.",
        },
    }


def limit_keys() -> Json:
    """The keys of `limits`; the defaults are those of `Limits`."""
    rejected = "A message with more is rejected by the first rule that reads its header."
    not_edited = "A message with more is left unedited, as error_policy says."
    cut = "What is beyond is left out, with a note."
    meanings = {
        "header_bytes": f"Bytes of all header fields together. {rejected}",
        "header_count": f"Header fields. {rejected}",
        "mime_depth": f"Parts inside each other. {not_edited}",
        "mime_parts": f"Parts of a message. {not_edited}",
        "mime_header_bytes": f"Bytes of the header of a part. {not_edited}",
        "edit_bytes": "Bytes of a text, as they stand in the message, that is edited. A larger "
        "one is left unedited, as error_policy says.",
        "html_bytes": "The same of a text in HTML, before it is parsed.",
        "html_depth": "Elements that a text in HTML leaves open at its end. One with more gets "
        "no disclaimer there, as error_policy says.",
        "preview_bytes": f"Bytes of a text that are decoded for a preview. {cut}",
        "preview_characters": f"Characters that a preview is made of. {cut}",
        "preview_texts": f"Texts of a message that a preview shows. {cut}",
        "preview_depth": "Elements of a preview inside each other. The tags of deeper ones are "
        "left out; their text stays.",
        "pattern_seconds": "Seconds that one condition or action has for all its searches in a "
        "message. Then the message is refused for now, and the log names the pattern.",
        "message_seconds": "Seconds that all conditions and actions have together. Then the "
        "message is refused for now, and the log says where. Less than `timeout` is sensible.",
    }
    return {
        name: {
            **_quantity(default),
            "default": default,
            "description": meanings[name],
        }
        for name, default in asdict(DEFAULT_LIMITS).items()
    }


def _quantity(default: float) -> Json:
    if isinstance(default, int):
        return {"type": "integer", "minimum": 1}
    return {"type": "number", "minimum": 0.01}


def _named(kind: str, description: str) -> Json:
    return {
        "type": "object",
        "default": {},
        "additionalProperties": {"$ref": f"#/$defs/{kind}"},
        "description": description,
    }


def _inherited_keys() -> Json:
    return {
        "loglevel": {
            **one_of(*LOG_LEVELS, description="How much is logged."),
            "description": "How much is logged; rules and actions inherit it.",
        },
        "pretend": {
            "type": "boolean",
            "description": "Log what would be done, and do none of it; rules and actions "
            "inherit it.",
        },
    }


def step_keys() -> Json:
    return {
        "name": {
            "type": "string",
            "minLength": 1,
            "description": "Its name, for logs and commands.",
        },
        "conditions": {
            "$ref": "#/$defs/conditions",
            "description": "All of them must hold; without any it is always done.",
        },
        **_inherited_keys(),
        "on_error": {
            "enum": ["tempfail", "continue"],
            "description": "What an error does: the message is refused for now (the default), "
            "or all is as before that action and the rules go on.",
        },
    }
