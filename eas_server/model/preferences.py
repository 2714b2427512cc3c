"""What is kept of a user beside mail and devices: small records, one of each kind, each with a value from the start.

A record is a frozen dataclass whose fields all have defaults, and a KIND that names it in the store for good.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum
from typing import ClassVar, Final, Protocol

from eas_server.model.ids import CollectionId, UserId

MAX_CONVERSATION_RULES: Final = 1000
"""How many conversations of a user are moved always. Their record takes some 50 octets each."""

MAX_ANSWERED_MEETINGS: Final = 100
"""As many as one MeetingResponse may have."""


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
class ConversationRule:
    """Where the mail of a conversation goes."""

    conversation_id: bytes
    folder: CollectionId


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRules:
    """Conversations that are always moved ([MS-ASCON] 2.2.2.8), the one that was asked for last at the end."""

    KIND: ClassVar[str] = "conversation-rules"

    rules: tuple[ConversationRule, ...] = ()

    def folder_of(self, conversation_id: bytes) -> CollectionId | None:
        """Where mail of that conversation goes; None: where mail goes."""
        return next((rule.folder for rule in self.rules if rule.conversation_id == conversation_id), None)

    def with_rule(self, conversation_id: bytes, folder: CollectionId | None) -> "ConversationRules":
        """These rules with one for that conversation, or (None) without; of too many the oldest is dropped."""
        kept = [rule for rule in self.rules if rule.conversation_id != conversation_id]
        if folder is not None:
            kept.append(ConversationRule(conversation_id=conversation_id, folder=folder))
        return ConversationRules(rules=tuple(kept[-MAX_CONVERSATION_RULES:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredMeeting:
    """A MeetingResponse that was carried out: what names it, and the calendar item that it gave ("": none)."""

    name: str
    calendar_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredMeetings:
    """The last meetings that a user has answered: a device that did not hear of it asks again."""

    KIND: ClassVar[str] = "answered-meetings"

    answers: tuple[AnsweredMeeting, ...] = ()

    def with_answer(self, answer: AnsweredMeeting) -> "AnsweredMeetings":
        """These and one more; of too many the oldest is dropped."""
        kept = [held for held in self.answers if held.name != answer.name]
        return AnsweredMeetings(answers=(*kept, answer)[-MAX_ANSWERED_MEETINGS:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegates:
    """Who gets a user's meeting mail ([MS-ASCMD] 2.2.1.11)."""

    KIND: ClassVar[str] = "delegates"

    users: tuple[UserId, ...] = ()
    only: bool = False
    """The delegates alone get it, not the user."""


class OofState(IntEnum):
    """Whether somebody is out of office, [MS-ASCMD] 2.2.3.124."""

    DISABLED = 0
    GLOBAL = 1
    """Until it is switched off."""
    TIME_BASED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomaticReply:
    """What one audience is answered while a user is out of office, [MS-ASCMD] 2.2.3.123."""

    enabled: bool = False
    text: str = ""
    html: bool = False
    """The text is HTML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfOffice:
    """Out of office, [MS-ASCMD] 2.2.3.122. Instants are aware."""

    KIND: ClassVar[str] = "out-of-office"

    state: OofState = OofState.DISABLED
    start: datetime | None = None
    end: datetime | None = None
    """The times that were last given; they count while the state is TIME_BASED."""
    internal: AutomaticReply = field(default_factory=AutomaticReply)
    known: AutomaticReply = field(default_factory=AutomaticReply)
    """For people outside who are among the user's contacts …"""
    unknown: AutomaticReply = field(default_factory=AutomaticReply)
    """… and for those who are not."""
    since: datetime | None = None
    """When it became what it is. A period begins then, in which each sender is answered once."""

    def is_away(self, now: datetime) -> bool:
        """Whether the user is out of office at `now`; the end of the time no longer counts."""
        if self.state is OofState.TIME_BASED:
            return self.start is not None and self.end is not None and self.start <= now < self.end
        return self.state is OofState.GLOBAL
