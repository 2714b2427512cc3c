"""Requests as trees through the whole server: shapes that no typed request has, and the Status that each gets."""

from dataclasses import dataclass

import pytest

from protocol import wbxml
from protocol.codepages import tag
from protocol.elements import Element
from protocol.versions import SUPPORTED, V12_1, V14_0, ProtocolVersion
from tests.properties.test_any_request import Place, place
from tests.schemas import assert_valid

INBOX, CONTACTS = "1", "8"
EVERY_VERSION = pytest.mark.parametrize("version", SUPPORTED, ids=str)


def e(name: str, *content: Element | str) -> Element:
    """An element; its name without a namespace is one of AirSync."""
    children = [each for each in content if isinstance(each, Element)]
    text = content[0] if content and not children else None
    return Element(tag(name if ":" in name else f"AirSync:{name}"), children or text)


def sync(*collections: Element, also: tuple[Element, ...] = ()) -> Element:
    return e("Sync", e("Collections", *collections), *also)


def collection(key: str, *rest: Element, folder: str = INBOX) -> Element:
    return e("Collection", e("SyncKey", key), e("CollectionId", folder), *rest)


@dataclass
class Wire:
    """A device of one version."""

    place: Place
    version: ProtocolVersion

    async def ask(self, command: str, root: Element | None) -> tuple[int, Element | None]:
        """The HTTP status, and the document if there is one; it holds by the schema."""
        octets = b"" if root is None else wbxml.encode(root).join()
        status, _, body = await self.place.ask(command, self.version, octets)
        if status != 200 or not body:
            return status, None
        document = wbxml.decode(body)
        assert_valid(document, command)
        return status, document

    async def status(self, command: str, root: Element | None) -> str:
        """The Status nearest to the root."""
        http, document = await self.ask(command, root)
        return f"HTTP {http}" if document is None else first(document, "Status")

    async def key(self, folder: str = INBOX, *rest: Element) -> str:
        """A key for a folder, as a start gives it."""
        _, document = await self.ask("Sync", sync(collection("0", *rest, folder=folder)))
        assert document is not None
        return first(document, "SyncKey")


def first(document: Element, name: str) -> str:
    """The text of the first element of a name; "" for none."""
    level = [document]
    while level:
        for each in level:
            if each.tag.name == name:
                return each.text
        level = [child for each in level for child in each.children]
    return ""


def named(document: Element | None, name: str) -> list[Element]:
    return [] if document is None else [each for each in document.walk() if each.tag.name == name]


@pytest.fixture
async def ground() -> Place:
    return await place()


# ---- Sync: what a Collection may hold


@EVERY_VERSION
@pytest.mark.requirement("MS-ASCMD_R4546")
async def test_the_order_within_a_collection_is_enforced(ground: Place, version: ProtocolVersion) -> None:
    device = Wire(ground, version)
    key = await device.key()
    pieces = [
        e("SyncKey", key), e("CollectionId", INBOX), e("DeletesAsMoves", "1"), e("GetChanges", "0"),
        e("WindowSize", "5"), e("Options", e("FilterType", "0")), e("Commands"),
    ]  # fmt: skip
    assert await device.ask("Sync", sync(e("Collection", *pieces))) == (200, None)
    for at in range(len(pieces) - 1):
        wrong = [*pieces[:at], pieces[at + 1], pieces[at], *pieces[at + 2 :]]
        assert await device.status("Sync", sync(e("Collection", *wrong))) == "4", wrong[at].tag


@pytest.mark.requirement("MS-ASCMD_R4546")
async def test_class_stands_anywhere_at_12_1(ground: Place) -> None:
    device = Wire(ground, V12_1)
    for at in range(3):
        pieces = [e("SyncKey", "0"), e("CollectionId", INBOX)]
        pieces.insert(at, e("Class", "Email"))
        assert await device.status("Sync", sync(e("Collection", *pieces))) == "1"


@EVERY_VERSION
@pytest.mark.requirement("MS-ASCMD_R4545")
async def test_a_collection_without_its_id(ground: Place, version: ProtocolVersion) -> None:
    device = Wire(ground, version)
    supported = e("Supported", e("Contacts:FirstName"))
    assert await device.status("Sync", sync(e("Collection", e("SyncKey", "0"), supported))) == "4"


