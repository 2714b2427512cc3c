"""The classes that are kept as vCard and iCalendar: how Sync reads, writes and describes their items."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from eas_server.delivery.calendar_items import owner_of
from eas_server.model import blob
from eas_server.model.blob import MemoryBlob
from eas_server.model.directory import Account
from eas_server.model.mail import Item, ItemClass, MessageIndex, NewMessage
from eas_server.render import calendar, notes, task_series, tasks
from eas_server.render.contacts import vcard
from eas_server.render.pim import InvalidItem
from eas_server.sync.filters import INCOMPLETE
from protocol import quirks
from protocol.elements import Element, Tag
from protocol.items.airsyncbase import BodyPreference
from protocol.items.calendar import Calendar
from protocol.items.contacts import Contact
from protocol.items.notes import Note
from protocol.items.tasks import Task
from protocol.schema import dump, load
from protocol.versions import V14_0, ProtocolVersion

MAX_OCTETS: Final = 1024 * 1024
"""The largest item: a contact with its photo, an event with hundreds of exceptions."""
ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""What stands for the instant of items that no filter hides and nothing orders."""

_OF_ITEMS: Final = frozenset({"Body", "BodyPart", "Attachments", "NativeBodyType", "Location"})
"""The elements of AirSyncBase that stand in an item itself; the others have their places in these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What counts when an item is read for a client."""

    version: ProtocolVersion
    now: datetime
    account: Account
    preferences: Sequence[BodyPreference]
    file_reference: Callable[[int], str]
    """Names the files of an event, counted from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What counts when a client's change is written."""

    version: ProtocolVersion
    now: datetime
    uid: str
    """Of an item that is new."""
    account: Account
    device_type: str
    supported: frozenset[Tag] | None
    """The properties that the client manages; None: it named none, so all of them ([MS-ASCMD] 2.2.3.180)."""
    instance_id: datetime | None = None
    """The occurrence of a series that is meant, from 16.0 on (MS-ASCMD_R6238)."""
    file_number: Callable[[str], int | None] = lambda _: None
    """The number that a FileReference has in this event; None: it names none of its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How the items of a class are kept. What reads raises MalformedLines; what writes InvalidItem beside it."""

    element: type[Any]
    """The class of ApplicationData."""
    read: Callable[[bytes, Reading], object]
    write: Callable[[bytes | None, Any, Writing], bytes]
    words: Callable[[bytes], str]
    """What a search finds the item by."""
    instant: Callable[[bytes], datetime]
    """What orders and filters the items."""


def _write_contact(stored: bytes | None, change: Contact, how: Writing) -> bytes:
    return vcard.apply_contact(
        stored,
        change,
        version=how.version,
        now=how.now,
        uid=how.uid,
        supported=how.supported,
        empty_picture_keeps=how.device_type in quirks.EMPTY_PICTURE_DEVICES and quirks.tolerates(quirks.EMPTY_PICTURE),
    )


def _write_note(stored: bytes | None, change: Note, how: Writing) -> bytes:
    return notes.apply_note(stored, change, version=how.version, now=how.now, uid=how.uid)


def _write_task(stored: bytes | None, change: Task, how: Writing) -> bytes:
    return tasks.apply_task(stored, change, version=how.version, now=how.now, uid=how.uid)


def _read_event(octets: bytes, how: Reading) -> Calendar:
    return calendar.calendar_from(
        octets,
        version=how.version,
        now=how.now,
        owner=owner_of(how.account),
        preferences=how.preferences,
        file_reference=how.file_reference,
    )


def _write_event(stored: bytes | None, change: Calendar, how: Writing) -> bytes:
    return calendar.apply_calendar(
        stored,
        change,
        version=how.version,
        now=how.now,
        uid=how.uid,
        instance_id=how.instance_id,
        supported=how.supported,
        owner=owner_of(how.account),
        file_number=how.file_number,
    )


KEPT: Final[Mapping[ItemClass, Kept]] = {
    ItemClass.CALENDAR: Kept(
        element=Calendar,
        read=_read_event,
        write=_write_event,
        words=calendar.search_text,
        instant=calendar.filter_instant,
    ),
    ItemClass.CONTACTS: Kept(
        element=Contact,
        # these two are of the recipient information cache alone (MS-ASCNTC_R415, R105)
        read=lambda octets, how: replace(vcard.contact_from(octets, how.preferences), alias=None, weighted_rank=None),
        write=_write_contact,
        words=vcard.search_text,
        instant=lambda _: ALWAYS,
    ),
    ItemClass.TASKS: Kept(
        element=Task,
        read=lambda octets, how: tasks.task_from(octets, how.preferences),
        write=_write_task,
        words=tasks.search_text,
        instant=lambda octets: ALWAYS if tasks.is_complete(octets) else INCOMPLETE,
    ),
    ItemClass.NOTES: Kept(
        element=Note,
        read=lambda octets, how: notes.note_from(octets, how.preferences),
        write=_write_note,
        words=notes.search_text,
        instant=notes.last_modified,
    ),
}


def has_class(version: ProtocolVersion, item_class: ItemClass) -> bool:
    """Whether the version has the class; notes came with 14.0 (MS-ASCMD_R6298)."""
    return item_class is not ItemClass.NOTES or version >= V14_0


async def octets_of(item: Item) -> bytes:
    """An item as it is kept: small by MAX_OCTETS."""
    return await blob.read(item.content)


async def kept_data(item_class: ItemClass, item: Item, how: Reading) -> Element:
    """ApplicationData of an item of one of these classes, as the version has it."""
    return dump(KEPT[item_class].read(await octets_of(item), how), how.version)


def without_occurrence(stored: bytes, instance_id: datetime, how: Writing) -> bytes:
    """An event without one of its occurrences. Raises InvalidItem for one that it does not have."""
    return calendar.delete_occurrence(
        stored, instance_id, version=how.version, now=how.now, owner=owner_of(how.account)
    )


async def file_of(item: Item, number: int) -> tuple[str, bytes] | None:
    """The type and the octets of a file of an event; None where it has none of that number."""
    return calendar.file_of(await octets_of(item), number)


def written(item_class: ItemClass, stored: bytes | None, data: Element, how: Writing) -> bytes:
    """The item after a client's Add or Change. Raises MalformedXml, InvalidItem."""
    for child in data.children:
        if child.tag.namespace == "AirSyncBase" and child.tag.name not in _OF_ITEMS:
            raise InvalidItem(f"{child.tag.name} outside of its place")  # MS-ASAIRS_R10029
    kept = KEPT[item_class]
    return kept.write(stored, load(kept.element, data), how)


def completed(item_class: ItemClass, before: bytes, after: bytes, how: Writing) -> task_series.Completed | None:
    """What a recurring task becomes that a change completed; None for everything else."""
    if item_class is not ItemClass.TASKS:
        return None
    return task_series.completed(before, after, now=how.now, uid=how.uid)


def new_item(item_class: ItemClass, octets: bytes) -> NewMessage:
    """An item as the store takes it."""
    kept = KEPT[item_class]
    return NewMessage(
        content=MemoryBlob(octets),
        index=MessageIndex(size=len(octets), takes_place=_takes_place(octets) if kept.element is Calendar else None),
        text=kept.words(octets),
        received=kept.instant(octets),
    )


def _takes_place(octets: bytes) -> tuple[int, int, int] | None:
    found = calendar.only_occurrence(octets)
    return None if found is None else (int(found.start.timestamp()), int(found.end.timestamp()), int(found.busy))
