"""Broken requests of every command: cut off, nested without end, with what belongs elsewhere, with texts from hell."""

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from eas_server.model.mail import FolderType
from protocol import schema
from protocol.client import (
    COMMANDS,
    FOLDER_CREATE,
    FOLDER_DELETE,
    FOLDER_SYNC,
    FOLDER_UPDATE,
    GET_ITEM_ESTIMATE,
    ITEM_OPERATIONS,
    MEETING_RESPONSE,
    MOVE_ITEMS,
    PING,
    PROVISION,
    RESOLVE_RECIPIENTS,
    SEARCH,
    SEND_MAIL,
    SMART_FORWARD,
    SMART_REPLY,
    SYNC,
    VALIDATE_CERT,
    Answer,
    Command,
    compose,
)
from protocol.codepages import tag
from protocol.commands import (
    folder_create,
    folder_delete,
    folder_sync,
    folder_update,
    get_item_estimate,
    item_operations,
    meeting_response,
    move_items,
    ping,
    provision,
    resolve_recipients,
    search,
    send_mail,
    smart_forward,
    smart_reply,
    sync,
    validate_cert,
)
from protocol.commands.compose_mail import Source
from protocol.elements import Element, Opaque
from protocol.items.airsyncbase import BodyPreference
from protocol.status import CommonStatus
from protocol.versions import V12_1, V14_0, V16_1, ProtocolVersion
from protocol.wbxml import HEADER, encode
from tests.scenarios import hostile
from tests.scenarios.hostile import Ground, octets_of_request, volley
from tests.scenarios.server import ValidatedDevice

server = pytest.fixture(hostile.running, scope="module")
ground = pytest.fixture(hostile.ground)

NAMES = sorted(command for command in COMMANDS if command != "Settings")
EVERY = pytest.mark.parametrize("name", NAMES)
LAYERS = 100_000
SIBLINGS = 250_000
ROOT = {name: schema.tag_of(COMMANDS[name].request) for name in NAMES}


@dataclass(frozen=True)
class Stage:
    """A device in the middle of its work, and a request of each command that would succeed there."""

    ground: Ground
    device: ValidatedDevice
    requests: dict[str, object]

    def octets(self, name: str) -> bytes:
        return octets_of_request(self.requests[name], self.device.client.version)

    def tree(self, name: str) -> Element:
        return schema.dump(self.requests[name], self.device.client.version)


async def staged(ground: Ground, version: ProtocolVersion) -> Stage:
    device = ground.device("alice", version)
    folders = await device.folders()
    inbox, bin_ = folders[FolderType.INBOX], folders[FolderType.DELETED_ITEMS]
    await ground.deliver(ground.letter("First"), ground.letter("Second"), to="alice")
    news = await device.catch_up(inbox)
    first, second = news.added
    await ground.deliver(ground.letter("Third"), to="alice")  # news, so that no Ping waits
    letter = ground.letter("Not to be sent", to="alice")
    query = Element(tag("Search:Query"), [Element(tag("Search:And"), [
        Element(tag("AirSync:Class"), "Email"),
        Element(tag("AirSync:CollectionId"), inbox),
        Element(tag("Search:FreeText"), "first"),
    ])])  # fmt: skip
    options = sync.Options(filter_type=0, body_preferences=(BodyPreference(type=1, truncation_size=500),))
    key = device.client.hierarchy_key
    change = sync.Change(server_id=first, application_data=Element(tag("AirSync:ApplicationData"), [
        Element(tag("Email:Read"), "1")
    ]))  # fmt: skip
    changed = device.client.collection(
        inbox, change, sync.Delete(server_id=second), options=(options,), window_size=10, get_changes=True
    )
    estimate = get_item_estimate.Collection(
        sync_key=device.client.sync_keys[inbox], collection_id=inbox, item_class="Email", filter_type=0,
        options=(sync.Options(filter_type=0),) if version >= V14_0 else (),
    )  # fmt: skip
    if version >= V14_0:
        estimate = replace(estimate, item_class=None, filter_type=None)
    fetch = item_operations.Fetch(store="Mailbox", collection_id=inbox, server_id=first)
    source = Source(folder_id=inbox, item_id=first)
    mail = {"save_in_sent_items": "", "mime": Opaque(letter)}
    meeting = meeting_response.Answer(
        user_response=1, collection_id=inbox, request_id=first, send_response=meeting_response.SendResponse()
    )
    made = [
        folder_create.Request(sync_key=key, parent_id="0", display_name="New", type=12),
        folder_delete.Request(sync_key=key, server_id=bin_),
        folder_sync.Request(sync_key=key),
        folder_update.Request(sync_key=key, server_id=bin_, parent_id="0", display_name="New"),
        get_item_estimate.Request(collections=(estimate,)),
        item_operations.Request(operations=(fetch, item_operations.EmptyFolderContents(collection_id=bin_))),
        meeting_response.Request(answers=(meeting,)),
        move_items.Request(moves=(move_items.Move(source_id=second, source_folder=inbox, destinations=(bin_,)),)),
        ping.Request(heartbeat_interval=1, folders=(ping.Folder(id=inbox, item_class="Email"),)),
        provision.Request(policies=(provision.RequestPolicy(policy_type=provision.POLICY_TYPE),)),
        resolve_recipients.Request(
            to=(ground.address("bob"),),
            options=resolve_recipients.Options(
                certificate_retrieval=resolve_recipients.CertificateRetrieval.FULL, max_certificates=5
            ),
        ),
        search.Request(store=search.Store(name="Mailbox", query=query, options=search.Options(range="0-9"))),
        compose(letter, "client-1"),
        smart_forward.Request(client_id="client-2", source=source, **mail),
        smart_reply.Request(client_id="client-3", source=source, **mail),
        sync.Request(collections=sync.Collections(collections=(changed,))),
        validate_cert.Request(certificates=("MAA=", "MAA="), certificate_chain=("MAA=",), check_crl=1),
    ]
    return Stage(ground, device, {command.name: found for command, found in zip(_in_order(), made, strict=True)})


