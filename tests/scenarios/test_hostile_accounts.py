"""What belongs to somebody else: names of bob's things in alice's hands open nothing, and passwords cannot be tried."""

import asyncio
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import pytest

from eas_server.lab.device import MIME, octets_of
from eas_server.model.mail import FolderType
from protocol.client import (
    FOLDER_CREATE,
    FOLDER_DELETE,
    FOLDER_SYNC,
    FOLDER_UPDATE,
    GET_ITEM_ESTIMATE,
    ITEM_OPERATIONS,
    MOVE_ITEMS,
    PING,
    RESOLVE_RECIPIENTS,
    SEARCH,
    SEND_MAIL,
    SMART_FORWARD,
    SMART_REPLY,
    SYNC,
    Answer,
    Client,
    Command,
)
from protocol.codepages import tag
from protocol.commands import (
    folder_create,
    folder_delete,
    folder_sync,
    folder_update,
    get_item_estimate,
    item_operations,
    move_items,
    ping,
    resolve_recipients,
    search,
    smart_forward,
    smart_reply,
    sync,
)
from protocol.commands.compose_mail import Source
from protocol.elements import Element, Opaque
from protocol.versions import V12_1, V16_1, ProtocolVersion
from tests.scenarios import hostile
from tests.scenarios.hostile import CANARY, PASSWORD, Ground, judge, octets_of_request
from tests.scenarios.server import ValidatedDevice

server = pytest.fixture(hostile.running, scope="module")
ground = pytest.fixture(hostile.ground)

SECRET = f"{CANARY} only for bob"
VERSIONS = pytest.mark.parametrize("version", [V12_1, V16_1], ids=str)


@dataclass
class Scene:
    """bob's things, whose names alice knows; and what bob holds, to be compared."""

    ground: Ground
    bob: ValidatedDevice
    alice: ValidatedDevice
    folder: str
    """A folder of bob's that has an id which no folder of alice's has."""
    items: list[str]
    references: list[str]
    before: dict[str, Any]
    inbox: str

    async def ask(self, command: Command, request: object) -> Answer:
        """What alice gets; nothing of bob may be in it."""
        client = self.alice.client
        outgoing = client.request(command, request)
        answer = await self.alice.transport.send(outgoing)
        judged = judge(command, client.version, hostile.Reply(
            answer.status, {name.lower(): value for name, value in answer.headers}, answer.body, b""))  # fmt: skip
        assert CANARY.encode() not in judged.body
        return judged

    async def bob_is_unharmed(self) -> None:
        assert await _held(self.ground, self.folder, "after") == self.before


async def _held(ground: Ground, folder: str, device_id: str) -> dict[str, Any]:
    """All that a new device of bob's gets."""
    device = ground.device("bob", device_id=device_id)
    folders = await device.call(FOLDER_SYNC, folder_sync.Request(sync_key="0"))
    held: dict[str, Any] = {"folders": folders.take().changes}
    for add in folders.take().changes.adds:
        if add.type in (2, 3, 4, 5, 6, 12):
            held[add.server_id] = dict((await device.catch_up(add.server_id, options=MIME)).added)
    return held


async def scene(ground: Ground, version: ProtocolVersion = V16_1) -> Scene:
    """bob has eleven more folders than alice, and messages with attachments in the last one."""
    bob = ground.device("bob")
    folders = await bob.folders()
    folder = ""
    for number in range(11):
        made = folder_create.Request(
            sync_key=bob.client.hierarchy_key, parent_id="0", display_name=f"Secret {number}", type=12
        )
        folder = (await bob.call(FOLDER_CREATE, made)).take().server_id
    message = (
        f"Subject: {SECRET}\r\nFrom: {ground.address('carol')}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
        f"{SECRET}\r\n--b\r\nContent-Type: application/x-y; name=a.bin\r\nContent-Disposition: attachment\r\n\r\n"
        f"{SECRET}\r\n--b--\r\n"
    ).encode()
    await ground.deliver(message, message, message)
    inbox = folders[FolderType.INBOX]
    news = await bob.catch_up(inbox)
    moves = tuple(move_items.Move(source_id=id_, source_folder=inbox, destinations=(folder,)) for id_ in news.added)
    await bob.call(MOVE_ITEMS, move_items.Request(moves=moves[:2]))
    await bob.catch_up(inbox)
    found = (await bob.catch_up(folder)).added
    assert all(mail.attachments for mail in found.values())
    references = [f"{item}:0" for item in found]  # MS-ASAIRS has them opaque: an attacker need not care
    alice = ground.device("alice", version)
    own = await alice.folders()
    assert folder not in own.values()
    await ground.deliver(ground.letter("Mine"), to="alice")
    await alice.catch_up(own[FolderType.INBOX])
    before = await _held(ground, folder, "before")
    return Scene(ground, bob, alice, folder, list(found), references, before, own[FolderType.INBOX])


