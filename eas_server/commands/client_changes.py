"""What a client did to a collection, carried out in its order: Add, Change, Delete and Fetch of a Sync request."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from eas_server.commands import event_files
from eas_server.commands.context import Context
from eas_server.commands.drafts import Drafts, added_numbers
from eas_server.commands.items import ItemOptions
from eas_server.commands.kept_changes import KeptChanges, accepted_name
from eas_server.commands.kept_changes import clashes as kept_clashes
from eas_server.commands.kept_items import KEPT, has_class
from eas_server.commands.receipts import acknowledge_reading
from eas_server.commands.server_changes import rendered_item
from eas_server.commands.text_messages import add_text_message, are_in
from eas_server.errors import NoSuchFolder, NoSuchItem
from eas_server.interfaces import Written
from eas_server.model.ids import CollectionId, ItemId, Revision, parse_server_id, server_id
from eas_server.model.mail import KEEP, Entry, Flag, Folder, FolderType, Item, ItemClass, StateChange
from eas_server.model.view import Accepted, CollectionState, View
from eas_server.render.drafts import added_files, names_content
from eas_server.render.email import InvalidFlag, flag_from_client, names_read_only, names_voice_mail
from eas_server.sync.conflict import clashes, repeated
from eas_server.sync.window import NEVER, absorb_add, absorb_conflict, absorb_delete, absorb_write
from protocol.commands.sync import (
    SMS,
    Add,
    AddResponse,
    Change,
    ChangeResponse,
    CommandResponse,
    Conflict,
    Delete,
    DeleteResponse,
    Fetch,
    FetchResponse,
    SoftDelete,
    Status,
)
from protocol.elements import Element, Tag
from protocol.errors import MalformedXml
from protocol.items.email import Email
from protocol.items.email import Flag as EmailFlag
from protocol.schema import dump, load


@dataclass(slots=True, kw_only=True)
class Carried:
    """The outcome so far: the view that the client has now, and what it is to be told."""

    view: View
    written: dict[ItemId, tuple[Revision, ...]] = field(default_factory=dict)
    """Revisions that this device made under the presented key, this time or before."""
    accepted: dict[str, Accepted] = field(default_factory=dict)
    """Adds that were carried out under the presented key, this time or before."""
    responses: list[CommandResponse] = field(default_factory=list)
    told: dict[ItemId, dict[int, str]] = field(default_factory=dict)
    """Drafts that the client added attachments to: the lasting numbers of these, with their ClientIds."""
    commands: list[Change | SoftDelete] = field(default_factory=list)
    """What it has to hear of its own changes, and of those of its Options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How the client wants it done."""

    conflict: Conflict
    deletes_as_moves: bool
    options: ItemOptions
    deleted_items: CollectionId | None
    """Where deleted items go; None: they go for good."""
    supported: frozenset[Tag] | None = None
    """The properties that the client manages; None: all of them."""


class ClientChanges:
    """Carries out the commands of one collection of one request."""

    def __init__(self, ctx: Context, folder: Folder, state: CollectionState, terms: Terms) -> None:
        self._ctx = ctx
        self._folder = folder
        self._terms = terms
        self._known: Mapping[ItemId, Revision] = state.view.revisions
        self._presented = state.view
        self._presented_key = state.key
        self._kept = KeptChanges(ctx, folder, terms.supported)
        self._drafts = Drafts(ctx, folder, state.key) if Drafts.are_in(ctx, folder) else None
        self._repeated: set[str] = set()
        """Changes of drafts in this request, by what they are accepted under."""
        self._brought_files = False
        """The Change at hand added attachments, which makes it one that is answered (MS-ASCMD_R6234)."""
        self._is_kept = folder.item_class in KEPT and has_class(ctx.version, folder.item_class)
        self.carried = Carried(view=state.view, written=dict(state.written), accepted=dict(state.accepted))

    async def carry_out(self, commands: tuple[Add | Change | Delete | Fetch, ...]) -> Carried:
        """All of them. Raises what the store raises; what fails for one item is its response."""
        for command in commands:
            match command:
                case Add():
                    await self._add(command)
                case Change():
                    await self._change(command)
                case Delete():
                    await self._delete(command)
                case Fetch():
                    await self._fetch(command)
        await self._tell()
        return self.carried

    async def _add(self, add: Add) -> None:
        """A new item, or the one that the same Add made before. No message but a draft can be added (MS-ASCMD_R755)."""
        if self._drafts is not None and add.item_class in (None, self._folder.item_class.value):
            self.carried.responses.append(await self._add_draft(self._drafts, add))
            return
        if add.item_class == SMS and are_in(self._ctx, self._folder):
            self.carried.responses.append(await self._add_text_message(add))
            return
        status, item = Status.CONVERSION_ERROR, None
        if self._is_kept and add.item_class in (None, self._folder.item_class.value):
            status, item = await self._carry_out_add(add)
        name = None if item is None else server_id(self._folder.id, item)
        answer = None if item is None else await self._files_answer(item, add.application_data)
        self.carried.responses.append(
            AddResponse(client_id=add.client_id, server_id=name, status=status, application_data=answer)
        )

    async def _files_answer(self, item: ItemId, data: Element) -> Element | None:
        ids = event_files.added_ids(self._ctx, self._folder, data)
        found = await self._fetched(item) if ids else None
        return None if found is None else await event_files.references(self._ctx, self._folder, found, ids)

    async def _carry_out_add(self, add: Add) -> tuple[Status, ItemId | None]:
        name, digest = accepted_name(add.client_id, add.application_data)
        earlier = self.carried.accepted.get(name)
        entry: Entry | Status | None = None if earlier is None else await self._entry(earlier.item)
        if entry is None:
            entry = await self._kept.add(add.application_data)
        if isinstance(entry, Status):
            return entry, None
        self._added(name, digest, entry)
        return Status.SUCCESS, entry.id

    def _added(self, name: str, digest: bytes, entry: Entry) -> None:
        """The client holds what its Add made, which after a repetition may be older than what the item is now."""
        earlier = self.carried.accepted.get(name)
        made = entry if earlier is None or earlier.item != entry.id else replace(entry, revision=earlier.revision)
        self.carried.accepted[name] = Accepted(item=made.id, revision=made.revision, digest=digest)
        self.carried.view = absorb_add(self.carried.view, made)

    async def _add_draft(self, drafts: Drafts, add: Add) -> AddResponse:
        name, digest = accepted_name(add.client_id, add.application_data)
        name = name if add.send is None else f"{name}:send"
        try:
            email = load(Email, add.application_data)
        except MalformedXml:
            return AddResponse(client_id=add.client_id, status=Status.CONVERSION_ERROR)
        if names_voice_mail(email):
            return AddResponse(client_id=add.client_id, status=Status.CONVERSION_ERROR)
        earlier = self.carried.accepted.get(name)
        found = await self._fetched(earlier.item) if earlier is not None else None
        if earlier is not None and found is not None:
            entry, answer = _entry_of(found), drafts.answer(found, email)
        elif earlier is not None and add.send is not None:
            # It was sent then. What the view holds above its Token and the store does not have, the client is told of.
            revision = Revision(self.carried.view.token + 1)
            entry, answer = Entry(id=earlier.item, revision=revision, received=int(self._ctx.now.timestamp())), None
        else:
            added = await drafts.add(add, email)
            if isinstance(added, int):
                return AddResponse(client_id=add.client_id, status=added)
            entry, answer = added.entry, added.answer
        self._added(name, digest, entry)
        return AddResponse(
            client_id=add.client_id,
            server_id=server_id(self._folder.id, entry.id),
            status=Status.SUCCESS,
            application_data=answer,
        )

    async def _add_text_message(self, add: Add) -> AddResponse:
        """What a phone sent or got as SMS: kept beside the mail (MS-ASCMD_R944)."""
        name, digest = accepted_name(add.client_id, add.application_data)
        name = f"{name}:{SMS}"
        earlier = self.carried.accepted.get(name)
        made: Entry | int | None = None if earlier is None else await self._entry(earlier.item)
        if made is None:
            try:
                email = load(Email, add.application_data)
            except MalformedXml:
                made = Status.CONVERSION_ERROR
            else:
                made = await add_text_message(email, f"{self._presented_key}:{name}", self._folder, self._ctx)
        if isinstance(made, int):
            return AddResponse(item_class=SMS, client_id=add.client_id, status=made)
        self._added(name, digest, made)
        return AddResponse(
            item_class=SMS,
            client_id=add.client_id,
            server_id=server_id(self._folder.id, made.id),
            status=Status.SUCCESS,
        )

    async def _fetched(self, item: ItemId) -> Item | None:
        found = await self._ctx.ports.mail.fetch(self._ctx.account.user, self._folder.id, [item])
        return found[0] if found else None

    async def _entry(self, item: ItemId) -> Entry | None:
        found = await self._fetched(item)
        return None if found is None else _entry_of(found)

    def _item(self, server_id: str) -> ItemId | None:
        """The item that a ServerId names in this collection."""
        parsed = parse_server_id(server_id)
        return parsed[1] if parsed is not None and parsed[0] == self._folder.id else None

    async def _change(self, change: Change) -> None:
        self._brought_files = False
        status = await self._carry_out_change(change)
        if status != Status.SUCCESS or self._brought_files:
            self.carried.responses.append(
                ChangeResponse(server_id=change.server_id, instance_id=change.instance_id, status=status)
            )

    async def _carry_out_change(self, change: Change) -> int:
        item = self._item(change.server_id)
        if item is None:
            return Status.NOT_FOUND
        if self._drafts is not None:
            return await self._change_draft(self._drafts, item, change)
        if change.application_data is None:
            return Status.CONVERSION_ERROR
        if self._is_kept:
            return await self._change_kept(item, change.application_data, change.instance_id)
        if self._folder.item_class is ItemClass.EMAIL and change.send is None:
            return await self._change_message(item, change.application_data)
        return Status.CONVERSION_ERROR

    async def _change_message(self, item: ItemId, data: Element) -> Status:
        user, mail = self._ctx.account.user, self._ctx.ports.mail
        try:
            email = load(Email, data)
        except MalformedXml:
            return Status.CONVERSION_ERROR
        found = await mail.fetch(user, self._folder.id, [item])
        if not found:
            return Status.NOT_FOUND
        try:
            wanted = _state_change(email, found[0])
        except InvalidFlag:
            return Status.CONVERSION_ERROR
        if names_read_only(email, found[0]):
            return Status.CONVERSION_ERROR
        carried = self.carried
        if self._terms.conflict is Conflict.SERVER_WINS and clashes(
            wanted,
            found[0].state,
            found[0].changed,
            known=self._known.get(item, self._presented.token),
            own=self._own(item),
        ):
            carried.view = absorb_conflict(carried.view, item)
            return Status.CONFLICT
        try:
            made = await mail.change(user, self._folder.id, item, wanted)
        except NoSuchItem:
            return Status.NOT_FOUND
        if wanted.read is True and not found[0].state.read:
            await acknowledge_reading(found[0], self._folder, self._ctx)
        again = repeated(wanted, found[0].state, found[0].changed, own=self._own(item))
        if made.after != made.before:
            carried.written[item] = (*carried.written.get(item, ()), made.after)
        if made.after != made.before or again:
            carried.view = absorb_write(carried.view, item, before=made.before, after=made.after, repeated=again)
        return Status.SUCCESS

    async def _change_draft(self, drafts: Drafts, item: ItemId, change: Change) -> int:
        """A Change of a draft: of its content, of its state, or of both; or it is sent."""
        data = dump(Email()) if change.application_data is None else change.application_data
        try:
            email = load(Email, data)
        except MalformedXml:
            return Status.CONVERSION_ERROR
        name, digest = accepted_name(f"change {change.server_id}", data)
        found = await self._fetched(item)
        if found is None:
            # one that was sent under the same key, by the same Change
            sent = change.send is not None and f"{name}:send" in self.carried.accepted
            return Status.SUCCESS if sent else Status.NOT_FOUND
        if change.send is None and change.application_data is None:
            return Status.CONVERSION_ERROR
        if change.send is None and not names_content(email):
            return await self._change_message(item, data)
        if names_read_only(email, found):
            return Status.CONVERSION_ERROR
        known = self._known.get(item, self._presented.token)
        if self._terms.conflict is Conflict.SERVER_WINS and kept_clashes(found, known, self._own(item)):
            self.carried.view = absorb_conflict(self.carried.view, item)
            return Status.CONFLICT
        if change.send is not None:
            status = await drafts.send_changed(change, found, email)
            if status == Status.SUCCESS:
                self.carried.accepted[f"{name}:send"] = Accepted(item=item, revision=found.revision, digest=digest)
            return status
        status = await self._rewrite_draft(drafts, found, email, name, digest)
        return await self._change_message(item, data) if status == Status.SUCCESS else status

    async def _rewrite_draft(self, drafts: Drafts, item: Item, email: Email, name: str, digest: bytes) -> int:
        """The content of a draft. Attachments that the same Change added or deleted before stay as they are."""
        earlier = self.carried.accepted.get(name)
        self._repeated.add(name)
        if earlier is not None and email.attachments is not None:
            written = Written(before=item.revision, after=item.revision)
            files = added_numbers(item.index.attachments, email)
        else:
            made = await drafts.change(item, email)
            if isinstance(made, int):
                return made
            written, files = made.written, made.files
        made_now = self._wrote_draft(item, written, earlier)
        revision = made_now if earlier is None else earlier.revision
        self.carried.accepted[name] = Accepted(item=item.id, revision=revision, digest=digest)
        if added_files(email):
            self._brought_files = True
            self.carried.told[item.id] = {**self.carried.told.get(item.id, {}), **files}
        return Status.SUCCESS

    def _wrote_draft(self, item: Item, written: Written, earlier: Accepted | None) -> Revision:
        """The client's own write of a draft whose content was that of `item`: no echo of it.

        Where the client does not know what it wrote on, since a Change names some properties only, the whole draft
        comes. Gives the revision that holds nothing but what the client knows; NEVER where there is none.
        """
        carried, view, content = self.carried, self.carried.view, item.changed.content
        seen = content <= view.revisions.get(item.id, view.token) or content in view.own.get(item.id, ())
        if written.after != written.before:
            carried.written[item.id] = (*carried.written.get(item.id, ()), written.after)
            if seen:
                carried.view = absorb_write(view, item.id, before=written.before, after=written.after)
                return written.after
            carried.view = absorb_conflict(view, item.id)
        elif not seen and earlier is not None and earlier.revision == content and self._all_repeated(item.id):
            carried.view = absorb_write(view, item.id, before=content, after=content, repeated=(content,))
        return NEVER

    def _all_repeated(self, item: ItemId) -> bool:
        """Whether this request has all the Changes of a draft that came under the presented key before."""
        names = [name for name, one in self.carried.accepted.items() if one.item == item and name.startswith("change ")]
        return self._repeated.issuperset(names)

    async def _tell(self) -> None:
        """Of the drafts that got attachments, the client is told all there is now."""
        for item, files in self.carried.told.items():
            found = await self._fetched(item)
            if found is not None and self._drafts is not None:
                self.carried.commands.append(await self._drafts.told(found, files, self._terms.options))

    async def _change_kept(self, item: ItemId, data: Element, instance_id: str | None) -> Status:
        found = await self._ctx.ports.mail.fetch(self._ctx.account.user, self._folder.id, [item])
        if not found:
            return Status.NOT_FOUND
        known = self._known.get(item, self._presented.token)
        if self._terms.conflict is Conflict.SERVER_WINS and kept_clashes(found[0], known, self._own(item)):
            self.carried.view = absorb_conflict(self.carried.view, item)
            return Status.CONFLICT
        unseen = kept_clashes(found[0], self.carried.view.revisions.get(item, self.carried.view.token), self._own(item))
        name, digest = accepted_name(f"{server_id(self._folder.id, item)}{instance_id or ''}", data)
        earlier = self.carried.accepted.get(name)
        if earlier is not None and await self._tell_files(item, data, instance_id):
            self._files_again(item, found[0], earlier)
            return Status.SUCCESS
        if earlier is not None and found[0].changed.content in self._own(item):
            # the task moved on when this was done before, and must not move on once more
            self.carried.view = absorb_conflict(self.carried.view, item)
            return Status.SUCCESS
        made = await self._kept.change(found[0], data, instance_id)
        if isinstance(made, Status):
            return made
        self._made(item, made)
        if await self._tell_files(item, data, instance_id) or self._kept.moved_on:
            self.carried.accepted[name] = Accepted(item=item, revision=made.after, digest=digest)
        if unseen or self._kept.moved_on:
            # the client wins what it names; what it did not write itself, it has to learn
            self.carried.view = absorb_conflict(self.carried.view, item)
        return Status.SUCCESS

    async def _tell_files(self, item: ItemId, data: Element, instance_id: str | None) -> bool:
        """Whether a Change brought files to an event; its client is told of them (MS-ASCMD_R6234)."""
        ids = event_files.added_ids(self._ctx, self._folder, data)
        found = await self._fetched(item) if ids else None
        if found is None:
            return False
        told = await event_files.told(self._ctx, self._folder, found, ids, instance_id, self._terms.options)
        name = server_id(self._folder.id, item)
        self.carried.commands.append(Change(server_id=name, application_data=told))
        self._brought_files = True
        return True

    def _files_again(self, item: ItemId, found: Item, earlier: Accepted) -> None:
        """A Change that came before: its files are there, and are not added once more."""
        view, content = self.carried.view, found.changed.content
        if earlier.revision == content:
            self.carried.view = absorb_write(view, item, before=content, after=content, repeated=(content,))
        else:
            self.carried.view = absorb_conflict(view, item)

    def _made(self, item: ItemId, made: Written) -> Status:
        """The client's own write of a kept item: no echo of it, and no conflict with it."""
        carried, own = self.carried, self._own(item)
        again = (made.before,) if made.before in own else ()
        if made.after != made.before:
            carried.written[item] = (*carried.written.get(item, ()), made.after)
        if made.after != made.before or again:
            carried.view = absorb_write(carried.view, item, before=made.before, after=made.after, repeated=again)
        return Status.SUCCESS

    def _own(self, item: ItemId) -> tuple[Revision, ...]:
        """Revisions of the item that the client made itself."""
        return (*self.carried.view.own.get(item, ()), *self.carried.written.get(item, ()))

    async def _delete(self, delete: Delete) -> None:
        item = self._item(delete.server_id)
        if delete.instance_id is not None and self._folder.item_class is ItemClass.CALENDAR:
            status = Status.NOT_FOUND if item is None else await self._delete_occurrence(item, delete.instance_id)
            if status is not Status.SUCCESS:
                failed = DeleteResponse(server_id=delete.server_id, instance_id=delete.instance_id, status=status)
                self.carried.responses.append(failed)
            return
        if item is not None and self._is_kept:
            status = await self._kept.before_delete(item)
            if status is not Status.SUCCESS:
                self.carried.responses.append(DeleteResponse(server_id=delete.server_id, status=status))
                return
        gone = item is not None and await self._remove(item)
        if item is None or not (gone or item in self._presented.held):
            # What the client held and somebody else deleted is gone as it wished.
            self.carried.responses.append(DeleteResponse(server_id=delete.server_id, status=Status.NOT_FOUND))
            return
        self.carried.view = absorb_delete(self.carried.view, [item])

    async def _delete_occurrence(self, item: ItemId, instance_id: str) -> Status:
        found = await self._ctx.ports.mail.fetch(self._ctx.account.user, self._folder.id, [item])
        if not found:
            return Status.NOT_FOUND
        made = await self._kept.delete_occurrence(found[0], instance_id)
        return made if isinstance(made, Status) else self._made(item, made)

    async def _remove(self, item: ItemId) -> bool:
        user, mail, target = self._ctx.account.user, self._ctx.ports.mail, self._terms.deleted_items
        if self._terms.deletes_as_moves and target is not None:
            try:
                return bool(await mail.move(user, self._folder.id, [item], target))
            except NoSuchFolder:
                return bool(await mail.delete(user, self._folder.id, [item]))
        return bool(await mail.delete(user, self._folder.id, [item]))

    async def _fetch(self, fetch: Fetch) -> None:
        item = self._item(fetch.server_id)
        found = await self._ctx.ports.mail.fetch(self._ctx.account.user, self._folder.id, [item]) if item else []
        if not found:
            self.carried.responses.append(FetchResponse(server_id=fetch.server_id, status=Status.NOT_FOUND))
            return
        # MS-ASCMD_R2956: the complete item, whatever the Options cut from it elsewhere
        content = await rendered_item(self._ctx, self._folder, found[0], self._terms.options.complete())
        status = Status.SERVER_ERROR if content is None else Status.SUCCESS
        self.carried.responses.append(FetchResponse(server_id=fetch.server_id, status=status, application_data=content))


def _entry_of(item: Item) -> Entry:
    return Entry(id=item.id, revision=item.revision, received=int(item.received.timestamp()))


def _state_change(email: Email, item: Item) -> StateChange:
    """What a Change asks for. Of a message that is no draft, only Read, Flag and Categories can change; other elements
    are ignored, since they may be sent along (MS-ASCMD_R875). Raises InvalidFlag.
    """
    return StateChange(
        read=KEEP if email.read is None else email.read,
        flag=KEEP if email.flag is None else _flag(email.flag, item),
        categories=KEEP if email.categories is None else email.categories,
    )


def _flag(flag: EmailFlag, item: Item) -> Flag | None:
    return flag_from_client(flag, item.state.flag, message_class=item.index.message_class)


def deleted_items_of(folders: Mapping[CollectionId, Folder], folder: Folder) -> CollectionId | None:
    """Where items deleted in `folder` go: Deleted Items, unless they are there already or are no mail."""
    if folder.type is FolderType.DELETED_ITEMS or folder.item_class is not ItemClass.EMAIL:
        return None
    for other in folders.values():
        if other.type is FolderType.DELETED_ITEMS:
            return other.id
    return None