@EVERY_VERSION
@pytest.mark.requirement("MS-ASCMD_R4551", "MS-ASCMD_R4552", "MS-ASCMD_R4548")
async def test_a_later_supported_is_ignored(ground: Place, version: ProtocolVersion) -> None:
    device = Wire(ground, version)
    key = await device.key(CONTACTS, e("Supported", e("Contacts:FirstName"), e("Contacts:LastName")))
    _, found = await device.ask("Sync", sync(collection(key, folder=CONTACTS)))
    (item,) = named(found, "Add")
    key, server_id = first(found, "SyncKey"), first(item, "ServerId")
    whole = e("ApplicationData", e("Contacts:LastName", "B"), e("Contacts:JobTitle", "Cook"))
    change = e("Commands", e("Change", e("ServerId", server_id), whole))
    _, answer = await device.ask("Sync", sync(collection(key, change, folder=CONTACTS)))
    key = first(answer, "SyncKey")
    partial = e("ApplicationData", e("Contacts:LastName", "C"))
    again = e("Commands", e("Change", e("ServerId", server_id), partial))
    supported = e("Supported", e("Contacts:LastName"), e("Contacts:JobTitle"))
    _, answer = await device.ask("Sync", sync(collection(key, supported, again, folder=CONTACTS)))
    assert answer is not None
    assert first(answer, "Status") == "1"
    key = first(answer, "SyncKey")
    fetch = e("Commands", e("Fetch", e("ServerId", server_id)))
    _, answer = await device.ask("Sync", sync(collection(key, fetch, folder=CONTACTS)))
    assert first(answer, "LastName") == "C"
    assert first(answer, "JobTitle") == "Cook", "ghosted, as the first Supported says"


@EVERY_VERSION
async def test_empty_containers_are_accepted(ground: Place, version: ProtocolVersion) -> None:
    device = Wire(ground, version)
    key = await device.key(INBOX, e("Supported"), e("Options"), e("Commands"))
    status, answer = await device.ask("Sync", sync(collection(key, e("Options"), e("Commands"))))
    assert status == 200
    assert len(named(answer, "Add")) == 2


# ---- Sync: Options

FILTERS = {
    INBOX: ("Email", {0, 1, 2, 3, 4, 5}),
    "7": ("Calendar", {0, 4, 5, 6, 7}),
    "6": ("Tasks", {0, 8}),
    CONTACTS: ("Contacts", set(range(9))),
}
"""The FilterTypes of a class; contacts ignore it (MS-ASCMD_R3078)."""


@EVERY_VERSION
@pytest.mark.parametrize("folder", FILTERS)
@pytest.mark.requirement(
    "MS-ASCMD_R3035", "MS-ASCMD_R3036", "MS-ASCMD_R3037", "MS-ASCMD_R3038", "MS-ASCMD_R3039", "MS-ASCMD_R3040",
    "MS-ASCMD_R3043", "MS-ASCMD_R3044", "MS-ASCMD_R3045", "MS-ASCMD_R3046", "MS-ASCMD_R3047", "MS-ASCMD_R3048",
    "MS-ASCMD_R3049", "MS-ASCMD_R3050", "MS-ASCMD_R3051", "MS-ASCMD_R3053", "MS-ASCMD_R3054", "MS-ASCMD_R3055",
    "MS-ASCMD_R3056", "MS-ASCMD_R3057", "MS-ASCMD_R3058", "MS-ASCMD_R3059", "MS-ASCMD_R3060", "MS-ASCMD_R3061",
    "MS-ASCMD_R3041", "MS-ASCMD_R3042", "MS-ASCMD_R3052", "MS-ASCMD_R3069", "MS-ASCMD_R3078",
)  # fmt: skip
async def test_the_filters_of_each_class(ground: Place, version: ProtocolVersion, folder: str) -> None:
    device = Wire(ground, version)
    name, allowed = FILTERS[folder]
    for value in range(10):
        asked = sync(collection("0", e("Options", e("FilterType", str(value))), folder=folder))
        assert await device.status("Sync", asked) == ("1" if value in allowed else "4"), (name, value)


