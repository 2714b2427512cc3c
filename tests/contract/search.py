"""What every SearchesMail keeps to."""

from datetime import timedelta

import pytest

from eas_server.errors import NoSuchFolder
from eas_server.model.ids import ROOT, CollectionId, UserId
from eas_server.model.mail import FolderType, SearchHit, SearchQuery
from tests.contract.samples import ALICE, BOB, NOW, AnyStore, message

INBOX = CollectionId("1")
DRAFTS = CollectionId("2")
CONTACTS = CollectionId("8")


class SearchContract:
    """Inherit, and give a fixture `store` in which alice and bob have accounts."""

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            ("hello", True),
            ("HELLO world", True),
            ("wor hel", True),
            ("ello", False),
            ("hello moon", False),
            ("resume", True),
            ("RÉSUMÉ", True),
            ("bob@example.com", True),
            ("foo-bar", True),
            ("strasse", True),
            ("会議", True),
            ('" OR "', False),
            ("hello OR nothing", False),
            ("hello*", True),
            ('words: "hel', False),
            ("NEAR(hello world)", False),
            ("!?", False),
            ("", True),
        ],
    )
    async def test_words(self, store: AnyStore, words: str, found: bool) -> None:
        text = "Hello World, résumé of bob@example.com foo-bar Straße 明日の会議"
        entry = await store.mail.add(ALICE, INBOX, message(text))
        hits = await store.mail.search(ALICE, SearchQuery(words=words))
        assert list(hits) == ([SearchHit(collection=INBOX, id=entry.id)] if found else [])

    async def test_nobody_finds_what_is_not_theirs(self, store: AnyStore) -> None:
        await store.mail.add(ALICE, INBOX, message("secret"))
        assert list(await store.mail.search(BOB, SearchQuery(words="secret"))) == []
        assert list(await store.mail.search(BOB, SearchQuery())) == []
        assert list(await store.mail.search(UserId("nobody"), SearchQuery(words="secret"))) == []

    async def test_it_is_current_at_once(self, store: AnyStore) -> None:
        entry = await store.mail.add(ALICE, INBOX, message("word"))
        moved = await store.mail.move(ALICE, INBOX, [entry.id], DRAFTS)
        query = SearchQuery(words="word")
        assert list(await store.mail.search(ALICE, query)) == [SearchHit(collection=DRAFTS, id=moved[entry.id])]
        await store.mail.delete(ALICE, DRAFTS, list(moved.values()))
        assert list(await store.mail.search(ALICE, query)) == []

    async def test_deleted_folders_are_not_searched(self, store: AnyStore) -> None:
        made = await store.folders.create_folder(ALICE, ROOT, "Gone", FolderType.USER_MAIL)
        await store.mail.add(ALICE, made.id, message("word"))
        await store.folders.delete_folder(ALICE, made.id)
        assert list(await store.mail.search(ALICE, SearchQuery(words="word"))) == []

    async def test_newest_first_up_to_the_limit(self, store: AnyStore) -> None:
        for second in (3, 9, 1, 7):
            await store.mail.add(ALICE, INBOX, message("word", at=second))
        hits = await store.mail.search(ALICE, SearchQuery(words="word", limit=3))
        assert [hit.id for hit in hits] == [2, 4, 1]

    async def test_what_belongs_to_conversations_that_go_on(self, store: AnyStore) -> None:
        for second, name in ((0, b"a"), (5, b"b"), (6, b""), (10, b"a"), (20, b"a"), (21, b"")):
            await store.mail.add(ALICE, INBOX, message("word", at=second, conversation=name * 16))
        await store.mail.add(ALICE, DRAFTS, message("word", at=30, conversation=b"b" * 16))
        since = int(NOW.timestamp()) + 20
        older = await store.mail.conversations(ALICE, INBOX, since=since)
        assert [(entry.id, entry.received - since) for entry in older] == [(4, -10), (1, -20)]
        assert list(await store.mail.entries(ALICE, INBOX, [entry.id for entry in older])) == list(older)
        assert list(await store.mail.conversations(ALICE, INBOX, since=since + 10)) == []
        assert list(await store.mail.entries(ALICE, INBOX, [99])) == []
        with pytest.raises(NoSuchFolder):
            await store.mail.conversations(ALICE, CollectionId("none"), since=since)
        with pytest.raises(NoSuchFolder):
            await store.mail.entries(ALICE, CollectionId("none"), [1])

    async def test_conditions_hold_together(self, store: AnyStore) -> None:
        for second, conversation in ((0, b"a" * 16), (10, b"b" * 16), (20, b"a" * 16)):
            await store.mail.add(ALICE, INBOX, message("word", at=second, conversation=conversation))
        await store.mail.add(ALICE, CONTACTS, message("word", at=30))
        await store.mail.add(ALICE, DRAFTS, message("word", at=40))

        async def found(query: SearchQuery) -> list[tuple[str, int]]:
            return [(hit.collection, hit.id) for hit in await store.mail.search(ALICE, query)]

        assert await found(SearchQuery(words="word")) == [("2", 1), ("1", 3), ("1", 2), ("1", 1)]
        assert await found(SearchQuery(words="word", collections=(INBOX,))) == [("1", 3), ("1", 2), ("1", 1)]
        assert await found(SearchQuery(words="word", collections=(CONTACTS,))) == [("8", 1)]
        since, before = NOW + timedelta(seconds=10), NOW + timedelta(seconds=40)
        assert await found(SearchQuery(words="word", since=since, before=before)) == [("1", 3), ("1", 2)]
        assert await found(SearchQuery(conversation_id=b"a" * 16)) == [("1", 3), ("1", 1)]
        assert await found(SearchQuery(words="nothing", conversation_id=b"a" * 16)) == []
