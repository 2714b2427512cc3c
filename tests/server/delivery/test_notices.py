"""Notifications of forwarded meetings are filed, wherever they come from; other mail is not."""

from pathlib import Path

import pytest

from eas_server.model.mail import FolderType
from tests.server.delivery.house import house, mail

NOTE = "IPM.Notification.Meeting.Forward"


@pytest.mark.parametrize(
    ("named", "folder"),
    [
        (NOTE, FolderType.DELETED_ITEMS),
        (NOTE.lower(), FolderType.DELETED_ITEMS),
        ("IPM.Schedule.Meeting.Request", FolderType.INBOX),
        ("", FolderType.INBOX),
    ],
)
async def test_mail_that_names_its_class(tmp_path: Path, named: str, folder: FolderType) -> None:
    async with house(tmp_path) as home:
        octets = mail("Told", sender="dan@elsewhere.example", X_EAS_Message_Class=named)
        await home.comes(octets, "dan@elsewhere.example", "alice@example.com")
        (item,) = await home.items("alice", folder)
        assert item.index.message_class == (NOTE if folder is FolderType.DELETED_ITEMS else "IPM.Note")
