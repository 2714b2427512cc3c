"""What every MailSubmission and OutgoingQueue keeps to."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from eas_server.errors import StoreFull
from eas_server.interfaces import (
    KEPT_CLIENT_IDS,
    REPEAT_WINDOW,
    ClientSubmission,
    Delivery,
    Forwarding,
    Receipt,
    Submission,
    Submitted,
)
from eas_server.model.blob import MemoryBlob, read
from eas_server.model.ids import CollectionId, DeviceId, UserId
from eas_server.model.mail import FolderType
from eas_server.model.view import NO_LIMIT, TOP
from tests.contract.samples import ALICE, BOB, CAROL, NOW, AnyStore, message

INBOX = CollectionId("1")
SENT = CollectionId("4")
BODY = MemoryBlob(b"Subject: Hi\r\n\r\nHello\r\n")


def submission(
    client_id: str | None = "id-1",
    *,
    digest: bytes = b"d",
    to: tuple[UserId, ...] = (BOB,),
    outside: tuple[str, ...] = (),
    content: MemoryBlob = BODY,
    now: datetime = NOW,
    device: str = "phone",
) -> Submission:
    deliveries = [
        Delivery(user=user, folder=FolderType.INBOX, message=message(content=content, trace=b"Received: x\r\n"))
        for user in to
    ]
    sent = Delivery(user=ALICE, folder=FolderType.SENT_ITEMS, message=message(content=content))
    forwarding = Forwarding(sender="alice@example.com", recipients=outside, content=content) if outside else None
    return Submission(
        user=ALICE,
        source=ClientSubmission(device=DeviceId(device), client_id=client_id, digest=digest),
        deliveries=(*deliveries, sent),
        forwarding=forwarding,
        now=now,
    )


async def number_of(store: AnyStore, user: UserId, collection: CollectionId) -> int:
    found: int = await store.mail.count(user, collection, below=TOP, not_before=NO_LIMIT)
    return found


class SubmissionContract:
    """Inherit, and give a fixture `store` in which alice and bob have accounts, and carol one of 1,000 octets."""

    async def test_all_copies_are_made(self, store: AnyStore) -> None:
        assert (
            await store.submission.submit(submission(to=(BOB, CAROL), outside=("x@example.org",)))
        ).outcome is Submitted.ACCEPTED
        for user, trace in ((BOB, b"Received: x\r\n"), (CAROL, b"Received: x\r\n")):
            (item,) = await store.mail.fetch(user, INBOX, [1])
            assert await read(item.content) == trace + bytes(BODY.view)
        (sent,) = await store.mail.fetch(ALICE, SENT, [1])
        assert await read(sent.content) == bytes(BODY.view)
        (queued,) = await store.queue.due(NOW, 10)
        assert (queued.user, queued.forwarding.recipients) == (ALICE, ("x@example.org",))
        assert (queued.forwarding.sender, queued.queued, queued.attempts) == ("alice@example.com", NOW, 0)
        assert await read(queued.forwarding.content) == bytes(BODY.view)

    async def test_a_delivery_may_name_a_folder(self, store: AnyStore) -> None:
        sent = submission()
        for named, found_in in ((SENT, SENT), (CollectionId("no such"), INBOX)):
            before = await number_of(store, BOB, found_in)
            to_bob = replace(sent.deliveries[0], collection=named)
            await store.submission.submit(replace(sent, source=None, deliveries=(to_bob,)))
            assert await number_of(store, BOB, found_in) == before + 1

    async def test_copies_are_independent(self, store: AnyStore) -> None:
        await store.submission.submit(submission())
        await store.mail.delete(ALICE, SENT, [1])
        (item,) = await store.mail.fetch(BOB, INBOX, [1])
        assert (await read(item.content)).endswith(bytes(BODY.view))

    @pytest.mark.requirement("MS-ASCMD_R4850")
    async def test_the_same_client_id_with_the_same_octets_is_a_repetition(self, store: AnyStore) -> None:
        await store.submission.submit(submission())
        assert (await store.submission.submit(submission(outside=("x@example.org",)))).outcome is Submitted.DUPLICATE
        assert await number_of(store, BOB, INBOX) == 1
        assert list(await store.queue.due(NOW, 10)) == []

    @pytest.mark.requirement("MS-ASCMD_R954")
    async def test_a_phone_that_counts_anew_is_heard(self, store: AnyStore) -> None:
        await store.submission.submit(submission("1", digest=b"old"))
        assert (await store.submission.submit(submission("1", digest=b"new"))).outcome is Submitted.ACCEPTED
        assert (await store.submission.submit(submission("1", digest=b"old"))).outcome is Submitted.DUPLICATE
        assert await number_of(store, BOB, INBOX) == 2

    async def test_devices_and_users_count_for_themselves(self, store: AnyStore) -> None:
        await store.submission.submit(submission())
        assert (await store.submission.submit(submission(device="tablet"))).outcome is Submitted.ACCEPTED
        assert (await store.submission.submit(replace(submission(), user=BOB))).outcome is Submitted.ACCEPTED

    async def test_memory_ends_after_seven_days(self, store: AnyStore) -> None:
        await store.submission.submit(submission())
        almost = NOW + timedelta(days=7, seconds=-1)
        assert (await store.submission.submit(submission(now=almost))).outcome is Submitted.DUPLICATE
        assert (await store.submission.submit(submission(now=NOW + timedelta(days=7)))).outcome is Submitted.ACCEPTED

    @pytest.mark.requirement("MS-ASCMD_R4850")
    async def test_the_last_hundred_are_remembered(self, store: AnyStore) -> None:
        for number in range(KEPT_CLIENT_IDS + 1):
            await store.submission.submit(submission(f"id-{number}", to=()))
        assert (await store.submission.submit(submission("id-1", to=()))).outcome is Submitted.DUPLICATE
        assert (await store.submission.submit(submission("id-0", to=()))).outcome is Submitted.ACCEPTED

    async def test_without_client_id_the_octets_count_for_a_while(self, store: AnyStore) -> None:
        await store.submission.submit(submission(None))
        soon = NOW + REPEAT_WINDOW - timedelta(seconds=1)
        assert (await store.submission.submit(submission(None, now=soon))).outcome is Submitted.DUPLICATE
        assert (await store.submission.submit(submission(None, digest=b"other"))).outcome is Submitted.ACCEPTED
        assert (await store.submission.submit(submission(None, now=NOW + REPEAT_WINDOW))).outcome is Submitted.ACCEPTED

    async def test_without_a_source_nothing_is_a_repetition(self, store: AnyStore) -> None:
        anonymous = replace(submission(), source=None)
        assert (await store.submission.submit(anonymous)).outcome is Submitted.ACCEPTED
        assert (await store.submission.submit(anonymous)).outcome is Submitted.ACCEPTED

    async def test_full_mailboxes_are_passed_over(self, store: AnyStore) -> None:
        large = MemoryBlob(b"x" * 2000)
        receipt = await store.submission.submit(submission(to=(CAROL, BOB), content=large))
        assert receipt == Receipt(outcome=Submitted.ACCEPTED, missed=frozenset({CAROL}))
        assert await number_of(store, CAROL, INBOX) == 0
        assert await number_of(store, BOB, INBOX) == 1

    async def test_nobody_with_room(self, store: AnyStore) -> None:
        large = MemoryBlob(b"x" * 2000)
        to_carol = Delivery(user=CAROL, folder=FolderType.INBOX, message=message(content=large))
        alone = replace(submission(), deliveries=(to_carol,))
        with pytest.raises(StoreFull):
            await store.submission.submit(alone)
        elsewhere = Forwarding(sender="alice@example.com", recipients=("x@example.org",), content=large)
        assert (await store.submission.submit(replace(alone, forwarding=elsewhere))).outcome is Submitted.ACCEPTED

    async def test_no_room_for_the_senders_own_copy(self, store: AnyStore) -> None:
        large = MemoryBlob(b"x" * 2000)
        to_bob, _ = submission(content=large).deliveries
        own = Delivery(user=CAROL, folder=FolderType.SENT_ITEMS, message=message(content=large))
        elsewhere = Forwarding(sender="carol@example.com", recipients=("x@example.org",), content=large)
        sent = replace(submission(), user=CAROL, deliveries=(to_bob, own), forwarding=elsewhere)
        with pytest.raises(StoreFull):
            await store.submission.submit(sent)
        assert await number_of(store, BOB, INBOX) == 0
        assert list(await store.queue.due(NOW, 10)) == []
        again = replace(sent, deliveries=(to_bob,))
        assert (await store.submission.submit(again)).outcome is Submitted.ACCEPTED

    async def test_users_that_are_no_more_are_passed_over(self, store: AnyStore) -> None:
        receipt = await store.submission.submit(submission(to=(UserId("nobody"),)))
        assert receipt == Receipt(outcome=Submitted.ACCEPTED, missed=frozenset({UserId("nobody")}))


class OutgoingQueueContract:
    """Inherit, and give a fixture `store` in which alice and bob have accounts."""

    async def test_what_is_due_comes_oldest_first(self, store: AnyStore) -> None:
        for number in range(3):
            later = NOW + timedelta(seconds=number)
            await store.submission.submit(submission(f"{number}", outside=(f"{number}@example.org",), now=later))
        due = await store.queue.due(NOW + timedelta(seconds=1), 10)
        assert [queued.forwarding.recipients for queued in due] == [("0@example.org",), ("1@example.org",)]
        assert len(await store.queue.due(NOW + timedelta(seconds=9), 2)) == 2

    async def test_finished_recipients_leave(self, store: AnyStore) -> None:
        await store.submission.submit(submission(outside=("a@example.org", "b@example.org", "c@example.org")))
        (queued,) = await store.queue.due(NOW, 1)
        await store.queue.finish(queued.id, ["a@example.org", "c@example.org"])
        (queued,) = await store.queue.due(NOW, 1)
        assert queued.forwarding.recipients == ("b@example.org",)
        await store.queue.finish(queued.id, ["b@example.org"])
        assert list(await store.queue.due(NOW + timedelta(days=9), 1)) == []
        await store.queue.finish(queued.id, ["b@example.org"])

    async def test_deferred_messages_wait(self, store: AnyStore) -> None:
        await store.submission.submit(submission(outside=("a@example.org",)))
        (queued,) = await store.queue.due(NOW, 1)
        until = NOW + timedelta(minutes=5)
        await store.queue.defer(queued.id, until, "4.2.0 busy")
        assert list(await store.queue.due(NOW, 1)) == []
        (again,) = await store.queue.due(until, 1)
        assert (again.attempts, again.queued) == (1, NOW)