@EVERY_VERSION
@pytest.mark.requirement("MS-ASCMD_R935", "MS-ASCMD_R945", "MS-ASCMD_R6299")
async def test_classes_that_do_not_go_together(ground: Place, version: ProtocolVersion) -> None:
    if version < V14_0:
        pytest.skip("Class stands in Options since 14.0")
    device = Wire(ground, version)
    own = {INBOX: "Email", "7": "Calendar", CONTACTS: "Contacts", "6": "Tasks", "9": "Notes"}
    for folder, mine in own.items():
        for name in (*own.values(), "SMS", "Nothing", ""):
            fits = name == mine or (mine == "Email" and name in {"SMS", ""}) or name == ""
            got = await device.status("Sync", sync(collection("0", e("Options", e("Class", name)), folder=folder)))
            assert got == ("1" if fits else "4"), (folder, name)


@EVERY_VERSION
@pytest.mark.requirement("MS-ASCMD_R2074", "MS-ASCMD_R3074", "MS-ASCMD_R937", "MS-ASCMD_R4430", "MS-ASCMD_R4431")
async def test_what_stands_twice_in_options(ground: Place, version: ProtocolVersion) -> None:
    device = Wire(ground, version)
    for twice in (e("Conflict", "1"), e("FilterType", "0"), e("MIMETruncation", "1"), e("Class", "Email")):
        got = await device.status("Sync", sync(collection("0", e("Options", twice, twice))))
        assert got == "4", twice.tag
    assert (
        await device.status("Sync", sync(collection("0", e("Options", e("MIMESupport", "1"), e("MIMESupport", "2")))))
        == "1"
    )


@EVERY_VERSION
@pytest.mark.requirement("MS-ASCMD_R5778", "MS-ASCMD_R5779", "MS-ASCMD_R5838")
@pytest.mark.parametrize(
    "wrong",
    [
        e("Sync", e("Collections")),
        e("Sync", e("Collections", e("Collection"))),
        e("Sync", e("Collections", e("Collection", e("CollectionId", INBOX)))),
        e("Sync", e("Collections", collection("0"), collection("0"))),
        e("Sync", e("Collections", collection("0", e("GetChanges", "1")))),
        e("Sync", e("Collections", collection("0", e("GetChanges")))),
        e("Sync", e("Collections", collection("0", e("WindowSize", "many")))),
        e("Sync", e("Collections", collection("0", e("Commands", e("Delete", e("ServerId", "1:1")))))),
        e("Sync", e("Collections", collection("0", e("DeletesAsMoves", "2")))),
        e("Sync", e("Collections", collection("0")), e("Collections", collection("0"))),
        e("Sync", e("Wait", "5")),
        e("Sync", e("Partial")),
        e("Sync", "text"),
    ],
    ids=lambda tree: "",
)  # fmt: skip
async def test_sync_requests_with_a_semantic_error(ground: Place, version: ProtocolVersion, wrong: Element) -> None:
    assert await Wire(ground, version).status("Sync", wrong) == "4"


# ---- The hierarchy


def hierarchy(command: str, *rest: tuple[str, str]) -> Element:
    return e(f"FolderHierarchy:{command}", *(e(f"FolderHierarchy:{name}", text) for name, text in rest))