def _in_order() -> tuple[Command, ...]:
    return (
        FOLDER_CREATE, FOLDER_DELETE, FOLDER_SYNC, FOLDER_UPDATE, GET_ITEM_ESTIMATE, ITEM_OPERATIONS, MEETING_RESPONSE,
        MOVE_ITEMS, PING, PROVISION, RESOLVE_RECIPIENTS, SEARCH, SEND_MAIL, SMART_FORWARD, SMART_REPLY, SYNC,
        VALIDATE_CERT,
    )  # fmt: skip


@pytest.fixture
async def stage(ground: Ground) -> Stage:
    return await staged(ground, V16_1)


@pytest.mark.parametrize("version", [V12_1, V16_1], ids=str)
@pytest.mark.requirement("MS-ASCMD_R4815")
async def test_requests_that_are_cut_off(ground: Ground, version: ProtocolVersion) -> None:
    """After any octet: 102, or 400 at 12.1; and not the half of it is done."""
    stage = await staged(ground, version)
    fresh = ground.device("alice", version, device_id="other")
    before = {id_: found.read for id_, found in (await _inbox(fresh)).items()}
    for name in NAMES:
        if version < V14_0 and name in ("SendMail", "SmartReply", "SmartForward"):
            continue  # their body is the message itself
        octets = stage.octets(name)
        cuts = [octets[:end] for end in range(1, len(octets), 1 if version is V16_1 else 5)]
        for answer in await volley(stage.device, COMMANDS[name], cuts):
            told = answer.http_status if version < V14_0 or name == "Ping" else answer.status
            assert told == (400 if version < V14_0 or name == "Ping" else CommonStatus.INVALID_WBXML)
    again = ground.device("alice", version, device_id="third")
    assert {id_: found.read for id_, found in (await _inbox(again)).items()} == before


async def _inbox(device: ValidatedDevice) -> dict:
    folders = await device.folders()
    return dict((await device.catch_up(folders[FolderType.INBOX])).added)


def nested(name: str) -> bytes:
    token = bytes((ROOT[name].token | 0x40,))
    return HEADER + bytes((0, ROOT[name].page)) + token * LAYERS + b"\x01" * LAYERS


def nested_unknown(name: str) -> bytes:
    token = bytes((ROOT[name].token | 0x40,))
    return HEADER + bytes((0, ROOT[name].page)) + token + b"\x00\xfe" + b"\x7f" * LAYERS + b"\x01" * (LAYERS + 1)


def siblings(name: str) -> bytes:
    root = ROOT[name]
    return HEADER + bytes((0, root.page, root.token | 0x40)) + bytes((root.token,)) * SIBLINGS + b"\x01"