@VERSIONS
async def test_collections_and_items_of_others(ground: Ground, version: ProtocolVersion) -> None:
    there = await scene(ground, version)
    item, alice = there.items[0], there.alice.client
    estimate = get_item_estimate.Collection(
        sync_key=there.bob.client.sync_keys[there.folder], collection_id=there.folder, item_class="Email",
        filter_type=0,
    )  # fmt: skip
    delete = sync.Delete(server_id=item)
    read = Element(tag("AirSync:ApplicationData"), [Element(tag("Email:Read"), "1")])
    item_class = "Email" if version is V12_1 else None
    for sync_key in ("0", there.bob.client.sync_keys[there.folder]):
        asked = sync.Collection(
            item_class=item_class, sync_key=sync_key, collection_id=there.folder,
            commands=None if sync_key == "0" else sync.ClientCommands(commands=(delete,)),
        )  # fmt: skip
        answer = await there.ask(SYNC, sync.Request(collections=sync.Collections(collections=(asked,))))
        statuses = [each.status for each in answer.response.collections.collections]
        assert statuses[0] in (sync.Status.NOT_FOUND, sync.Status.HIERARCHY_CHANGED, sync.Status.INVALID_SYNC_KEY)
    commands = (delete, sync.Change(server_id=item, application_data=read), sync.Fetch(server_id=item))
    own = alice.collection(there.inbox, *commands, item_class=item_class)
    await there.ask(SYNC, sync.Request(collections=sync.Collections(collections=(own,))))
    await there.ask(GET_ITEM_ESTIMATE, get_item_estimate.Request(collections=(estimate,)))
    heard = await there.ask(PING, ping.Request(heartbeat_interval=1, folders=(
        ping.Folder(id=there.folder, item_class="Email"),)))  # fmt: skip
    assert heard.status in (None, ping.Status.HIERARCHY_CHANGED)
    for source, target in ((there.folder, there.inbox), (there.inbox, there.folder)):
        for source_id in (item, f"{there.inbox}:1"):
            move = move_items.Move(source_id=source_id, source_folder=source, destinations=(target,))
            (moved,) = (await there.ask(MOVE_ITEMS, move_items.Request(moves=(move,)))).take().responses
            assert moved.status in (move_items.Status.INVALID_SOURCE, move_items.Status.INVALID_DESTINATION)
    await there.bob_is_unharmed()


@VERSIONS
async def test_what_is_fetched_by_name(ground: Ground, version: ProtocolVersion) -> None:
    """FileReferences, LongIds, ServerIds and folders of bob's: answered as if they were not there at all."""
    there = await scene(ground, version)
    wanted: list[tuple[Any, Any]] = [
        ({"file_reference": there.references[0]}, {"file_reference": "999:1:0"}),
        ({"long_id": there.items[0]}, {"long_id": "999:1"}),
        ({"collection_id": there.folder, "server_id": there.items[0]}, {"collection_id": "999", "server_id": "999:1"}),
        (
            {"collection_id": there.inbox, "server_id": there.items[0]},
            {"collection_id": there.inbox, "server_id": "9:1"},
        ),
    ]
    for his, nobodys in wanted:
        statuses = []
        for names in (his, nobodys):
            fetch = item_operations.Fetch(store="Mailbox", **names)
            answer = await there.ask(ITEM_OPERATIONS, item_operations.Request(operations=(fetch,)))
            statuses.append(answer.take().responses.fetched[0].status)
            assert answer.take().responses.fetched[0].properties is None
        assert statuses[0] == statuses[1] != 1
    empty = item_operations.EmptyFolderContents(collection_id=there.folder)
    answer = await there.ask(ITEM_OPERATIONS, item_operations.Request(operations=(empty,)))
    assert answer.take().responses.emptied[0].status == item_operations.Status.NOT_FOUND
    await there.bob_is_unharmed()


