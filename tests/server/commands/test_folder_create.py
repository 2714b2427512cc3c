"""FolderCreate, over ports in memory."""

import pytest

from eas_server.commands import folder_create, folder_sync
from eas_server.model.ids import ROOT
from eas_server.model.mail import FolderType
from protocol.commands.folder_create import Request, Response, Status
from protocol.commands.folder_sync import Request as FolderSync
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.server.commands.support import ALICE, Bench

CREATABLE = [1, 12, 13, 14, 15, 16, 17]


async def ready(**given: ProtocolVersion) -> Bench:
    bench = Bench(**given)
    await bench.run(folder_sync.COMMAND, FolderSync(sync_key="0"))
    return bench


async def create(
    bench: Bench, key: str = "1", parent: str = ROOT, name: str = "new", type_: int = FolderType.USER_MAIL
) -> Response:
    request = Request(sync_key=key, parent_id=parent, display_name=name, type=type_)
    response: Response = await bench.run(folder_create.COMMAND, request)
    return response


async def special(bench: Bench, type_: FolderType) -> str:
    folders = await bench.folders.folders(ALICE.user)
    return next(str(folder.id) for folder in folders if folder.type is type_)


@pytest.mark.requirement("MS-ASCMD_R79")
@pytest.mark.requirement("MS-ASCMD_R3903")
@pytest.mark.requirement("MS-ASCMD_R4569")
@pytest.mark.requirement("MS-ASCMD_R4654")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
@pytest.mark.parametrize("type_", CREATABLE)
async def test_a_folder_is_made(type_: int, version: ProtocolVersion) -> None:
    bench = await ready(version=version)
    response = await create(bench, type_=type_, name="x" * 256)
    assert response.status == Status.SUCCESS
    assert response.sync_key == "2"
    made = [f for f in await bench.folders.folders(ALICE.user) if f.id == response.server_id]
    assert [(f.parent, f.name, f.type) for f in made] == [(ROOT, "x" * 256, type_)]


@pytest.mark.requirement("MS-ASCMD_R79")
async def test_a_folder_below_another() -> None:
    bench = await ready()
    inbox = await special(bench, FolderType.INBOX)
    response = await create(bench, parent=inbox)
    made = [f for f in await bench.folders.folders(ALICE.user) if f.id == response.server_id]
    assert made[0].parent == inbox


@pytest.mark.requirement("MS-ASCMD_R4012")
@pytest.mark.requirement("MS-ASCMD_R3904")
@pytest.mark.requirement("MS-ASCMD_R4570")
async def test_the_name_is_taken() -> None:
    bench = await ready()
    first = await create(bench)
    assert await create(bench, key=first.sync_key or "") == Response(status=Status.ALREADY_EXISTS)
    assert await create(bench, name="Inbox") == Response(status=Status.ALREADY_EXISTS)


@pytest.mark.requirement("MS-ASCMD_R5121")
async def test_a_repetition_is_answered_as_before() -> None:
    bench = await ready()
    first = await create(bench)
    assert await create(bench) == first
    other = await create(bench, name="other")
    assert await create(bench) == first
    assert other.server_id != first.server_id
    # the same name, but another folder was asked for
    assert (await create(bench, type_=FolderType.USER_CALENDAR)).status == Status.ALREADY_EXISTS


async def test_a_folder_of_somebody_else_is_no_repetition() -> None:
    bench = await ready()
    await bench.folders.create_folder(ALICE.user, ROOT, "new", FolderType.USER_MAIL)
    assert (await create(bench)).status == Status.ALREADY_EXISTS


@pytest.mark.requirement("MS-ASCMD_R4016")
@pytest.mark.requirement("MS-ASCMD_R5769")
async def test_nothing_is_made_in_the_recipient_cache() -> None:
    bench = await ready()
    cache = await special(bench, FolderType.RECIPIENT_INFORMATION_CACHE)
    assert await create(bench, parent=cache) == Response(status=Status.SPECIAL_PARENT)


@pytest.mark.requirement("MS-ASCMD_R4018")
@pytest.mark.parametrize("parent", ["9999", "", "1:1"])
async def test_the_parent_is_not_there(parent: str) -> None:
    assert await create(await ready(), parent=parent) == Response(status=Status.PARENT_NOT_FOUND)


@pytest.mark.requirement("MS-ASCMD_R4573")
@pytest.mark.requirement("MS-ASCMD_R4570")
@pytest.mark.parametrize("key", ["0", "2", "", "nonsense"])
async def test_a_wrong_key(key: str) -> None:
    bench = await ready()
    before = await bench.folders.folders(ALICE.user)
    assert await create(bench, key=key) == Response(status=Status.INVALID_SYNC_KEY)
    assert await bench.folders.folders(ALICE.user) == before


@pytest.mark.requirement("MS-ASCMD_R4035")
@pytest.mark.requirement("MS-ASCMD_R4655")
@pytest.mark.requirement("MS-ASCMD_R81")
@pytest.mark.parametrize("type_", [0, -1, *range(2, 12), 18, 19, 20, 10**9])
async def test_default_folders_cannot_be_made(type_: int) -> None:
    assert await create(await ready(), type_=type_) == Response(status=Status.MALFORMED_REQUEST)


@pytest.mark.requirement("MS-ASCMD_R2194")
@pytest.mark.parametrize("name", ["", "x" * 257])
async def test_a_name_has_1_to_256_characters(name: str) -> None:
    assert await create(await ready(), name=name) == Response(status=Status.MALFORMED_REQUEST)


@pytest.mark.parametrize(
    "name", ["", " ", "\t", "\r\n", "a\0b", "a\nb", "\x01", "a\x7f", "\x85", "a\ufffe", "\u200b", "\u202e", "x" * 257]
)
async def test_a_name_that_nobody_could_read(name: str) -> None:
    """Other devices get it in FolderSync, and XML cannot hold it."""
    bench = await ready()
    before = await bench.folders.folders(ALICE.user)
    assert (await create(bench, name=name)).status == Status.MALFORMED_REQUEST
    assert await bench.folders.folders(ALICE.user) == before


@pytest.mark.parametrize("name", ["Ärger & Ü", "漢字", "😀", "a\u200db", "\u202eabc", "x" * 256, "/"])
async def test_a_name_that_is_only_odd(name: str) -> None:
    assert (await create(await ready(), name=name)).status == Status.SUCCESS
