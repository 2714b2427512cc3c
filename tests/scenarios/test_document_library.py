"""The document library through a real server, in every version."""

import base64
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from eas_server.backends.sqlite import Store
from eas_server.lab.transport import TransportError
from eas_server.model.directory import DirectoryEntry, EntryKind
from protocol.client import ITEM_OPERATIONS, SEARCH
from protocol.codepages import tag
from protocol.commands import item_operations as operations
from protocol.commands import search
from protocol.elements import Element, Inline
from protocol.items.document_library import DocumentProperties
from protocol.schema import load
from protocol.versions import SUPPORTED, V16_1, ProtocolVersion
from tests.scenarios.server import HOME, NAMES, PASSWORD, Server, ValidatedDevice, World

VERSIONS = pytest.mark.parametrize("version", SUPPORTED, ids=str)
BIG = os.urandom(3_000_000)
CONFIG = """
[[shares]]
hosts = ["files.example.com", "files:8445"]
name = "Docs"
path = "shares/docs"
readers = ["alice@example.com", "team@example.com"]
[[shares]]
hosts = ["files.example.com"]
name = "open"
path = "shares/open"
readers = ["*"]
show_hidden = false
[[shares]]
hosts = ["files.example.com"]
name = "gone"
path = "shares/gone"
readers = ["*"]
"""