async def test_folders_of_others(ground: Ground) -> None:
    there = await scene(ground)
    key = there.alice.client.hierarchy_key
    asked: list[tuple[Command, Any, int]] = [
        (FOLDER_DELETE, folder_delete.Request(sync_key=key, server_id=there.folder), 4),
        (FOLDER_UPDATE, folder_update.Request(
            sync_key=key, server_id=there.folder, parent_id="0", display_name="Mine"), 4),
        (FOLDER_CREATE, folder_create.Request(sync_key=key, parent_id=there.folder, display_name="In", type=12), 5),
        (FOLDER_SYNC, folder_sync.Request(sync_key=there.bob.client.hierarchy_key), 9),
    ]  # fmt: skip
    for command, request, status in asked:
        assert (await there.ask(command, request)).status == status
    await there.bob_is_unharmed()


async def test_sources_of_others(ground: Ground) -> None:
    """An answer to bob's message, or one that forwards it, does not carry it away."""
    there = await scene(ground)
    letter = Opaque(ground.letter("Taken", to="alice"))
    sources = (Source(folder_id=there.folder, item_id=there.items[0]), Source(long_id=there.items[0]))
    for number, source in enumerate(sources):
        for command, kind in ((SMART_FORWARD, smart_forward), (SMART_REPLY, smart_reply)):
            request = kind.Request(client_id=f"{command.name}{number}", source=source, mime=letter)
            answer = await there.ask(command, request)
            assert answer.status == 150
    await there.bob_is_unharmed()


async def test_searches_among_others(ground: Ground) -> None:
    there = await scene(ground)
    for collection in (there.folder, "0", None):
        parts = [Element(tag("AirSync:Class"), "Email")]
        parts += [Element(tag("AirSync:CollectionId"), collection)] if collection else []
        parts.append(Element(tag("Search:FreeText"), CANARY))
        query = Element(tag("Search:Query"), [Element(tag("Search:And"), parts)])
        options = search.Options(
            range="0-9", deep_traversal=search.Options.__dataclass_fields__["deep_traversal"].default
        )
        request = search.Request(store=search.Store(name="Mailbox", query=query, options=options))
        await there.ask(SEARCH, request)


async def test_names_that_would_be_queries(ground: Ground) -> None:
    """Of the directory, of its index and of SQL: they find nobody, and not everybody."""
    there = await scene(ground)
    odd = ("*", "*)(mail=*", "%", "_", "a' OR '1'='1", '"alice" OR "bob"', "alice*", "NEAR(a b)", "^", "(", "mail:*",
           "-", "\\", "\u202e", "😀", "NOT x", "a AND", '"', "''", ";--", "{", "a\u0300" * 80)  # fmt: skip
    for text in odd:
        request = resolve_recipients.Request(to=(text,))
        answer = await there.ask(RESOLVE_RECIPIENTS, request)
        (response,) = answer.take().responses
        assert response.status == resolve_recipients.ResponseStatus.UNRESOLVED, text
        query = Element(tag("Search:Query"), text)
        gal = search.Request(store=search.Store(name="GAL", query=query, options=search.Options(range="0-99")))
        found = (await there.ask(SEARCH, gal)).take().answer.store
        names = [each for result in found.results for each in (result.properties.children if result.properties else ())]
        assert text.strip('"*').startswith(("alice",)) or not names, text
        inner = [Element(tag("AirSync:Class"), "Email"), Element(tag("Search:FreeText"), text)]
        mail = search.Store(name="Mailbox", query=Element(tag("Search:Query"), [Element(tag("Search:And"), inner)]))
        await there.ask(SEARCH, search.Request(store=mail))


