"""What a client of 16.0 or later learns of the files that it added to an event: a FileReference for each ClientId."""

from collections.abc import Sequence
from dataclasses import replace

from eas_server.commands.context import Context
from eas_server.commands.items import ItemOptions, application_data
from eas_server.model.mail import Folder, Item, ItemClass
from protocol.datatypes import parse_datetime
from protocol.elements import Element
from protocol.items.airsyncbase import AddAttachment, Attachment, Attachments
from protocol.items.calendar import Calendar
from protocol.schema import dump, load
from protocol.versions import V16_0


def added_ids(ctx: Context, folder: Folder, data: Element) -> tuple[str, ...]:
    """The ClientIds of the files that an Add or a Change brings, in its order. Raises MalformedXml."""
    if folder.item_class is not ItemClass.CALENDAR or ctx.version < V16_0:
        return ()
    files = load(Calendar, data).attachments
    return () if files is None else tuple(one.client_id for one in files.changes if isinstance(one, AddAttachment))


async def references(ctx: Context, folder: Folder, item: Item, ids: Sequence[str]) -> Element:
    """What the response to an Add tells: the new files alone, each with both names (MS-ASAIRS_R1082, R1367)."""
    event = await _event(ctx, folder, item, ItemOptions())
    files = _named(event.attachments, ids)
    new = [one for one in files.changes if isinstance(one, Attachment) and one.client_id is not None] if files else []
    bare = tuple(Attachment(file_reference=one.file_reference, client_id=one.client_id) for one in new)
    return dump(Calendar(attachments=Attachments(changes=bare)), ctx.version)


async def told(
    ctx: Context, folder: Folder, item: Item, ids: Sequence[str], instance_id: str | None, options: ItemOptions
) -> Element:
    """The event with both names of its new files, or of those of one occurrence: the response to a Change has no place
    for them (MS-ASCMD_R1152).
    """
    event = await _event(ctx, folder, item, options)
    if instance_id is None:
        return dump(replace(event, attachments=_named(event.attachments, ids)), ctx.version)
    moment = parse_datetime(instance_id)
    exceptions = tuple(
        replace(one, attachments=_named(one.attachments, ids)) if one.instance_id == moment else one
        for one in event.exceptions or ()
    )
    return dump(replace(event, exceptions=exceptions or None), ctx.version)


async def _event(ctx: Context, folder: Folder, item: Item, options: ItemOptions) -> Calendar:
    return load(Calendar, await application_data(ctx, folder, item, options))


def _named(files: Attachments | None, ids: Sequence[str]) -> Attachments | None:
    """With the ClientIds of the newest files: what is added comes last."""
    if files is None:
        return None
    first = len(files.changes) - len(ids)
    named = (
        replace(one, client_id=ids[number - first]) if number >= first and isinstance(one, Attachment) else one
        for number, one in enumerate(files.changes)
    )
    return Attachments(changes=tuple(named))
