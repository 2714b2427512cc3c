"""What the audit trail tells: who sent which class of message where, which certificates went to whom, what failed.

Never a subject, a text, a key or a password; of recipients the domains, and how many there were.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from eas_server.model.ids import DeviceId, UserId

Value: TypeAlias = str | int | bool | tuple[str, ...]


class AuditKind(StrEnum):
    """The kinds of events."""

    SENT = "sent"
    """A message went out: class, weak algorithms, domains, and what its sender's policy missed in it."""
    REFUSED = "refused"
    """A message did not go out, for the policy."""
    SERVED = "served"
    """Certificates (SHA-256 fingerprints) of somebody were given to a user."""
    INVALID = "invalid"
    """A certificate was found not to be good."""
    LOST = "lost"
    """So many events could not be written, before this one."""


_NO_USER = UserId("")
_NO_DEVICE = DeviceId("")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event. `user` is who did it, "" for the server itself; `request` names the request in the log."""

    when: datetime
    kind: AuditKind
    user: UserId = _NO_USER
    device: DeviceId = _NO_DEVICE
    request: str = ""
    details: Mapping[str, Value] = field(default_factory=dict)
    """By plain names; texts may be strangers'."""