@EVERY_VERSION
@pytest.mark.requirement(
    "MS-ASCMD_R100", "MS-ASCMD_R141", "MS-ASCMD_R4104", "MS-ASCMD_R4106", "MS-ASCMD_R4101", "MS-ASCMD_R4109",
    "MS-ASCMD_R4120", "MS-ASCMD_R4100", "MS-ASCMD_R116", "MS-ASCMD_R4572", "MS-ASCMD_R4013", "MS-ASCMD_R4019",
    "MS-ASCMD_R4011", "MS-ASCMD_R4032", "MS-ASCMD_R4045", "MS-ASCMD_R4046", "MS-ASCMD_R4049", "MS-ASCMD_R4060",
    "MS-ASCMD_R4005", "MS-ASCMD_R4039", "MS-ASCMD_R4094", "MS-ASCMD_R4096", "MS-ASCMD_R4040",
)  # fmt: skip
async def test_folders_that_cannot_be_changed(ground: Place, version: ProtocolVersion) -> None:
    device = Wire(ground, version)

    async def ask(command: str, *rest: tuple[str, str]) -> tuple[str, str]:
        _, answer = await device.ask(command, hierarchy(command, *rest))
        assert answer is not None
        return first(answer, "Status"), first(answer, "SyncKey")

    status, key = await ask("FolderSync", ("SyncKey", "0"))
    assert (status, key) == ("1", "1")
    name = ("DisplayName", "Mine")

    async def update(key: str, folder: str, *rest: tuple[str, str], parent: str = "0") -> str:
        return (await ask("FolderUpdate", ("SyncKey", key), ("ServerId", folder), ("ParentId", parent), *rest))[0]

    assert await update(key, "RI", name) == ("3" if version >= V14_0 else "4")
    assert await update(key, INBOX, name) == "2"
    assert await update(key, "999", name) == "4"
    assert await update("7", INBOX, name) == "9"
    assert (await ask("FolderDelete", ("SyncKey", key), ("ServerId", "RI")))[0] in {"3", "4"}
    assert (await ask("FolderDelete", ("SyncKey", key), ("ServerId", INBOX)))[0] == "3"
    assert (await ask("FolderDelete", ("SyncKey", key), ("ServerId", "999")))[0] == "4"
    assert (await ask("FolderDelete", ("SyncKey", "7"), ("ServerId", "3")))[0] == "9"
    assert (await ask("FolderCreate", ("SyncKey", "7"), ("ParentId", "0"), name, ("Type", "12")))[0] == "9"
    status, key = await ask("FolderCreate", ("SyncKey", key), ("ParentId", "0"), name, ("Type", "12"))
    assert (status, key) == ("1", "2")
    assert (await ask("FolderCreate", ("SyncKey", key), ("ParentId", "0"), name, ("Type", "12")))[0] == "2"
    assert (await ask("FolderCreate", ("SyncKey", key), ("ParentId", "999"), ("DisplayName", "X"), ("Type", "12")))[
        0
    ] == "5"
    _, answer = await device.ask("FolderSync", hierarchy("FolderSync", ("SyncKey", "1")))
    assert [first(each, "DisplayName") for each in named(answer, "Add")] == ["Mine"]
    made = first(named(answer, "Add")[0], "ServerId")
    key = first(answer or e("Sync"), "SyncKey")
    assert await update(key, made, name, parent="999") == "5"
    assert await update(key, made, ("DisplayName", "Other")) == "1"


@EVERY_VERSION
@pytest.mark.requirement(
    "MS-ASCMD_R3911", "MS-ASCMD_R3916", "MS-ASCMD_R3622", "MS-ASCMD_R5884", "MS-ASCMD_R3625", "MS-ASCMD_R5885",
    "MS-ASCMD_R2195", "MS-ASCMD_R2198", "MS-ASCMD_R5416", "MS-ASCMD_R113", "MS-ASCMD_R5775", "MS-ASCMD_R5008",
    "MS-ASCMD_R5012", "MS-ASCMD_R5020", "MS-ASCMD_R5440", "MS-ASCMD_R4066", "MS-ASCMD_R4074", "MS-ASCMD_R1031",
)  # fmt: skip
async def test_what_a_hierarchy_tells_of_each_folder(ground: Place, version: ProtocolVersion) -> None:
    device, other = Wire(ground, version), Wire(ground, version)
    _, answer = await device.ask("FolderSync", hierarchy("FolderSync", ("SyncKey", "0")))
    assert answer is not None
    added = named(answer, "Add")
    types = {first(each, "Type") for each in added}
    wanted = {"2", "3", "4", "5", "7", "8", "9"} | ({"10", "19"} if version >= V14_0 else set())
    assert wanted <= types
    assert first(answer, "Count") == str(len(added))
    for each in added:
        assert [child.tag.name for child in each.children] == ["ServerId", "ParentId", "DisplayName", "Type"]
        assert all(child.text for child in each.children)
    names = [first(each, "DisplayName") for each in added if first(each, "ParentId") == "0"]
    assert len(set(names)) == len(names)
    _, again = await other.ask("FolderSync", hierarchy("FolderSync", ("SyncKey", "0")))
    assert [first(each, "ServerId") for each in named(again, "Add")] == [first(each, "ServerId") for each in added]
    key = first(answer, "SyncKey")
    made = hierarchy("FolderCreate", ("SyncKey", key), ("ParentId", "0"), ("DisplayName", "Mine"), ("Type", "12"))
    _, created = await device.ask("FolderCreate", made)
    assert created is not None
    name, late = first(created, "ServerId"), first(created, "SyncKey")
    rename = (("ServerId", name), ("ParentId", "0"), ("DisplayName", "Other"))
    assert await device.status("FolderUpdate", hierarchy("FolderUpdate", ("SyncKey", late), *rename)) == "1"
    _, told = await device.ask("FolderSync", hierarchy("FolderSync", ("SyncKey", late)))
    (update,) = named(told, "Update")
    assert [child.tag.name for child in update.children] == ["ServerId", "ParentId", "DisplayName", "Type"]
    assert (first(update, "ServerId"), first(update, "DisplayName")) == (name, "Other")