async def test_the_same_device_id_under_another_name(ground: Ground) -> None:
    """What belongs to a device belongs to the device of one user; and the User of the query opens nothing."""
    there = await scene(ground)
    client: Client = there.alice.client
    client.device_id = there.bob.client.device_id
    client.user = ground.address("bob")
    client.sync_keys = dict(there.bob.client.sync_keys)
    asked = client.collection(there.folder, get_changes=True)
    answer = await there.ask(SYNC, sync.Request(collections=sync.Collections(collections=(asked,))))
    assert answer.response.collections.collections[0].status != 1
    own = await there.alice.folders()
    assert there.folder not in own.values()
    await there.bob_is_unharmed()
    news = await there.bob.catch_up(there.folder)
    assert not news.commands


async def test_wrong_passwords_wait_and_the_right_one_does_not(ground: Ground) -> None:
    """Guesses are held back for a minute, by name and by address; the right password is answered meanwhile."""
    body = octets_of_request(folder_sync.Request(sync_key="0"), V16_1)
    guesses = []
    for number in range(30):
        wire = await ground.wire()
        wrong = ground.authorization("bob", f"{CANARY}{number}")
        await wire.say(ground.whole(body).replace(ground.authorization().encode(), wrong.encode()))
        guesses.append(asyncio.create_task(wire.reply()))
    done, waiting = await asyncio.wait(guesses, timeout=1)
    assert len(waiting) == 10
    assert {task.result().status for task in done} == {401}
    assert await ground.device("bob").folders()
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


@pytest.mark.parametrize(
    "login",
    [
        "{0}\0", "{0}\r\nX: y", "{0} ", " {0}", "*", "*)(uid=*", "' OR 1=1 --", "{0}' --", "%", "\\{0}", "a\\b\\{0}",
        "{0}@", "@", "é" * 2000, "\udcff", "\u202e{0}", "{0},dc=x", "", "CN={0}", "${{jndi:ldap://x}}",
    ],
)  # fmt: skip
async def test_names_that_would_open_more(ground: Ground, login: str) -> None:
    name = login.format(ground.address("carol"))
    given = b64encode(f"{name}:x{PASSWORD}".encode("utf-8", "surrogateescape")).decode()
    wire = await ground.wire()
    request = ground.whole(b"").replace(ground.authorization().encode(), f"Basic {given}".encode())
    await wire.say(request)
    reply = await wire.reply()
    assert reply.status == 401
    assert b"X: y" not in reply.head


@pytest.mark.parametrize(
    "value", ["Basic", "Basic !!!!", "Basic " + "A" * 9000, "Bearer x", "Basic =", "Negotiate " + "A" * 100, "basic"]
)
async def test_credentials_that_are_none(ground: Ground, value: str) -> None:
    wire = await ground.wire()
    await wire.say(ground.whole(b"").replace(ground.authorization().encode(), value.encode()))
    assert (await wire.reply()).status == 401


async def test_mail_in_the_name_of_others(ground: Ground) -> None:
    """From is corrected, Bcc is told nobody, and Sender does not reach a header of its own."""
    alice, bob = ground.device("alice"), ground.device("bob")
    theirs = await bob.folders()
    forged = ground.letter("Forged", sender="carol", to="bob").replace(
        b"MIME-Version", f"Bcc: {ground.address('carol')}\r\nResent-Bcc: x@example.com\r\nMIME-Version".encode()
    )
    assert (await alice.call(SEND_MAIL, hostile.sending(forged))).ok
    (found,) = (await bob.catch_up(theirs[FolderType.INBOX], options=MIME)).added.values()
    assert ground.address("alice") in found.sender
    octets = octets_of(found)
    assert b"bcc" not in octets.lower().partition(b"\r\n\r\n")[0]
