"""Folders: loops, towers, names that are none, special ones that stay, and what is stored for a device."""

import pytest

from eas_server.model.mail import FolderType
from protocol.client import FOLDER_CREATE, FOLDER_DELETE, FOLDER_SYNC, FOLDER_UPDATE, ITEM_OPERATIONS, PING, SYNC
from protocol.codepages import tag
from protocol.commands import (
    folder_create,
    folder_delete,
    folder_sync,
    folder_update,
    item_operations,
    ping,
    sync,
)
from protocol.elements import Element, Opaque
from protocol.schema import EMPTY, dump
from protocol.versions import V16_1
from protocol.wbxml import encode
from tests.scenarios import hostile
from tests.scenarios.hostile import Ground, volley
from tests.scenarios.server import ValidatedDevice

server = pytest.fixture(hostile.running, scope="module")
ground = pytest.fixture(hostile.ground)

Kind = folder_create.Status


async def made(device: ValidatedDevice, name: str, parent: str = "0", kind: int = 12) -> folder_create.Response:
    request = folder_create.Request(
        sync_key=device.client.hierarchy_key, parent_id=parent, display_name=name, type=kind
    )
    return (await device.call(FOLDER_CREATE, request)).take()


async def moved(device: ValidatedDevice, id_: str, parent: str, name: str = "Moved") -> int:
    request = folder_update.Request(
        sync_key=device.client.hierarchy_key, server_id=id_, parent_id=parent, display_name=name
    )
    return (await device.call(FOLDER_UPDATE, request)).take().status


async def hierarchy(ground: Ground, device_id: str) -> dict[str, tuple[str, str]]:
    """All folders, as a new device sees them: parent and name by id."""
    device = ground.device("alice", device_id=device_id)
    adds = (await device.call(FOLDER_SYNC, folder_sync.Request(sync_key="0"))).take().changes.adds
    return {add.server_id: (add.parent_id, add.display_name) for add in adds}


@pytest.mark.requirement("MS-ASCMD_R4123")
async def test_loops(ground: Ground) -> None:
    """A folder below itself, or below one that is below it, also by two steps and under an old key."""
    device = ground.device()
    await device.folders()
    first = (await made(device, "first")).server_id
    second = (await made(device, "second", first)).server_id
    third = (await made(device, "third", second)).server_id
    before = await hierarchy(ground, "before")
    for id_, parent in ((first, first), (first, second), (first, third), (second, third)):
        assert await moved(device, id_, parent) == folder_update.Status.MALFORMED_REQUEST
    assert (await made(device, "x", "999999")).status == Kind.PARENT_NOT_FOUND
    assert await moved(device, third, "-1") == folder_update.Status.PARENT_NOT_FOUND
    assert await hierarchy(ground, "after") == before


async def test_towers(ground: Ground) -> None:
    """150 folders, each in the one before, and gone again with the lowest of them."""
    device = ground.device()
    await device.folders()
    parent, ids = "0", []
    for number in range(150):
        response = await made(device, f"floor {number}", parent)
        assert response.status == Kind.SUCCESS
        parent = response.server_id
        ids.append(parent)
    assert set(ids) <= set(await hierarchy(ground, "before"))
    delete = folder_delete.Request(sync_key=device.client.hierarchy_key, server_id=ids[0])
    assert (await device.call(FOLDER_DELETE, delete)).take().status == folder_delete.Status.SUCCESS
    assert not set(ids) & set(await hierarchy(ground, "after"))


BAD = ("", " ", "\t\r\n", "a\0b", "a\r\nb", "\x01", "\x1b[2J", "a\x7f", "x" * 257, "x" * 1_000_000, "\ufffe",
       "a\uffffb",       "\u200b", "\u202e")  # fmt: skip
ODD = ("..", "/", "a/b", "\\", "%00", "<b>", "&amp;", "'; DROP TABLE folders; --", "😀" * 60, "e\u0301", "Inbox ", "*",
       "\u202eexe", "{0}")  # fmt: skip


