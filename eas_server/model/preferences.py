"""What is kept of a user beside mail and devices: small records, one of each kind, each with a value from the start.

A record is a frozen dataclass whose fields all have defaults, and a KIND that names it in the store for good.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, Protocol

from eas_server.model.ids import UserId


class Preference(Protocol):
    """A record that the port `Preferences` keeps."""

    KIND: ClassVar[str]


class CalendarRight(Enum):
    """What somebody may see of another's calendar."""

    NONE = "none"
    FREE_BUSY = "free-busy"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarRights:
    """Who sees what of a user's calendar. The default right holds for everybody without one of their own."""

    KIND: ClassVar[str] = "calendar-rights"

    default: CalendarRight = CalendarRight.FREE_BUSY
    others: Mapping[str, CalendarRight] = field(default_factory=dict)
    """By user id."""

    def of(self, user: UserId) -> CalendarRight:
        """What `user`, who is not the owner, may see."""
        return self.others.get(user, self.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegates:
    """Who gets a user's meeting mail ([MS-ASCMD] 2.2.1.11)."""

    KIND: ClassVar[str] = "delegates"

    users: tuple[UserId, ...] = ()
    only: bool = False
    """The delegates alone get it, not the user."""
