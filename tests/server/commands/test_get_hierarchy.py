"""GetHierarchy, [MS-ASCMD] 2.2.1.8."""

from pathlib import Path

import pytest

from eas_server.commands.get_hierarchy import COMMAND
from eas_server.errors import CommandError
from eas_server.model.ids import ROOT, CollectionId, UserId
from eas_server.model.mail import FolderType, ItemClass
from eas_server.web.failures import Asked, reply_to
from protocol.commands.get_hierarchy import Folder, Response
from protocol.http import CommandLine
from protocol.status import CommonStatus
from protocol.versions import V12_1
from tests.server.commands.mailbox import INBOX, mailbox
from tests.server.commands.support import ALICE, Bench

BOB = UserId("bob@example.com")


@pytest.mark.requirement(
    "MS-ASCMD_R6024",
    "MS-ASCMD_R6026",
    "MS-ASCMD_R6030",
    "MS-ASCMD_R6031",
    "MS-ASCMD_R7506",
    "MS-ASCMD_R6047",
    "MS-ASCMD_R6452",
    "MS-ASCMD_R6926",
    "MS-ASCMD_R6927",
    "MS-ASCMD_R7144",
    "MS-ASCMD_R7388",
)
async def test_the_folders_with_mail() -> None:
    bench = Bench(version=V12_1)
    answer = await bench.run(COMMAND, None)
    assert isinstance(answer, Response)
    known = {folder.id: folder for folder in await bench.folders.folders(ALICE.user)}
    assert {folder.type for folder in answer.folders} == {2, 3, 4, 5, 6} & {folder.type for folder in known.values()}
    assert {known[CollectionId(folder.server_id)].item_class for folder in answer.folders} == {ItemClass.EMAIL}
    assert {folder.parent_id for folder in answer.folders} == {"0"}


@pytest.mark.requirement("MS-ASCMD_R6025", "MS-ASCMD_R6032")
async def test_folders_of_the_user(tmp_path: Path) -> None:
    async with mailbox(tmp_path, version=V12_1) as box:
        folders = box.store.folders
        await box.store.admin.add_user(str(BOB), None)
        await folders.create_folder(BOB, ROOT, "His", FolderType.USER_MAIL)
        await folders.create_folder(ALICE.user, ROOT, "Dates", FolderType.USER_CALENDAR)
        inner = await folders.create_folder(ALICE.user, INBOX, "Inner", FolderType.USER_MAIL)
        plain = await folders.create_folder(ALICE.user, inner.id, "Plain", FolderType.USER_GENERIC)
        answer = await box.bench.run(COMMAND, None)
    own = [folder for folder in answer.folders if folder.type == 1]
    assert own == [
        Folder(display_name="Inner", server_id=inner.id, type=1, parent_id=INBOX),  # type: ignore[arg-type]
        Folder(display_name="Plain", server_id=plain.id, type=1, parent_id=inner.id),  # type: ignore[arg-type]
    ]


@pytest.mark.requirement("MS-ASCMD_R6037")
@pytest.mark.parametrize("body", [b"", b"\x00\xff", b"\x03\x01\x6a\x00"])
def test_what_stands_in_the_body_does_not_matter(body: bytes) -> None:
    assert COMMAND.read(body, CommandLine(command="GetHierarchy"), V12_1) is None


@pytest.mark.requirement("MS-ASCMD_R6033")
def test_failures_are_http_statuses() -> None:
    asked = Asked(command=COMMAND, version=V12_1, policy_key_sent=True)
    reply = reply_to(ZeroDivisionError(), asked, 0)
    assert (reply.status, reply.response) == (500, None)
    assert reply_to(CommandError(CommonStatus.INVALID_CONTENT), asked, 0).status == 400
