"""GetAttachment, [MS-ASCMD] 2.2.1.7: the octets of an attachment as the body of the answer, for clients of 12.1."""

import re
from typing import Final

from eas_server.commands.attachments import content_of, find_attachment, parse_file_reference
from eas_server.commands.context import Command, Context, Reply
from eas_server.errors import NoSuchFolder
from eas_server.model.blob import read
from eas_server.model.mail import Attachment, Item
from protocol.elements import Buffer
from protocol.errors import MalformedRequest
from protocol.http import CommandLine, CommandName
from protocol.versions import ProtocolVersion
from protocol.wbxml import Segments

IN_MEMORY: Final = 64 * 1024
"""Octets up to which an attachment is read before the answer begins: it can be compressed, and must be there."""

_GONE: Final = 500
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9][\w!#$&^.+-]{0,126}/[A-Za-z0-9][\w!#$&^.+-]{0,126}", re.ASCII)
_UNKNOWN_TYPE: Final = "application/octet-stream"


def _read(_: Buffer, line: CommandLine, __: ProtocolVersion) -> str:
    """The request has no body (MS-ASCMD_R161): the query names the attachment."""
    if not line.attachment_name:
        raise MalformedRequest("AttachmentName", "is missing")  # MS-ASCMD_R162
    return line.attachment_name


async def handle(name: str, ctx: Context) -> Reply:
    """The attachment whose FileReference is `name`; what is gone, or another user's, ends in 500 (MS-ASCMD_R166)."""
    found = await _found(name, ctx)
    if found is None:
        return Reply(status=_GONE)
    item, attachment = found
    content = content_of(item, attachment)
    if content.size == 0:
        return Reply()
    octets = await read(content) if content.size <= IN_MEMORY else content
    return Reply(body=Segments((octets,)), content_type=media_type(attachment), headers=_AS_IT_IS)


_AS_IT_IS: Final = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment"}
"""A stranger made the octets: should a browser get them, it is not to show them as a page of this server."""


async def _found(name: str, ctx: Context) -> tuple[Item, Attachment] | None:
    place = parse_file_reference(name)
    if place is None:
        return None
    try:
        items = await ctx.ports.mail.fetch(ctx.account.user, place.collection, [place.item])
    except NoSuchFolder:
        return None
    number = find_attachment(items[0].index.attachments, place.number) if items else None
    return None if number is None else (items[0], items[0].index.attachments[number])


def media_type(attachment: Attachment) -> str:
    """What the message says it is, where that can stand in a header (MS-ASCMD_R164)."""
    return attachment.content_type if _MEDIA_TYPE.fullmatch(attachment.content_type) else _UNKNOWN_TYPE


COMMAND = Command(
    name=CommandName.GET_ATTACHMENT,
    read=_read,
    handle=handle,
    refuse=lambda malformed, version: None,
    fail=lambda status, version: None,  # an HTTP status says it
)