@pytest.mark.parametrize("form", ["text", "opaque"])
async def test_names_that_are_none(ground: Ground, form: str) -> None:
    """Empty, of controls, endless: Status 10 and no folder. What is only odd comes back as it was sent."""
    device = ground.device()
    await device.folders()
    before = await hierarchy(ground, "before")
    for name in BAD:
        request = folder_create.Request(sync_key=device.client.hierarchy_key, parent_id="0", display_name="x", type=12)
        tree = dump(request, V16_1)
        named = next(child for child in tree.children if child.tag.name == "DisplayName")
        if form == "text" and "\0" in name:
            continue
        named.content = Opaque(name.encode()) if form == "opaque" else name
        (answer,) = await volley(device, FOLDER_CREATE, [encode(tree).join()])
        assert answer.status == Kind.MALFORMED_REQUEST, repr(name[:20])
    assert await hierarchy(ground, "between") == before
    for name in ODD:
        assert (await made(device, name)).status == Kind.SUCCESS, name
    assert {name for _, name in (await hierarchy(ground, "after")).values()} >= {name.strip() for name in ODD} - {
        "Inbox"
    }


async def test_special_folders_stay(ground: Ground) -> None:
    """They cannot be made, renamed, moved or deleted, and emptying takes their items alone."""
    device = ground.device()
    folders = await device.folders()
    before = await hierarchy(ground, "before")
    key = device.client.hierarchy_key
    for kind, id_ in folders.items():
        delete = folder_delete.Request(sync_key=key, server_id=id_)
        assert (await device.call(FOLDER_DELETE, delete)).take().status == folder_delete.Status.SPECIAL_FOLDER
        assert await moved(device, id_, "0") in (2, 3)
        if kind != FolderType.USER_MAIL:
            assert (await made(device, "another", kind=int(kind))).status == Kind.MALFORMED_REQUEST
    for kind in (0, -1, 18, 19, 20, 99, 2**40):
        assert (await made(device, "odd", kind=kind)).status == Kind.MALFORMED_REQUEST
    options = item_operations.EmptyOptions(delete_subfolders=EMPTY)
    operations = tuple(
        item_operations.EmptyFolderContents(collection_id=id_, options=options)
        for id_ in [*folders.values(), "0", "-1", ""]
    )
    answer = await device.call(ITEM_OPERATIONS, item_operations.Request(operations=operations))
    statuses = [each.status for each in answer.take().responses.emptied]
    assert statuses[-3:] == [6, 6, 6]
    assert await hierarchy(ground, "after") == before


async def test_what_a_ping_has_remembered_is_small(ground: Ground) -> None:
    """300 folders with endless ids and classes would be kept with the device."""
    device = ground.device()
    await device.folders()
    long = "x" * 20_000
    folders = tuple(ping.Folder(id=f"{n}{long}", item_class=long) for n in range(300))
    (answer,) = await volley(
        device, PING, [encode(dump(ping.Request(heartbeat_interval=1, folders=folders), V16_1)).join()]
    )
    assert answer.status == ping.Status.SYNTAX_ERROR


async def test_endless_values_are_not_kept(ground: Ground) -> None:
    """A megabyte as an id, a class, a category, a key: refused, or kept cut."""
    device = ground.device()
    folders = await device.folders()
    inbox = folders[FolderType.INBOX]
    await ground.deliver(ground.letter("One"), to="alice")
    (item,) = (await device.catch_up(inbox)).added
    long = "x" * 1_000_000
    category = Element(tag("Email:Categories"), [Element(tag("Email:Category"), long)] * 3)
    flag = Element(tag("Email:Flag"), [Element(tag("Email:Status"), "2"), Element(tag("Email:FlagType"), long)])
    for inner in (category, flag):
        change = sync.Change(server_id=item, application_data=Element(tag("AirSync:ApplicationData"), [inner]))
        asked = device.client.collection(inbox, change)
        request = sync.Request(collections=sync.Collections(collections=(asked,)))
        answer = await device.call(SYNC, request)
        statuses = [each.status for each in answer.take().collections.collections[0].responses.responses]
        assert statuses == [sync.Status.CONVERSION_ERROR]
    other = ground.device(device_id="other")
    assert (await other.folders())[FolderType.INBOX] == inbox
    found = (await other.catch_up(inbox)).added[item]
    assert not found.categories
    assert found.flag is None or found.flag.flag_type is None
