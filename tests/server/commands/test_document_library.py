"""The document library in Search and ItemOperations ([MS-ASDOC], [MS-ASCMD] 2.2.1.10 and 2.2.1.16)."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from eas_server.backends.memory.documents import BORN, MemoryLibrary, MemoryShare
from eas_server.backends.memory.people import MemoryPeople
from eas_server.backends.memory.world import World
from eas_server.commands import item_operations, search
from eas_server.commands.context import Reply
from eas_server.commands.document_fetch import MAX_OCTETS
from eas_server.commands.guesses import GUESS_WINDOW, MAX_GUESSES
from eas_server.errors import DirectoryUnavailable, StoreUnavailable
from eas_server.model.blob import MemoryBlob, read
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.documents import OpenDocument, UncName
from protocol import multipart, wbxml
from protocol.codepages import tag
from protocol.commands import item_operations as operations
from protocol.commands.search import Options, Request, Response, Store, StoreResponse
from protocol.elements import Element, Inline, Opaque
from protocol.errors import MalformedXml
from protocol.items.document_library import DocumentProperties
from protocol.schema import load
from protocol.versions import SUPPORTED, V12_1, V14_0, V16_1, ProtocolVersion
from tests.server.commands.support import ALICE, Bench, check

HOST = "files.example.com"
BIG = bytes(range(256)) * 1000
VERSIONS = pytest.mark.parametrize("version", SUPPORTED, ids=str)
LINK_ID, VALUE, EQUAL_TO, QUERY = map(tag, ("DocumentLibrary:LinkId", "Search:Value", "Search:EqualTo", "Search:Query"))


class People(MemoryPeople):
    """Who may sign in; counts how often that was asked."""

    asked = 0
    fails = False

    async def authenticate(self, name: str, password: str) -> Account | None:
        """See Authenticator."""
        self.asked += 1
        if self.fails:
            raise DirectoryUnavailable
        return await super().authenticate(name, password)


class Shelf:
    """A bench with a library: `docs` for alice and the team, `private` for bob alone, `gone` out of reach."""

    def __init__(self) -> None:
        world = World()
        self.people = People(world)
        self.library = MemoryLibrary(self.people)
        self.docs = self.library.add_share("docs", HOST, "files:8445", readers=("alice@example.com",))
        self.docs.items = {
            ("Reports",): None,
            ("Reports", "Q1.docx"): b"first quarter",
            (".hidden",): b"h",
            ("a & <b>.txt",): b"Hello\r\n",
            ("big.bin",): BIG,
            ("empty.txt",): b"",
        }
        self.library.add_share("private", HOST, readers=("bob@example.com",)).items = {("plan.txt",): b"a plan"}
        self.library.add_share("team", HOST, readers=("team@example.com",)).items = {("plan.txt",): b"a plan"}
        self.library.add_share("gone", HOST).is_there = False
        self.bench = Bench(documents=self.library, authenticator=self.people)

    async def fill(self) -> "Shelf":
        """Make the people."""
        await self.people.add_user("alice@example.com", "wonderland")
        await self.people.add_user("bob@example.com", "builder")
        await self.people.add_user("carol@example.com", "carol", eas_enabled=False)
        await self.people.add_group(
            DirectoryEntry(key="", display_name="Team", email="team@example.com"), ["bob@example.com"]
        )
        return self

    async def ask(
        self, query: Element, *, version: ProtocolVersion = V16_1, name: str = "DocumentLibrary", **options: Any
    ) -> StoreResponse:
        """Search by a query."""
        bench = replace(self.bench, version=version)
        request = Request(store=Store(name=name, query=query, options=Options(**options)))
        response: Response = await bench.run(search.COMMAND, request)
        assert response.status == 1
        assert response.answer is not None
        return response.answer.store

    async def search(self, link: str, **asked: Any) -> StoreResponse:
        """Search by a LinkId."""
        return await self.ask(Element(QUERY, [equal(link)]), **asked)

    async def fetch(
        self, link: str | None, *, version: ProtocolVersion = V16_1, store: str = "DocumentLibrary", **options: Any
    ) -> operations.Fetched:
        """Fetch by a LinkId."""
        wanted = operations.Fetch(store=store, link_id=link, options=operations.FetchOptions(**options))
        bench = replace(self.bench, version=version)
        response = await bench.run(item_operations.COMMAND, operations.Request(operations=(wanted,)))
        assert response.status == 1
        (fetched,) = response.responses.fetched
        assert fetched.link_id == (link or None)
        return fetched  # type: ignore[no-any-return]


@pytest.fixture
async def shelf() -> Shelf:
    return await Shelf().fill()


def equal(link: str, *, named: bool = True) -> Element:
    """EqualTo with the LinkId as the property, as clients send it."""
    value = Element(VALUE, link)
    return Element(EQUAL_TO, [Element(LINK_ID), value] if named else [value])


def unc(*names: str, share: str = "docs", host: str = HOST) -> str:
    return str(UncName(host=host, share=share, parts=names))


def documents(store: StoreResponse) -> list[DocumentProperties]:
    assert all(result.item_class is None and result.long_id is None for result in store.results)
    return [load(DocumentProperties, result.properties) for result in store.results if result.properties is not None]


def links(store: StoreResponse) -> list[str]:
    return [each.link_id for each in documents(store)]


# ---- Search


@pytest.mark.requirement(
    *("MS-ASDOC_R29", "MS-ASDOC_R33", "MS-ASDOC_R36", "MS-ASDOC_R39", "MS-ASDOC_R42", "MS-ASDOC_R48", "MS-ASDOC_R54"),
    *("MS-ASDOC_R46", "MS-ASDOC_R47", "MS-ASDOC_R52", "MS-ASDOC_R53", "MS-ASDOC_R123", "MS-ASDOC_R111"),
    *("MS-ASDOC_R114", "MS-ASCMD_R3853", "MS-ASCMD_R3855", "MS-ASCMD_R3856"),
    *(f"MS-ASDOC_R{number}" for number in (601, 602, 603, 604, 605, 643, 644, 645, 646, 647)),
    *("MS-ASCMD_R6470", "MS-ASCMD_R6471", "MS-ASCMD_R6472", "MS-ASCMD_R6473", "MS-ASCMD_R6473100701"),
)
@VERSIONS
async def test_a_folder_and_what_is_in_it(shelf: Shelf, version: ProtocolVersion) -> None:
    found = await shelf.search(unc(), version=version)
    assert (found.status, found.total, found.range) == (1, 6, None)
    folder: dict[str, Any] = {"is_folder": True, "is_hidden": False, "content_length": 0}
    file: dict[str, Any] = {"is_folder": False, "is_hidden": False}
    moments: dict[str, Any] = {"creation_date": BORN, "last_modified_date": BORN}
    assert documents(found) == [
        DocumentProperties(link_id=unc(), display_name="docs", **folder, **moments),
        DocumentProperties(link_id=unc("Reports"), display_name="Reports", **folder, **moments),
        DocumentProperties(
            link_id=unc(".hidden"),
            display_name=".hidden",
            is_folder=False,
            is_hidden=True,
            content_length=1,
            content_type="application/octet-stream",
            **moments,
        ),
        DocumentProperties(
            link_id=unc("a & <b>.txt"),
            display_name="a & <b>.txt",
            content_length=7,
            content_type="text/plain",
            **file,
            **moments,
        ),
        DocumentProperties(
            link_id=unc("big.bin"),
            display_name="big.bin",
            content_length=len(BIG),
            content_type="application/octet-stream",
            **file,
            **moments,
        ),
        DocumentProperties(
            link_id=unc("empty.txt"),
            display_name="empty.txt",
            content_length=0,
            content_type="text/plain",
            **file,
            **moments,
        ),
    ]


@pytest.mark.requirement("MS-ASCMD_R3858", "MS-ASCMD_R2279")
async def test_a_file_gives_one_result(shelf: Shelf) -> None:
    found = await shelf.search(unc("reports", "q1.DOCX"))
    assert (found.status, found.total) == (1, 1)
    (only,) = documents(found)
    assert (only.link_id, only.content_type) == (
        unc("Reports", "Q1.docx"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    )


@pytest.mark.requirement("MS-ASDOC_R38", "MS-ASDOC_R56", "MS-ASDOC_R45", "MS-ASDOC_R51")
async def test_the_forms_of_dates_and_numbers(shelf: Shelf) -> None:
    found = await shelf.search(unc("Reports"))
    properties = found.results[0].properties
    assert properties is not None
    assert {each.tag.name: each.text for each in properties.children} == {
        "LinkId": unc("Reports"),
        "DisplayName": "Reports",
        "IsFolder": "1",
        "CreationDate": "2026-01-02T03:04:05.000Z",
        "LastModifiedDate": "2026-01-02T03:04:05.000Z",
        "IsHidden": "0",
        "ContentLength": "0",
    }


@pytest.mark.requirement("MS-ASCMD_R3489", "MS-ASCMD_R3491")
@pytest.mark.parametrize("name", ["DocumentLibrary", "Document Library", "documentlibrary", "DOCUMENT LIBRARY"])
async def test_the_names_of_the_store(shelf: Shelf, name: str) -> None:
    assert (await shelf.search(unc(), name=name)).status == 1


async def test_the_host_may_have_a_port(shelf: Shelf) -> None:
    found = await shelf.search(unc("Reports", host="FILES:8445"))
    assert links(found) == [unc("Reports", host="FILES:8445"), unc("Reports", "Q1.docx", host="FILES:8445")]


@pytest.mark.requirement("MS-ASCMD_R3856", "MS-ASCMD_R3857", "MS-ASCMD_R4637", "MS-ASCMD_R4360")
@pytest.mark.parametrize(
    ("span", "status", "shown", "names"),
    [
        ("0-0", 1, "0-0", ["docs"]),
        ("0-1", 1, "0-1", ["docs", "Reports"]),
        ("1-2", 1, "1-2", ["Reports", ".hidden"]),
        ("4-99", 1, "4-5", ["big.bin", "empty.txt"]),
        ("6-7", 12, None, []),
        ("0-999", 1, "0-5", ["docs", "Reports", ".hidden", "a & <b>.txt", "big.bin", "empty.txt"]),
        ("5-1000", 12, "5-5", ["empty.txt"]),
        ("1000-1001", 12, None, []),
        ("999999999-999999999", 12, None, []),
    ],
)
async def test_ranges(shelf: Shelf, span: str, status: int, shown: str | None, names: list[str]) -> None:
    found = await shelf.search(unc(), range=span)
    assert (found.status, found.total, found.range) == (status, 6, shown)
    assert [each.display_name for each in documents(found)] == names


@pytest.mark.requirement("MS-ASCMD_R4329")
@pytest.mark.parametrize("span", ["2-1", "x", "1", "-1", "0-", "0-1-2", "0-9999999999", ""])
async def test_ranges_that_are_none(shelf: Shelf, span: str) -> None:
    assert await shelf.search(unc(), range=span) == StoreResponse(status=2)


@pytest.mark.requirement("MS-ASCMD_R3734", "MS-ASCMD_R3730", "MS-ASCMD_R3736")
async def test_a_thousand_results_at_most(shelf: Shelf) -> None:
    shelf.docs.items.update({("Reports", f"{number:05}"): b"" for number in range(1500)})
    found = await shelf.search(unc("Reports"))
    assert (found.status, len(found.results), found.total) == (1, 1000, 1502)
    rest = await shelf.search(unc("Reports"), range="990-1100")
    assert (rest.status, len(rest.results), rest.range) == (12, 10, "990-999")
    assert links(found)[-10:] == links(rest)


@pytest.mark.requirement("MS-ASCMD_R4339", "MS-ASCMD_R4342", "MS-ASCMD_R4345")
@pytest.mark.parametrize(
    ("link", "status"),
    [
        (unc(share="private"), 5),
        (unc("plan.txt", share="private"), 5),
        (unc("nothing", share="private"), 5),
        (unc("plan.txt", share="team"), 5),
        (unc("nothing"), 6),
        (unc("big.bin", "below"), 6),
        (unc(share="nothing"), 6),
        (unc(host="other.example.com"), 6),
        (unc(share="gone"), 7),
    ],
)
async def test_what_cannot_be_had(shelf: Shelf, link: str, status: int) -> None:
    assert await shelf.search(link) == StoreResponse(status=status)


BAD_LINKS = [
    *("", "\\", "\\\\", "\\\\files.example.com", "\\\\files.example.com\\", "docs", "docs\\big.bin", "C:\\Windows"),
    *("/etc/passwd", "//files.example.com/docs", "\\\\files.example.com/docs", "file://files.example.com/docs"),
    *(unc("..", "docs"), unc("Reports", ".."), unc("Reports", "."), unc("Reports", "", "Q1.docx"), unc("a/../b")),
    *(
        unc("a\x00b"),
        unc("a\nb"),
        unc("NUL"),
        unc("con.txt"),
        unc("COM1"),
        unc("lpt9.doc"),
        unc("aux:x"),
        unc("CON .a"),
    ),
    *("\\\\.\\pipe\\x", "\\\\?\\C:\\x", "\\\\?\\UNC\\files.example.com\\docs", "\\\\..\\docs", unc(share="..")),
    *(unc(host="a b"), unc(host=""), unc(host="files:"), unc(host="files:123456"), unc(host="alice@files")),
    *(unc(*["x"] * 65), unc("x" * 256), unc("\ufffe")),
]


@pytest.mark.requirement("MS-ASCMD_R4336")
@pytest.mark.parametrize("link", BAD_LINKS, ids=repr)
async def test_bad_links(shelf: Shelf, link: str) -> None:
    assert await shelf.search(link) == StoreResponse(status=4)


@pytest.mark.requirement("MS-ASCMD_R4364")
@pytest.mark.parametrize("link", ["http://intranet.example.com/docs", "HTTPS://files.example.com/a%20b", "https:"])
async def test_links_of_web_servers(shelf: Shelf, link: str) -> None:
    assert await shelf.search(link) == StoreResponse(status=13)
    assert (await shelf.fetch(link)).status == 5


@pytest.mark.requirement("MS-ASCMD_R5263")
async def test_long_values(shelf: Shelf) -> None:
    room = 1024 - len(unc("", "", "", "", ""))
    fits = [unc("x" * 250, "x" * 250, "x" * 250, "x" * 200, "x" * (room - 950)), unc(*["x"] * 64)]
    assert [(await shelf.search(link)).status for link in fits] == [6, 6]
    assert [(await shelf.search(link)).status for link in (fits[0] + "x", "ä" * 513, "x" * 100_000)] == [2, 2, 2]


def nested(name: str, *inner: Element) -> Element:
    return Element(tag(name), list(inner))


FREE_TEXT = Element(tag("Search:FreeText"), "words")
DATE = nested("Search:GreaterThan", Element(tag("Email:DateReceived")), Element(VALUE, "2026-01-01T00:00:00.000Z"))


@pytest.mark.requirement("MS-ASDOC_R85", "MS-ASCMD_R4329", "MS-ASCMD_R4350", "MS-ASCMD_R3139", "MS-ASCMD_R2276")
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ([], 2),
        ("words", 2),
        (unc(), 2),
        ([equal(unc(), named=False)], 2),
        ([FREE_TEXT], 2),
        ([DATE], 2),
        ([nested("Search:And", FREE_TEXT)], 2),
        ([nested("Search:And", equal(unc()))], 8),
        ([nested("Search:Or", equal(unc()))], 8),
        ([equal(unc()), FREE_TEXT], 8),
        ([equal(unc()), DATE], 8),
        ([equal(unc()), equal(unc())], 2),
    ],
)
async def test_queries(shelf: Shelf, query: Sequence[Element] | str, status: int) -> None:
    assert await shelf.ask(Element(QUERY, query if isinstance(query, str) else list(query))) == StoreResponse(
        status=status
    )


@pytest.mark.parametrize(
    "broken",
    [
        [Element(LINK_ID)],
        [Element(LINK_ID), Element(VALUE, "a"), Element(VALUE, "b")],
        [Element(LINK_ID), Element(LINK_ID), Element(VALUE, unc())],
        [Element(LINK_ID, [Element(VALUE, unc())]), Element(VALUE, unc())],
        [Element(LINK_ID), Element(VALUE, [Element(VALUE, unc())])],
        [Element(LINK_ID), Element(VALUE, Opaque(b"\xff\xfe"))],
    ],
)
async def test_conditions_of_the_wrong_shape(shelf: Shelf, broken: list[Element]) -> None:
    with pytest.raises(MalformedXml):
        await shelf.ask(Element(QUERY, [Element(EQUAL_TO, broken)]))


async def test_options_of_the_wrong_shape() -> None:
    for name, value in (("Search:UserName", "u" * 101), ("Search:Password", "p" * 101)):
        tree = nested("Search:Options", Element(tag(name), value))
        with pytest.raises(MalformedXml):
            load(Options, tree)
    with pytest.raises(MalformedXml):
        load(
            operations.FetchOptions,
            nested("ItemOperations:Options", Element(tag("ItemOperations:Password"), "p" * 257)),
        )


async def test_without_a_library() -> None:
    shelf = Shelf()
    shelf.bench = Bench()
    assert await shelf.search(unc()) == StoreResponse(status=13)


# ---- credentials


@pytest.mark.requirement("MS-ASCMD_R4718", "MS-ASCMD_R4367", "MS-ASCMD_R5397", "MS-ASCMD_R4169", "MS-ASCMD_R5398")
@pytest.mark.parametrize(
    ("link", "user", "password", "searched", "fetched"),
    [
        (unc("plan.txt", share="private"), "bob@example.com", "builder", 1, 1),
        (unc("plan.txt", share="private"), "EXAMPLE\\bob", "builder", 1, 1),
        (unc("plan.txt", share="team"), "bob", "builder", 1, 1),
        (unc("big.bin"), "bob", "builder", 5, 5),
        (unc("big.bin"), "alice", "wonderland", 1, 1),
        (unc("big.bin"), "", "wonderland", 1, 1),
        (unc("big.bin"), None, "whatever", 1, 1),
        (unc("big.bin"), "bob", "wrong", 14, 18),
        (unc("big.bin"), "bob", "", 14, 18),
        (unc("big.bin"), "bob", None, 14, 18),
        (unc("big.bin"), "nobody", "wrong", 14, 18),
        (unc("big.bin"), "carol", "carol", 14, 18),
    ],
)
async def test_as_somebody_else(
    shelf: Shelf, link: str, user: str | None, password: str | None, searched: int, fetched: int
) -> None:
    assert (await shelf.search(link, user_name=user, password=password)).status == searched
    assert (await shelf.fetch(link, user_name=user, password=password)).status == fetched


async def test_guesses_are_few(shelf: Shelf) -> None:
    async def guess(password: str) -> int:
        return (await shelf.search(unc("plan.txt", share="private"), user_name="bob", password=password)).status

    for _ in range(MAX_GUESSES + 2):
        assert await guess("builder") == 1
    for number in range(MAX_GUESSES - 1):
        assert await guess(f"wrong {number}") == 14
    assert await guess("builder") == 1
    assert await guess("wrong again") == 14
    asked = shelf.people.asked
    assert await guess("builder") == 14
    assert (await shelf.fetch(unc("plan.txt", share="private"), user_name="bob", password="builder")).status == 18
    assert shelf.people.asked == asked
    assert (await shelf.search(unc())).status == 1
    shelf.bench.now += GUESS_WINDOW - timedelta(seconds=1)
    assert await guess("builder") == 14
    shelf.bench.now += timedelta(seconds=1)
    assert await guess("builder") == 1


async def test_who_cannot_be_asked(shelf: Shelf) -> None:
    shelf.people.fails = True
    for _ in range(MAX_GUESSES + 1):
        with pytest.raises(DirectoryUnavailable):
            await shelf.search(unc(share="private"), user_name="bob", password="builder")
    shelf.people.fails = False
    assert (await shelf.search(unc(share="private"), user_name="bob", password="builder")).status == 1
    shelf.bench.authenticator = None
    assert (await shelf.search(unc(), user_name="alice", password="wonderland")).status == 14


# ---- ItemOperations


async def properties(fetched: operations.Fetched) -> tuple[operations.AttachmentProperties, bytes | None]:
    """The Properties of an answer, and the octets in line."""
    assert fetched.properties is not None
    assert [child.tag.name for child in fetched.properties.children][:2] == ["Range", "Total"]
    found = load(operations.AttachmentProperties, fetched.properties)
    if found.data is None:
        return found, None
    held: Any = found.data.octets if isinstance(found.data, Inline) else found.data.encode()
    letters = bytes(held) if isinstance(held, (bytes, bytearray, memoryview)) else await read(held)
    return replace(found, data=None), base64.b64decode(letters, validate=True)


@pytest.mark.requirement(
    *("MS-ASDOC_R98", "MS-ASDOC_R104", "MS-ASDOC_R105", "MS-ASDOC_R107", "MS-ASDOC_R121", "MS-ASCMD_R2130"),
    *("MS-ASCMD_R2131", "MS-ASCMD_R2132", "MS-ASCMD_R3716", "MS-ASCMD_R5272", "MS-ASCMD_R5919", "MS-ASCMD_R7448"),
)
@VERSIONS
@pytest.mark.parametrize(("name", "octets"), [("a & <b>.txt", b"Hello\r\n"), ("big.bin", BIG)])
async def test_a_whole_document(shelf: Shelf, version: ProtocolVersion, name: str, octets: bytes) -> None:
    fetched = await shelf.fetch(unc(name), version=version)
    assert (fetched.status, fetched.item_class) == (1, None)
    assert await properties(fetched) == (
        operations.AttachmentProperties(range=f"0-{len(octets) - 1}", total=len(octets), version=BORN),
        octets,
    )


@pytest.mark.requirement("MS-ASCMD_R3555", "MS-ASCMD_R3709", "MS-ASCMD_R3713", "MS-ASCMD_R5422", "MS-ASCMD_R5423")
@pytest.mark.parametrize(
    ("span", "told", "octets"),
    [
        ("0-0", "0-0", BIG[:1]),
        ("0-9", "0-9", BIG[:10]),
        (" 100000-200000 ", "100000-200000", BIG[100_000:200_001]),
        ("255990-999999999", "255990-255999", BIG[255_990:]),
        ("255999-255999", "255999-255999", BIG[-1:]),
    ],
)
async def test_a_range_of_a_document(shelf: Shelf, span: str, told: str, octets: bytes) -> None:
    fetched = await shelf.fetch(unc("big.bin"), range=span)
    assert await properties(fetched) == (
        operations.AttachmentProperties(range=told, total=len(BIG), version=BORN),
        octets,
    )


@pytest.mark.requirement("MS-ASCMD_R4160")
@pytest.mark.parametrize("span", ["256000-256001", "2-1", "", "x", "0-", "-5", "0-9999999999", "0x0-0x1", "٠-٩"])
async def test_ranges_of_a_document_that_are_none(shelf: Shelf, span: str) -> None:
    fetched = await shelf.fetch(unc("big.bin"), range=span)
    assert (fetched.status, fetched.properties) == (8, None)


@pytest.mark.requirement("MS-ASCMD_R4156", "MS-ASCMD_R4157", "MS-ASCMD_R4158", "MS-ASCMD_R4159", "MS-ASCMD_R4162")
@pytest.mark.parametrize(
    ("link", "status"),
    [
        (None, 2),
        ("", 2),
        (unc("..", "x"), 4),
        ("big.bin", 4),
        ("x" * 100_000, 4),
        (unc("plan.txt", share="private"), 5),
        (unc("nothing"), 6),
        (unc("Reports"), 6),
        (unc(), 6),
        (unc(host="other"), 6),
        (unc("x", share="gone"), 7),
        (unc("empty.txt"), 10),
    ],
)
@pytest.mark.parametrize("version", [V12_1, V14_0, V16_1], ids=str)
async def test_documents_that_cannot_be_had(
    shelf: Shelf, link: str | None, status: int, version: ProtocolVersion
) -> None:
    fetched = await shelf.fetch(link, version=version)
    assert (fetched.status, fetched.properties) == (status, None)


@pytest.mark.parametrize("link", [link for link in BAD_LINKS if link], ids=repr)
async def test_bad_links_of_documents(shelf: Shelf, link: str) -> None:
    wanted = operations.Fetch(store="DocumentLibrary", link_id=link)
    ctx = await shelf.bench.context("ItemOperations")
    response: Any = await item_operations.COMMAND.handle(operations.Request(operations=(wanted,)), ctx)
    assert [each.status for each in response.responses.fetched] == [4]


@pytest.mark.requirement("MS-ASCMD_R4529", "MS-ASCMD_R4161")
@pytest.mark.parametrize(
    ("store", "status"),
    [("Document Library", 1), ("DocumentLibrary", 1), ("documentlibrary", 1), ("Library", 9), ("GAL", 9), ("", 9)],
)
async def test_the_names_of_the_store_of_documents(shelf: Shelf, store: str, status: int) -> None:
    wanted = operations.Fetch(store=store, link_id=unc("big.bin"))
    response = await shelf.bench.run(item_operations.COMMAND, operations.Request(operations=(wanted,)))
    assert response.status == status


async def test_one_that_fails_does_not_keep_the_others_back(shelf: Shelf) -> None:
    wanted = [
        operations.Fetch(store="DocumentLibrary", link_id=link)
        for link in (unc("nothing"), unc("a & <b>.txt"), unc("x", share="private"), unc("Reports", "Q1.docx"))
    ]
    wanted.append(operations.Fetch(store="Mailbox", server_id="1:1"))
    response = await shelf.bench.run(item_operations.COMMAND, operations.Request(operations=tuple(wanted)))
    assert [each.status for each in response.responses.fetched] == [6, 1, 5, 1, 6]


async def in_parts(shelf: Shelf, *links: str, **options: Any) -> tuple[list[operations.Fetched], list[bytes]]:
    """A multipart answer, taken apart."""
    wanted = [
        operations.Fetch(store="DocumentLibrary", link_id=link, options=operations.FetchOptions(**options))
        for link in links
    ]
    ctx = replace(await shelf.bench.context("ItemOperations"), accept_multipart=True)
    answer = await item_operations.COMMAND.handle(operations.Request(operations=tuple(wanted)), ctx)
    assert isinstance(answer, Reply)
    octets = bytearray()
    for segment in answer.body:
        octets += segment if isinstance(segment, (bytes, bytearray, memoryview)) else await read(segment)
    document, *rest = multipart.parse(octets)
    response = load(operations.Response, wbxml.decode(document))
    check(response, "ItemOperations", V16_1)
    assert response.responses is not None
    return list(response.responses.fetched), [bytes(part) for part in rest]


@pytest.mark.requirement("MS-ASDOC_R106", "MS-ASDOC_R120", "MS-ASCMD_R5366", "MS-ASCMD_R3633")
async def test_documents_in_parts(shelf: Shelf) -> None:
    fetched, parts = await in_parts(shelf, unc("big.bin"), unc("nothing"), unc("a & <b>.txt"))
    assert [each.status for each in fetched] == [1, 6, 1]
    assert parts == [BIG, b"Hello\r\n"]
    assert await properties(fetched[2]) == (
        operations.AttachmentProperties(range="0-6", total=7, version=BORN, part=2),
        None,
    )
    (ranged,), parts = await in_parts(shelf, unc("big.bin"), range="10-70009")
    assert (await properties(ranged))[0].range == "10-70009"
    assert parts == [BIG[10:70_010]]


class Broken(MemoryBlob):
    """Octets that cannot be read, of any size."""

    claimed = 10

    @property
    def size(self) -> int:
        """See Blob."""
        return self.claimed

    def chunks(self, start: int = 0, end: int | None = None) -> Any:
        """See Blob."""
        raise StoreUnavailable("the file has become shorter")


class Failing(MemoryLibrary):
    """A library whose files change while they are read."""

    claimed = 10

    async def open(self, reader: Account, name: UncName) -> OpenDocument:
        """See DocumentLibrary."""
        content = Broken(b"")
        content.claimed = self.claimed
        return replace(await super().open(reader, name), content=content)


def failing(shelf: Shelf, claimed: int) -> MemoryShare:
    library = Failing(shelf.people)
    library.claimed = claimed
    library.shares = shelf.library.shares
    shelf.bench.documents = library
    return shelf.docs


@pytest.mark.requirement("MS-ASCMD_R4164")
async def test_a_document_that_changes_while_it_is_read(shelf: Shelf) -> None:
    failing(shelf, 10)
    assert (await shelf.fetch(unc("big.bin"))).status == 12
    fetched, parts = await in_parts(shelf, unc("big.bin"))
    assert ([each.status for each in fetched], parts) == ([12], [])


@pytest.mark.requirement("MS-ASCMD_R4163")
async def test_what_is_too_large(shelf: Shelf) -> None:
    failing(shelf, MAX_OCTETS + 1)
    assert (await shelf.fetch(unc("big.bin"))).status == 11
    assert (await shelf.fetch(unc("big.bin"), range="0-9")).status == 12
    assert (await shelf.fetch(unc("big.bin"), range="999999999-999999999")).status == 12
    failing(shelf, MAX_OCTETS)
    wanted = operations.Fetch(store="DocumentLibrary", link_id=unc("big.bin"))
    ctx = replace(await shelf.bench.context("ItemOperations"), accept_multipart=True)
    answer = await item_operations.COMMAND.handle(operations.Request(operations=(wanted,) * 5), ctx)
    assert isinstance(answer, Reply)
    document = bytes(next(iter(list(answer.body)[1:])))
    response = load(operations.Response, wbxml.decode(document))
    assert response.responses is not None
    assert [each.status for each in response.responses.fetched] == [1, 1, 1, 1, 11]


async def test_a_stranger_sees_nothing(shelf: Shelf) -> None:
    shelf.bench.account = replace(ALICE, user=ALICE.user, addresses=frozenset({"al@example.com"}))
    assert (await shelf.search(unc())).status == 1  # by the user's name
    shelf.docs.readers = frozenset({"al@example.com"})
    assert (await shelf.search(unc())).status == 1  # by another address
    shelf.docs.readers = frozenset()
    assert (await shelf.search(unc())).status == 5
