"""MoveItems, [MS-ASCMD] 2.2.1.12."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eas_server.commands.move_items import COMMAND, fail
from eas_server.model.ids import ROOT, CollectionId, ItemId, UserId
from eas_server.model.mail import FolderType
from protocol.codepages import tag
from protocol.commands.move_items import Move, Moved, Request, Response, Status
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.versions import SUPPORTED, V14_1
from tests.server.commands.mailbox import INBOX, Mailbox, mailbox, message
from tests.server.commands.support import ALICE, check

MAX_ID = 64


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as found:
        yield found


async def folder_of(box: Mailbox, type_: FolderType) -> CollectionId:
    return next(f.id for f in await box.store.folders.folders(ALICE.user) if f.type is type_)


async def subjects(box: Mailbox, folder: CollectionId, numbers: list[int]) -> list[str]:
    found = await box.store.mail.fetch(ALICE.user, folder, [ItemId(n) for n in numbers])
    return [item.index.subject for item in found]


async def move(box: Mailbox, *moves: tuple[str, str, str]) -> list[tuple[int, str | None]]:
    request = Request(moves=tuple(Move(source_id=s, source_folder=f, destinations=(t,)) for s, f, t in moves))
    response = await box.bench.run(COMMAND, request)
    assert isinstance(response, Response)
    assert response.status is None
    assert [r.source_id for r in response.responses] == [s for s, _, _ in moves]
    return [(int(r.status), r.target_id) for r in response.responses]


@pytest.mark.requirement("MS-ASCMD_R285", "MS-ASCMD_R290", "MS-ASCMD_R4215", "MS-ASCMD_R2217", "MS-ASCMD_R288")
@pytest.mark.requirement(
    "MS-ASCMD_R2219", "MS-ASCMD_R5870", "MS-ASCMD_R3822", "MS-ASCMD_R3977", "MS-ASCMD_R4200", "MS-ASCMD_R4217"
)
async def test_items_move_and_get_new_ids(box: Mailbox) -> None:
    trash = await folder_of(box, FolderType.DELETED_ITEMS)
    numbers = [await box.deliver(message(f"m{n}")) for n in range(3)]
    moved = await move(box, *[(f"{INBOX}:{n}", INBOX, trash) for n in reversed(numbers)])
    assert [status for status, _ in moved] == [3, 3, 3]
    assert all(len(str(target)) <= MAX_ID for _, target in moved)
    new = [int(str(target).removeprefix(f"{trash}:")) for _, target in moved]
    assert await subjects(box, trash, new) == ["m2", "m1", "m0"]
    assert await subjects(box, INBOX, numbers) == []


@pytest.mark.requirement("MS-ASCMD_R289")
async def test_a_device_hears_of_the_move_in_both_folders(box: Mailbox) -> None:
    trash = await folder_of(box, FolderType.DELETED_ITEMS)
    number = await box.deliver(message("moving"))
    here, there = box.phone(), box.phone(folder=trash)
    await here.all()
    await there.all()
    await move(box, (f"{INBOX}:{number}", INBOX, trash))
    await here.all()
    await there.all()
    assert here.items == {}
    assert [item.subject for item in there.items.values()] == ["moving"]


@pytest.mark.requirement(
    "MS-ASCMD_R4206", "MS-ASCMD_R4207", "MS-ASCMD_R4208", "MS-ASCMD_R4211", "MS-ASCMD_R4212", "MS-ASCMD_R4218"
)
@pytest.mark.requirement("MS-ASCMD_R4219", "MS-ASCMD_R4201")
async def test_each_move_has_its_own_status(box: Mailbox) -> None:
    trash = await folder_of(box, FolderType.DELETED_ITEMS)
    sent = await folder_of(box, FolderType.SENT_ITEMS)
    calendar = await folder_of(box, FolderType.CALENDAR)
    one, two = [f"{INBOX}:{await box.deliver(message(name))}" for name in ("one", "two")]
    answers = await move(
        box,
        (one, "999", trash),
        (one, sent, trash),
        (f"{INBOX}:999", INBOX, trash),
        ("nonsense", INBOX, trash),
        (one, INBOX, "999"),
        (one, INBOX, calendar),
        (one, INBOX, INBOX),
        (one, INBOX, trash),
        (one, INBOX, sent),
        (two, INBOX, sent),
        (two, INBOX, sent),
    )
    assert [status for status, _ in answers] == [1, 1, 1, 1, 2, 2, 4, 3, 1, 3, 1]
    assert [target is not None for _, target in answers] == [status == 3 for status, _ in answers]


async def test_other_peoples_folders_and_items_are_not_there(box: Mailbox) -> None:
    await box.store.admin.add_user("bob@example.com", "secret")
    bob = UserId("bob@example.com")
    his = await box.store.folders.create_folder(bob, ROOT, "His", FolderType.USER_MAIL)
    assert his.id not in {f.id for f in await box.store.folders.folders(ALICE.user)}
    number = await box.deliver(message("mine"))
    answers = await move(box, (f"{INBOX}:{number}", INBOX, his.id), (f"{his.id}:1", his.id, INBOX))
    assert [status for status, _ in answers] == [2, 1]
    assert await subjects(box, INBOX, [number]) == ["mine"]


@pytest.mark.requirement("MS-ASCMD_R4221", "MS-ASCMD_R4222")
async def test_several_destinations(box: Mailbox) -> None:
    trash = await folder_of(box, FolderType.DELETED_ITEMS)
    number = await box.deliver(message("m"))
    request = Request(moves=(Move(source_id=f"{INBOX}:{number}", source_folder=INBOX, destinations=(trash, "4")),))
    assert await box.bench.run(COMMAND, request) == Response(status=5)
    assert await subjects(box, INBOX, [number]) == ["m"]


def element(name: str, *content: Element | str) -> Element:
    text = content[0] if content and isinstance(content[0], str) else None
    return Element(tag(f"Move:{name}"), text if text is not None else [c for c in content if isinstance(c, Element)])


def one_move(source: str = "1:1", folder: str = "1", *targets: str) -> Element:
    targets = targets or ("4",)
    return element(
        "Move", element("SrcMsgId", source), element("SrcFldId", folder), *[element("DstFldId", t) for t in targets]
    )


@pytest.mark.requirement("MS-ASCMD_R5652")
async def test_a_thousand_moves_are_carried_out(box: Mailbox) -> None:
    response = await box.bench.run_tree(COMMAND, element("MoveItems", *[one_move() for _ in range(1000)]))
    assert {r.status for r in response.responses} == {1}


@pytest.mark.requirement(
    "MS-ASCMD_R5653", "MS-ASCMD_R1966", "MS-ASCMD_R3978", "MS-ASCMD_R5882", "MS-ASCMD_R3975", "MS-ASCMD_R2216"
)
@pytest.mark.parametrize(
    "root",
    [
        element("MoveItems"),
        element("MoveItems", *[one_move() for _ in range(1001)]),
        element("MoveItems", one_move("1:" + "1" * 63)),
        element("MoveItems", one_move("")),
        element("MoveItems", one_move("1:1", "1" * 65)),
        element("MoveItems", one_move("1:1", "1", "1" * 65)),
        element("MoveItems", element("Move", element("SrcMsgId", "1:1"), element("SrcFldId", "1"))),
        element("MoveItems", element("Move", element("SrcMsgId", "1:1"), element("DstFldId", "1"))),
    ],
    ids=["none", "too many", "long id", "no id", "long source", "long destination", "no destination", "no source"],
)
async def test_what_is_no_request(box: Mailbox, root: Element) -> None:
    with pytest.raises(MalformedXml) as caught:
        await box.bench.run_tree(COMMAND, root)
    assert COMMAND.refuse(caught.value, V14_1) is None


@pytest.mark.requirement("MS-ASCMD_R7249")
def test_a_status_for_the_whole() -> None:
    assert fail(103, V14_1) == Response(status=103)
    for version in SUPPORTED:
        check(fail(103, version), "MoveItems", version)
        check(
            Response(responses=(Moved(source_id="1:1", status=Status.SUCCESS, target_id="4:1"),)), "MoveItems", version
        )
