"""Devices, their policies and what they last asked for."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from eas_server.model.ids import CollectionId, DeviceId, UserId


class Access(Enum):
    """What the administrator lets a device do."""

    ALLOWED = "allowed"
    BLOCKED = "blocked"


class Wipe(Enum):
    """The life of a remote wipe, [MS-ASPROV] 3.1.5.1.2: asked for, sent to the device, confirmed or refused by it."""

    NONE = "none"
    PENDING = "pending"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    """The device said so last; it is told again until it confirms."""


WIPING: Final = (Wipe.PENDING, Wipe.SENT, Wipe.FAILED)
"""The wipe is asked for, and not confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """How far a device is with its policy, [MS-ASPROV] 3.1.5.1. Kept by (user, DeviceId)."""

    key: int = 0
    """The final policy key; 0 before the policy was acknowledged."""
    pending_key: int = 0
    """The temporary key of a first phase that was not acknowledged yet."""
    digest: str = ""
    """Names the policy (its name and content) that `key` stands for."""
    pending_digest: str = ""
    acknowledged: datetime | None = None
    settings: frozenset[str] = frozenset()
    """The settings that ever went out with a value: once unset, they go out as empty tags (MS-ASPROV_R1044)."""
    partial: bool = False
    """The device said that it holds to a part of the policy only (Status 2 of the acknowledgement)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A partnership of a user and a device."""

    user: UserId
    id: DeviceId
    type: str = ""
    user_agent: str = ""
    first_seen: datetime
    last_seen: datetime
    version: str = ""
    """The protocol version of the last request: `14.1`."""
    details: dict[str, str] = field(default_factory=dict)
    """What Settings or Provision told of it: Model, IMEI, FriendlyName, OS, … by the names of DeviceInformation."""
    access: Access = Access.ALLOWED
    wipe: Wipe = Wipe.NONE
    wipe_account_only: bool = False
    """The wipe is one of this account alone, which devices know from 16.1 on ([MS-ASPROV] 2.2.2.1)."""
    policy: PolicyState = field(default_factory=PolicyState)
    ping_heartbeat: int | None = None
    """The seconds that the last Ping asked for."""
    ping_folders: tuple[tuple[CollectionId, str], ...] = ()
    """The folders of the last Ping, with their Class."""
    skipped: tuple[tuple[CollectionId, int, str], ...] = ()
    """Items that could not be rendered: collection, item, reason."""
    trace_until: datetime | None = None
    """Until when the administrator wants its traffic written down."""
    recovery_password: str = field(default="", repr=False)
    """What unlocks the device when its user cannot ([MS-ASCMD] 2.2.3.46); "": none. To be shown on request only."""
