"""Bodies of contacts, notes and tasks: in which form and size they go out, and what of them is refused."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import item_operations, search, sync
from eas_server.model.mail import FolderType
from protocol import wbxml
from protocol.codepages import tag
from protocol.commands.sync import Add, AddResponse, Change, ChangeResponse, Fetch, Options, Status
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import Body, BodyPreference, BodyType
from protocol.items.contacts import Contact
from protocol.items.notes import Note
from protocol.items.tasks import Task
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, V12_1, V14_0, V16_1, ProtocolVersion
from tests.server.commands.mailbox import Mailbox, mailbox
from tests.server.commands.test_sync_kept import Handset, add, change, folder

PLAIN, HTML, RTF, MIME = BodyType.PLAIN, BodyType.HTML, BodyType.RTF, BodyType.MIME
TEXT = "Grüße aus Köln \N{GRINNING FACE}"
MARKED = "<p>Grüße aus <b>Köln</b> \N{GRINNING FACE}</p>"
CLASSES: dict[str, tuple[FolderType, Any]] = {
    "Contacts": (FolderType.CONTACTS, Contact(last_name="Ölund", file_as="Ölund")),
    "Notes": (FolderType.NOTES, Note(subject="Milk", message_class="IPM.StickyNote")),
    "Tasks": (FolderType.TASKS, Task(subject="Tax", complete=False)),
}
NAMES = list(CLASSES)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        yield made


async def handset(box: Mailbox, name: str, device: str = "device1", **asked: Any) -> Handset:
    type_, bare = CLASSES[name]
    made = Handset(box.phone(device, await folder(box, type_)), type(bare))
    await made.all(**asked)
    return made


def item(name: str, type_: BodyType, data: str | None, **values: Any) -> Any:
    return replace(CLASSES[name][1], body=Body(type=type_, data=data, **values))


def want(type_: BodyType, size: int | None = None, **values: Any) -> BodyPreference:
    return BodyPreference(type=type_, truncation_size=size, **values)


async def body(box: Mailbox, name: str, *preferences: BodyPreference) -> Body:
    """What a device gets that starts with these preferences."""
    phone = await handset(box, name, "fresh", options=Options(body_preferences=preferences))
    (seen,) = phone.held.values()
    assert isinstance(seen.body, Body)
    return seen.body


def versions(name: str) -> list[ProtocolVersion]:
    return [version for version in SUPPORTED if name != "Notes" or version >= V14_0]


HELD = [(name, version) for name in NAMES for version in versions(name)]


# ---- what goes out


@pytest.mark.requirement("MS-ASAIRS_R178", "MS-ASAIRS_R304", "MS-ASAIRS_R305", "MS-ASAIRS_R105", "MS-ASAIRS_R113")
@pytest.mark.requirement("MS-ASNOTE_R38", "MS-ASNOTE_R39", "MS-ASNOTE_R37", "MS-ASNOTE_R35", "MS-ASTASK_R74")
@pytest.mark.requirement("MS-ASCNTC_R127", "MS-ASCNTC_R1120", "MS-ASAIRS_R308", "MS-ASAIRS_R274", "MS-ASAIRS_R204")
@pytest.mark.parametrize(("name", "version"), HELD)
async def test_both_types_go_out_as_they_are_asked_for(box: Mailbox, name: str, version: ProtocolVersion) -> None:
    box.bench.version = version
    phone = await handset(box, name)
    await phone.ask(add("1", item(name, HTML, MARKED)))
    for preferences, type_, data in (
        ([want(PLAIN)], PLAIN, TEXT),
        ([want(HTML)], HTML, MARKED),
        ([want(PLAIN), want(HTML)], HTML, MARKED),
        ([want(RTF), want(PLAIN)], PLAIN, TEXT),
        ([want(MIME)], HTML, MARKED),
        ([], HTML, MARKED),
    ):
        seen = await body(box, name, *preferences)
        assert (seen.type, seen.data, seen.truncated) == (type_, data, False)
        assert seen.estimated_data_size == len(data.encode())


@pytest.mark.requirement("MS-ASAIRS_R378", "MS-ASAIRS_R381", "MS-ASAIRS_R420", "MS-ASAIRS_R423", "MS-ASAIRS_R180")
@pytest.mark.requirement("MS-ASAIRS_R74", "MS-ASAIRS_R148", "MS-ASAIRS_R297", "MS-ASAIRS_R291", "MS-ASAIRS_R135")
@pytest.mark.requirement("MS-ASAIRS_R59", "MS-ASAIRS_R402", "MS-ASAIRS_R203", "MS-ASAIRS_R174", "MS-ASAIRS_R280")
@pytest.mark.requirement("MS-ASAIRS_R312")
@pytest.mark.parametrize("name", NAMES)
async def test_a_body_is_cut_at_a_character(box: Mailbox, name: str) -> None:
    phone = await handset(box, name)
    await phone.ask(add("1", item(name, PLAIN, TEXT)))
    whole = len(TEXT.encode())
    for size in range(whole + 2):
        for all_or_none in (None, False):
            seen = await body(box, name, want(PLAIN, size, all_or_none=all_or_none))
            assert isinstance(seen.data, str)
            assert TEXT.startswith(seen.data)
            assert len(seen.data.encode()) == size or size - 3 <= len(seen.data.encode()) <= min(size, whole)
            assert (seen.truncated, seen.estimated_data_size) == (size < whole, whole)


@pytest.mark.requirement("MS-ASAIRS_R376", "MS-ASAIRS_R373", "MS-ASAIRS_R401", "MS-ASNOTE_R123")
@pytest.mark.parametrize("name", NAMES)
async def test_all_or_none(box: Mailbox, name: str) -> None:
    phone = await handset(box, name)
    await phone.ask(add("1", item(name, PLAIN, TEXT)))
    whole = len(TEXT.encode())
    for size, data in ((whole - 1, "" if name == "Notes" else None), (whole, TEXT), (None, TEXT)):
        seen = await body(box, name, want(PLAIN, size, all_or_none=True))
        assert (seen.data, seen.truncated) == (data, data != TEXT)
        assert seen.estimated_data_size == whole
    seen = await body(box, name, want(PLAIN, 3, all_or_none=True), want(HTML, 2000, all_or_none=True))
    assert (seen.type, seen.truncated) == (HTML, False)


@pytest.mark.requirement("MS-ASAIRS_R2644", "MS-ASAIRS_R249", "MS-ASAIRS_R251")
@pytest.mark.parametrize(("name", "version"), HELD)
async def test_previews(box: Mailbox, name: str, version: ProtocolVersion) -> None:
    box.bench.version = version
    phone = await handset(box, name)
    await phone.ask(add("1", item(name, HTML, MARKED)))
    for length, shown in ((5, "Grüße"), (0, None), (16, TEXT), (255, TEXT)):
        seen = await body(box, name, want(HTML, 4, preview=length))
        assert seen.preview == (shown if version > V12_1 else None)
    assert (await body(box, name, want(PLAIN, 4, preview=5))).preview is None


@pytest.mark.requirement("MS-ASCNTC_R459", "MS-ASCNTC_R512", "MS-ASCNTC_R460", "MS-ASAIRS_R386")
@pytest.mark.parametrize("name", NAMES)
async def test_truncation_holds_until_something_else_is_asked_for(box: Mailbox, name: str) -> None:
    phone = await handset(box, name, options=Options(body_preferences=(want(PLAIN, 5),)))
    other = await handset(box, name, "other")
    await other.ask(add("1", item(name, PLAIN, TEXT)))
    (server_id,) = other.held
    await phone.ask()
    assert phone.held[server_id].body.data == "Grü"
    await other.ask(change(server_id, item(name, PLAIN, "ABCDEFG")))
    await phone.ask()
    assert phone.held[server_id].body.data == "ABCDE"
    await other.ask(change(server_id, item(name, PLAIN, "abcdefg")))
    await phone.ask(options=Options(body_preferences=(want(PLAIN),)))
    assert (phone.held[server_id].body.data, phone.held[server_id].body.truncated) == ("abcdefg", False)
    if name == "Notes":  # the schema of the documents has no notes in the answer to a Fetch; they go out all the same
        return
    (fetched,) = (await phone.ask(Fetch(server_id=server_id))).responses.responses
    assert load(phone.kind, fetched.application_data).body.data == "abcdefg"


# ---- what comes in


@pytest.mark.requirement("MS-ASCNTC_R461", "MS-ASCMD_R878", "MS-ASNOTE_R113", "MS-ASAIRS_R279", "MS-ASAIRS_R406")
@pytest.mark.requirement("MS-ASAIRS_R11500", "MS-ASAIRS_R115")
@pytest.mark.parametrize("name", NAMES)
async def test_what_a_body_says_and_what_it_leaves(box: Mailbox, name: str) -> None:
    phone, other = await handset(box, name), await handset(box, name, "other")
    bare = CLASSES[name][1]
    await phone.ask(add("1", item(name, PLAIN, TEXT, truncated=True, estimated_data_size=99999)))
    (server_id,) = phone.held
    for sent, data in (
        (bare, TEXT),
        (replace(bare, body=Body(type=PLAIN)), TEXT),
        (item(name, PLAIN, "", truncated=True), ""),
        (item(name, PLAIN, "two\r\nlines\nmore", truncated=True), "two\r\nlines\r\nmore"),
        (item(name, HTML, ""), ""),
        (item(name, PLAIN, "x" * 300_000, truncated=False), "x" * 300_000),
    ):
        answer = await phone.ask(change(server_id, sent))
        assert (answer.responses, answer.commands) == (None, None)
        await other.ask()
        assert other.held[server_id].body.data == data
    answer = await phone.ask(change(server_id, item(name, PLAIN, "x" * 2_000_000)))
    (refused,) = answer.responses.responses
    assert refused == ChangeResponse(server_id=server_id, status=Status.CONVERSION_ERROR)


def base(name: str, *content: Element | str) -> Element:
    children = [each for each in content if isinstance(each, Element)]
    return Element(tag(f"AirSyncBase:{name}"), children or (content[0] if content else None))


PLAINLY, DATA = base("Type", "1"), base("Data", "x")
BAD_BODIES = {
    "no type": [base("Body", DATA)],
    "an unknown type": [base("Body", base("Type", "5"), DATA)],
    "type 0": [base("Body", base("Type", "0"), DATA)],
    "two types": [base("Body", PLAINLY, PLAINLY, DATA)],
    "two data": [base("Body", PLAINLY, DATA, DATA)],
    "the wrong order": [base("Body", DATA, PLAINLY)],
    "a negative size": [base("Body", PLAINLY, base("EstimatedDataSize", "-1"), DATA)],
    "no boolean": [base("Body", PLAINLY, base("Truncated", "maybe"), DATA)],
    "elements in its data": [base("Body", PLAINLY, base("Data", PLAINLY))],
    "elements in its type": [base("Body", base("Type", DATA), DATA)],
    "two bodies": [base("Body", PLAINLY, DATA), base("Body", PLAINLY, DATA)],
    "text": [base("Body", "x")],
    "data by itself": [DATA],
    "a preference": [base("BodyPreference", PLAINLY)],
    "RTF": [base("Body", base("Type", "3"), base("Data", "e1xydGYxfQ=="))],
    "MIME": [base("Body", base("Type", "4"), DATA)],
}


@pytest.mark.requirement("MS-ASAIRS_R347", "MS-ASAIRS_R10027", "MS-ASAIRS_R10028", "MS-ASAIRS_R10029")
@pytest.mark.requirement("MS-ASAIRS_R417", "MS-ASAIRS_R418", "MS-ASAIRS_R10014", "MS-ASAIRS_R10037")
@pytest.mark.requirement("MS-ASAIRS_R10038", "MS-ASAIRS_R10039", "MS-ASAIRS_R303", "MS-ASAIRS_R313", "MS-ASAIRS_R112")
@pytest.mark.parametrize("what", BAD_BODIES)
@pytest.mark.parametrize("name", NAMES)
async def test_a_body_that_is_none(box: Mailbox, name: str, what: str) -> None:
    phone = await handset(box, name)
    bare = dump(CLASSES[name][1])
    data = Element(bare.tag, [*bare.children, *BAD_BODIES[what]])
    answer = await phone.ask(Add(client_id="1", application_data=data))
    assert answer.responses.responses == (AddResponse(client_id="1", status=Status.CONVERSION_ERROR),)
    await phone.ask(add("2", item(name, PLAIN, TEXT)))
    (server_id,) = phone.held
    answer = await phone.ask(Change(server_id=server_id, application_data=data))
    assert answer.responses.responses == (ChangeResponse(server_id=server_id, status=Status.CONVERSION_ERROR),)
    assert (await body(box, name)).data == TEXT


# ---- preferences that are none


def preference(*content: Element) -> list[Element]:
    return [base("BodyPreference", *content)]


def size(value: str) -> Element:
    return base("TruncationSize", value)


BAD_PREFERENCES = {
    "no type": preference(size("5")),
    "an unknown type": preference(base("Type", "5")),
    "the wrong order": preference(size("5"), PLAINLY),
    "another wrong order": preference(PLAINLY, base("AllOrNone", "1"), size("5")),
    "two sizes": preference(PLAINLY, size("5"), size("5")),
    "a negative size": preference(PLAINLY, size("-1")),
    "too large a size": preference(PLAINLY, size("4294967296")),
    "no number": preference(PLAINLY, size("many")),
    "no boolean": preference(PLAINLY, size("5"), base("AllOrNone", "2")),
    "AllOrNone twice": preference(PLAINLY, size("5"), base("AllOrNone", "1"), base("AllOrNone", "1")),
    "too long a preview": preference(PLAINLY, base("Preview", "256")),
    "two of one type": preference(PLAINLY) + preference(PLAINLY, size("5")),
    "two types": preference(PLAINLY, PLAINLY),
}


def element(name: str, *content: Element | str) -> Element:
    children = [each for each in content if isinstance(each, Element)]
    return Element(tag(name), children or (content[0] if content else None))


def requests(bad: list[Element]) -> dict[str, Element]:
    """The same wrong Options in every command that has them."""
    collection = element(
        "AirSync:Collection",
        element("AirSync:SyncKey", "1"),
        element("AirSync:CollectionId", "1"),
        element("AirSync:Options", *bad),
    )
    fetch = element(
        "ItemOperations:Fetch",
        element("ItemOperations:Store", "Mailbox"),
        element("AirSync:ServerId", "1:1"),
        element("ItemOperations:Options", *bad),
    )
    store = element(
        "Search:Store",
        element("Search:Name", "Mailbox"),
        element("Search:Query", element("Search:And", element("Search:FreeText", "x"))),
        element("Search:Options", *bad),
    )
    return {
        "Sync": element("AirSync:Sync", element("AirSync:Collections", collection)),
        "ItemOperations": element("ItemOperations:ItemOperations", fetch),
        "Search": element("Search:Search", store),
    }


@pytest.mark.requirement("MS-ASAIRS_R348", "MS-ASAIRS_R349", "MS-ASAIRS_R350", "MS-ASAIRS_R351", "MS-ASAIRS_R10016")
@pytest.mark.requirement("MS-ASAIRS_R341", "MS-ASAIRS_R344", "MS-ASAIRS_R345", "MS-ASAIRS_R346", "MS-ASAIRS_R10021")
@pytest.mark.requirement("MS-ASAIRS_R10022", "MS-ASAIRS_R10030", "MS-ASAIRS_R10031", "MS-ASAIRS_R414")
@pytest.mark.requirement("MS-ASAIRS_R415", "MS-ASAIRS_R10012", "MS-ASAIRS_R10024", "MS-ASAIRS_R10025")
@pytest.mark.requirement("MS-ASAIRS_R10033", "MS-ASAIRS_R10034", "MS-ASAIRS_R10035")
@pytest.mark.parametrize("what", BAD_PREFERENCES)
@pytest.mark.parametrize("version", [V12_1, V16_1])
async def test_a_preference_that_is_none(box: Mailbox, what: str, version: ProtocolVersion) -> None:
    told = {}
    box.bench.version = version
    for command in (sync.COMMAND, item_operations.COMMAND, search.COMMAND):
        context = await box.bench.context(command.name)
        octets = wbxml.encode(requests(BAD_PREFERENCES[what])[command.name]).join()
        with pytest.raises(MalformedXml) as caught:
            command.read(octets, context.line, version)
        told[command.name] = command.refuse(caught.value, version)
    assert told["Sync"].status == 4
    assert told["ItemOperations"].status == 2
    assert (told["Search"].status, told["Search"].answer.store.status) == (1, 2)


async def test_the_same_preferences_in_order_are_taken(box: Mailbox) -> None:
    good = preference(PLAINLY, size("5"), base("AllOrNone", "1"), base("Preview", "255")) + preference(
        base("Type", "2"), size("4294967295")
    )
    for command in (sync.COMMAND, item_operations.COMMAND, search.COMMAND):
        context = await box.bench.context(command.name)
        command.read(wbxml.encode(requests(good)[command.name]).join(), context.line, V16_1)
