"""What every FolderStore keeps to."""

import pytest

from eas_server.errors import FolderExists, NoSuchFolder
from eas_server.model.ids import ROOT, CollectionId, UserId
from eas_server.model.mail import FolderType
from tests.contract.samples import ALICE, BOB, AnyStore, folder_of, message


class FolderStoreContract:
    """Inherit, and give a fixture `store` in which alice and bob have accounts."""

    async def test_default_folders_are_there(self, store: AnyStore) -> None:
        types = [folder.type for folder in await store.folders.folders(ALICE)]
        expected = set(range(2, 12)) | {19}
        assert sorted(types) == sorted(expected)

    async def test_ids_are_small_numbers_and_the_cache_has_its_own(self, store: AnyStore) -> None:
        folders = await store.folders.folders(ALICE)
        assert {f.id for f in folders} == {str(n) for n in range(1, 11)} | {"RI"}
        assert await folder_of(store, ALICE, FolderType.RECIPIENT_INFORMATION_CACHE) == "RI"
        assert await folder_of(store, ALICE, FolderType.INBOX) == "1"

    async def test_strangers_have_none(self, store: AnyStore) -> None:
        assert list(await store.folders.folders(UserId("nobody"))) == []
        with pytest.raises(NoSuchFolder):
            await store.folders.create_folder(UserId("nobody"), ROOT, "x", FolderType.USER_MAIL)

    async def test_create(self, store: AnyStore) -> None:
        before = await store.folders.hierarchy_token(ALICE)
        made = await store.folders.create_folder(ALICE, ROOT, "Projects", FolderType.USER_MAIL)
        below = await store.folders.create_folder(ALICE, made.id, "2026", FolderType.USER_MAIL)
        listed = list(await store.folders.folders(ALICE))
        assert listed.index(made) < listed.index(below)
        assert await store.folders.hierarchy_token(ALICE) > before
        assert made.id not in {f.id for f in await store.folders.folders(BOB)}

    async def test_names_are_unique_below_a_parent(self, store: AnyStore) -> None:
        made = await store.folders.create_folder(ALICE, ROOT, "Projects", FolderType.USER_MAIL)
        with pytest.raises(FolderExists):
            await store.folders.create_folder(ALICE, ROOT, "projects", FolderType.USER_MAIL)
        await store.folders.create_folder(ALICE, made.id, "Projects", FolderType.USER_MAIL)

    async def test_the_parent_has_to_exist(self, store: AnyStore) -> None:
        with pytest.raises(NoSuchFolder):
            await store.folders.create_folder(ALICE, CollectionId("777"), "x", FolderType.USER_MAIL)

    async def test_rename_keeps_the_id_and_the_content(self, store: AnyStore) -> None:
        made = await store.folders.create_folder(ALICE, ROOT, "Old", FolderType.USER_MAIL)
        await store.mail.add(ALICE, made.id, message())
        renamed = await store.folders.update_folder(ALICE, made.id, ROOT, "New")
        assert (renamed.id, renamed.name) == (made.id, "New")
        assert renamed.revision > made.revision
        assert len(await store.mail.fetch(ALICE, made.id, [1])) == 1

    async def test_a_rename_to_the_same_changes_nothing(self, store: AnyStore) -> None:
        made = await store.folders.create_folder(ALICE, ROOT, "Same", FolderType.USER_MAIL)
        token = await store.folders.hierarchy_token(ALICE)
        assert await store.folders.update_folder(ALICE, made.id, ROOT, "Same") == made
        assert await store.folders.hierarchy_token(ALICE) == token

    async def test_case_may_change(self, store: AnyStore) -> None:
        made = await store.folders.create_folder(ALICE, ROOT, "case", FolderType.USER_MAIL)
        assert (await store.folders.update_folder(ALICE, made.id, ROOT, "CASE")).name == "CASE"

    async def test_rename_refusals(self, store: AnyStore) -> None:
        first = await store.folders.create_folder(ALICE, ROOT, "First", FolderType.USER_MAIL)
        second = await store.folders.create_folder(ALICE, first.id, "Second", FolderType.USER_MAIL)
        with pytest.raises(FolderExists):
            await store.folders.update_folder(ALICE, first.id, ROOT, "Inbox")
        with pytest.raises(NoSuchFolder):
            await store.folders.update_folder(ALICE, CollectionId("777"), ROOT, "x")
        with pytest.raises(NoSuchFolder):
            await store.folders.update_folder(ALICE, first.id, second.id, "x")
        with pytest.raises(NoSuchFolder):
            await store.folders.update_folder(ALICE, first.id, first.id, "x")

    async def test_delete_takes_what_is_below(self, store: AnyStore) -> None:
        first = await store.folders.create_folder(ALICE, ROOT, "First", FolderType.USER_MAIL)
        second = await store.folders.create_folder(ALICE, first.id, "Second", FolderType.USER_MAIL)
        await store.mail.add(ALICE, second.id, message())
        before = await store.folders.hierarchy_token(ALICE)
        await store.folders.delete_folder(ALICE, first.id)
        assert not {first.id, second.id} & {f.id for f in await store.folders.folders(ALICE)}
        assert await store.folders.hierarchy_token(ALICE) > before
        assert await store.mail.tokens(ALICE, [second.id]) == {}
        for gone in (first.id, second.id):
            with pytest.raises(NoSuchFolder):
                await store.mail.fetch(ALICE, gone, [1])
            with pytest.raises(NoSuchFolder):
                await store.folders.delete_folder(ALICE, gone)

    async def test_ids_are_never_used_again(self, store: AnyStore) -> None:
        first = await store.folders.create_folder(ALICE, ROOT, "Passing", FolderType.USER_MAIL)
        await store.folders.delete_folder(ALICE, first.id)
        second = await store.folders.create_folder(ALICE, ROOT, "Passing", FolderType.USER_MAIL)
        assert int(second.id) > int(first.id)