@EVERY_VERSION
@pytest.mark.requirement(
    "MS-ASCMD_R3834", "MS-ASCMD_R3835", "MS-ASCMD_R3836", "MS-ASCMD_R6412", "MS-ASCMD_R758", "MS-ASCMD_R648",
    "MS-ASCMD_R654", "MS-ASCMD_R4602", "MS-ASCMD_R4606", "MS-ASCMD_R5034", "MS-ASCMD_R5051", "MS-ASCMD_R3448",
    "MS-ASCMD_R5041", "MS-ASCMD_R5015", "MS-ASCMD_R1953", "MS-ASCMD_R5256", "MS-ASCMD_R5433", "MS-ASCMD_R4419",
    "MS-ASCMD_R5032", "MS-ASCMD_R5053", "MS-ASCMD_R4415",
)  # fmt: skip
async def test_what_a_collection_is_answered_with(ground: Place, version: ProtocolVersion) -> None:
    device = Wire(ground, version)

    async def ask(key: str, *rest: Element) -> Element:
        status, answer = await device.ask("Sync", sync(collection(key, *rest)))
        assert status == 200
        assert answer is not None
        assert first(answer, "SyncKey") not in {"", key}
        assert {child.tag.name for child in named(answer, "Collection")[0].children} <= {
            "SyncKey", "CollectionId", "Status", "Commands", "Responses", "MoreAvailable",
        }  # fmt: skip
        assert all(each.children for each in (*named(answer, "Responses"), *named(answer, "Commands")))
        return answer

    begun = await ask("0")
    assert not named(begun, "Commands")
    part = await ask(first(begun, "SyncKey"), e("WindowSize", "1"))
    assert len(named(part, "Add")) == 1
    assert [each.content for each in named(part, "MoreAvailable")] == [None]
    rest = await ask(first(part, "SyncKey"))
    assert not named(rest, "MoreAvailable")
    assert not named(rest, "Responses")
    one, two = (first(named(answer, "Add")[0], "ServerId") for answer in (part, rest))
    read = e("ApplicationData", e("Email:Read", "1"))
    good = e("Commands", e("Change", e("ServerId", one), read), e("Delete", e("ServerId", two)))
    done = await ask(first(rest, "SyncKey"), e("DeletesAsMoves", "0"), good)
    assert not named(done, "Responses"), "what succeeded is not told"
    assert not named(done, "Commands"), "nor echoed"
    bad = e("Commands", e("Change", e("ServerId", "1:77"), read), e("Delete", e("ServerId", "1:78")),
            e("Fetch", e("ServerId", one)), e("Fetch", e("ServerId", "1:79")))  # fmt: skip
    told = await ask(first(done, "SyncKey"), bad)
    (responses,) = named(told, "Responses")
    assert [(each.tag.name, first(each, "ServerId"), first(each, "Status")) for each in responses.children] == [
        ("Change", "1:77", "8"), ("Delete", "1:78", "8"), ("Fetch", one, "1"), ("Fetch", "1:79", "8"),
    ]  # fmt: skip
    assert [bool(named(each, "ApplicationData")) for each in responses.children] == [False, False, True, False]