def texts(name: str) -> bytes:
    return HEADER + bytes((0, ROOT[name].page, ROOT[name].token | 0x40)) + b"\x03x\0" * SIBLINGS + b"\x01"


def table_bomb(name: str) -> bytes:
    table = b"x" * 60_000 + b"\0"
    head = b"\x03\x01\x6a" + bytes((0x80 | len(table) >> 14, 0x80 | len(table) >> 7 & 0x7F, len(table) & 0x7F)) + table
    return head + bytes((0, ROOT[name].page, ROOT[name].token | 0x40)) + b"\x83\x00" * 100_000 + b"\x01"


def giant(name: str) -> bytes:
    return HEADER + bytes((0, ROOT[name].page, ROOT[name].token | 0x40)) + b"\xc3\x8f\xff\xff\xff\x7fabc\x01"


def giant_table(name: str) -> bytes:
    return b"\x03\x01\x6a\x8f\xff\xff\xff\x7f" + bytes((0, ROOT[name].page, ROOT[name].token | 0x40, 1))


def wrong_page(name: str) -> bytes:
    return HEADER + bytes((0, (ROOT[name].page + 1) % 26, ROOT[name].token | 0x40)) + b"\x01"


def unknown_page(name: str) -> bytes:
    return HEADER + bytes((0, 0xFE, ROOT[name].token | 0x40)) + b"\x01"


def only_text(name: str) -> bytes:
    return HEADER + bytes((0, ROOT[name].page, ROOT[name].token | 0x40)) + b"\x03text\0\x01"


def attributes(name: str) -> bytes:
    return HEADER + bytes((0, ROOT[name].page, ROOT[name].token | 0xC0)) + b"\x05\x01\x01"


def switches(name: str) -> bytes:
    return HEADER + b"\x00\x01" * LAYERS + bytes((0, ROOT[name].page, ROOT[name].token | 0x40)) + b"\x01"


def xml(name: str) -> bytes:
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><{name}>&a;</{name}>'.encode()


BOMBS = (nested, nested_unknown, siblings, texts, table_bomb, giant, giant_table, wrong_page, unknown_page, only_text,
         attributes, switches, xml)  # fmt: skip


HEAVY = (siblings, texts, table_bomb)


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
async def test_bombs(stage: Stage, bomb: Callable[[str], bytes]) -> None:
    for name in NAMES:
        if bomb in HEAVY and name not in ("FolderSync", "Sync"):
            continue  # what reads them is the same for all
        (answer,) = await volley(stage.device, COMMANDS[name], [bomb(name)])
        if bomb is switches and name == "Provision":
            continue  # an empty Provision is a good one, however often it changes the page
        assert is_refused(answer), f"{name}: {answer.describe()}"


@EVERY
async def test_bodies_of_other_commands(stage: Stage, name: str) -> None:
    bodies = [stage.octets(other) for other in NAMES if other != name]
    for answer in await volley(stage.device, COMMANDS[name], bodies):
        assert is_refused(answer), answer.describe()


def is_refused(answer: Answer) -> bool:
    """Whether an answer says no: by HTTP, or by a Status, be it that of the store that was to be searched."""
    if answer.http_status != 200 or answer.document is None:
        return answer.http_status != 200
    statuses = [element.text for element in answer.document.walk() if element.tag.name == "Status"]
    return any(status != "1" for status in statuses)


def changed(root: Element, chance: random.Random) -> Iterator[Element]:
    """Trees that differ from one in one place: an element missing, twice, in itself, elsewhere, of another kind."""
    count = sum(1 for _ in root.walk())
    for place in range(1, count):
        for change in (_leave_out, _repeat, _wrap, _move_out, _as_text, _as_parent, _as_opaque, _empty):
            tree = copy.deepcopy(root)
            element = list(tree.walk())[place]
            parent = next(each for each in tree.walk() if any(child is element for child in each.children))
            change(tree, parent, element, chance)
            yield tree


def _place(parent: Element, element: Element) -> int:
    return next(at for at, child in enumerate(parent.children) if child is element)


def _leave_out(_: Element, parent: Element, element: Element, __: random.Random) -> None:
    del parent.children[_place(parent, element)]


def _repeat(_: Element, parent: Element, element: Element, chance: random.Random) -> None:
    parent.children.insert(chance.randrange(len(parent.children) + 1), copy.deepcopy(element))


