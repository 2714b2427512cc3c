"""Search, [MS-ASCMD] 2.2.1.16."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import item_operations, mailbox_search
from eas_server.commands.search import COMMAND, fail, refuse
from eas_server.errors import DirectoryUnavailable, StoreUnavailable
from eas_server.model.ids import ROOT, CollectionId, ItemId, UserId
from eas_server.model.mail import FolderType
from eas_server.model.settings import RecipientSettings, Settings, SyncSettings
from protocol.codepages import tag
from protocol.commands import item_operations as operations
from protocol.commands.search import (
    Answer,
    GalProperties,
    Options,
    PictureOptions,
    Request,
    Response,
    Result,
    Store,
    StoreResponse,
)
from protocol.elements import Element, Inline, Opaque
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import BodyPartPreference, BodyPreference, BodyType
from protocol.items.email import Email
from protocol.schema import EMPTY, load, tag_of
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_1, ProtocolVersion
from tests.server.commands.keeping import keep
from tests.server.commands.mailbox import INBOX, Mailbox, mailbox, message
from tests.server.commands.people import People, people, person
from tests.server.commands.support import ALICE, NOW, Bench, check

TAG_QUERY = tag("Search:Query")


def answered(response: Any) -> StoreResponse:
    assert isinstance(response, Response)
    assert response.status == 1
    assert response.answer is not None
    return response.answer.store


# ---- the global address list


async def gal(words: str, on: Any = None, version: ProtocolVersion = V16_1, **options: Any) -> StoreResponse:
    bench = Bench(directory=on or people(), version=version)
    request = Request(store=Store(name="GAL", query=Element(TAG_QUERY, words), options=Options(**options)))
    return answered(await bench.run(COMMAND, request))


def entries(store: StoreResponse) -> list[GalProperties]:
    assert all(result.properties is not None for result in store.results)
    return [load(GalProperties, result.properties) for result in store.results if result.properties is not None]


def names(store: StoreResponse) -> list[str | None]:
    return [entry.display_name for entry in entries(store)]


@pytest.mark.requirement("MS-ASCMD_R415", "MS-ASCMD_R420", "MS-ASCMD_R426", "MS-ASCMD_R3699", "MS-ASCMD_R5752")
@pytest.mark.parametrize("words", ["example", "EXAMPLE", "exam"])
@pytest.mark.requirement("MS-ASCMD_R421", "MS-ASCMD_R3698")
async def test_people_are_found_in_the_order_of_their_names(words: str) -> None:
    found = await gal(words)
    assert (found.status, found.total, found.range) == (1, 4, None)
    assert names(found) == ["Alice Example", "Bob Example", "Carol Example", "Dave Example"]


@pytest.mark.requirement("MS-ASCMD_R417", "MS-ASCMD_R3690", "MS-ASCMD_R3691", "MS-ASCMD_R5711")
@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.requirement("MS-ASCMD_R5287", "MS-ASCMD_R3848", "MS-ASCMD_R3692")
async def test_all_properties_that_are_not_empty(version: ProtocolVersion) -> None:
    rich = person(
        "rich",
        title="Dr.",
        company="Example Ltd",
        office="Room 5",
        phone="+49 30 1",
        home_phone="+49 30 2",
        mobile_phone="+49 170 3",
    )
    found = await gal("rich", People(rich, person("poor", first_name="", last_name="", alias="")), version)
    (entry,) = entries(found)
    assert entry == GalProperties(
        display_name="Rich Example",
        phone="+49 30 1",
        office="Room 5",
        title="Dr.",
        company="Example Ltd",
        alias="rich",
        first_name="Rich",
        last_name="Example",
        home_phone="+49 30 2",
        mobile_phone="+49 170 3",
        email_address="rich@example.com",
    )
    poor = (await gal("poor", People(person("poor", first_name="", last_name="", alias="")))).results[0].properties
    assert poor is not None
    assert [child.tag.name for child in poor.children] == ["DisplayName", "EmailAddress"]


@pytest.mark.requirement("MS-ASCMD_R419", "MS-ASCMD_R3726", "MS-ASCMD_R3727", "MS-ASCMD_R3729", "MS-ASCMD_R4637")
@pytest.mark.parametrize(
    ("span", "shown", "first"),
    [
        ("0-0", "0-0", "Alice"),
        ("0-3", "0-3", "Alice"),
        ("1-2", "1-2", "Bob"),
        ("2-50", "2-3", "Carol"),
        ("0-99", "0-3", "Alice"),
    ],
)
@pytest.mark.requirement("MS-ASCMD_R3725", "MS-ASCMD_R431", "MS-ASCMD_R4636")
async def test_a_range_of_people(span: str, shown: str, first: str) -> None:
    found = await gal("example", range=span)
    low, high = map(int, shown.split("-"))
    assert (found.status, found.range, found.total, len(found.results)) == (1, shown, 4, high - low + 1)
    assert names(found)[0] == f"{first} Example"


@pytest.mark.requirement("MS-ASCMD_R3735", "MS-ASCMD_R416", "MS-ASCMD_R3730")
async def test_at_most_a_hundred() -> None:
    crowd = People(*[person(f"p{n:03}") for n in range(150)])
    found = await gal("example", crowd)
    assert (found.status, found.total, len(found.results)) == (1, 150, 100)


@pytest.mark.requirement("MS-ASCMD_R3736", "MS-ASCMD_R4360", "MS-ASCMD_R4361")
@pytest.mark.parametrize(
    ("span", "shown"), [("0-100", "0-99"), ("0-999", "0-99"), ("50-149", "50-99"), ("100-149", None), ("140-150", None)]
)
async def test_a_range_beyond_what_can_be_had(span: str, shown: str | None) -> None:
    crowd = People(*[person(f"p{n:03}") for n in range(150)])
    found = await gal("example", crowd, range=span)
    assert (found.status, found.range, found.total) == (12, shown, 150)


@pytest.mark.requirement("MS-ASCMD_R4361")
async def test_a_range_behind_the_last_one() -> None:
    found = await gal("example", range="4-9")
    assert (found.status, found.range, found.total, found.results) == (12, None, 4, ())


@pytest.mark.requirement("MS-ASCMD_R3847", "MS-ASCMD_R7078", "MS-ASCMD_R4319")
@pytest.mark.parametrize("span", [None, "0-9"])
async def test_nobody_is_found(span: str | None) -> None:
    assert await gal("nobody", range=span) == StoreResponse(status=1, total=0)


@pytest.mark.requirement("MS-ASCMD_R4328", "MS-ASCMD_R4329")
@pytest.mark.parametrize("span", ["", "5", "a-b", "5-2", "0-", "-5", "0-9-9", "0-1234567890"])
async def test_what_is_no_range(span: str) -> None:
    assert await gal("example", range=span) == StoreResponse(status=2)


@pytest.mark.requirement("MS-ASCMD_R4328")
@pytest.mark.parametrize("words", ["", "   "])
async def test_a_query_without_words(words: str) -> None:
    assert await gal(words) == StoreResponse(status=2)


@pytest.mark.requirement(
    "MS-ASCMD_R3294", "MS-ASCMD_R3295", "MS-ASCMD_R3296", "MS-ASCMD_R3297", "MS-ASCMD_R4372", "MS-ASCMD_R4375"
)
@pytest.mark.requirement("MS-ASCMD_R4373", "MS-ASCMD_R4374", "MS-ASCMD_R1472")
@pytest.mark.requirement("MS-ASCMD_R2135", "MS-ASCMD_R3674", "MS-ASCMD_R3310", "MS-ASCMD_R3311", "MS-ASCMD_R4371")
async def test_pictures() -> None:
    small, large = b"\0" * 10, b"x" * 11
    directory = People(person("a", picture=small), person("b"), person("c", picture=large), person("d", picture=small))
    found = await gal("example", directory, picture=PictureOptions(max_size=10, max_pictures=1))
    pictures = [entry.picture for entry in entries(found)]
    assert [(p.status, p.data) for p in pictures if p] == [(1, small), (173, None), (174, None), (175, None)]
    properties = found.results[0].properties
    assert properties is not None
    assert isinstance(properties.children[-1].children[1].content, Opaque)


@pytest.mark.requirement("MS-ASCMD_R6971", "MS-ASCMD_R6972")
@pytest.mark.parametrize("version", [V12_1, V14_0])
async def test_pictures_come_with_14_1(version: ProtocolVersion) -> None:
    (entry,) = entries(await gal("alice", version=version, picture=PictureOptions()))
    assert entry.picture is None


class Down(People):
    """A directory that does not answer."""

    async def search(self, query: str, offset: int, limit: int) -> Any:
        """See Directory."""
        raise DirectoryUnavailable


async def test_a_directory_that_is_down_is_not_an_empty_one() -> None:
    with pytest.raises(DirectoryUnavailable):
        await gal("example", Down())


# ---- the mailbox


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as found:
        yield found


def condition(name: str, content: str | bytes) -> Element:
    return Element(tag(name), content if isinstance(content, str) else Opaque(content))


def words(text: str) -> Element:
    return condition("Search:FreeText", text)


def within(collection: str) -> Element:
    return condition("AirSync:CollectionId", collection)


def of_class(name: str) -> Element:
    return condition("AirSync:Class", name)


def compared(name: str, value: str, compared_by: str = "Email:DateReceived") -> Element:
    return Element(tag(f"Search:{name}"), [Element(tag(compared_by)), condition("Search:Value", value)])


def both(*conditions: Element) -> Element:
    return Element(tag("Search:And"), list(conditions) or None)


async def search(box: Mailbox, *query: Element, version: ProtocolVersion = V16_1, **options: Any) -> StoreResponse:
    store = Store(name="Mailbox", query=Element(TAG_QUERY, list(query)), options=Options(**options))
    return answered(await replace(box.bench, version=version).run(COMMAND, Request(store=store)))


def emails(store: StoreResponse) -> list[Email]:
    found = [result.properties for result in store.results]
    return [load(Email, Element(tag_of(Email), properties.content)) for properties in found if properties is not None]


def subjects(store: StoreResponse) -> list[str | None]:
    return [email.subject for email in emails(store)]


async def new_folder(box: Mailbox, name: str, parent: CollectionId = ROOT) -> CollectionId:
    return (await box.store.folders.create_folder(ALICE.user, parent, name, FolderType.USER_MAIL)).id


@pytest.mark.requirement(
    "MS-ASCMD_R3103", "MS-ASCMD_R3703", "MS-ASCMD_R5849", "MS-ASCMD_R2513", "MS-ASCMD_R3849", "MS-ASCMD_R2028"
)
@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.requirement(
    "MS-ASCMD_R3844",
    "MS-ASCMD_R3846",
    "MS-ASCMD_R3687",
    "MS-ASCMD_R4531",
    "MS-ASCMD_R4327",
    "MS-ASCMD_R4633",
    "MS-ASCMD_R3862",
    "MS-ASCMD_R3851",
)
@pytest.mark.requirement("MS-ASCMD_R5286", "MS-ASCMD_R5293", "MS-ASCMD_R5300", "MS-ASCMD_R5316", "MS-ASCMD_R5323")
@pytest.mark.requirement("MS-ASCMD_R5330", "MS-ASCMD_R5353", "MS-ASCMD_R5360", "MS-ASCMD_R5368", "MS-ASCMD_R5391")
async def test_messages_are_found_the_newest_first(box: Mailbox, version: ProtocolVersion) -> None:
    await box.deliver(message("old apples", "red"), age=timedelta(days=2))
    new = await box.deliver(message("new", "green apples"), age=timedelta(days=1))
    await box.deliver(message("pears"))
    found = await search(box, both(words("apple")), version=version)
    assert (found.status, found.total, found.range) == (1, 2, None)
    assert subjects(found) == ["new", "old apples"]
    first = found.results[0]
    assert (first.item_class, first.collection_id, first.long_id) == ("Email", INBOX, f"{INBOX}:{new}")
    assert first.properties is not None
    assert not any(child.tag.namespace == "GAL" for child in first.properties.children)  # that is of people alone
    assert subjects(await search(box, both(words("apples"), words("green")), version=version)) == ["new"]


@pytest.mark.requirement("MS-ASCMD_R3240", "MS-ASCMD_R3235")
async def test_a_long_id_fetches_the_item(box: Mailbox) -> None:
    await box.deliver(message("wanted"))
    (result,) = (await search(box, both(words("wanted")))).results
    fetch = operations.Fetch(store="Mailbox", long_id=result.long_id)
    response = await box.bench.run(item_operations.COMMAND, operations.Request(operations=(fetch,)))
    (fetched,) = response.responses.fetched
    assert (fetched.status, fetched.long_id) == (1, result.long_id)


@pytest.mark.requirement("MS-ASCMD_R2027", "MS-ASCMD_R2030", "MS-ASCMD_R2031", "MS-ASCMD_R5856", "MS-ASCMD_R2146")
async def test_where_to_search(box: Mailbox) -> None:
    inner = await new_folder(box, "Inner", INBOX)
    deeper = await new_folder(box, "Deeper", inner)
    other = await new_folder(box, "Other")
    for name, folder in (("inbox", INBOX), ("inner", inner), ("deeper", deeper), ("other", other)):
        await box.deliver(message(f"{name} fox"), folder=folder)

    async def found(*places: str, **options: Any) -> set[str | None]:
        return set(subjects(await search(box, both(words("fox"), *map(within, places)), **options)))

    assert await found(INBOX) == {"inbox fox"}
    assert await found(INBOX, deep_traversal=EMPTY) == {"inbox fox", "inner fox", "deeper fox"}
    assert await found(inner, other) == {"inner fox", "other fox"}
    assert await found() == await found("0") == {"inbox fox", "inner fox", "deeper fox", "other fox"}


@pytest.mark.requirement("MS-ASCMD_R4357", "MS-ASCMD_R4358")
async def test_other_peoples_folders_are_not_there(box: Mailbox) -> None:
    bob = UserId("bob@example.com")
    await box.store.admin.add_user(str(bob), None)
    his = await box.store.folders.create_folder(bob, ROOT, "His", FolderType.USER_MAIL)
    await box.deliver(message("secret fox"), folder=his.id, user=bob)
    assert await search(box, both(words("fox"), within(his.id))) == StoreResponse(status=11)
    assert await search(box, both(words("fox"), within("999"))) == StoreResponse(status=11)
    assert (await search(box, both(words("fox")))).total == 0


@pytest.mark.requirement("MS-ASCMD_R3133", "MS-ASCMD_R3140", "MS-ASCMD_R3142", "MS-ASCMD_R3209", "MS-ASCMD_R3219")
@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([compared("GreaterThan", "2026-11-22T12:00:00.000Z")], ["today"]),
        ([compared("GreaterThan", "2026-11-22T11:59:59.999Z")], ["today", "yesterday"]),
        ([compared("LessThan", "2026-11-22T12:00:00.000Z")], ["before"]),
        ([compared("LessThan", "2026-11-22T12:00:00.001Z")], ["yesterday", "before"]),
        (
            [compared("GreaterThan", "2026-11-21T12:00:00Z"), compared("LessThan", "2026-11-23T12:00:00Z")],
            ["yesterday"],
        ),
        ([compared("GreaterThan", "9999-12-31T23:59:59.999Z")], [None]),
        ([compared("LessThan", "9999-12-31T23:59:59.999Z")], ["today", "yesterday", "before"]),
    ],
)
async def test_when_received(box: Mailbox, conditions: list[Element], expected: list[str | None]) -> None:
    assert datetime(2026, 11, 23, 12, tzinfo=UTC) == NOW
    for days, name in enumerate(("today", "yesterday", "before")):
        await box.deliver(message(name), age=timedelta(days=days))
    found = await search(box, both(*conditions))
    assert subjects(found) == ([] if expected == [None] else expected)


@pytest.mark.requirement("MS-ASCMD_R2082", "MS-ASCON_R176", "MS-ASCON_R73", "MS-ASCON_R220")
async def test_a_conversation_in_all_folders(box: Mailbox) -> None:
    other = await new_folder(box, "Other")
    await box.deliver(message("talk"), age=timedelta(hours=1))
    await box.deliver(message("RE: talk", In_Reply_To="<talk@example.com>"), folder=other)
    await box.deliver(message("else"))
    ids = {email.subject: email.conversation_id for email in emails(await search(box, both(words("talk"))))}
    conversation = ids["talk"]
    assert conversation is not None
    asked = both(condition("Search:ConversationId", conversation))
    assert subjects(await search(box, asked)) == ["RE: talk", "talk"]
    options: dict[str, Any] = {"body_part_preferences": (BodyPartPreference(type=BodyType.HTML),)}
    assert all(email.body_part is not None for email in emails(await search(box, asked, **options)))
    bad: dict[str, Any] = {"body_part_preferences": (BodyPartPreference(type=BodyType.MIME),)}
    assert await search(box, asked, version=V14_1, **bad) == StoreResponse(status=164)
    assert subjects(await search(box, asked, version=V14_0, **bad)) == ["RE: talk", "talk"]


@pytest.mark.requirement("MS-ASCMD_R5568", "MS-ASAIRS_R10011")
async def test_body_parts_belong_to_conversations(box: Mailbox) -> None:
    options: dict[str, Any] = {"body_part_preferences": (BodyPartPreference(type=BodyType.HTML),)}
    assert await search(box, both(words("fox")), **options) == StoreResponse(status=2)


@pytest.mark.requirement("MS-ASCMD_R921", "MS-ASCMD_R922", "MS-ASCMD_R920", "MS-ASCMD_R6288")
async def test_classes(box: Mailbox) -> None:
    await box.deliver(message("fox"))
    found = {
        name: await search(box, both(words("fox"), of_class(name)), version=version)
        for name, version in [
            ("Email", V12_1),
            ("Tasks", V12_1),
            ("Calendar", V16_1),
            ("SMS", V14_0),
            ("Notes", V12_1),
            ("Mail", V16_1),
        ]
    }
    assert {name: (store.status, store.total) for name, store in found.items()} == {
        "Email": (1, 1),
        "Tasks": (1, 0),
        "Calendar": (1, 0),
        "SMS": (1, 0),
        "Notes": (2, None),
        "Mail": (2, None),
    }
    assert (await search(box, both(words("fox"), of_class("Tasks"), of_class("Email")))).total == 1


@pytest.mark.requirement("MS-ASCMD_R921", "MS-ASCMD_R922", "MS-ASCMD_R918", "MS-ASCMD_R6289", "MS-ASCMD_R5849")
@pytest.mark.parametrize("version", SUPPORTED)
async def test_all_classes_are_searched(box: Mailbox, version: ProtocolVersion) -> None:
    mail = f"{INBOX}:{await box.deliver(message('quick fox'))}"
    made = {name: id_ for name, id_ in (await keep(box)).items() if name != "Notes" or version >= V14_0}
    found = await search(box, both(words("fox")), version=version, range="0-9")
    ids = {result.item_class: result.long_id for result in found.results}
    assert ids == {"Email": mail, **made}
    assert found.results[0].item_class == "Email"
    assert found.total == len(ids)
    for name, id_ in made.items():
        one = await search(box, both(words("fox"), of_class(name)), version=version)
        assert [(result.item_class, result.long_id) for result in one.results] == [(name, id_)]
        folder = id_.split(":")[0]
        assert (await search(box, both(words("fox"), within(folder)), version=version)).total == 1
        assert (await search(box, both(words("fox"), within(folder), of_class("Email")), version=version)).total == 0
    two = await search(box, both(words("fox"), of_class("Tasks"), of_class("Contacts")), version=version)
    assert {result.item_class for result in two.results} == {"Tasks", "Contacts"}


@pytest.mark.requirement("MS-ASCMD_R3140", "MS-ASCMD_R3217")
async def test_only_mail_is_received(box: Mailbox) -> None:
    await box.deliver(message("quick fox"))
    await keep(box)
    found = await search(box, both(words("fox"), compared("GreaterThan", "1999-01-01T00:00:00.000Z")))
    assert [result.item_class for result in found.results] == ["Email"]


@pytest.mark.requirement(
    "MS-ASCMD_R3741", "MS-ASCMD_R3749", "MS-ASCMD_R3756", "MS-ASCMD_R3755", "MS-ASCMD_R3757", "MS-ASCMD_R5427"
)
@pytest.mark.requirement("MS-ASCMD_R3748", "MS-ASCMD_R3750", "MS-ASCMD_R5426")
async def test_a_result_set_stays_while_a_client_goes_on(box: Mailbox) -> None:
    numbers = [await box.deliver(message(f"fox {number}"), age=timedelta(hours=number)) for number in range(4)]
    fox = both(words("fox"))
    assert subjects(await search(box, fox, range="0-1")) == ["fox 0", "fox 1"]
    await box.deliver(message("fox new"))
    assert subjects(await search(box, fox, range="2-3")) == ["fox 2", "fox 3"]
    await box.store.mail.delete(ALICE.user, INBOX, [ItemId(numbers[3])])
    assert subjects(await search(box, fox, range="2-3")) == ["fox 2"]
    assert subjects(await search(box, fox, range="2-3", rebuild_results=EMPTY)) == ["fox 1", "fox 2"]
    assert subjects(await search(box, both(words("fox new")), range="0-1")) == ["fox new"]
    assert subjects(await search(box, fox, range="0-1")) == ["fox new", "fox 0"]


@pytest.mark.requirement("MS-ASCMD_R3850")
@pytest.mark.parametrize("version", SUPPORTED)
async def test_nothing_is_found_in_the_mailbox(box: Mailbox, version: ProtocolVersion) -> None:
    found = await search(box, both(words("fox")), version=version, range="0-9")
    assert found == StoreResponse(status=1, results=(Result(),), total=0)


@pytest.mark.requirement("MS-ASCMD_R3719", "MS-ASCMD_R4638", "MS-ASCMD_R4640", "MS-ASCMD_R3736", "MS-ASCMD_R3733")
async def test_ranges_of_messages(box: Mailbox) -> None:
    for number in range(5):
        await box.deliver(message(f"fox {number}"), age=timedelta(hours=number))

    async def ranged(span: str) -> tuple[int, str | None, int | None, int]:
        found = await search(box, both(words("fox")), range=span)
        return found.status, found.range, found.total, len(found.results)

    assert await ranged("0-1") == (1, "0-1", 5, 2)
    assert await ranged("2-9") == (1, "2-4", 5, 3)
    assert await ranged("0-100") == (12, "0-4", 5, 5)
    assert await ranged("5-9") == (12, None, 5, 0)
    assert subjects(await search(box, both(words("fox")), range="2-3")) == ["fox 2", "fox 3"]


@pytest.mark.requirement(
    "MS-ASCMD_R3377", "MS-ASCMD_R3378", "MS-ASCMD_R3379", "MS-ASCMD_R3376", "MS-ASCMD_R3384", "MS-ASCMD_R5566"
)
@pytest.mark.parametrize(("support", "type_"), [(None, 1), (0, 1), (1, 1), (2, 4)])
@pytest.mark.requirement("MS-ASCMD_R3383", "MS-ASCMD_R3388")
async def test_bodies_by_preference(box: Mailbox, support: int | None, type_: int) -> None:
    await box.deliver(message("fox", "Some words."))
    preferences = (BodyPreference(type=BodyType.PLAIN, truncation_size=4), BodyPreference(type=BodyType.MIME))
    (email,) = emails(await search(box, both(words("fox")), body_preferences=preferences, mime_support=support))
    assert email.body is not None
    assert email.body.type == type_
    assert isinstance(email.body.data, Inline) if type_ == 4 else email.body.data == "Some"


async def test_the_budget_of_octets(box: Mailbox) -> None:
    for number in range(3):
        await box.deliver(message(f"fox {number}", "x" * 3000))
    box.bench.settings = Settings(sync=SyncSettings(window_bytes=5000))
    found = await search(box, both(words("fox")), range="0-9")
    assert (found.status, found.range, found.total, len(found.results)) == (1, "0-1", 3, 2)


async def test_the_budget_of_time(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        await box.deliver(message(f"fox {number}"))
    real, loop = box.store.mail.fetch, asyncio.get_running_loop()
    later = loop.time() + 3600

    class Slow:
        """A store that takes an hour."""

        async def fetch(self, *rest: Any) -> Any:
            items = await real(*rest)
            monkeypatch.setattr(loop, "time", lambda: later)
            return items

    box.bench.mail = Slow()
    found = await search(box, both(words("fox")))
    monkeypatch.undo()
    assert (found.status, found.total, len(found.results)) == (1, 3, 1)


@pytest.mark.requirement("MS-ASCMD_R4353", "MS-ASCMD_R4354")
async def test_a_search_that_takes_too_long(box: Mailbox) -> None:
    class Stuck:
        """A store that does not answer."""

        async def search(self, *_: Any) -> Any:
            await asyncio.Event().wait()

    box.bench.search = Stuck()
    box.bench.settings = Settings(sync=SyncSettings(window_seconds=0.01))
    assert await search(box, both(words("fox"))) == StoreResponse(status=10)


async def test_a_message_that_cannot_be_rendered_is_left_out(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    await box.deliver(message("bad fox"), age=timedelta(hours=1))
    await box.deliver(message("good fox"))
    real = mailbox_search.application_data  # type: ignore[attr-defined]

    async def failing(ctx: Any, folder: Any, item: Any, *rest: Any, **options: Any) -> Element:
        if item.index.subject == "bad fox":
            raise ZeroDivisionError
        found: Element = await real(ctx, folder, item, *rest, **options)
        return found

    monkeypatch.setattr(mailbox_search, "application_data", failing)
    assert subjects(await search(box, both(words("fox")))) == ["good fox"]

    async def down(*_: Any, **__: Any) -> Element:
        raise StoreUnavailable

    monkeypatch.setattr(mailbox_search, "application_data", down)
    with pytest.raises(StoreUnavailable):
        await search(box, both(words("fox")))


# ---- what is no query


@pytest.mark.requirement(
    "MS-ASCMD_R772",
    "MS-ASCMD_R923",
    "MS-ASCMD_R2032",
    "MS-ASCMD_R2086",
    "MS-ASCMD_R3105",
    "MS-ASCMD_R3143",
    "MS-ASCMD_R3220",
    "MS-ASCMD_R4349",
)
@pytest.mark.parametrize(
    "query",
    [
        [both(words("a")), both(words("b"))],
        [both(words("a"), both(words("b")))],
        [both(words("a")), of_class("Email")],
        [both(words("a")), within("1")],
        [words("a")],
        [condition("Search:ConversationId", bytes(16))],
        [both(words("a")), compared("GreaterThan", "2026-01-01T00:00:00Z")],
        [both(words("a")), compared("LessThan", "2026-01-01T00:00:00Z")],
        [Element(tag("Search:Or"), [words("a")])],
        [both(words("a"), Element(tag("Search:Or"), [words("b")]))],
    ],
)
async def test_a_query_that_is_too_complex(box: Mailbox, query: list[Element]) -> None:
    assert await search(box, *query) == StoreResponse(status=8)


EQUAL = Element(
    tag("Search:EqualTo"), [Element(tag("DocumentLibrary:LinkId")), condition("Search:Value", r"\\server\share")]
)


@pytest.mark.requirement("MS-ASCMD_R4328", "MS-ASCMD_R2278")
@pytest.mark.parametrize(
    "query", [[], [both()], [both(within("1"))], [both(words(" "))], [EQUAL], [both(words("a"), EQUAL)]]
)
async def test_a_query_that_asks_for_nothing(box: Mailbox, query: list[Element]) -> None:
    assert await search(box, *query) == StoreResponse(status=2)


@pytest.mark.requirement("MS-ASCMD_R2088", "MS-ASCMD_R3141", "MS-ASCMD_R3218", "MS-ASEMAIL_R68", "MS-ASEMAIL_R37")
@pytest.mark.parametrize(
    "query",
    [
        [both(*[condition("Search:ConversationId", bytes(16))] * 2)],
        [both(*[compared("GreaterThan", "2026-01-01T00:00:00Z")] * 2)],
        [both(Element(tag("Search:GreaterThan"), [condition("Search:Value", "2026-01-01T00:00:00Z")]))],
        [both(Element(tag("Search:LessThan"), [Element(tag("Email:DateReceived"))]))],
        [both(compared("LessThan", "yesterday"))],
        [both(compared("LessThan", "2026-01-01T00:00:00Z", "Email:Subject"))],
        [both(words("a"), condition("Email:Subject", "b"))],
    ],
)
async def test_a_query_of_the_wrong_shape(box: Mailbox, query: list[Element]) -> None:
    with pytest.raises(MalformedXml) as caught:
        await search(box, *query)
    assert refuse(caught.value, V16_1) == Response(status=1, answer=Answer(store=StoreResponse(status=2)))


async def test_text_and_elements_are_not_mixed_up(box: Mailbox) -> None:
    for store in (
        Store(name="Mailbox", query=Element(TAG_QUERY, "words")),
        Store(name="GAL", query=Element(TAG_QUERY, [both(words("a"))])),
    ):
        with pytest.raises(MalformedXml):
            await box.bench.run(COMMAND, Request(store=store))


@pytest.mark.requirement("MS-ASCMD_R3489", "MS-ASCMD_R4363", "MS-ASCMD_R4328")
@pytest.mark.parametrize(("name", "status"), [("DocumentLibrary", 13), ("Mail", 2), ("", 2)])
async def test_other_stores(name: str, status: int) -> None:
    request = Request(store=Store(name=name, query=Element(TAG_QUERY, [EQUAL])))
    assert answered(await Bench().run(COMMAND, request)) == StoreResponse(status=status)


def store_element(*children: Element) -> Element:
    return Element(tag("Search:Search"), [Element(tag("Search:Store"), list(children))])


GAL_QUERY = (condition("Search:Name", "GAL"), condition("Search:Query", "example"))


@pytest.mark.requirement("MS-ASCMD_R3309", "MS-ASCMD_R3486", "MS-ASCMD_R3694", "MS-ASCMD_R4530", "MS-ASCMD_R3375")
@pytest.mark.parametrize(
    "root",
    [
        Element(tag("Search:Search")),
        store_element(GAL_QUERY[0]),
        store_element(GAL_QUERY[1]),
        store_element(condition("Search:Name", "x" * 257), GAL_QUERY[1]),
        store_element(*GAL_QUERY, Element(tag("Search:Options"), [condition("AirSync:MIMESupport", "3")])),
        store_element(
            *GAL_QUERY,
            Element(tag("Search:Options"), [Element(tag("Search:Picture"), [condition("Search:MaxSize", "102401")])]),
        ),
    ],
)
async def test_what_is_no_request(root: Element) -> None:
    with pytest.raises(MalformedXml) as caught:
        await Bench(directory=people()).run_tree(COMMAND, root)
    for version in SUPPORTED:
        answer = refuse(caught.value, version)
        check(answer, "Search", version)
        assert answer.answer == Answer(store=StoreResponse(status=2))
        check(fail(3, version), "Search", version)


@pytest.mark.requirement("MS-ASCMD_R4535", "MS-ASCMD_R3374")
async def test_what_is_repeated_counts_once() -> None:
    options = Element(
        tag("Search:Options"),
        [
            condition("Search:Range", "0-0"),
            condition("Search:Range", "0-1"),
            condition("AirSync:MIMESupport", "0"),
            condition("AirSync:MIMESupport", "1"),
            Element(tag("Search:RebuildResults")),
            Element(tag("Search:RebuildResults")),
        ],
    )
    root = store_element(*GAL_QUERY, options)
    root.children.append(Element(tag("Search:Store"), [condition("Search:Name", "Mailbox"), GAL_QUERY[1]]))
    response = await Bench(directory=people()).run_tree(COMMAND, root)
    assert len(answered(response).results) == 1


async def test_the_limit_is_a_setting() -> None:
    bench = Bench(directory=people(), settings=Settings(recipients=RecipientSettings(max_results=2)))
    request = Request(store=Store(name="GAL", query=Element(TAG_QUERY, "example")))
    found = answered(await bench.run(COMMAND, request))
    assert (found.status, found.total, len(found.results)) == (1, 4, 2)


REPEATED = {
    "MS-ASCMD_R2088": condition("Search:ConversationId", b"x" * 16),
    "MS-ASCMD_R3136": compared("GreaterThan", "2026-11-22T12:00:00.000Z"),
    "MS-ASCMD_R3212": compared("LessThan", "2026-11-22T12:00:00.000Z"),
}


@pytest.mark.parametrize(
    "twice", [pytest.param(each, marks=pytest.mark.requirement(name)) for name, each in REPEATED.items()]
)
async def test_conditions_that_stand_there_twice(box: Mailbox, twice: Element) -> None:
    with pytest.raises(MalformedXml) as failed:
        await search(box, both(words("fox"), twice, twice))
    assert answered(refuse(failed.value, V16_1)) == StoreResponse(status=2)


@pytest.mark.requirement("MS-ASCMD_R2142", "MS-ASCMD_R3373", "MS-ASCMD_R3722", "MS-ASCMD_R3746", "MS-ASCMD_R4534")
async def test_of_what_stands_there_twice_the_first_counts(box: Mailbox) -> None:
    for number in range(3):
        await box.deliver(message(f"fox {number}"), age=timedelta(hours=number))
    names = ("Search:DeepTraversal", "Search:RebuildResults")
    twice = [Element(tag(name)) for name in names for _ in range(2)]
    ranges = [condition("Search:Range", span) for span in ("0-1", "0-0")]
    support = [condition("AirSync:MIMESupport", value) for value in "02"]

    def store(text: str) -> Element:
        query = Element(TAG_QUERY, [both(words(text))])
        options = Element(tag("Search:Options"), [*support, *ranges, *twice])
        return Element(tag("Search:Store"), [condition("Search:Name", "Mailbox"), query, options])

    found = answered(await box.bench.run_tree(COMMAND, Element(tag("Search:Search"), [store("fox"), store("cat")])))
    assert (found.status, found.range) == (1, "0-1")
    assert subjects(found) == ["fox 0", "fox 1"]
