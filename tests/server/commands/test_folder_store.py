"""The hierarchy commands over the embedded store: two devices that change folders, and one that loses its answers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import folder_create, folder_delete, folder_sync, folder_update
from eas_server.commands.context import Reply
from eas_server.model.ids import DeviceId
from eas_server.model.mail import FolderType
from protocol.commands.folder_create import Request as Create
from protocol.commands.folder_delete import Request as Delete
from protocol.commands.folder_sync import Request as Sync
from protocol.commands.folder_update import Request as Update
from tests.server.commands.mailbox import mailbox
from tests.server.commands.support import Bench


async def sync(bench: Bench, key: str) -> Any:
    answer = await bench.run(folder_sync.COMMAND, Sync(sync_key=key))
    return answer.response if isinstance(answer, Reply) else answer


async def create(bench: Bench, key: str, parent: str, name: str) -> Any:
    request = Create(sync_key=key, parent_id=parent, display_name=name, type=FolderType.USER_MAIL)
    return await bench.run(folder_create.COMMAND, request)


@pytest.mark.requirement("MS-ASCMD_R5122")
async def test_two_devices_and_lost_answers(tmp_path: Path) -> None:
    async with mailbox(tmp_path) as box:
        phone, tablet = box.bench, replace(box.bench, device_id=DeviceId("tablet"))
        first = await sync(phone, "0")
        assert (await sync(tablet, "0")).changes == first.changes
        inbox = next(add.server_id for add in first.changes.adds if add.type == FolderType.INBOX)

        made = await create(phone, "1", inbox, "Work")
        assert await create(phone, "1", inbox, "Work") == made, "the answer was lost"
        below = await create(phone, made.sync_key, made.server_id, "Below")
        seen = await sync(tablet, "1")
        assert [add.server_id for add in seen.changes.adds] == [made.server_id, below.server_id]
        assert (await sync(phone, below.sync_key)).changes.count == 0

        moved = Update(sync_key=seen.sync_key, server_id=below.server_id, parent_id="0", display_name="Above")
        told = await tablet.run(folder_update.COMMAND, moved)
        assert (await tablet.run(folder_update.COMMAND, moved)).sync_key == told.sync_key
        news = await sync(phone, below.sync_key)
        assert [(u.server_id, u.parent_id, u.display_name) for u in news.changes.updates] == [
            (below.server_id, "0", "Above")
        ]

        gone = Delete(sync_key=news.sync_key, server_id=made.server_id)
        deleted = await phone.run(folder_delete.COMMAND, gone)
        assert await phone.run(folder_delete.COMMAND, gone) == deleted
        assert (await sync(phone, deleted.sync_key)).changes.count == 0
        last = await sync(tablet, told.sync_key)
        assert [each.server_id for each in last.changes.deletes] == [made.server_id]
        # an old key that was passed by is no longer one; a new start keeps the ids
        again = await sync(tablet, "0")
        assert again.sync_key == "1"
        kept = {add.server_id for add in first.changes.adds} | {below.server_id}
        assert {add.server_id for add in again.changes.adds} == kept


async def test_odd_keys_are_refused(tmp_path: Path) -> None:
    async with mailbox(tmp_path) as box:
        await sync(box.bench, "0")
        for key in ("", "x", "-1", "01", "1.0", "١", " 1", "9" * 64, "18446744073709551617"):
            assert (await sync(box.bench, key)).status == 9, key
