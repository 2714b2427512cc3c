"""What every MailStore keeps to."""

from dataclasses import replace
from datetime import timedelta

import pytest

from eas_server.errors import NoSuchFolder, NoSuchItem, StaleToken, StoreFull
from eas_server.model.blob import Joined, MemoryBlob, Slice, read
from eas_server.model.ids import CollectionId, ItemId, Token, UserId
from eas_server.model.mail import Flag, FolderType, ItemState, StateChange, Verb
from eas_server.model.view import NO_LIMIT, TOP, Position
from tests.contract.samples import ALICE, BOB, CAROL, NOW, AnyStore, folder_of, message

INBOX = CollectionId("1")
DRAFTS = CollectionId("2")
NOWHERE = CollectionId("777")


class MailStoreContract:
    """Inherit, and give a fixture `store` in which alice and bob have accounts, and carol one of 1,000 octets."""

    async def test_what_was_added_is_fetched(self, store: AnyStore) -> None:
        state = ItemState(read=True, flag=Flag(subject="x", due=NOW), categories=("a", "b"), verb=Verb.FORWARD)
        new = message("hello", trace=b"Received: here\r\n", state=state, conversation=b"c" * 16)
        entry = await store.mail.add(ALICE, INBOX, new)
        (item,) = await store.mail.fetch(ALICE, INBOX, [entry.id])
        assert (item.id, item.revision, item.state, item.index) == (entry.id, entry.revision, state, new.index)
        assert item.received == NOW
        assert int(item.received.timestamp()) == entry.received
        assert item.index_offset == len(new.trace)
        assert await read(item.content) == new.trace + await read(new.content)
        assert item.content.size == len(new.trace) + new.content.size
        changed = item.changed
        assert {changed.content, changed.read, changed.flag, changed.categories, changed.verb} == {entry.revision}

    async def test_content_is_replaced(self, store: AnyStore) -> None:
        entry = await store.mail.add(ALICE, INBOX, message("old words", state=ItemState(read=True)))
        await store.mail.add(ALICE, INBOX, message("another"))
        later = NOW + timedelta(days=3)
        new = replace(message("fresh words", content=MemoryBlob(b"new")), received=later)
        written = await store.mail.replace(ALICE, INBOX, entry.id, new, entry.revision)
        assert written is not None
        assert written.before == entry.revision < written.after
        (item,) = await store.mail.fetch(ALICE, INBOX, [entry.id])
        assert (await read(item.content), item.received, item.index, item.state.read) == (
            b"new",
            later,
            new.index,
            True,
        )
        assert (item.revision, item.changed.content) == (written.after, written.after)
        assert item.changed.read == entry.revision
        listed = await store.mail.page(ALICE, INBOX, below=TOP, not_before=NO_LIMIT, limit=9)
        assert [found.id for found in listed] == [entry.id, entry.id + 1]
        assert await store.mail.replace(ALICE, INBOX, entry.id, new, entry.revision) is None
        with pytest.raises(NoSuchItem):
            await store.mail.replace(ALICE, INBOX, ItemId(77), new, entry.revision)
        with pytest.raises(NoSuchFolder):
            await store.mail.replace(ALICE, NOWHERE, entry.id, new, entry.revision)

    async def test_who_held_the_old_content_hears_that_the_item_is_gone(self, store: AnyStore) -> None:
        entry = await store.mail.add(ALICE, INBOX, message("one"))
        held = Token(entry.revision)
        await store.mail.replace(ALICE, INBOX, entry.id, message("two"), entry.revision)
        (changed,) = (await store.mail.changes(ALICE, INBOX, held)).entries
        assert (changed.id, changed.present) == (entry.id, True)
        await store.mail.delete(ALICE, INBOX, [entry.id])
        (gone,) = (await store.mail.changes(ALICE, INBOX, held)).entries
        assert (gone.id, gone.present) == (entry.id, False)

    async def test_replacing_counts_against_the_quota(self, store: AnyStore) -> None:
        entry = await store.mail.add(CAROL, INBOX, message(content=MemoryBlob(b"x" * 600)))
        written = await store.mail.replace(
            CAROL, INBOX, entry.id, message(content=MemoryBlob(b"x" * 900)), entry.revision
        )
        assert written is not None
        with pytest.raises(StoreFull):
            await store.mail.replace(CAROL, INBOX, entry.id, message(content=MemoryBlob(b"x" * 1100)), written.after)
        await store.mail.replace(CAROL, INBOX, entry.id, message(content=MemoryBlob(b"x")), written.after)
        await store.mail.add(CAROL, INBOX, message(content=MemoryBlob(b"x" * 900)))

    async def test_any_part_of_a_long_message_is_read(self, store: AnyStore) -> None:
        octets = bytes(range(256)) * 5000
        new = message(content=MemoryBlob(octets), trace=b"Trace: 1\r\n")
        entry = await store.mail.add(ALICE, INBOX, new)
        (item,) = await store.mail.fetch(ALICE, INBOX, [entry.id])
        whole = new.trace + octets
        assert await read(item.content) == whole
        for start, end in ((0, 5), (5, 15), (9, 10), (262_100, 262_200), (1_000_000, None), (7, 7), (2, 1_280_005)):
            assert await read(item.content, start, end) == whole[start:end]

    async def test_any_kind_of_blob_is_taken(self, store: AnyStore) -> None:
        first = await store.mail.add(ALICE, INBOX, message(content=MemoryBlob(b"x" * 3_000_000)))
        (stored,) = await store.mail.fetch(ALICE, INBOX, [first.id])
        shared = await store.mail.add(BOB, INBOX, message(content=stored.content, trace=b"Mine: 1\r\n"))
        pieces = Joined(MemoryBlob(b"<"), Slice(stored.content, 10, 2_000_010), MemoryBlob(b">"))
        pieced = await store.mail.add(ALICE, INBOX, message(content=pieces))
        await store.mail.delete(ALICE, INBOX, [first.id])
        (copy,) = await store.mail.fetch(BOB, INBOX, [shared.id])
        assert await read(copy.content) == b"Mine: 1\r\n" + b"x" * 3_000_000
        (item,) = await store.mail.fetch(ALICE, INBOX, [pieced.id])
        assert await read(item.content) == b"<" + b"x" * 2_000_000 + b">"

    async def test_empty_content(self, store: AnyStore) -> None:
        entry = await store.mail.add(ALICE, INBOX, message(content=MemoryBlob(b"")))
        (item,) = await store.mail.fetch(ALICE, INBOX, [entry.id])
        assert (item.content.size, await read(item.content)) == (0, b"")

    async def test_fetch_keeps_the_order_and_leaves_out_what_is_gone(self, store: AnyStore) -> None:
        ids = [(await store.mail.add(ALICE, INBOX, message(str(n)))).id for n in range(4)]
        await store.mail.delete(ALICE, INBOX, [ids[1]])
        wanted = [ids[3], ItemId(99), ids[1], ids[0], ids[2]]
        assert [i.id for i in await store.mail.fetch(ALICE, INBOX, wanted)] == [ids[3], ids[0], ids[2]]

    async def test_ids_grow_and_are_never_used_again(self, store: AnyStore) -> None:
        first = await store.mail.add(ALICE, INBOX, message())
        second = await store.mail.add(ALICE, INBOX, message())
        await store.mail.delete(ALICE, INBOX, [second.id])
        third = await store.mail.add(ALICE, INBOX, message())
        assert first.id < second.id < third.id

    async def test_each_change_grows_the_token_of_its_collection(self, store: AnyStore) -> None:
        async def tokens() -> tuple[Token, Token]:
            found = await store.mail.tokens(ALICE, [INBOX, DRAFTS, NOWHERE])
            assert set(found) == {INBOX, DRAFTS}
            return found[INBOX], found[DRAFTS]

        inbox, drafts = await tokens()
        entry = await store.mail.add(ALICE, INBOX, message())
        assert (await tokens()) == (entry.revision, drafts)
        assert entry.revision > inbox
        written = await store.mail.change(ALICE, INBOX, entry.id, StateChange(read=True))
        assert (written.before, (await tokens())[0]) == (entry.revision, written.after)
        moved = await store.mail.move(ALICE, INBOX, [entry.id], DRAFTS)
        after = await tokens()
        assert after[0] > written.after
        assert after[1] > drafts
        await store.mail.delete(ALICE, DRAFTS, list(moved.values()))
        assert (await tokens())[1] > after[1]
        assert (await tokens())[0] == after[0]

    async def test_tokens_of_strangers(self, store: AnyStore) -> None:
        assert await store.mail.tokens(UserId("nobody"), [INBOX]) == {}

    async def test_changes_tell_each_item_once_as_it_is_now(self, store: AnyStore) -> None:
        start = (await store.mail.tokens(ALICE, [INBOX]))[INBOX]
        kept = await store.mail.add(ALICE, INBOX, message("kept"))
        gone = await store.mail.add(ALICE, INBOX, message("gone"))
        middle = (await store.mail.tokens(ALICE, [INBOX]))[INBOX]
        passing = await store.mail.add(ALICE, INBOX, message("passing"))
        written = await store.mail.change(ALICE, INBOX, kept.id, StateChange(read=True))
        await store.mail.delete(ALICE, INBOX, [gone.id, passing.id])
        changes = await store.mail.changes(ALICE, INBOX, middle)
        assert changes.token == (await store.mail.tokens(ALICE, [INBOX]))[INBOX]
        by_id = {entry.id: entry for entry in changes.entries}
        assert len(by_id) == len(changes.entries)
        assert by_id.pop(kept.id) == replace(kept, revision=written.after)
        left = by_id.pop(gone.id)
        assert (left.present, left.received) == (False, gone.received)
        assert all(entry.id == passing.id and not entry.present for entry in by_id.values())
        everything = await store.mail.changes(ALICE, INBOX, start)
        assert [entry.id for entry in everything.entries if entry.present] == [kept.id]
        assert (await store.mail.changes(ALICE, INBOX, changes.token)).entries in ([], ())

    async def test_a_token_from_the_future_is_stale(self, store: AnyStore) -> None:
        token = (await store.mail.tokens(ALICE, [INBOX]))[INBOX]
        with pytest.raises(StaleToken):
            await store.mail.changes(ALICE, INBOX, Token(token + 1000))

    async def test_pages_go_from_the_newest_down(self, store: AnyStore) -> None:
        for second in (5, 1, 3, 3, -7, 5):
            await store.mail.add(ALICE, INBOX, message(at=second))
        at = int(NOW.timestamp())
        first = await store.mail.page(ALICE, INBOX, below=TOP, not_before=NO_LIMIT, limit=4)
        assert [(e.received - at, e.id) for e in first] == [(5, 6), (5, 1), (3, 4), (3, 3)]
        rest = await store.mail.page(ALICE, INBOX, below=Position(at + 3, 3), not_before=NO_LIMIT, limit=4)
        assert [(e.received - at, e.id) for e in rest] == [(1, 2), (-7, 5)]
        recent = await store.mail.page(ALICE, INBOX, below=Position(at + 3, 4), not_before=at + 1, limit=9)
        assert [(e.received - at, e.id) for e in recent] == [(3, 3), (1, 2)]
        assert await store.mail.count(ALICE, INBOX, below=TOP, not_before=NO_LIMIT) == 6
        assert await store.mail.count(ALICE, INBOX, below=Position(at + 3, 4), not_before=at + 1) == 2

    async def test_a_change_of_state_tells_which_part_changed(self, store: AnyStore) -> None:
        entry = await store.mail.add(ALICE, INBOX, message())
        flag = Flag(status=2, type="for follow up", subject="call", utc_due=NOW)
        changes = (
            StateChange(read=True),
            StateChange(flag=flag),
            StateChange(categories=("red",)),
            StateChange(verb=Verb.REPLY_TO_ALL, verb_time=NOW),
        )
        stamps = [(await store.mail.change(ALICE, INBOX, entry.id, change)).after for change in changes]
        (item,) = await store.mail.fetch(ALICE, INBOX, [entry.id])
        expected = ItemState(read=True, flag=flag, categories=("red",), verb=Verb.REPLY_TO_ALL, verb_time=NOW)
        assert item.state == expected
        changed = item.changed
        assert [changed.read, changed.flag, changed.categories, changed.verb] == stamps
        assert (changed.content, item.revision) == (entry.revision, stamps[-1])
        cleared = await store.mail.change(ALICE, INBOX, entry.id, StateChange(flag=None))
        (item,) = await store.mail.fetch(ALICE, INBOX, [entry.id])
        assert (item.state.flag, item.changed.flag, item.changed.read) == (None, cleared.after, stamps[0])

    async def test_a_change_to_the_same_state_changes_nothing(self, store: AnyStore) -> None:
        entry = await store.mail.add(ALICE, INBOX, message())
        for change in (StateChange(), StateChange(read=False), StateChange(flag=None, categories=())):
            written = await store.mail.change(ALICE, INBOX, entry.id, change)
            assert (written.before, written.after) == (entry.revision, entry.revision)
        assert (await store.mail.tokens(ALICE, [INBOX]))[INBOX] == entry.revision

    async def test_a_change_of_nothing(self, store: AnyStore) -> None:
        with pytest.raises(NoSuchItem):
            await store.mail.change(ALICE, INBOX, ItemId(1), StateChange(read=True))

    async def test_delete_tells_what_was_there(self, store: AnyStore) -> None:
        entry = await store.mail.add(ALICE, INBOX, message())
        assert await store.mail.delete(ALICE, INBOX, [entry.id, ItemId(99)]) == {entry.id}
        token = (await store.mail.tokens(ALICE, [INBOX]))[INBOX]
        assert await store.mail.delete(ALICE, INBOX, [entry.id]) == frozenset()
        assert (await store.mail.tokens(ALICE, [INBOX]))[INBOX] == token

    async def test_move(self, store: AnyStore) -> None:
        state = ItemState(read=True, categories=("a",))
        first = await store.mail.add(ALICE, INBOX, message("first", state=state, trace=b"T: 1\r\n"))
        second = await store.mail.add(ALICE, INBOX, message("second"))
        await store.mail.add(ALICE, DRAFTS, message("there before"))
        before = await store.mail.tokens(ALICE, [INBOX, DRAFTS])
        moved = await store.mail.move(ALICE, INBOX, [second.id, ItemId(99), first.id], DRAFTS)
        assert set(moved) == {first.id, second.id}
        (item,) = await store.mail.fetch(ALICE, DRAFTS, [moved[first.id]])
        assert (item.state, item.index.subject, item.index_offset) == (state, "first", 6)
        assert item.changed.content == item.revision > before[DRAFTS]
        left = await store.mail.changes(ALICE, INBOX, before[INBOX])
        assert {(e.id, e.present) for e in left.entries} == {(first.id, False), (second.id, False)}
        came = await store.mail.changes(ALICE, DRAFTS, before[DRAFTS])
        assert {(e.id, e.present) for e in came.entries} == {(n, True) for n in moved.values()}

    async def test_collections_that_do_not_exist(self, store: AnyStore) -> None:
        mail = store.mail
        entry = await mail.add(ALICE, INBOX, message())
        attempts = (
            lambda: mail.changes(ALICE, NOWHERE, Token(0)),
            lambda: mail.page(ALICE, NOWHERE, below=TOP, not_before=NO_LIMIT, limit=1),
            lambda: mail.count(ALICE, NOWHERE, below=TOP, not_before=NO_LIMIT),
            lambda: mail.fetch(ALICE, NOWHERE, [entry.id]),
            lambda: mail.add(ALICE, NOWHERE, message()),
            lambda: mail.change(ALICE, NOWHERE, entry.id, StateChange()),
            lambda: mail.delete(ALICE, NOWHERE, [entry.id]),
            lambda: mail.delete(ALICE, NOWHERE, []),
            lambda: mail.move(ALICE, NOWHERE, [entry.id], INBOX),
            lambda: mail.move(ALICE, INBOX, [entry.id], NOWHERE),
            lambda: mail.fetch(UserId("nobody"), INBOX, [entry.id]),
        )
        for attempt in attempts:
            with pytest.raises(NoSuchFolder):
                await attempt()
        assert len(await mail.fetch(ALICE, INBOX, [entry.id])) == 1

    async def test_users_do_not_see_each_other(self, store: AnyStore) -> None:
        entry = await store.mail.add(ALICE, INBOX, message())
        assert list(await store.mail.fetch(BOB, INBOX, [entry.id])) == []
        assert await store.mail.delete(BOB, INBOX, [entry.id]) == frozenset()
        assert len(await store.mail.fetch(ALICE, INBOX, [entry.id])) == 1

    async def test_a_full_mailbox_stores_nothing(self, store: AnyStore) -> None:
        entry = await store.mail.add(CAROL, INBOX, message(content=MemoryBlob(b"x" * 600)))
        with pytest.raises(StoreFull):
            await store.mail.add(CAROL, INBOX, message(content=MemoryBlob(b"x" * 390), trace=b"T: 90123456\r\n"))
        assert (await store.mail.tokens(CAROL, [INBOX]))[INBOX] == entry.revision
        await store.mail.add(CAROL, DRAFTS, message(content=MemoryBlob(b"x" * 400)))
        await store.mail.delete(CAROL, INBOX, [entry.id])
        await store.mail.add(CAROL, INBOX, message(content=MemoryBlob(b"x" * 600)))

    async def test_deleting_a_folder_makes_room(self, store: AnyStore) -> None:
        made = await store.folders.create_folder(CAROL, CollectionId("0"), "Big", FolderType.USER_MAIL)
        await store.mail.add(CAROL, made.id, message(content=MemoryBlob(b"x" * 900)))
        await store.folders.delete_folder(CAROL, made.id)
        await store.mail.add(CAROL, await folder_of(store, CAROL, FolderType.INBOX), message("y" * 300))
