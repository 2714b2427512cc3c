"""Folders and messages of a seed. A message that a folder holds already, octet by octet, is not put there again."""

import asyncio
import glob
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTPUTF8
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from eas_server.administration import texts
from eas_server.cli.seed_file import FolderKind, SeedMessages
from eas_server.cli.seed_plan import Action, Ground, known_user, octets_of, taken
from eas_server.commands.kept_items import MAX_OCTETS, new_item
from eas_server.config_reading import Wrong
from eas_server.errors import FolderExists
from eas_server.model import blob
from eas_server.model.blob import MemoryBlob
from eas_server.model.ids import ROOT, CollectionId, UserId
from eas_server.model.mail import Folder, FolderType, ItemClass, ItemState, NewMessage
from eas_server.model.view import NO_LIMIT, TOP, Position
from eas_server.render.contentlines import MalformedLines
from eas_server.render.mime import index_message

_TYPES: Final[dict[FolderKind, FolderType]] = {
    "mail": FolderType.USER_MAIL,
    "calendar": FolderType.USER_CALENDAR,
    "contacts": FolderType.USER_CONTACTS,
    "tasks": FolderType.USER_TASKS,
    "notes": FolderType.USER_NOTES,
}
_DEFAULTS: Final = {
    "inbox": FolderType.INBOX,
    "drafts": FolderType.DRAFTS,
    "deleted items": FolderType.DELETED_ITEMS,
    "sent items": FolderType.SENT_ITEMS,
    "tasks": FolderType.TASKS,
    "calendar": FolderType.CALENDAR,
    "contacts": FolderType.CONTACTS,
    "notes": FolderType.NOTES,
}
"""What the folders that every mailbox has are called here, whatever their names are."""
_CLASS_OF_DEFAULT: Final = {
    "tasks": ItemClass.TASKS,
    "calendar": ItemClass.CALENDAR,
    "contacts": ItemClass.CONTACTS,
    "notes": ItemClass.NOTES,
}
_CLASS_OF_KIND: Final[dict[FolderKind, ItemClass]] = {
    "mail": ItemClass.EMAIL,
    "calendar": ItemClass.CALENDAR,
    "contacts": ItemClass.CONTACTS,
    "tasks": ItemClass.TASKS,
    "notes": ItemClass.NOTES,
}
_PAGE: Final = 500
_Place = tuple[str, str]
"""A user, and the path of a folder in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """An item that is to be in a folder."""

    key: str
    octets: bytes
    declared: SeedMessages


async def plan_mailboxes(ground: Ground, limit: int) -> list[Action]:
    """What is to be done in mailboxes; `limit`: octets of the largest message. Raises Wrong."""
    actions: list[Action] = []
    classes: dict[_Place, ItemClass] = {}
    for number, folder in enumerate(ground.seed.folders):
        user = await known_user(ground, f"folders[{number}].user", folder.user)
        path = _path(f"folders[{number}].name", folder.name)
        classes[user, path.lower()] = _CLASS_OF_KIND[folder.type]
        if await _find(ground, user, path) is None:
            make = partial(_make_folder, ground, UserId(user), path, _TYPES[folder.type])
            actions.append(Action(says=f"make the folder {path} of {user}", do=make))
    wanted: dict[_Place, list[_Item]] = {}
    for number, declared in enumerate(ground.seed.messages):
        key = f"messages[{number}]"
        user = await known_user(ground, f"{key}.user", declared.user)
        path = _path(f"{key}.folder", declared.folder)
        wanted.setdefault((user, path.lower()), []).extend(
            await asyncio.to_thread(_items, key, declared, ground, limit)
        )
    for (user, path), items in wanted.items():
        actions += await _plan_folder(ground, user, path, items, classes)
    return actions


def _path(key: str, value: str) -> str:
    parts = [taken(key, texts.line, part) for part in value.split("/")]
    if not all(parts):
        raise Wrong(key, 'must be names of folders: "Inbox/Projects"')
    return "/".join(parts)


def _items(key: str, declared: SeedMessages, ground: Ground, limit: int) -> list[_Item]:
    fields = bool(declared.sender or declared.to or declared.cc or declared.subject or declared.body)
    if (bool(declared.files), bool(declared.text), fields).count(True) != 1:
        raise Wrong(key, "needs either files, or text, or subject and body (with sender, to, cc)")
    if declared.text:
        return [_Item(key=f"{key}.text", octets=_with_crlf(declared.text), declared=declared)]
    if fields:
        return [_Item(key=key, octets=_composed(key, declared), declared=declared)]
    return [
        _Item(key=f"{key}.files", octets=octets_of(f"{key}.files", path, limit), declared=declared)
        for path in _files(f"{key}.files", ground.base, declared.files)
    ]


def _files(key: str, base: Path, patterns: Sequence[str]) -> Iterator[Path]:
    for pattern in patterns:
        found = sorted(glob.glob(pattern, root_dir=base))
        if not found:
            raise Wrong(key, f'no file fits "{base / pattern}"')
        yield from (base / name for name in found)


def _with_crlf(text: str) -> bytes:
    return "\r\n".join(text.removeprefix("\n").splitlines()).encode() + b"\r\n"


def _composed(key: str, declared: SeedMessages) -> bytes:
    """A message of the fields; the same octets each time."""
    message = EmailMessage(policy=SMTPUTF8)
    headers = {"From": declared.sender, "To": declared.to, "Cc": declared.cc, "Subject": declared.subject}
    if declared.received is not None:
        headers["Date"] = _aware(declared.received).strftime("%a, %d %b %Y %H:%M:%S +0000")
    try:
        for name, value in headers.items():
            if value:
                message[name] = value
    except (ValueError, IndexError) as error:
        raise Wrong(key, f"cannot be the header of a message: {error}") from None
    digest = sha256(repr((headers, declared.body)).encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@seed.invalid>"
    message.set_content(declared.body or "\n", charset="utf-8")
    return message.as_bytes()


def _aware(moment: datetime) -> datetime:
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)


async def _plan_folder(
    ground: Ground, user: str, path: str, items: Sequence[_Item], classes: dict[_Place, ItemClass]
) -> list[Action]:
    folder = await _find(ground, user, path)
    item_class = classes.get((user, path)) or _CLASS_OF_DEFAULT.get(path, ItemClass.EMAIL)
    if folder is not None:
        item_class = folder.item_class
    elif (user, path) not in classes and path not in _DEFAULTS:
        raise Wrong(items[0].key, f"{user} has no folder {path}: declare it in [[folders]]")
    there = Counter[bytes]() if folder is None else await _held(ground, UserId(user), folder, items)
    actions = []
    for item in items:
        digest = sha256(item.octets).digest()
        if there[digest] > 0:
            there[digest] -= 1
            continue
        message = await asyncio.to_thread(_message, item, item_class)
        add = partial(_add, ground, UserId(user), path, message)
        actions.append(Action(says=f"put {item.key} into {path} of {user}", do=add, alone=False))
    return actions


async def _held(ground: Ground, user: UserId, folder: Folder, items: Sequence[_Item]) -> Counter[bytes]:
    """The digests of what a folder holds of the sizes that are declared."""
    sizes = {len(item.octets) for item in items}
    found: Counter[bytes] = Counter()
    mail, below = ground.store.mail, TOP
    while entries := await mail.page(user, folder.id, below=below, not_before=NO_LIMIT, limit=_PAGE):
        for item in await mail.fetch(user, folder.id, [entry.id for entry in entries]):
            if item.content.size - item.index_offset in sizes:
                octets = await blob.read(item.content, item.index_offset)
                found[sha256(octets).digest()] += 1
        last = entries[-1]
        below = Position(last.received, last.id)
    return found


def _message(item: _Item, item_class: ItemClass) -> NewMessage:
    declared = item.declared
    if item_class is not ItemClass.EMAIL:
        if len(item.octets) > MAX_OCTETS:
            raise Wrong(item.key, f"has more than {MAX_OCTETS} octets")
        try:
            return new_item(item_class, item.octets)
        except (MalformedLines, ValueError) as error:
            raise Wrong(item.key, f"is no item of a folder of {item_class.value}: {error}") from None
    index, text = index_message(item.octets, received=declared.received)
    received = declared.received or index.date or datetime.now(UTC)
    message = NewMessage(content=MemoryBlob(item.octets), index=index, text=text, received=_aware(received))
    return replace(message, state=ItemState(read=declared.read))


async def _find(ground: Ground, user: str, path: str) -> Folder | None:
    """The folder of a path; None: it is not there (yet), or the user is not."""
    if await ground.world.people.user(user) is None:
        return None
    return _among(await ground.store.folders.folders(UserId(user)), path)


def _among(folders: Sequence[Folder], path: str) -> Folder | None:
    parent, found = ROOT, None
    for depth, part in enumerate(path.lower().split("/")):
        type_ = _DEFAULTS.get(part) if depth == 0 else None
        found = next(
            (
                folder
                for folder in folders
                if (
                    folder.type is type_
                    if type_ is not None
                    else folder.parent == parent and folder.name.lower() == part
                )
            ),
            None,
        )
        if found is None:
            return None
        parent = found.id
    return found


async def _make_folder(ground: Ground, user: UserId, path: str, type_: FolderType) -> None:
    """Make a folder, and those above it that are not there."""
    parts = path.split("/")
    parent: CollectionId = ROOT
    for depth in range(1, len(parts) + 1):
        known = _among(await ground.store.folders.folders(user), "/".join(parts[:depth]))
        if known is None:
            try:
                known = await ground.store.folders.create_folder(user, parent, parts[depth - 1], type_)
            except FolderExists:
                raise Wrong("folders", f"{path} of {user} cannot be made: the name is taken") from None
        parent = known.id


async def _add(ground: Ground, user: UserId, path: str, message: NewMessage) -> None:
    folder = _among(await ground.store.folders.folders(user), path)
    if folder is None:
        raise Wrong("messages", f"{user} has no folder {path}")
    await ground.store.mail.add(user, folder.id, message)
