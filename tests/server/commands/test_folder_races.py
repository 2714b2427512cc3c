"""The hierarchy commands where something else happens between their reading and their writing."""

from typing import Any

import pytest

from eas_server.commands import folder_create, folder_delete, folder_sync, folder_update
from eas_server.commands.context import Command
from eas_server.errors import NoSuchFolder, StaleSyncKey
from eas_server.model.ids import ROOT, CollectionId
from eas_server.model.mail import FolderType
from protocol.commands.folder_create import Request as Create
from protocol.commands.folder_delete import Request as Delete
from protocol.commands.folder_sync import Request as Sync
from protocol.commands.folder_update import Request as Update
from tests.server.commands.support import ALICE, Bench

CREATE = Create(sync_key="1", parent_id="0", display_name="new", type=FolderType.USER_MAIL)


class Gone:
    """A port of which some methods fail; the others are those of the port behind it."""

    def __init__(self, port: object, failure: Exception, *methods: str) -> None:
        self._port, self._failure, self._methods = port, failure, methods

    def __getattr__(self, name: str) -> Any:
        if name not in self._methods:
            return getattr(self._port, name)

        async def fail(*_: object) -> None:
            raise self._failure

        return fail


async def ready() -> tuple[Bench, CollectionId]:
    bench = Bench()
    folder = await bench.folders.create_folder(ALICE.user, ROOT, "mine", FolderType.USER_MAIL)
    await bench.run(folder_sync.COMMAND, Sync(sync_key="0"))
    return bench, folder.id


@pytest.mark.requirement("MS-ASCMD_R4018")
@pytest.mark.requirement("MS-ASCMD_R4048")
@pytest.mark.requirement("MS-ASCMD_R4105")
async def test_the_folder_goes_meanwhile() -> None:
    bench, mine = await ready()
    bench.folders = Gone(bench.folders, NoSuchFolder("gone"), "create_folder", "update_folder", "delete_folder")
    update = Update(sync_key="1", server_id=mine, parent_id="0", display_name="b")
    assert (await bench.run(folder_create.COMMAND, CREATE)).status == 5
    assert (await bench.run(folder_update.COMMAND, update)).status == 4
    assert (await bench.run(folder_delete.COMMAND, Delete(sync_key="1", server_id=mine))).status == 4


@pytest.mark.requirement("MS-ASCMD_R4573")
@pytest.mark.requirement("MS-ASCMD_R4581")
async def test_the_key_goes_meanwhile() -> None:
    bench, mine = await ready()
    bench.state = Gone(bench.state, StaleSyncKey("gone"), "advance_hierarchy")
    requests: list[tuple[Command, object]] = [
        (folder_create.COMMAND, CREATE),
        (folder_update.COMMAND, Update(sync_key="1", server_id=mine, parent_id="0", display_name="b")),
        (folder_sync.COMMAND, Sync(sync_key="1")),
        (folder_delete.COMMAND, Delete(sync_key="1", server_id=mine)),
    ]
    for command, request in requests:
        response = await bench.run(command, request)
        assert response.status == 9
        assert response.sync_key is None


@pytest.mark.parametrize("command", [folder_create.COMMAND, folder_update.COMMAND, folder_delete.COMMAND])
def test_a_failure_is_a_status_alone(command: Command) -> None:
    response: Any = command.fail(111, Bench().version)
    assert response.status == 111
    assert response.sync_key is None
