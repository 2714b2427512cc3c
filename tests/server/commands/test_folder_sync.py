"""FolderSync, over ports in memory."""

from dataclasses import replace

import pytest

from eas_server.commands import folder_create, folder_sync
from eas_server.commands.context import Reply
from eas_server.commands.registry import load_commands
from eas_server.model.ids import ROOT, CollectionId, DeviceId
from eas_server.model.mail import FolderType
from eas_server.model.view import CollectionState, View
from protocol.codepages import tag
from protocol.commands.folder_create import Request as Create
from protocol.commands.folder_sync import Request, Response, Status
from protocol.elements import Element
from protocol.errors import MalformedRequest
from protocol.headers import PROTOCOL_COMMANDS, PROTOCOL_VERSIONS, RESYNC
from protocol.http import CommandName
from protocol.versions import SUPPORTED, V12_1, V16_1, ProtocolVersion
from tests.server.commands.support import ALICE, DEVICE, Bench, check

COMMAND = folder_sync.COMMAND


async def sync(bench: Bench, key: str) -> Response:
    answer = await bench.run(COMMAND, Request(sync_key=key))
    response: Response = answer.response if isinstance(answer, Reply) else answer
    return response


async def make(bench: Bench, name: str, parent: str = ROOT) -> CollectionId:
    folder = await bench.folders.create_folder(ALICE.user, CollectionId(parent), name, FolderType.USER_MAIL)
    made: CollectionId = folder.id
    return made


@pytest.mark.requirement("MS-ASCMD_R119")
@pytest.mark.requirement("MS-ASCMD_R4578")
@pytest.mark.requirement("MS-ASCMD_R2118")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_key_0_gives_all_folders(version: ProtocolVersion) -> None:
    bench = Bench(version=version)
    child = await make(bench, "child", await make(bench, "parent"))
    response = await sync(bench, "0")
    assert response.status == Status.SUCCESS
    assert response.sync_key == "1"
    changes = response.changes
    assert changes is not None
    assert changes.count == len(changes.adds)
    assert not changes.updates
    assert not changes.deletes
    types = {add.type for add in changes.adds}
    assert set(range(2, 12)) <= types
    told: set[str] = {ROOT}
    for add in changes.adds:
        assert add.parent_id in told, "parents come before their children"
        told.add(add.server_id)
    assert child in told


@pytest.mark.requirement("MS-ASCNTC_R2262")
async def test_the_recipient_cache_is_not_of_12_1() -> None:
    bench = Bench(version=V12_1)
    response = await sync(bench, "0")
    assert response.changes is not None
    assert FolderType.RECIPIENT_INFORMATION_CACHE not in {add.type for add in response.changes.adds}
    later = await sync(replace(bench, version=V16_1), "1")
    assert later.changes is not None
    assert [add.type for add in later.changes.adds] == [FolderType.RECIPIENT_INFORMATION_CACHE]


@pytest.mark.requirement("MS-ASHTTP_R1202")
async def test_a_start_names_versions_and_commands() -> None:
    bench = Bench()
    answer = await bench.run(COMMAND, Request(sync_key="0"))
    spoken = "12.1,14.0,14.1,16.0,16.1"
    commands = ",".join(load_commands())
    assert load_commands() is load_commands()
    assert "FolderSync" in commands
    assert answer.headers == {RESYNC: spoken, PROTOCOL_VERSIONS: spoken, PROTOCOL_COMMANDS: commands}
    assert isinstance(await bench.run(COMMAND, Request(sync_key="1")), Response)


@pytest.mark.requirement("MS-ASCMD_R885")
async def test_a_new_start_keeps_ids_and_the_states_of_collections() -> None:
    bench = Bench()
    first = await sync(bench, "0")
    inbox = CollectionId("1")
    state = CollectionState(key=folder_sync.INITIAL_KEY, view=View(token=0))  # type: ignore[arg-type] # any Token
    key = await bench.state.advance(ALICE.user, DEVICE, inbox, None, state)
    await make(bench, "more")
    assert (await sync(bench, "1")).sync_key == "2"
    again = await sync(bench, "0")
    assert again.sync_key == "1", "the keys begin anew"
    assert first.changes is not None
    assert again.changes is not None
    assert {(a.server_id, a.display_name) for a in first.changes.adds} < {
        (a.server_id, a.display_name) for a in again.changes.adds
    }
    assert await bench.state.collection(ALICE.user, DEVICE, inbox, key) is not None
    assert (await sync(bench, "2")).status == Status.INVALID_SYNC_KEY


