"""Requests as trees through the whole server: shapes that no typed request has, and the Status that each gets."""

from dataclasses import dataclass

import pytest

from protocol import wbxml
from protocol.codepages import tag
from protocol.elements import Element
from protocol.versions import SUPPORTED, V12_1, ProtocolVersion
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
