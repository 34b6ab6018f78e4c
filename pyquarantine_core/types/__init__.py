"""What plugins declare (`...Type`) and implement (`Condition`, `Action`, `Storage`, ...).

Declarations are frozen and cost no I/O. What `build` returns opens nothing lasting either:
`open` runs in each worker after the fork, `close` when the worker drains. One built object
serves many messages, on any thread, several at once: keep what belongs to one message in local
variables, never on the object.
"""

from __future__ import annotations

from pyquarantine_core.types.basics import (
    Decision,
    JsonSchema,
    Kind,
    Match,
    Network,
    Options,
    Part,
    Stage,
    Verdict,
)
from pyquarantine_core.types.components import (
    Action,
    Component,
    Condition,
    Delivery,
    Effect,
    EffectPhase,
    MailList,
    Notification,
    Notifier,
    Service,
    Services,
)
from pyquarantine_core.types.declarations import (
    ActionType,
    BuiltBy,
    CommandType,
    ConditionType,
    DefaultFile,
    Failure,
    ListType,
    MessageDone,
    NotificationType,
    ServiceType,
    StorageType,
    TypeDeclaration,
)
from pyquarantine_core.types.lists import ListEntry, ManagedList, NewListEntry
from pyquarantine_core.types.storage import (
    Claim,
    Entry,
    Fault,
    Holding,
    HoldsMail,
    NewEntry,
    Query,
    Storage,
    StorageHandle,
    StoreEffect,
)

__all__ = [
    "Action",
    "ActionType",
    "BuiltBy",
    "Claim",
    "CommandType",
    "Component",
    "Condition",
    "ConditionType",
    "Decision",
    "DefaultFile",
    "Delivery",
    "Effect",
    "EffectPhase",
    "Entry",
    "Failure",
    "Fault",
    "Holding",
    "HoldsMail",
    "JsonSchema",
    "Kind",
    "ListEntry",
    "ListType",
    "MailList",
    "ManagedList",
    "Match",
    "MessageDone",
    "Network",
    "NewEntry",
    "NewListEntry",
    "Notification",
    "NotificationType",
    "Notifier",
    "Options",
    "Part",
    "Query",
    "Service",
    "ServiceType",
    "Services",
    "Stage",
    "Storage",
    "StorageHandle",
    "StorageType",
    "StoreEffect",
    "TypeDeclaration",
    "Verdict",
]