@pytest.mark.requirement("MS-ASCMD_R2120")
async def test_without_changes_the_key_stays() -> None:
    bench = Bench()
    await sync(bench, "0")
    response = await sync(bench, "1")
    assert response.sync_key == "1"
    assert response.changes is not None
    assert response.changes.count == 0


@pytest.mark.requirement("MS-ASCMD_R883")
@pytest.mark.requirement("MS-ASCMD_R5024")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_changes_are_told_once_and_again_under_the_old_key(version: ProtocolVersion) -> None:
    bench = Bench(version=version)
    kept, gone = await make(bench, "kept"), await make(bench, "gone")
    below = await make(bench, "below", gone)
    await sync(bench, "0")
    added = await make(bench, "added")
    await bench.folders.update_folder(ALICE.user, kept, added, "renamed")
    await bench.folders.delete_folder(ALICE.user, gone)
    response = await sync(bench, "1")
    changes = response.changes
    assert changes is not None
    assert changes.count == 4
    assert [(a.server_id, a.display_name) for a in changes.adds] == [(added, "added")]
    assert [(u.server_id, u.parent_id, u.display_name) for u in changes.updates] == [(kept, added, "renamed")]
    assert [d.server_id for d in changes.deletes] == [below, gone], "children go before their parents"
    assert response.sync_key == "2"
    # the answer was lost: the same again, with the same key
    assert await sync(bench, "1") == response
    after = await sync(bench, "2")
    assert after.changes is not None
    assert after.changes.count == 0


async def test_several_keys_stay_usable() -> None:
    bench = Bench()
    await sync(bench, "0")
    await make(bench, "a")
    assert (await sync(bench, "1")).sync_key == "2"
    await make(bench, "b")
    again = await sync(bench, "1")
    assert again.sync_key == "3"
    assert again.changes is not None
    assert again.changes.count == 2
    from_two = await sync(bench, "2")
    assert from_two.changes is not None
    assert [add.display_name for add in from_two.changes.adds] == ["b"]


@pytest.mark.requirement("MS-ASCMD_R4581")
@pytest.mark.requirement("MS-ASCMD_R4083")
@pytest.mark.parametrize("key", ["7", "", "{0A1B}1", "x" * 200, "-1", "١"])
async def test_a_key_that_is_not_known(key: str) -> None:
    bench = Bench()
    await sync(bench, "0")
    assert await sync(bench, key) == Response(status=Status.INVALID_SYNC_KEY)


async def test_another_device_has_keys_of_its_own() -> None:
    bench = Bench()
    await sync(bench, "0")
    other = replace(bench, device_id=DeviceId("device2"))
    assert (await sync(other, "1")).status == Status.INVALID_SYNC_KEY
    assert (await sync(other, "0")).sync_key == "1"


@pytest.mark.requirement("MS-ASCMD_R4086")
@pytest.mark.parametrize("command", [folder_sync.COMMAND, folder_create.COMMAND], ids=["sync", "create"])
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_a_request_without_a_key_is_malformed(command: folder_sync.Command, version: ProtocolVersion) -> None:
    root = Element(tag(f"FolderHierarchy:{command.name}"))
    with pytest.raises(MalformedRequest, match="SyncKey: is missing") as caught:
        await Bench().run_tree(command, root)
    response = command.refuse(caught.value, version)
    check(response, command.name, version)
    assert getattr(response, "status") == 10  # noqa: B009 — the type depends on the command


async def test_a_change_of_its_own_is_not_told() -> None:
    bench = Bench()
    await sync(bench, "0")
    made = await bench.run(
        folder_create.COMMAND, Create(sync_key="1", parent_id="0", display_name="mine", type=FolderType.USER_MAIL)
    )
    await make(bench, "theirs")
    # whoever did not hear of the folder is told
    old = await sync(bench, "1")
    assert old.changes is not None
    assert {add.display_name for add in old.changes.adds} == {"mine", "theirs"}
    seen = await sync(bench, made.sync_key)
    assert seen.changes is not None
    assert [add.display_name for add in seen.changes.adds] == ["theirs"]


def test_a_failure_is_a_status_alone() -> None:
    assert COMMAND.name is CommandName.FOLDER_SYNC
    assert COMMAND.fail(110, V16_1) == Response(status=110)
