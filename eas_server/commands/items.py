"""From a stored item to the properties that a client gets: shared by Sync, ItemOperations and Search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from eas_server.commands.attachments import file_reference, lasting_number
from eas_server.commands.context import Context
from eas_server.commands.kept_items import KEPT, Reading, kept_data
from eas_server.commands.meetings import meeting_request_of
from eas_server.commands.recipient_cache import entry_data
from eas_server.commands.rights import disclosed, license_of, reference_number
from eas_server.model import blob
from eas_server.model.ids import CollectionId
from eas_server.model.kinds import MAIL_ALONE, Kinds, is_text_message
from eas_server.model.mail import Folder, FolderType, Item
from eas_server.render.body import BodyPlan, RenderedBody, choose_body, choose_body_part, finish
from eas_server.render.email import email_properties
from protocol.commands.sync import Options
from protocol.elements import Element
from protocol.items.airsyncbase import BodyPartPreference, BodyPreference, BodyType
from protocol.items.email import Email
from protocol.schema import dump
from protocol.versions import V14_1


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemOptions:
    """How a client wants bodies: what Sync, ItemOperations and Search have in common of their Options."""

    preferences: tuple[BodyPreference, ...] = ()
    part_preferences: tuple[BodyPartPreference, ...] = ()
    mime_support: int = 0
    mime_truncation: int | None = None
    multipart: bool = False
    """The answer goes as parts, which can hold octets that an inline string cannot."""
    previews: bool = False
    """No body, only the preview where that is wanted (MS-ASCMD_R2108); a BodyPart all the same (MS-ASCON_R242)."""
    kinds: Kinds = MAIL_ALONE
    """What a Sync brings of a mail folder."""
    rights_management: bool | None = None
    """RightsManagementSupport: the client takes what is inside protected messages, and keeps to their licenses."""

    @classmethod
    def of(cls, options: Options) -> Self:
        """Those of a Sync."""
        part = options.body_part_preference
        return cls(
            preferences=options.body_preferences,
            part_preferences=() if part is None else (part,),
            mime_support=options.mime_support or 0,
            mime_truncation=options.mime_truncation,
            rights_management=options.rights_management,
        )

    def complete(self) -> Self:
        """The same, with nothing cut short."""
        return replace(
            self,
            preferences=tuple(replace(each, truncation_size=None) for each in self.preferences),
            part_preferences=tuple(replace(each, truncation_size=None) for each in self.part_preferences),
            mime_truncation=None,
        )


def are_parts_offered(preferences: Sequence[BodyPartPreference]) -> bool:
    """Whether the parts that a client asks for can be had: as HTML alone, else Status 164 (MS-ASCON_R241)."""
    return all(preference.type is BodyType.HTML for preference in preferences)


def body_plan(item: Item, options: ItemOptions) -> BodyPlan:
    """Which body the item goes with."""
    short = is_text_message(item.index.message_class)  # which is plain text, whatever is preferred for mail
    plan = choose_body(
        item,
        preferences=(BodyPreference(type=BodyType.PLAIN),) if short else options.preferences,
        mime_support=options.mime_support,
        mime_truncation=options.mime_truncation,
        multipart=options.multipart,
    )
    return replace(plan, withheld=True, read=None) if options.previews else plan


async def rendered(item: Item, plan: BodyPlan) -> RenderedBody:
    """Read what the plan names, and finish it."""
    return finish(plan, await blob.read(item.content, *plan.read) if plan.read else b"")


async def email_of(
    ctx: Context,
    collection: CollectionId,
    item: Item,
    options: ItemOptions,
    *,
    plan: BodyPlan | None = None,
    is_draft: bool = False,
) -> Email:
    """All properties of a message, with the body that the options ask for; `plan` is for the item as it is given.

    A protected message goes as it is given: `rights.disclosed` decides before.
    """
    parts = options.part_preferences if ctx.version >= V14_1 else ()
    # asked for a part alone, the client gets that alone, MS-ASCON_R247
    body = await rendered(item, plan or body_plan(item, options)) if options.preferences or not parts else None
    part_plan = choose_body_part(item, parts)
    part = await rendered(item, part_plan) if part_plan is not None else None
    email = email_properties(
        item,
        body.body() if body is not None else None,
        file_reference=lambda number: file_reference(
            collection,
            item.id,
            lasting_number(item.index.attachments[number], number) if is_draft else reference_number(item, number),
        ),
        body_part=part.body_part() if part is not None else None,
        is_draft=True if is_draft else None,
        meeting=await meeting_request_of(ctx, item),
    )
    granted = license_of(item, ctx)
    return email if granted is None else replace(email, rights_management_license=granted)


async def application_data(
    ctx: Context, folder: Folder, item: Item, options: ItemOptions, *, plan: BodyPlan | None = None
) -> Element:
    """ApplicationData of an item, as the client's version has it."""
    if folder.type is FolderType.RECIPIENT_INFORMATION_CACHE:
        return await entry_data(ctx, item)
    if folder.item_class in KEPT:
        how = Reading(
            version=ctx.version,
            now=ctx.now,
            account=ctx.account,
            preferences=options.preferences,
            file_reference=lambda number: file_reference(folder.id, item.id, number),
        )
        return await kept_data(folder.item_class, item, how)
    is_draft = folder.type is FolderType.DRAFTS
    if plan is None:
        item = disclosed(item, ctx, asked=options.rights_management)
    return dump(await email_of(ctx, folder.id, item, options, plan=plan, is_draft=is_draft), ctx.version)
