"""Rights management ([MS-ASRM]): who sees what is inside a protected message, and what it may be protected with.

There is none below 14.1, without templates, and on a connection without TLS: protected messages stay sealed there.
"""

from dataclasses import replace
from typing import Final

from eas_server.commands.context import Context
from eas_server.errors import CommandError, NoSuchItem, StoreFull, Unavailable
from eas_server.model.blob import MemoryBlob, read
from eas_server.model.ids import CollectionId
from eas_server.model.mail import Item, NewMessage
from eas_server.model.rights import ALL_RIGHTS, NO_RESTRICTION, Protection, Rights, RightsTemplate, granted, normal_id
from eas_server.render import rights as render
from eas_server.render.mime import index_message
from protocol.errors import MalformedXml
from protocol.items.rights import License
from protocol.status import CommonStatus
from protocol.versions import V14_1

ATTEMPTS: Final = 3
"""How often the removal of a protection is tried where somebody else writes at the same moment."""


# ---- whether there is any


def is_usable(ctx: Context) -> bool:
    """Whether rights management is there for this request."""
    return ctx.version >= V14_1 and ctx.secure and ctx.settings.rights.active


def check_usable(ctx: Context) -> None:
    """Raises CommandError(168) where it is not (MS-ASRM_R196, R222, R223)."""
    if not is_usable(ctx):
        raise CommandError(CommonStatus.IRM_FEATURE_DISABLED)


# ---- reading


def rights_in(item: Item, ctx: Context) -> Rights | None:
    """What the user may do with an item; None: not even read it. Everything with one that is not protected."""
    protection = item.index.protection
    return ALL_RIGHTS if protection is None else granted(protection, _own(ctx), ctx.now)


def _own(ctx: Context) -> frozenset[str]:
    """The user's addresses."""
    return ctx.account.addresses | {ctx.account.address}


def disclosed(item: Item, ctx: Context, *, asked: bool | None) -> Item:
    """What is inside a sealed item, where the client asked for it and may see it; else the item as it is.

    `asked` is RightsManagementSupport; None counts as False (MS-ASRM_R127, R128, R335).
    """
    if item.inside is None or not asked or not is_usable(ctx) or rights_in(item, ctx) is None:
        return item
    return item.inside


def is_open(item: Item) -> bool:
    """Whether an item is protected and not sealed: it goes with its license."""
    return item.index.protection is not None and item.inside is None


def license_of(item: Item, ctx: Context) -> License | None:
    """The license that goes with an item (MS-ASRM_R208 to R211); None for one that is sealed or not protected."""
    if item.index.protection is None or item.inside is not None:
        return None
    return render.license_of(item.index.protection, _own(ctx), ctx.now, ctx.languages)


def reference_number(item: Item, number: int) -> int:
    """What stands in a FileReference for attachment `number` of an item as it was `disclosed`.

    Attachments of a protected message count from 1: number 0 is what the sealed message has.
    """
    return number + 1 if is_open(item) else number


def attachment_place(item: Item, number: int, ctx: Context, *, asked: bool | None) -> tuple[Item, int]:
    """The item in whose index the attachment of a `reference_number` stands, and its place there.

    Raises CommandError(172) where the user may not see it, or the client did not ask for what is inside.
    """
    if item.inside is None or number == 0:
        return item, number
    shown = disclosed(item, ctx, asked=asked)
    if shown is item:
        raise CommandError(CommonStatus.IRM_OPERATION_NOT_PERMITTED)  # MS-ASRM_R201
    return shown, number - 1


# ---- protecting


def check_template_usable(ctx: Context) -> None:
    """For a request with a TemplateID. Raises CommandError(168); MalformedXml in a version that has none (R357)."""
    if ctx.version < V14_1:
        raise MalformedXml(f"/{ctx.line.command}/TemplateID", f"is not known in {ctx.version}")
    check_usable(ctx)


def chosen(template_id: str, ctx: Context) -> RightsTemplate | None:
    """The template that a client wants its message protected with; None for "No Restriction".

    Raises as `check_template_usable` does, and CommandError(171) for a template that is not there.
    """
    check_template_usable(ctx)
    if normal_id(template_id) == NO_RESTRICTION:
        return None
    template = ctx.settings.rights.template(template_id)
    if template is None:
        raise CommandError(CommonStatus.IRM_INVALID_TEMPLATE_ID)  # MS-ASRM_R200, R356
    return template


def protect(template_id: str | None, ctx: Context) -> Protection | None:
    """The protection of a message that the user sends. Raises as `chosen` does."""
    template = None if template_id is None else chosen(template_id, ctx)
    if template is None:
        return None
    return Protection(template=template, owner=template.content_owner or ctx.account.address, since=ctx.now)


# ---- removing


async def unprotected(collection: CollectionId, item: Item, ctx: Context) -> Item:
    """The item as it is stored when its protection is gone (RemoveRightsManagementProtection, MS-ASRM_R91, R94).

    Raises CommandError: 168, 172 for a user who may not export it, 169 where the store cannot be reached, 170 where
    others wrote again and again (MS-ASRM_R197, R6552).
    """
    check_usable(ctx)
    for _ in range(ATTEMPTS):
        if item.index.protection is None:
            return item
        rights = rights_in(item, ctx)
        if rights is None or not rights.export_allowed:
            raise CommandError(CommonStatus.IRM_OPERATION_NOT_PERMITTED)
        item = await _without_protection(collection, item.inside or item, ctx)
    if item.index.protection is not None:
        raise CommandError(CommonStatus.IRM_PERMANENT_ERROR)
    return item


async def _without_protection(collection: CollectionId, item: Item, ctx: Context) -> Item:
    """One attempt: the item as it is stored afterwards."""
    user, mail = ctx.account.user, ctx.ports.mail
    try:
        above = await read(item.content, 0, item.index_offset)
        # the words to search by are made anew: the store does not give them back
        message = await read(item.content, item.index_offset)
        bare = NewMessage(
            content=MemoryBlob(message),
            index=replace(item.index, protection=None),
            text=index_message(message)[1],
            received=item.received,
            trace=above,
            state=item.state,
        )
        await mail.replace(user, collection, item.id, bare, item.revision)
        found = await mail.fetch(user, collection, [item.id])
    except Unavailable as error:
        raise CommandError(CommonStatus.IRM_TRANSIENT_ERROR, str(error), retry=True) from error
    except StoreFull as error:
        raise CommandError(CommonStatus.MAILBOX_QUOTA_EXCEEDED, str(error)) from error
    except NoSuchItem as error:
        raise CommandError(CommonStatus.ITEM_NOT_FOUND, str(error)) from error
    if not found:
        raise CommandError(CommonStatus.ITEM_NOT_FOUND)
    return found[0]