def _wrap(_: Element, parent: Element, element: Element, __: random.Random) -> None:
    parent.children[_place(parent, element)] = Element(element.tag, [element])


def _move_out(tree: Element, parent: Element, element: Element, chance: random.Random) -> None:
    del parent.children[_place(parent, element)]
    tree.children.insert(chance.randrange(len(tree.children) + 1), element)


def _as_text(_: Element, __: Element, element: Element, ___: random.Random) -> None:
    element.content = "text"


def _as_parent(tree: Element, _: Element, element: Element, chance: random.Random) -> None:
    other = chance.choice(list(tree.walk()))
    element.content = [Element(other.tag, "1"), Element(tag("AirSync:Status"), "2")]


def _as_opaque(_: Element, __: Element, element: Element, ___: random.Random) -> None:
    element.content = Opaque(b"\xff\x00\x80")


def _empty(_: Element, __: Element, element: Element, ___: random.Random) -> None:
    element.content = None


@EVERY
async def test_elements_that_are_missing_repeated_or_misplaced(stage: Stage, name: str) -> None:
    trees = changed(stage.tree(name), random.Random(name))
    await volley(stage.device, COMMANDS[name], [encode(tree).join() for tree in trees])


@EVERY
async def test_values_that_nobody_sends(stage: Stage, name: str) -> None:
    """Every leaf with every odd text, and all of them at once."""
    bodies = []
    for place in range(len(hostile.leaves(stage.tree(name)))):
        for text in hostile.SPECIAL_TEXTS:
            tree = stage.tree(name)
            hostile.leaves(tree)[place].content = text
            bodies.append(encode(tree).join())
    await volley(stage.device, COMMANDS[name], bodies)


async def test_requests_of_every_version_in_every_other(ground: Ground) -> None:
    stage = await staged(ground, V16_1)
    for version in ProtocolVersion:
        if version.value >= V14_0.value and version is not V16_1:
            device = ground.device("alice", version, device_id=f"v{version.value}")
            for name in (each for each in NAMES if each != "Ping"):  # which waits
                await volley(device, COMMANDS[name], [stage.octets(name)])


async def test_many_of_everything(stage: Stage) -> None:
    """Lists as long as a request can hold."""
    device, version = stage.device, V16_1
    many = 5_000
    fetches = tuple(item_operations.Fetch(store="Mailbox", server_id=f"1:{n}") for n in range(many))
    answers = tuple(
        meeting_response.Answer(user_response=1, collection_id="1", request_id=f"1:{n}") for n in range(many)
    )
    moves = tuple(move_items.Move(source_id=f"1:{n}", source_folder="1", destinations=("2",)) for n in range(many))
    collections = tuple(sync.Collection(sync_key="0", collection_id=str(n)) for n in range(many))
    estimates = tuple(get_item_estimate.Collection(sync_key="0", collection_id=str(n)) for n in range(many))
    folders = tuple(ping.Folder(id=str(n), item_class="Email") for n in range(many))
    deletes = tuple(sync.Delete(server_id=f"1:{n}") for n in range(many))
    policies = tuple(provision.RequestPolicy(policy_type=provision.POLICY_TYPE) for _ in range(many))
    for command, request in (
        (ITEM_OPERATIONS, item_operations.Request(operations=fetches)),
        (MEETING_RESPONSE, meeting_response.Request(answers=answers)),
        (MOVE_ITEMS, move_items.Request(moves=moves)),
        (SYNC, sync.Request(collections=sync.Collections(collections=collections))),
        (SYNC, sync.Request(collections=sync.Collections(collections=(
            device.client.collection(next(iter(device.client.sync_keys)), *deletes),
        )))),
        (GET_ITEM_ESTIMATE, get_item_estimate.Request(collections=estimates)),
        (PING, ping.Request(heartbeat_interval=1, folders=folders)),
        (RESOLVE_RECIPIENTS, resolve_recipients.Request(to=("a",) * many)),
        (PROVISION, provision.Request(policies=policies)),
        (SEND_MAIL, send_mail.Request(client_id="x", mime=Opaque(b"To: " + b"a@b.example,\r\n " * many + b"\r\n\r\n"))),
    ):  # fmt: skip
        await volley(device, command, [octets_of_request(request, version)])
