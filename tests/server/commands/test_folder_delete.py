"""FolderDelete, over ports in memory."""

import pytest

from eas_server.commands import folder_delete, folder_sync
from eas_server.model.ids import INITIAL_KEY, ROOT, CollectionId, Token
from eas_server.model.mail import FolderType
from eas_server.model.view import CollectionState, View
from protocol.codepages import tag
from protocol.commands.folder_delete import Request, Response, Status
from protocol.commands.folder_sync import Request as FolderSync
from protocol.elements import Element
from protocol.errors import MalformedRequest
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.server.commands.support import ALICE, DEVICE, Bench, check

SPECIAL = sorted(set(FolderType) - {1, 12, 13, 14, 15, 16, 17, FolderType.UNKNOWN})


async def ready(**given: ProtocolVersion) -> tuple[Bench, CollectionId, CollectionId]:
    bench = Bench(**given)
    above = await bench.folders.create_folder(ALICE.user, ROOT, "above", FolderType.USER_MAIL)
    below = await bench.folders.create_folder(ALICE.user, above.id, "below", FolderType.USER_MAIL)
    await bench.run(folder_sync.COMMAND, FolderSync(sync_key="0"))
    return bench, above.id, below.id


async def delete(bench: Bench, folder: str, *, key: str = "1") -> Response:
    response: Response = await bench.run(folder_delete.COMMAND, Request(sync_key=key, server_id=folder))
    return response


@pytest.mark.requirement("MS-ASCMD_R97")
@pytest.mark.requirement("MS-ASCMD_R5783")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_a_folder_goes_with_all_below_it(version: ProtocolVersion) -> None:
    bench, above, below = await ready(version=version)
    state = CollectionState(key=INITIAL_KEY, view=View(token=Token(0)))
    key = await bench.state.advance(ALICE.user, DEVICE, below, None, state)
    assert await delete(bench, above) == Response(status=Status.SUCCESS, sync_key="2")
    assert not {above, below} & {f.id for f in await bench.folders.folders(ALICE.user)}
    assert await bench.state.collection(ALICE.user, DEVICE, below, key) is None
    seen = await bench.run(folder_sync.COMMAND, FolderSync(sync_key="2"))
    assert seen.changes.count == 0, "the new key knows of the change"
    old = await bench.run(folder_sync.COMMAND, FolderSync(sync_key="1"))
    assert {d.server_id for d in old.changes.deletes} == {above, below}


@pytest.mark.requirement("MS-ASCMD_R5121")
async def test_a_repetition_is_answered_as_before() -> None:
    bench, _, below = await ready()
    first = await delete(bench, below)
    assert await delete(bench, below) == first
    assert (await delete(bench, below, key=first.sync_key or "")).status == Status.NOT_FOUND


@pytest.mark.requirement("MS-ASCMD_R4047")
@pytest.mark.requirement("MS-ASCMD_R101")
@pytest.mark.requirement("MS-ASCMD_R5785")
@pytest.mark.parametrize("type_", SPECIAL)
async def test_default_folders_stay(type_: FolderType) -> None:
    bench, _, _ = await ready()
    folders = await bench.folders.folders(ALICE.user)
    folder = next(f.id for f in folders if f.type is type_)
    assert await delete(bench, folder) == Response(status=Status.SPECIAL_FOLDER)
    assert await bench.folders.folders(ALICE.user) == folders


@pytest.mark.requirement("MS-ASCMD_R4048")
@pytest.mark.parametrize("folder", ["9999", "0", ""])
async def test_the_folder_is_not_there(folder: str) -> None:
    bench, _, _ = await ready()
    assert await delete(bench, folder) == Response(status=Status.NOT_FOUND)


async def test_a_folder_that_somebody_else_deleted() -> None:
    bench, _, below = await ready()
    await bench.folders.delete_folder(ALICE.user, below)
    assert await delete(bench, below) == Response(status=Status.NOT_FOUND)


@pytest.mark.requirement("MS-ASCMD_R4573")
@pytest.mark.parametrize("key", ["0", "2", ""])
async def test_a_wrong_key(key: str) -> None:
    bench, above, _ = await ready()
    assert await delete(bench, above, key=key) == Response(status=Status.INVALID_SYNC_KEY)


@pytest.mark.requirement("MS-ASCMD_R4063")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_a_request_of_the_wrong_shape(version: ProtocolVersion) -> None:
    root = Element(tag("FolderHierarchy:FolderDelete"), [Element(tag("FolderHierarchy:SyncKey"), "1")])
    with pytest.raises(MalformedRequest, match="ServerId: is missing") as caught:
        await Bench().run_tree(folder_delete.COMMAND, root)
    response = folder_delete.COMMAND.refuse(caught.value, version)
    check(response, "FolderDelete", version)
    assert response == Response(status=Status.MALFORMED_REQUEST)
