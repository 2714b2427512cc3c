"""MailSubmission and the OutgoingQueue on SQLite: one transaction for all that becomes of a message."""

import contextlib
import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import bindparam, delete, func, insert, select, update

from eas_server import interfaces
from eas_server.backends.sqlite import blobs, codec, items
from eas_server.backends.sqlite.query import Row, Sql, Value
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.schema import blobs as blob_table
from eas_server.backends.sqlite.schema import outgoing, submissions
from eas_server.backends.sqlite.writer import Unit, Writer
from eas_server.errors import NoSuchFolder, StoreFull
from eas_server.interfaces import (
    CLIENT_ID_WINDOW,
    KEPT_CLIENT_IDS,
    REPEAT_WINDOW,
    ClientSubmission,
    Clock,
    Delivery,
    Forwarding,
    Queued,
    Receipt,
    Submission,
    Submitted,
)
from eas_server.model.blob import Blob
from eas_server.model.ids import UserId

_sent = submissions.c
_from = (_sent.user == bindparam("who"), _sent.device == bindparam("which"))
_REPEATED = Sql(
    select(_sent.key)
    .where(
        *_from,
        _sent.client_id == bindparam("named"),
        _sent.digest == bindparam("octets"),
        _sent.sent > bindparam("since"),
    )
    .limit(1)
)
_REPEATED_NAMELESS = Sql(
    select(_sent.key)
    .where(*_from, _sent.client_id.is_(None), _sent.digest == bindparam("octets"), _sent.sent > bindparam("since"))
    .limit(1)
)
_REMEMBER = Sql(insert(submissions), columns=("user", "device", "client_id", "digest", "sent"))
_FORGET_OLD = Sql(delete(submissions).where(*_from, _sent.sent <= bindparam("since")))
_LAST_FORGOTTEN = Sql(select(_sent.key).where(*_from).order_by(_sent.key.desc()).limit(1).offset(KEPT_CLIENT_IDS))
_FORGET_UNTIL = Sql(delete(submissions).where(*_from, _sent.key <= bindparam("until")))

_QUEUE = Sql(insert(outgoing), columns=("user", "sender", "recipients", "blob", "queued", "due", "attempts", "reason"))
_DUE = Sql(
    select(
        outgoing.c.key,
        outgoing.c.user,
        outgoing.c.sender,
        outgoing.c.recipients,
        outgoing.c.queued,
        outgoing.c.attempts,
        outgoing.c.blob,
        blob_table.c.size,
    )
    .join(blob_table, blob_table.c.key == outgoing.c.blob)
    .where(outgoing.c.due <= bindparam("until"))
    .order_by(outgoing.c.due, outgoing.c.key)
    .limit(bindparam("most"))
)
_RECIPIENTS = Sql(select(outgoing.c.recipients, outgoing.c.blob).where(outgoing.c.key == bindparam("number")))
_REMAIN = Sql(update(outgoing).where(outgoing.c.key == bindparam("number")).values(recipients=bindparam("left")))
_LEAVE = Sql(delete(outgoing).where(outgoing.c.key == bindparam("number")))
_DEFER = Sql(
    update(outgoing)
    .where(outgoing.c.key == bindparam("number"))
    .values(due=bindparam("until"), reason=bindparam("why"), attempts=outgoing.c.attempts + 1)
)
_WAITING = Sql(select(func.count()).select_from(outgoing))


class _Placed:
    """The contents of one submission, each stored when it is first referred to."""

    def __init__(self, unit: Unit, prepared: dict[int, blobs.Prepared], now: int) -> None:
        self._unit = unit
        self._prepared = prepared
        self._now = now
        self._keys: dict[int, int] = {}

    def key(self, content: Blob) -> int:
        """The row of the stored octets."""
        known = self._keys.get(id(content))
        if known is None:
            known = self._keys[id(content)] = blobs.place(self._unit, self._prepared[id(content)], self._now)
        return known


class SqliteSubmission:
    """See the port. Deliveries and forwardings that name the same Blob object share its octets."""

    def __init__(self, readers: Readers, writer: Writer, clock: Clock) -> None:
        self._readers = readers
        self._writer = writer
        self._clock = clock

    async def submit(self, submission: Submission) -> Receipt:
        """See the port."""
        now = codec.micros(self._clock.now())
        contents = [delivery.message.content for delivery in submission.deliveries]
        if submission.forwarding is not None:
            contents.append(submission.forwarding.content)
        prepared = {
            key: await blobs.prepare(content, self._readers, self._writer, now)
            for key, content in {id(content): content for content in contents}.items()
        }
        return await self._writer.run(lambda unit: _submit(unit, submission, _Placed(unit, prepared, now)))


def _submit(unit: Unit, submission: Submission, placed: _Placed) -> Receipt:
    sent = codec.micros(submission.now)
    if submission.source is not None:
        if _repeated(unit.connection, submission.user, submission.source, submission.now):
            return Receipt(outcome=Submitted.DUPLICATE)
        _remember(unit.connection, submission.user, submission.source, submission.now)
    missed = _missed(unit, submission, placed)
    if missed and len(missed) == len(submission.deliveries) and submission.forwarding is None:
        raise StoreFull("no recipient has room for the message")
    if submission.forwarding is not None:
        _enqueue(unit, submission.user, submission.forwarding, placed.key(submission.forwarding.content), sent)
    return Receipt(outcome=Submitted.ACCEPTED, missed=frozenset(missed))


