"""FolderUpdate, over ports in memory."""

import pytest

from eas_server.commands import folder_sync, folder_update
from eas_server.model.ids import ROOT, CollectionId
from eas_server.model.mail import FolderType
from protocol.codepages import tag
from protocol.commands.folder_sync import Request as FolderSync
from protocol.commands.folder_update import Request, Response, Status
from protocol.elements import Element
from protocol.errors import MalformedRequest
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.server.commands.support import ALICE, Bench, check

SPECIAL = sorted(set(FolderType) - {1, 12, 13, 14, 15, 16, 17, FolderType.UNKNOWN, 19})


async def ready(**given: ProtocolVersion) -> tuple[Bench, CollectionId, CollectionId]:
    bench = Bench(**given)
    above = await bench.folders.create_folder(ALICE.user, ROOT, "above", FolderType.USER_MAIL)
    below = await bench.folders.create_folder(ALICE.user, above.id, "below", FolderType.USER_MAIL)
    await bench.run(folder_sync.COMMAND, FolderSync(sync_key="0"))
    return bench, above.id, below.id


async def update(bench: Bench, folder: str, *, key: str = "1", parent: str = ROOT, name: str = "named") -> Response:
    request = Request(sync_key=key, server_id=folder, parent_id=parent, display_name=name)
    response: Response = await bench.run(folder_update.COMMAND, request)
    return response


async def special(bench: Bench, type_: FolderType) -> str:
    folders = await bench.folders.folders(ALICE.user)
    return next(str(folder.id) for folder in folders if folder.type is type_)


@pytest.mark.requirement("MS-ASCMD_R139")
@pytest.mark.requirement("MS-ASCMD_R140")
@pytest.mark.requirement("MS-ASCMD_R5784")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_a_folder_is_renamed_and_moved(version: ProtocolVersion) -> None:
    bench, _, below = await ready(version=version)
    response = await update(bench, below)
    assert response == Response(status=Status.SUCCESS, sync_key="2")
    now = {f.id: (f.parent, f.name) for f in await bench.folders.folders(ALICE.user)}
    assert now[below] == (ROOT, "named")
    seen = await bench.run(folder_sync.COMMAND, FolderSync(sync_key="2"))
    assert seen.changes.count == 0, "the new key knows of the change"
    old = await bench.run(folder_sync.COMMAND, FolderSync(sync_key="1"))
    assert [u.server_id for u in old.changes.updates] == [below]


@pytest.mark.requirement("MS-ASCMD_R5121")
async def test_a_repetition_is_answered_with_success() -> None:
    bench, _, below = await ready()
    await update(bench, below)
    again = await update(bench, below)
    assert again.status == Status.SUCCESS
    seen = await bench.run(folder_sync.COMMAND, FolderSync(sync_key=again.sync_key))
    assert seen.changes.count == 0


async def test_a_folder_that_it_was_not_told_of_is_told_whole() -> None:
    bench, _, _ = await ready()
    theirs = await bench.folders.create_folder(ALICE.user, ROOT, "theirs", FolderType.USER_MAIL)
    response = await update(bench, theirs.id)
    assert response.status == Status.SUCCESS
    seen = await bench.run(folder_sync.COMMAND, FolderSync(sync_key=response.sync_key))
    assert [add.display_name for add in seen.changes.adds] == ["named"]


@pytest.mark.requirement("MS-ASCMD_R5438")
@pytest.mark.requirement("MS-ASCMD_R5786")
async def test_the_name_is_taken() -> None:
    bench, _, below = await ready()
    assert await update(bench, below, name="Inbox") == Response(status=Status.EXISTS_OR_SPECIAL)


@pytest.mark.requirement("MS-ASCMD_R4102")
@pytest.mark.parametrize("type_", SPECIAL)
async def test_default_folders_stay(type_: FolderType) -> None:
    bench, _, _ = await ready()
    assert await update(bench, await special(bench, type_)) == Response(status=Status.EXISTS_OR_SPECIAL)


@pytest.mark.requirement("MS-ASCMD_R143")
@pytest.mark.requirement("MS-ASCMD_R4103")
@pytest.mark.requirement("MS-ASCMD_R142")
async def test_the_recipient_cache_stays_alone() -> None:
    bench, above, _ = await ready()
    cache = await special(bench, FolderType.RECIPIENT_INFORMATION_CACHE)
    assert await update(bench, cache) == Response(status=Status.RECIPIENT_INFORMATION)
    assert await update(bench, above, parent=cache) == Response(status=Status.RECIPIENT_INFORMATION)


@pytest.mark.requirement("MS-ASCMD_R4105")
@pytest.mark.parametrize("folder", ["9999", "0", ""])
async def test_the_folder_is_not_there(folder: str) -> None:
    bench, _, _ = await ready()
    assert await update(bench, folder) == Response(status=Status.NOT_FOUND)


@pytest.mark.requirement("MS-ASCMD_R4108")
async def test_the_parent_is_not_there() -> None:
    bench, above, _ = await ready()
    assert await update(bench, above, parent="9999") == Response(status=Status.PARENT_NOT_FOUND)


@pytest.mark.requirement("MS-ASCMD_R4573")
async def test_a_wrong_key() -> None:
    bench, above, _ = await ready()
    for key in ("0", "5", ""):
        assert await update(bench, above, key=key) == Response(status=Status.INVALID_SYNC_KEY)


@pytest.mark.requirement("MS-ASCMD_R4123")
async def test_a_folder_is_not_moved_below_itself() -> None:
    bench, above, below = await ready()
    for parent in (above, below):
        assert await update(bench, above, parent=parent) == Response(status=Status.MALFORMED_REQUEST)


@pytest.mark.requirement("MS-ASCMD_R2194")
@pytest.mark.parametrize("name", ["", "x" * 257])
async def test_a_name_has_1_to_256_characters(name: str) -> None:
    bench, above, _ = await ready()
    assert await update(bench, above, name=name) == Response(status=Status.MALFORMED_REQUEST)


@pytest.mark.requirement("MS-ASCMD_R4568")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_a_request_without_a_key(version: ProtocolVersion) -> None:
    root = Element(
        tag("FolderHierarchy:FolderUpdate"),
        [Element(tag(f"FolderHierarchy:{name}"), "1") for name in ("ServerId", "ParentId", "DisplayName")],
    )
    with pytest.raises(MalformedRequest, match="SyncKey: is missing") as caught:
        await Bench().run_tree(folder_update.COMMAND, root)
    response = folder_update.COMMAND.refuse(caught.value, version)
    check(response, "FolderUpdate", version)
    assert response == Response(status=Status.MALFORMED_REQUEST)
