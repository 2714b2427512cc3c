"""Mail on its way."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from eas_server.model.blob import Blob
from eas_server.model.ids import CollectionId, DeviceId, UserId
from eas_server.model.mail import FolderType, NewMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A copy of a submitted message for a folder of a local user, with the header lines to put on top."""

    user: UserId
    folder: FolderType
    message: NewMessage
    collection: CollectionId | None = None
    """A folder of the user's own in the place of `folder`, which stands in for it where it is gone."""
    sender: str = ""
    """The envelope's sender, whom an automatic answer goes to; "": nobody is to be answered ([RFC 3834] 2)."""
    recipient: str = ""
    """The address of the envelope that led to this user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """A submitted message for recipients elsewhere."""

    sender: str
    recipients: tuple[str, ...]
    content: Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSubmission:
    """What names a submission of a device: its ClientId (None at 12.1) and the SHA-256 of what it sent."""

    device: DeviceId
    client_id: str | None
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A message that was accepted for sending, and all that becomes of it."""

    user: UserId
    source: ClientSubmission | None
    """None: not from a device (a delivery report, the command line)."""
    deliveries: tuple[Delivery, ...]
    forwarding: Forwarding | None
    now: datetime

    def is_own_copy(self, delivery: Delivery) -> bool:
        """Whether a delivery is the one for the sender's Sent Items."""
        return delivery.user == self.user and delivery.folder is FolderType.SENT_ITEMS


class Submitted(Enum):
    """What became of a submission."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a submission, and whom it did not reach although it was ACCEPTED."""

    outcome: Submitted
    missed: frozenset[UserId] = frozenset()
    """Users whose mailbox is full or gone."""


class MailSubmission(Protocol):
    """Takes messages for sending."""

    async def submit(self, submission: Submission) -> Receipt:
        """Carry out all of a submission, durably, or nothing of it.

        DUPLICATE: this device sent the same ClientId with the same octets before (of the last KEPT_CLIENT_IDS of user
        and device within CLIENT_ID_WINDOW; without ClientId the same octets within REPEAT_WINDOW); nothing was done.
        Deliveries to users whose quota is used up, or who are no more, are not made: the receipt names these users, and
        StoreFull is raised where none could be made and nothing was to be forwarded. It is raised, too, where the copy
        for the sender's own Sent Items cannot be made: nobody else would ever show that it is missing.
        Local users that got mail are woken through the ChangeNotifier. Raises StoreFull.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A message in the outgoing queue."""

    id: int
    user: UserId
    forwarding: Forwarding
    queued: datetime
    attempts: int


class OutgoingQueue(Protocol):
    """Messages for other servers; survives a crash."""

    async def due(self, now: datetime, limit: int) -> Sequence[Queued]:
        """Messages whose time for the next attempt has come, oldest first."""
        ...

    async def finish(self, queued: int, recipients: Collection[str]) -> None:
        """These recipients are settled, for good or ill; a message without further recipients leaves the queue."""
        ...

    async def defer(self, queued: int, until: datetime, reason: str) -> None:
        """Try again at `until`."""
        ...


REPEAT_WINDOW = timedelta(minutes=10)
"""How long the same octets of a device without ClientId are taken for a repetition."""


CLIENT_ID_WINDOW = timedelta(days=7)
"""How long a ClientId is remembered (MS-ASCMD_R4850)."""


KEPT_CLIENT_IDS = 100
"""How many submissions of a user and device are remembered."""