async def people(store: Store) -> None:
    """Alice, bob and carol; bob is the team."""
    for name in NAMES:
        await store.admin.add_user(f"{name}@example.com", PASSWORD)
    team = DirectoryEntry(key="", kind=EntryKind.GROUP, display_name="Team", email="team@example.com")
    await store.admin.add_group(team, ["bob@example.com"])


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with shares; at the end nothing may have gone wrong inside it."""
    running = Server(tmp_path_factory.mktemp("library"), CONFIG)
    docs, public = running.folder / "shares" / "docs", running.folder / "shares" / "open"
    (docs / "Reports").mkdir(parents=True)
    public.mkdir()
    (docs / "Reports" / "Q1 Übersicht.pdf").write_bytes(b"%PDF first quarter")
    (docs / "big.bin").write_bytes(BIG)
    (docs / ".hidden").write_bytes(b"x")
    (docs / "out").symlink_to("../../store.db")
    (public / ".hidden").write_bytes(b"x")
    (public / "empty").write_bytes(b"")
    running.open(people)
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log
    assert (running.folder / "stderr.txt").read_text() == ""


@pytest.fixture
async def home(library: Server) -> AsyncIterator[World]:
    made = World(library, HOME)
    yield made
    await made.close()


async def device(home: World, name: str, version: ProtocolVersion) -> ValidatedDevice:
    made = home.device(name, version, device_id=f"{name}{version.value}")
    assert await made.provision()
    return made


async def find(device: ValidatedDevice, link: str, **options: object) -> search.StoreResponse:
    condition = Element(
        tag("Search:EqualTo"), [Element(tag("DocumentLibrary:LinkId")), Element(tag("Search:Value"), link)]
    )
    store = search.Store(
        name="DocumentLibrary",
        query=Element(tag("Search:Query"), [condition]),
        options=search.Options(**options),  # type: ignore[arg-type]
    )
    response = (await device.call(SEARCH, search.Request(store=store))).take()
    assert response.status == 1
    assert response.answer is not None
    return response.answer.store


def told(store: search.StoreResponse) -> dict[str, DocumentProperties]:
    """By DisplayName, in order."""
    found = [load(DocumentProperties, each.properties) for each in store.results if each.properties is not None]
    return {each.display_name: each for each in found}


async def fetch(
    device: ValidatedDevice, *links: str, multiparts: bool = False, **options: object
) -> tuple[list[tuple[int, str | None, bytes]], object]:
    """Status, Range and octets of each."""
    wanted = [
        operations.Fetch(store="DocumentLibrary", link_id=link, options=operations.FetchOptions(**options))  # type: ignore[arg-type]
        for link in links
    ]
    answer = await device.call(ITEM_OPERATIONS, operations.Request(operations=tuple(wanted)), multiparts=multiparts)
    response = answer.take()
    assert (response.status, response.responses is not None) == (1, True)
    found: list[tuple[int, str | None, bytes]] = []
    for each in response.responses.fetched if response.responses else ():
        if each.properties is None:
            found.append((each.status, None, b""))
            continue
        properties = load(operations.AttachmentProperties, each.properties)
        assert properties.version is not None
        if properties.part is not None:
            octets = answer.parts[properties.part - 1]
        else:
            data = properties.data
            octets = base64.b64decode(bytes(data.octets) if isinstance(data, Inline) else data or "", validate=True)  # type: ignore[arg-type]
        found.append((each.status, properties.range, octets))
    return found, answer


@VERSIONS
@pytest.mark.requirement("MS-ASDOC_R110", "MS-ASDOC_R111", "MS-ASDOC_R101", "MS-ASCMD_R3855", "MS-ASCMD_R3858")
async def test_from_the_share_to_the_octets(home: World, version: ProtocolVersion) -> None:
    """A device goes down from the share, by the LinkIds that it is told, and fetches what it finds."""
    alice = await device(home, "alice", version)
    top = told(await find(alice, r"\\FILES.example.com\docs", range="0-99"))
    assert list(top) == ["Docs", "Reports", ".hidden", "big.bin"]
    assert [each.is_hidden for each in top.values()] == [False, False, True, False]
    inside = told(await find(alice, top["Reports"].link_id))
    assert list(inside) == ["Reports", "Q1 Übersicht.pdf"]
    report = inside["Q1 Übersicht.pdf"]
    assert (report.content_length, report.content_type) == (18, "application/pdf")
    assert list(told(await find(alice, report.link_id))) == ["Q1 Übersicht.pdf"]
    links = (report.link_id, top["big.bin"].link_id)
    whole, _ = await fetch(alice, *links)
    assert whole == [(1, "0-17", b"%PDF first quarter"), (1, "0-2999999", BIG)]
    parts, _ = await fetch(alice, *links, multiparts=True)
    assert parts == whole
    for multiparts in (False, True):
        pieces, _ = await fetch(alice, *links, multiparts=multiparts, range="10-1000009")
        assert pieces == [(1, "10-17", b" quarter"), (1, "10-1000009", BIG[10:1_000_010])]


@VERSIONS
@pytest.mark.requirement("MS-ASCMD_R4339", "MS-ASCMD_R4342", "MS-ASCMD_R4336", "MS-ASCMD_R4345", "MS-ASCMD_R4367")
async def test_who_may_and_who_may_not(home: World, version: ProtocolVersion) -> None:
    bob, carol = await device(home, "bob", version), await device(home, "carol", version)
    docs, file = r"\\files:8445\docs", r"\\files.example.com\docs\Reports\q1 übersicht.pdf"
    assert (await find(bob, docs)).status == 1
    statuses = {
        docs: (5, 5),
        file: (5, 5),
        r"\\files.example.com\open": (1, 6),
        r"\\files.example.com\open\.hidden": (6, 6),
        r"\\files.example.com\open\empty": (1, 10),
        r"\\files.example.com\other": (6, 6),
        r"\\files.example.com\gone": (7, 7),
        r"\\files.example.com\open\..\docs": (4, 4),
        "https://files.example.com/open": (13, 5),
    }
    for link, (searched, fetched) in statuses.items():
        assert ((await find(carol, link)).status, (await fetch(carol, link))[0][0][0]) == (searched, fetched), link
    assert (await find(carol, docs, user_name="bob", password=PASSWORD)).status == 1
    assert (await fetch(carol, file, user_name="EXAMPLE\\bob", password=PASSWORD))[0][0][2] == b"%PDF first quarter"
    assert (await find(carol, docs, user_name="bob", password="wrong")).status == 14
    assert (await fetch(carol, docs, user_name="bob"))[0][0][0] == 18
    assert (await fetch(bob, r"\\files.example.com\docs\out"))[0][0][0] == 5


async def test_a_file_that_changes_on_its_way(home: World, library: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been begun is broken off, and the server goes on."""
    path = library.folder / "shares" / "open" / "growing"
    path.touch()
    os.truncate(path, 400_000_000)
    alice = await device(home, "alice", V16_1)
    wanted = operations.Fetch(store="DocumentLibrary", link_id=r"\\files.example.com\open\growing")
    request = alice.client.request(ITEM_OPERATIONS, operations.Request(operations=(wanted,)), multiparts=True)
    real = alice.transport._connection

    async def connection() -> object:
        made = await real()
        read = made._reader.readuntil

        async def readuntil(separator: bytes) -> bytes:
            head = await read(separator)
            os.truncate(path, 10)
            return head

        monkeypatch.setattr(made._reader, "readuntil", readuntil)
        return made

    monkeypatch.setattr(alice.transport, "_connection", connection)
    with pytest.raises(TransportError):
        await alice.transport.send(request)
    monkeypatch.undo()
    path.unlink()
    assert (await find(alice, r"\\files.example.com\open")).total == 2
    assert "the answer broke off: the file has become shorter" in library.log