# ---- Search

SEARCHED = ("Email", "Calendar", "Contacts", "Tasks", "Notes", "SMS")


@EVERY_VERSION
@pytest.mark.requirement(
    "MS-ASCMD_R7513", "MS-ASCMD_R7514", "MS-ASCMD_R7515", "MS-ASCMD_R7516", "MS-ASCMD_R7518", "MS-ASCMD_R7519",
    "MS-ASCMD_R7520", "MS-ASCMD_R7521", "MS-ASCMD_R7523", "MS-ASCMD_R7524", "MS-ASCMD_R7525", "MS-ASCMD_R7526",
    "MS-ASCMD_R7528", "MS-ASCMD_R7529", "MS-ASCMD_R7530", "MS-ASCMD_R7531", "MS-ASCMD_R7534", "MS-ASCMD_R7535",
    "MS-ASCMD_R7536",
)  # fmt: skip
@pytest.mark.parametrize("name", SEARCHED)
async def test_the_classes_that_a_version_searches(ground: Place, version: ProtocolVersion, name: str) -> None:
    words = {"Email": "lunch", "Calendar": "weekly", "Contacts": "bob", "Tasks": "buy", "Notes": "note", "SMS": "x"}
    query = e("Search:And", e("Class", name), e("Search:FreeText", words[name]))
    options = e("Search:Options", e("Search:Range", "0-9"), e("Search:DeepTraversal"))
    store = e("Search:Store", e("Search:Name", "Mailbox"), e("Search:Query", query), options)
    _, answer = await Wire(ground, version).ask("Search", e("Search:Search", store))
    (told,) = named(answer, "Store")
    has = name not in {"Notes", "SMS"} or version >= V14_0
    assert (first(told, "Status") == "1") is has
    assert any(first(each, "Class") == name for each in named(told, "Result")) is (has and name != "SMS")


# ---- [MS-ASCMD] 3.1.5.10


def _many(count: int) -> dict[str, tuple[Element, str, str]]:
    """Requests with so many of what is limited, with the Status of one that has too many: from 14.0 on and before."""

    def many(one: Element) -> list[Element]:
        return [one] * count

    fetch = e(
        "ItemOperations:Fetch", e("ItemOperations:Store", "Mailbox"), e("CollectionId", "1"), e("ServerId", "1:9")
    )
    answer = e(
        "MeetingResponse:Request", e("MeetingResponse:UserResponse", "1"), e("MeetingResponse:CollectionId", "1"),
        e("MeetingResponse:RequestId", "1:9"),
    )  # fmt: skip
    certificates = e("ValidateCert:Certificates", *many(e("ValidateCert:Certificate", "MAA=")))
    return {
        "ItemOperations": (e("ItemOperations:ItemOperations", *many(fetch)), "11", "11"),
        "MeetingResponse": (e("MeetingResponse:MeetingResponse", *many(answer)), "103", "HTTP 400"),
        "ResolveRecipients": (
            e("ResolveRecipients:ResolveRecipients", *many(e("ResolveRecipients:To", "bob"))), "5", "5"
        ),
        "ValidateCert": (e("ValidateCert:ValidateCert", certificates), "2", "2"),
    }  # fmt: skip


@EVERY_VERSION
@pytest.mark.parametrize("name", _many(0))
@pytest.mark.requirement("MS-ASCMD_R5643", "MS-ASCMD_R5644", "MS-ASCMD_R5650", "MS-ASCMD_R5656", "MS-ASCMD_R5662")
async def test_the_limits_of_requests(ground: Place, version: ProtocolVersion, name: str) -> None:
    device = Wire(ground, version)
    within, _, _ = _many(100)[name]
    beyond, later, before = _many(101)[name]
    refused = later if version >= V14_0 else before
    http, answer = await device.ask(name, within)
    assert (http, len(named(answer, "Status")) > 1) == (200, True)
    http, answer = await device.ask(name, beyond)
    assert (f"HTTP {http}" if answer is None else [each.text for each in named(answer, "Status")]) in (
        refused,
        [refused],
    )
