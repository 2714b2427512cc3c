"""Meeting messages as clients see them: the MeetingRequest of a message."""

from eas_server.commands.context import Context
from eas_server.delivery.calendar_items import CalendarItems, owner_of
from eas_server.model import blob
from eas_server.model.mail import Item
from eas_server.render.meetings import itip
from eas_server.render.meetings.attend import Standing, standing
from eas_server.render.meetings.itip import MeetingMessage, Method
from eas_server.render.meetings.meeting_request import meeting_request
from protocol.items.email import MeetingRequest
from protocol.versions import V14_1


async def meeting_message(item: Item) -> MeetingMessage | None:
    """The meeting message that an item of a mail folder is; None for all others."""
    part = item.index.calendar
    if part is None:
        return None
    start = item.index_offset
    encoded = await blob.read(item.content, start + part.start, start + part.end)
    return itip.read(encoded, part, method=itip.method_of(item.index.message_class))


async def meeting_request_of(ctx: Context, item: Item) -> MeetingRequest | None:
    """The MeetingRequest that the user gets with a message; None where it has none."""
    message = await meeting_message(item)
    if message is None:
        return None
    return meeting_request(
        message,
        owner=owner_of(ctx.account),
        version=ctx.version,
        now=item.received,
        standing=await _standing(ctx, message),
    )


async def _standing(ctx: Context, message: MeetingMessage) -> Standing:
    """What the calendar knows of the meeting, in the versions that tell it (MS-ASEMAIL_R1301)."""
    if message.method is not Method.REQUEST or ctx.version < V14_1 or not message.uid:
        return Standing()
    items = CalendarItems(ctx.account.user, ctx.ports.folders, ctx.ports.mail, ctx.ports.search)
    held = await items.of_meeting(message.uid)
    return standing([one.octets for one in held], message, owner_of(ctx.account))
