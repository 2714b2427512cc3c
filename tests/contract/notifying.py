"""What every store tells the ChangeNotifier, and what every ChangeNotifier makes of it."""

import asyncio

import pytest

from eas_server import interfaces
from eas_server.model.ids import ROOT, CollectionId
from eas_server.model.mail import FolderType, StateChange
from tests.contract.samples import ALICE, BOB, AnyStore, message
from tests.contract.submission import submission

INBOX = CollectionId("1")
DRAFTS = CollectionId("2")
SENT = CollectionId("4")
LIMIT = 10.0


async def heard(subscription: interfaces.Subscription) -> frozenset[CollectionId]:
    async with asyncio.timeout(LIMIT):
        return await subscription.wait()


class NotifyingContract:
    """Inherit, and give fixtures `notifier` and `store`, the second of which publishes to the first."""

    async def test_changes_of_items_wake(self, store: AnyStore, notifier: interfaces.ChangeNotifier) -> None:
        with notifier.subscribe(ALICE, [INBOX, DRAFTS]) as subscription:
            await store.mail.add(ALICE, INBOX, message())
            assert await heard(subscription) == {INBOX}
            await store.mail.change(ALICE, INBOX, 1, StateChange(read=True))
            assert await heard(subscription) == {INBOX}
            await store.mail.move(ALICE, INBOX, [1], DRAFTS)
            assert await heard(subscription) == {INBOX, DRAFTS}
            await store.mail.delete(ALICE, DRAFTS, [1])
            assert await heard(subscription) == {DRAFTS}

    async def test_submissions_wake_everybody_who_got_mail(
        self, store: AnyStore, notifier: interfaces.ChangeNotifier
    ) -> None:
        with notifier.subscribe(BOB, [INBOX]) as recipient, notifier.subscribe(ALICE, [SENT]) as sender:
            await store.submission.submit(submission())
            assert await heard(recipient) == {INBOX}
            assert await heard(sender) == {SENT}

    async def test_changes_of_the_hierarchy_wake(self, store: AnyStore, notifier: interfaces.ChangeNotifier) -> None:
        with notifier.subscribe(ALICE, [ROOT]) as subscription:
            made = await store.folders.create_folder(ALICE, ROOT, "New", FolderType.USER_MAIL)
            assert await heard(subscription) == {ROOT}
            with notifier.subscribe(ALICE, [made.id]) as deleted:
                await store.folders.delete_folder(ALICE, made.id)
                assert await heard(deleted) == {made.id}
            assert await heard(subscription) == {ROOT}

    async def test_who_waits_already_is_woken(self, store: AnyStore, notifier: interfaces.ChangeNotifier) -> None:
        with notifier.subscribe(ALICE, [INBOX]) as subscription:
            waiting = asyncio.create_task(heard(subscription))
            await asyncio.sleep(0)
            await store.mail.add(ALICE, INBOX, message())
            assert await waiting == {INBOX}
            assert (await store.mail.tokens(ALICE, [INBOX]))[INBOX] > 0

    async def test_others_are_left_alone(self, store: AnyStore, notifier: interfaces.ChangeNotifier) -> None:
        with notifier.subscribe(ALICE, [DRAFTS]) as drafts, notifier.subscribe(BOB, [INBOX]) as bob:
            await store.mail.add(ALICE, INBOX, message())
            for subscription in (drafts, bob):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await subscription.wait()
            notifier.publish(BOB, [INBOX])
            assert await heard(bob) == {INBOX}

    async def test_a_subscription_ends(self, notifier: interfaces.ChangeNotifier) -> None:
        with notifier.subscribe(ALICE, [INBOX]) as ended:
            pass
        notifier.publish(ALICE, [INBOX])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ended.wait()
