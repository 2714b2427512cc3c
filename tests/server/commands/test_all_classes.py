"""MoveItems, GetItemEstimate and Sync where the class of a folder matters."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import get_item_estimate, move_items, sync
from eas_server.commands.get_item_estimate import MAX_COLLECTIONS
from eas_server.errors import CommandError
from eas_server.model.ids import ROOT, CollectionId, ItemId
from eas_server.model.mail import FolderType
from protocol.codepages import tag
from protocol.commands import get_item_estimate as estimates
from protocol.commands import move_items as moving
from protocol.commands.sync import Collection, Collections, Options, Request, Status
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.versions import SUPPORTED, V12_1, V14_0, V16_1, ProtocolVersion
from tests.server.commands.keeping import folder_of, keep
from tests.server.commands.mailbox import INBOX, Mailbox, mailbox, message
from tests.server.commands.support import ALICE, Bench, check

KINDS = {
    "Calendar": FolderType.USER_CALENDAR,
    "Contacts": FolderType.USER_CONTACTS,
    "Tasks": FolderType.USER_TASKS,
    "Notes": FolderType.USER_NOTES,
}


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as found:
        yield found


# ---- MoveItems


async def move(box: Mailbox, name: str, target: str, version: ProtocolVersion = V16_1) -> moving.Moved:
    wanted = moving.Move(source_id=name, source_folder=name.split(":", maxsplit=1)[0], destinations=(target,))
    response = await replace(box.bench, version=version).run(move_items.COMMAND, moving.Request(moves=(wanted,)))
    (moved,) = response.responses
    assert isinstance(moved, moving.Moved)
    return moved


@pytest.mark.requirement("MS-ASCMD_R285", "MS-ASCMD_R290", "MS-ASCMD_R4215")
@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("name", KINDS)
async def test_items_move_among_folders_of_their_class(box: Mailbox, name: str, version: ProtocolVersion) -> None:
    id_ = (await keep(box))[name]
    folder, number = id_.split(":")
    (before,) = await box.store.mail.fetch(ALICE.user, CollectionId(folder), [ItemId(int(number))])
    target = (await box.store.folders.create_folder(ALICE.user, ROOT, "Other", KINDS[name])).id
    moved = await move(box, id_, target, version)
    assert moved.status == moving.Status.SUCCESS
    there, now = str(moved.target_id).split(":")
    assert there == target
    (item,) = await box.store.mail.fetch(ALICE.user, target, [ItemId(int(now))])
    assert (item.received, item.content.size) == (before.received, before.content.size)
    assert not await box.store.mail.fetch(ALICE.user, CollectionId(folder), [ItemId(int(number))])
    assert (await move(box, id_, target, version)).status == moving.Status.INVALID_SOURCE


@pytest.mark.requirement("MS-ASCMD_R4211", "MS-ASCMD_R4206")
async def test_items_stay_among_their_like(box: Mailbox) -> None:
    made = await keep(box)
    mail = f"{INBOX}:{await box.deliver(message('mail'))}"
    cache = await folder_of(box, FolderType.RECIPIENT_INFORMATION_CACHE)
    wrong = moving.Status.INVALID_DESTINATION
    for name, id_ in made.items():
        assert (await move(box, id_, INBOX)).status == wrong
        for other, place in made.items():
            status = moving.Status.SAME_FOLDER if other == name else wrong
            assert (await move(box, id_, place.split(":")[0])).status == status
        assert (await move(box, mail, id_.split(":")[0])).status == wrong
        assert (await move(box, id_, cache)).status == wrong
    contacts = made["Contacts"].split(":")[0]
    assert (await move(box, f"{cache}:1", contacts)).status == moving.Status.INVALID_SOURCE


# ---- GetItemEstimate


async def key_of(bench: Bench, folder: str) -> str:
    """A folder begun: the key after 0."""
    asked = Collection(sync_key="0", collection_id=folder)
    response = await bench.run(sync.COMMAND, Request(collections=Collections(collections=(asked,))))
    (answer,) = response.collections.collections
    assert answer.status == Status.SUCCESS
    return str(answer.sync_key)


async def estimate(bench: Bench, folder: str, key: str, **asked: Any) -> estimates.CollectionResponse:
    wanted = estimates.Collection(sync_key=key, collection_id=folder, **asked)
    response = await bench.run(get_item_estimate.COMMAND, estimates.Request(collections=(wanted,)))
    (answer,) = response.responses
    assert isinstance(answer, estimates.CollectionResponse)
    return answer


@pytest.mark.requirement("MS-ASCMD_R171")
@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.requirement(
    "MS-ASCMD_R983",
    "MS-ASCMD_R2289",
    "MS-ASCMD_R3859",
    "MS-ASCMD_R4127",
    "MS-ASCMD_R4130",
    "MS-ASCMD_R4134",
    "MS-ASCMD_R4140",
    "MS-ASCMD_R4593",
    "MS-ASCMD_R4594",
    "MS-ASCMD_R4144",
)
async def test_an_estimate_for_each_class(box: Mailbox, version: ProtocolVersion) -> None:
    made = await keep(box)
    bench = replace(box.bench, version=version)
    for name, id_ in made.items():
        folder = id_.split(":")[0]
        assert (await estimate(bench, folder, "0")).status == estimates.Status.NOT_PRIMED
        assert (await estimate(bench, folder, "99")).status == estimates.Status.INVALID_SYNC_KEY
        key = await key_of(bench, folder)
        answer = await estimate(bench, folder, key)
        assert answer.collection is not None
        assert (answer.status, answer.collection.collection_id) == (estimates.Status.SUCCESS, folder)
        assert answer.collection.estimate == (0 if name == "Notes" and version < V14_0 else 1)


async def test_an_estimate_by_the_filter_of_a_class(box: Mailbox) -> None:
    made = await keep(box)
    tasks = made["Tasks"].split(":")[0]
    key = await key_of(box.bench, tasks)
    incomplete = Options(filter_type=8, item_class="Tasks")
    answer = await estimate(box.bench, tasks, key, options=(incomplete,))
    assert answer.collection is not None
    assert answer.collection.estimate == 1
    with pytest.raises(CommandError) as failed:
        await estimate(box.bench, tasks, key, options=(Options(filter_type=3),))
    assert failed.value.status == 110  # MS-ASCMD_R3005
    other = Options(item_class="Email")
    assert (await estimate(box.bench, tasks, key, options=(other,))).status == 4  # MS-ASCMD_R908


@pytest.mark.requirement("MS-ASCMD_R5646", "MS-ASCMD_R5647")
@pytest.mark.parametrize(("version", "status"), [(V12_1, 2), (V14_0, 103), (V16_1, 103)])
async def test_how_many_collections(box: Mailbox, version: ProtocolVersion, status: int) -> None:
    bench = replace(box.bench, version=version)
    for count, wanted in ((MAX_COLLECTIONS, None), (MAX_COLLECTIONS + 1, status)):
        collections = (estimates.Collection(sync_key="1", collection_id="none"),) * count
        response = await bench.run(get_item_estimate.COMMAND, estimates.Request(collections=collections))
        assert response.status == wanted
        assert len(response.responses) == (count if wanted is None else 0)


# ---- Sync


@pytest.mark.requirement("MS-ASNOTE_R114")
async def test_notes_have_no_supported(box: Mailbox) -> None:
    notes = await folder_of(box, FolderType.NOTES)
    named = Element(tag("AirSync:Supported"), [Element(tag("Notes:Subject"))])

    async def answered(key: str, supported: Element | None) -> int:
        asked = Collection(sync_key=key, collection_id=notes, supported=supported)
        response = await box.bench.run(sync.COMMAND, Request(collections=Collections(collections=(asked,))))
        return int(response.collections.collections[0].status)

    assert await answered("0", named) == Status.PROTOCOL_ERROR
    key = await key_of(box.bench, notes)
    assert await answered(key, named) == Status.PROTOCOL_ERROR
    assert await answered("0", Element(tag("AirSync:Supported"))) == Status.SUCCESS  # quirks.EMPTY_SUPPORTED


async def test_an_estimate_of_a_filter_at_12_1(box: Mailbox) -> None:
    bench = replace(box.bench, version=V12_1)
    await box.deliver(message("mail"))
    key = await key_of(bench, INBOX)
    answer = await estimate(bench, INBOX, key, filter_type=1)
    assert answer.collection is not None
    assert answer.collection.estimate == 1


EMAIL_FILTERS = {0: "R2999", 1: "R3000", 2: "R3001", 3: "R3002", 4: "R3003", 5: "R3004"}
CALENDAR_FILTERS = {0: "R3008", 4: "R3012", 5: "R3013", 6: "R3014", 7: "R3015"}
TASK_FILTERS = {0: "R3017", 8: "R3025"}
"""By class: the filters that it has, with the requirements that say so."""
REFUSED = {
    "Email": {6: "R3005", 7: "R3006", 8: "R3007"},
    "Calendar": {1: "R3009", 2: "R3010", 3: "R3011", 8: "R3016"},
    "Tasks": {1: "R3018", 2: "R3019", 3: "R3020", 4: "R3021", 5: "R3022", 6: "R3023", 7: "R3024"},
}
FILTERS = [
    pytest.param(name, filter_type, status, marks=pytest.mark.requirement(f"MS-ASCMD_{requirement}"))
    for status, table in (
        (1, {"Email": EMAIL_FILTERS, "Calendar": CALENDAR_FILTERS, "Tasks": TASK_FILTERS}),
        (110, REFUSED),
    )
    for name, filters in table.items()
    for filter_type, requirement in filters.items()
]


@pytest.mark.parametrize(("name", "filter_type", "status"), FILTERS)
async def test_the_filters_of_each_class(box: Mailbox, name: str, filter_type: int, status: int) -> None:
    kinds = {"Email": FolderType.INBOX, "Calendar": FolderType.CALENDAR, "Tasks": FolderType.TASKS}
    folder = await folder_of(box, kinds[name])
    key = await key_of(box.bench, folder)
    wanted = Options(filter_type=filter_type)
    if status == 1:
        assert (await estimate(box.bench, folder, key, options=(wanted,))).status == estimates.Status.SUCCESS
        return
    with pytest.raises(CommandError) as failed:
        await estimate(box.bench, folder, key, options=(wanted,))
    assert failed.value.status == status


@pytest.mark.requirement("MS-ASCMD_R2984")
@pytest.mark.parametrize("wrong", [Element(tag("AirSync:FilterType"), "9"), Element(tag("AirSync:FilterType"), "-1")])
async def test_filters_that_there_are_not(box: Mailbox, wrong: Element) -> None:
    inner = [
        Element(tag("AirSync:SyncKey"), "1"),
        Element(tag("GetItemEstimate:CollectionId"), INBOX),
        Element(tag("AirSync:Options"), [wrong]),
    ]
    collections = Element(tag("GetItemEstimate:Collections"), [Element(tag("GetItemEstimate:Collection"), inner)])
    with pytest.raises(MalformedXml) as failed:
        await box.bench.run_tree(
            get_item_estimate.COMMAND, Element(tag("GetItemEstimate:GetItemEstimate"), [collections])
        )
    for version, status in ((V12_1, 2), (V14_0, 103), (V16_1, 103)):
        answer = get_item_estimate.COMMAND.refuse(failed.value, version)
        check(answer, "GetItemEstimate", version)
        assert isinstance(answer, estimates.Response)
        assert answer.status == status