def _missed(unit: Unit, submission: Submission, placed: _Placed) -> list[UserId]:
    """Make the deliveries; gives the users of those that could not be made."""
    missed: list[UserId] = []
    for delivery in submission.deliveries:
        if _deliver(unit, delivery, placed):
            continue
        if submission.is_own_copy(delivery):
            raise StoreFull("the sender has no room for the copy in Sent Items")
        missed.append(delivery.user)
    return missed


def _deliver(unit: Unit, delivery: Delivery, placed: _Placed) -> bool:
    message = delivery.message
    try:
        at = _place(unit.connection, delivery)
    except NoSuchFolder:
        return False
    if not items.room_for(unit.connection, at, len(message.trace) + message.content.size):
        return False
    items.add(unit, delivery.user, at, message, placed.key(message.content))
    return True


def _place(connection: sqlite3.Connection, delivery: Delivery) -> items.Place:
    if delivery.collection is not None:
        with contextlib.suppress(NoSuchFolder):
            return items.place(connection, delivery.user, delivery.collection)
    return items.default_place(connection, delivery.user, delivery.folder)


def _repeated(connection: sqlite3.Connection, user: UserId, source: ClientSubmission, now: datetime) -> bool:
    known: dict[str, Value] = {"who": user, "which": source.device, "octets": source.digest}
    if source.client_id is None:
        since = codec.micros(now - REPEAT_WINDOW)
        return _REPEATED_NAMELESS.one(connection, **known, since=since) is not None
    since = codec.micros(now - CLIENT_ID_WINDOW)
    return _REPEATED.one(connection, **known, named=source.client_id, since=since) is not None


def _remember(connection: sqlite3.Connection, user: UserId, source: ClientSubmission, now: datetime) -> None:
    _REMEMBER.run(
        connection,
        user=user,
        device=source.device,
        client_id=source.client_id,
        digest=source.digest,
        sent=codec.micros(now),
    )
    _FORGET_OLD.run(connection, who=user, which=source.device, since=codec.micros(now - CLIENT_ID_WINDOW))
    last = _LAST_FORGOTTEN.one(connection, who=user, which=source.device)
    if last is not None:
        _FORGET_UNTIL.run(connection, who=user, which=source.device, until=last[0])


def _enqueue(unit: Unit, user: UserId, forwarding: Forwarding, blob: int, now: int) -> None:
    blobs.refer(unit, blob)
    _QUEUE.run(
        unit.connection,
        user=user,
        sender=forwarding.sender,
        recipients=codec.dump(tuple(forwarding.recipients)),
        blob=blob,
        queued=now,
        due=now,
        attempts=0,
        reason="",
    )


class SqliteQueue:
    """See the port."""

    def __init__(self, readers: Readers, writer: Writer, clock: Clock) -> None:
        self._readers = readers
        self._writer = writer
        self._clock = clock

    async def due(self, now: datetime, limit: int) -> Sequence[Queued]:
        """See the port."""
        rows = await self._readers.run(lambda connection: _DUE.all(connection, until=codec.micros(now), most=limit))
        return [self._queued(row) for row in rows]

    def _queued(self, row: Row) -> Queued:
        key, user, sender, recipients, queued, attempts, blob, size = row
        return Queued(
            id=key,
            user=UserId(user),
            forwarding=Forwarding(
                sender=sender,
                recipients=codec.load_texts(recipients),
                content=blobs.StoredBlob(self._readers, blob, size),
            ),
            queued=codec.instant(queued),
            attempts=attempts,
        )

    async def finish(self, queued: int, recipients: Collection[str]) -> None:
        """See the port."""
        now = codec.micros(self._clock.now())
        await self._writer.run(partial(_finish, queued=queued, recipients=frozenset(recipients), now=now))

    async def defer(self, queued: int, until: datetime, reason: str) -> None:
        """See the port."""
        due = codec.micros(until)

        def work(unit: Unit) -> None:
            _DEFER.run(unit.connection, number=queued, until=due, why=reason)

        await self._writer.run(work)

    async def waiting(self) -> int:
        """How many messages are in the queue."""
        row = await self._readers.run(_WAITING.one)
        return int(row[0]) if row else 0


def _finish(unit: Unit, *, queued: int, recipients: frozenset[str], now: int) -> None:
    row = _RECIPIENTS.one(unit.connection, number=queued)
    if row is None:
        return
    left = tuple(address for address in codec.load_texts(row[0]) if address not in recipients)
    if left:
        _REMAIN.run(unit.connection, number=queued, left=codec.dump(left))
        return
    _LEAVE.run(unit.connection, number=queued)
    blobs.release(unit, [row[1]], now)


_submission: type[interfaces.MailSubmission] = SqliteSubmission
_queue: type[interfaces.OutgoingQueue] = SqliteQueue
