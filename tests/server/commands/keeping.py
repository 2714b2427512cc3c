"""An item of each class that is kept as vCard or iCalendar, for tests of commands that serve all classes."""

from dataclasses import replace
from typing import Any

from eas_server.commands.kept_items import Writing, new_item, written
from eas_server.model.ids import CollectionId
from eas_server.model.mail import FolderType, ItemClass
from protocol.items.airsyncbase import Body, BodyType
from protocol.items.calendar import Calendar
from protocol.items.contacts import Contact
from protocol.items.notes import Note
from protocol.items.tasks import Task
from protocol.schema import dump
from protocol.versions import V16_1
from tests.server.commands.mailbox import Mailbox
from tests.server.commands.support import ALICE, NOW

ITEMS: dict[str, tuple[FolderType, Any]] = {
    "Calendar": (FolderType.CALENDAR, Calendar(subject="fox hunt")),
    "Contacts": (FolderType.CONTACTS, Contact(first_name="Fox", last_name="Red", file_as="Fox")),
    "Tasks": (FolderType.TASKS, Task(subject="feed the fox")),
    "Notes": (FolderType.NOTES, Note(subject="foxes", message_class="IPM.StickyNote")),
}


async def folder_of(box: Mailbox, type_: FolderType) -> CollectionId:
    """Alice's folder of that type."""
    return next(each.id for each in await box.store.folders.folders(ALICE.user) if each.type is type_)


async def keep(box: Mailbox, text: str = "") -> dict[str, str]:
    """One of each class, with the word fox in it and `text` as its body; gives their ServerIds."""
    made = {}
    for number, (name, (type_, bare)) in enumerate(ITEMS.items()):
        item = replace(bare, body=Body(type=BodyType.PLAIN, data=text)) if text else bare
        folder, kind = await folder_of(box, type_), ItemClass(name)
        how = Writing(version=V16_1, now=NOW, uid=f"uid{number}", account=ALICE, device_type="phone", supported=None)
        octets = written(kind, None, dump(item, V16_1), how)
        entry = await box.store.mail.add(ALICE.user, folder, new_item(kind, octets))
        made[name] = f"{folder}:{entry.id}"
    return made
