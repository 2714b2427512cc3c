"""MailSubmission and OutgoingQueue in memory."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from eas_server import interfaces
from eas_server.backends.memory.mail import MemoryMail
from eas_server.backends.memory.world import World
from eas_server.errors import StoreFull
from eas_server.interfaces import (
    CLIENT_ID_WINDOW,
    KEPT_CLIENT_IDS,
    REPEAT_WINDOW,
    ClientSubmission,
    Delivery,
    Queued,
    Receipt,
    Submission,
    Submitted,
)
from eas_server.model.ids import CollectionId, DeviceId, UserId


class MemoryQueue:
    """See the port."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[datetime, Queued]] = {}
        self._last = 0

    def put(self, submission: Submission) -> None:
        """Queue what a submission forwards."""
        if submission.forwarding is None:
            return
        self._last += 1
        queued = Queued(
            id=self._last, user=submission.user, forwarding=submission.forwarding, queued=submission.now, attempts=0
        )
        self._waiting[self._last] = (submission.now, queued)

    async def due(self, now: datetime, limit: int) -> Sequence[Queued]:
        """See the port."""
        found = sorted((due, queued.id) for due, queued in self._waiting.values() if due <= now)
        return [self._waiting[id_][1] for _, id_ in found[:limit]]

    async def finish(self, queued: int, recipients: Collection[str]) -> None:
        """See the port."""
        if queued not in self._waiting:
            return
        due, message = self._waiting[queued]
        left = tuple(address for address in message.forwarding.recipients if address not in recipients)
        if left:
            forwarding = replace(message.forwarding, recipients=left)
            self._waiting[queued] = (due, replace(message, forwarding=forwarding))
        else:
            del self._waiting[queued]

    async def defer(self, queued: int, until: datetime, reason: str) -> None:
        """See the port. The reason is for the administrator, and forgotten here."""
        if queued in self._waiting:
            _, message = self._waiting[queued]
            self._waiting[queued] = (until, replace(message, attempts=message.attempts + 1))


class MemorySubmission:
    """See the port."""

    def __init__(self, world: World, mail: MemoryMail, queue: MemoryQueue) -> None:
        self._world = world
        self._mail = mail
        self._queue = queue
        self._sent: dict[tuple[UserId, DeviceId], list[tuple[ClientSubmission, datetime]]] = {}

    async def submit(self, submission: Submission) -> Receipt:
        """See the port."""
        source = submission.source
        if source is not None and self._repeated(submission.user, source, submission.now):
            return Receipt(outcome=Submitted.DUPLICATE)
        # the sender's own copy goes first, as there is no way back from the others
        deliveries = sorted(submission.deliveries, key=submission.is_own_copy, reverse=True)
        woken: list[tuple[UserId, CollectionId] | None] = []
        for delivery in deliveries:
            woken.append(self._deliver(delivery))
            if woken[-1] is None and submission.is_own_copy(delivery):
                raise StoreFull("the sender has no room for the copy in Sent Items")
        if woken and not any(woken) and submission.forwarding is None:
            raise StoreFull("no recipient has room for the message")
        self._queue.put(submission)
        if source is not None:
            sent = self._sent.setdefault((submission.user, source.device), [])
            sent.append((source, submission.now))
            del sent[:-KEPT_CLIENT_IDS]
        for found in woken:
            if found is not None:
                self._world.publish(*found)
        missed = (d.user for d, found in zip(deliveries, woken, strict=True) if found is None)
        return Receipt(outcome=Submitted.ACCEPTED, missed=frozenset(missed))

    def _repeated(self, user: UserId, source: ClientSubmission, now: datetime) -> bool:
        window = REPEAT_WINDOW if source.client_id is None else CLIENT_ID_WINDOW
        sent = self._sent.get((user, source.device), [])
        return any(earlier == source and then > now - window for earlier, then in sent)

    def _deliver(self, delivery: Delivery) -> tuple[UserId, CollectionId] | None:
        mailbox = self._world.mailboxes.get(delivery.user)
        boxes = mailbox.boxes if mailbox is not None else {}
        named = delivery.collection if delivery.collection in boxes else None
        for box in boxes.values():
            if box.folder.id == named or (named is None and box.folder.type == delivery.folder):
                try:
                    self._mail.deliver(delivery.user, box.folder.id, delivery.message)
                except StoreFull:
                    return None
                return delivery.user, box.folder.id
        return None


_submission: type[interfaces.MailSubmission] = MemorySubmission
_queue: type[interfaces.OutgoingQueue] = MemoryQueue
