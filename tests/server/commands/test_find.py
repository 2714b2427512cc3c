"""Find, [MS-ASCMD] 2.2.1.2."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import find_mail
from eas_server.commands.find import COMMAND, fail, refuse
from eas_server.errors import CommandError
from eas_server.model.ids import ROOT, DeviceId, ItemId, UserId
from eas_server.model.mail import Flag, FolderType, SearchHit, StateChange
from eas_server.model.settings import RecipientSettings, Settings, SyncSettings
from eas_server.web.failures import Asked, reply_to
from protocol import wbxml
from protocol.codepages import tag
from protocol.commands.find import (
    Answer,
    EmailProperties,
    ExecuteSearch,
    GalCriterion,
    MailboxCriterion,
    MailboxQuery,
    Options,
    PictureOptions,
    Request,
    Response,
)
from protocol.commands.search import GalProperties
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.schema import EMPTY, dump, load, tag_of
from protocol.status import CommonStatus
from protocol.versions import V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.commands.mailbox import INBOX, Mailbox, mailbox, message
from tests.server.commands.people import People, people, person
from tests.server.commands.support import ALICE, Bench, check

BOB = UserId("bob@example.com")
FIXTURE = Path(__file__).resolve().parents[3] / "fixtures" / "wbxml" / "Find" / "request.wbxml"
TAG_QUERY = tag("Find:Query")
BOTH = pytest.mark.parametrize("version", [V14_1, V16_1])


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as found:
        yield found


def request(text: str, *, search_id: str = "s", places: Sequence[str] = (), **options: Any) -> Request:
    query = MailboxQuery(free_text=text, classes=("Email",), collection_ids=tuple(places))
    criterion = MailboxCriterion(query=query, options=Options(**options))
    return Request(search_id=search_id, execute=ExecuteSearch(mailbox=criterion))


async def run(bench: Bench, wanted: Request, version: ProtocolVersion = V16_1) -> Response:
    answer = await replace(bench, version=version).run(COMMAND, wanted)
    assert isinstance(answer, Response)
    return answer


async def find(box: Mailbox, text: str, **asked: Any) -> Answer:
    response = await run(box.bench, request(text, **asked))
    assert response.status == 1
    assert response.answer is not None
    return response.answer


def properties(answer: Answer) -> list[EmailProperties]:
    return [load(EmailProperties, result.properties) for result in answer.results]


async def subjects(box: Mailbox, text: str, **asked: Any) -> list[str | None]:
    return [found.subject for found in properties(await find(box, text, **asked))]


# ---- mail


@pytest.mark.requirement(
    "MS-ASCMD_R36841701",
    "MS-ASCMD_R36841704",
    "MS-ASCMD_R38391804",
    "MS-ASCMD_R38971801",
    "MS-ASCMD_R9820602",
    "MS-ASCMD_R9010602",
    "MS-ASCMD_R45251807",
    "MS-ASCMD_R6978101702",
    "MS-ASCMD_R6685101601",
    "MS-ASCMD_R6439100704",
    "MS-ASCMD_R6439100717",
    "MS-ASCMD_R72172509",
    "MS-ASCMD_R72171802",
    "MS-ASCMD_R45251801",
    "MS-ASCMD_R65591902",
    # these are of people alone
    "MS-ASCMD_R61641061",
    "MS-ASCMD_R63510605",
    "MS-ASCMD_R65590806",
    "MS-ASCMD_R69581706",
)
@BOTH
async def test_a_message_and_what_is_told_of_it(box: Mailbox, version: ProtocolVersion) -> None:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Bob <bob@example.com>", "Alice <alice@example.com>", "Lunch"
    made["Cc"] = "Carol <carol@example.com>, dave@example.com"
    made["Bcc"] = "Eve <eve@example.com>"
    made["Importance"] = "high"
    made.set_content("At noon. " * 100)
    made.add_attachment(b"menu", maintype="application", subtype="pdf", filename="menu.pdf")
    number = await box.deliver(made.as_bytes().replace(b"\n", b"\r\n"))
    response = await run(box.bench, request("lunch"), version)
    assert response.status == 1
    assert response.answer is not None
    assert (response.answer.store, response.answer.status) == ("Mailbox", 1)
    assert (response.answer.range, response.answer.total) == ("0-0", 1)
    (result,) = response.answer.results
    assert (result.item_class, result.server_id, result.collection_id) == ("Email", f"{INBOX}:{number}", INBOX)
    assert not any(child.tag.namespace == "GAL" for child in result.properties.children)
    found = load(EmailProperties, result.properties)
    assert found.preview is not None
    assert len(found.preview) == 255
    assert found.preview.startswith("At noon. At noon.")
    assert replace(found, preview=None) == EmailProperties(
        subject="Lunch",
        date_received=box.bench.now.astimezone(UTC),
        display_to="Alice",
        display_cc="Carol;dave@example.com",
        display_bcc="Eve",
        importance=2,  # type: ignore[arg-type]
        read=False,
        has_attachments=True,
        sender='"Bob" <bob@example.com>',
    )


async def test_a_draft_says_so(box: Mailbox) -> None:
    folders = await box.store.folders.folders(ALICE.user)
    drafts = next(folder.id for folder in folders if folder.type is FolderType.DRAFTS)
    await box.deliver(message("draft"), folder=drafts)
    assert [found.is_draft for found in properties(await find(box, "draft"))] == [True]


@pytest.mark.requirement("MS-ASCMD_R38391805")
async def test_nothing_is_found(box: Mailbox) -> None:
    await box.deliver(message("lunch"))
    answer = await find(box, "supper")
    assert answer == Answer(status=1, total=0)  # type: ignore[arg-type]


@pytest.fixture
async def filled(box: Mailbox) -> Mailbox:
    people = {"plan": "Bob <bob@example.com>", "the plan": "Zoë <zoe@example.com>", "menu": "bob@example.com"}
    for age, (subject, sender) in enumerate(people.items()):
        octets = message(subject, "The plan, with a menu.\r\n").replace(b"Bob <bob@example.com>", sender.encode())
        await box.deliver(octets, age=timedelta(days=age))
    return box


@pytest.mark.requirement("MS-ASCMD_R6659100904", "MS-ASCMD_R6659100910", "MS-ASCMD_R6659100913")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("plan", "plan|the plan|menu"),
        ("PL*", "plan|the plan|menu"),
        ("plan zoe", "the plan"),
        ("plan AND NOT zoe", "plan|menu"),
        ("plan -zoe", "plan|menu"),
        ("NOT zoe", "plan|menu"),
        ("zoe OR subject:menu", "the plan|menu"),
        ("subject:plan", "plan|the plan"),
        ("subject:pla", "plan|the plan"),
        ('subject:"the plan"', "the plan"),
        ('subject:"plan the"', ""),
        ("subject:plan from:bob", "plan"),
        ("from:zoë", "the plan"),
        ("from:bob@example.com", "plan|menu"),
        ("from:bob from:zoe", "plan|the plan|menu"),
        ("from:ob", ""),
        ("from<>bob", "the plan"),
        ("to:alice subject:menu", "menu"),
        ("cc:alice", ""),
        ("participants:zoe", "the plan"),
        ("recipients:zoe", ""),
        ("body:menu subject:plan", "plan|the plan"),
        ("(subject:menu OR subject:the) from:bob", "menu"),
        ("NOT (subject:menu OR subject:the)", "plan"),
        ("hasattachment:true", ""),
        ("hasattachment:no from:zoe", "the plan"),
        ("isread:false subject:menu", "menu"),
        ("isflagged:true", ""),
        ("importance:normal subject:menu", "menu"),
        ("kind:email subject:menu", "menu"),
        ("kind:contacts", ""),
        ("received:today", "plan"),
        ("received:yesterday", "the plan"),
        ("received:2026-11-21..2026-11-22", "the plan|menu"),
        ("received>=2026-11-22", "plan|the plan"),
        ("received>2026-11-22", "plan"),
        ("received<2026-11-22", "menu"),
        ("received<=2026-11-22", "the plan|menu"),
        ("received<>2026-11-22", "plan|menu"),
        ("received:9999-12-31", ""),
        ("received:soon", ""),
        ("subject>a", ""),
        ("subject:!!", ""),
        ("!!", ""),
        ("category:work", ""),
        ("attachment:menu", ""),
        ('subject:"plan', "plan|the plan"),
    ],
)
async def test_queries(filled: Mailbox, query: str, found: str) -> None:
    assert await subjects(filled, query) == (found.split("|") if found else [])


async def test_what_users_changed_can_be_asked_for(box: Mailbox) -> None:
    number = await box.deliver(message("marked"))
    await box.deliver(message("plain"))
    change = StateChange(read=True, flag=Flag(status=2), categories=("Work at home",))
    await box.store.mail.change(ALICE.user, INBOX, ItemId(number), change)
    for query in ("isread:true", "read:yes", "isflagged:1", "category:work", 'category:"at home"'):
        assert await subjects(box, query) == ["marked"]


async def test_scripts_without_spaces(box: Mailbox) -> None:
    await box.deliver(message("=?utf-8?b?5piO5pel44Gu5Lya6K2w?="))
    assert await subjects(box, "subject:会議") == ["明日の会議"]


@pytest.mark.requirement("MS-ASCMD_R9820601", "MS-ASCMD_R6399100704", "MS-ASCMD_R6399100714", "MS-ASCMD_R982100612")
async def test_where_to_search(box: Mailbox) -> None:
    inner = await box.store.folders.create_folder(ALICE.user, INBOX, "Inner", FolderType.USER_MAIL)
    await box.deliver(message("word here"))
    await box.deliver(message("word inside"), folder=inner.id, age=timedelta(hours=1))
    for text in ("word", "subject:word"):
        assert await subjects(box, text) == ["word here", "word inside"]
        assert await subjects(box, text, places=["0"]) == ["word here", "word inside"]
        assert await subjects(box, text, places=[INBOX]) == ["word here"]
        assert await subjects(box, text, places=[INBOX], deep_traversal=EMPTY) == ["word here", "word inside"]
        assert await subjects(box, text, places=[inner.id]) == ["word inside"]


@pytest.mark.requirement("MS-ASCMD_R72172515")
async def test_an_unknown_folder(box: Mailbox) -> None:
    assert await run(box.bench, request("word", places=["999"])) == Response(status=3)


async def test_a_folder_without_mail(box: Mailbox) -> None:
    folders = await box.store.folders.folders(ALICE.user)
    calendar = next(folder.id for folder in folders if folder.type is FolderType.CALENDAR)
    assert await subjects(box, "word", places=[calendar]) == []


async def test_other_peoples_mail_is_not_found(box: Mailbox) -> None:
    await box.store.admin.add_user(str(BOB), None)
    his = await box.store.folders.create_folder(BOB, ROOT, "His", FolderType.USER_MAIL)
    await box.deliver(message("secret"), folder=his.id, user=BOB)
    await box.deliver(message("secret"), user=BOB)
    for text in ("secret", "subject:secret", "NOT nothing"):
        assert await subjects(box, text) == []
    assert await run(box.bench, request("secret", places=[his.id])) == Response(status=3)


# ---- ranges


@pytest.mark.requirement(
    "MS-ASCMD_R3707101801", "MS-ASCMD_R3707101815", "MS-ASCMD_R37071816", "MS-ASCMD_R72172518", "MS-ASCMD_R72172520"
)
async def test_one_range_after_another(box: Mailbox) -> None:
    for number in range(5):
        await box.deliver(message(f"word {number}"), age=timedelta(hours=number))
    assert await find(box, "word", search_id="a", range="2-3") == Answer(status=4)  # type: ignore[arg-type]
    for text in ("word", "subject:word"):
        first = await find(box, text, range="0-1")
        assert (first.range, first.total) == ("0-1", 5)
        second = await find(box, text, range="2-9")
        assert (second.range, second.total) == ("2-4", 5)
        assert [p.subject for p in (*properties(first), *properties(second))] == [f"word {n}" for n in range(5)]
    beyond = await find(box, "word", range="5-9")
    assert (beyond.status, beyond.results, beyond.range, beyond.total) == (1, (), None, 5)
    for other in (request("words", range="1-2"), request("word", search_id="b", range="1-2")):
        assert (await run(box.bench, other)).answer == Answer(status=4)  # type: ignore[arg-type]
    device = replace(box.bench, device_id=DeviceId("device2"))
    assert (await run(device, request("word", range="1-2"))).answer == Answer(status=4)  # type: ignore[arg-type]


@pytest.mark.requirement("MS-ASCMD_R72172512", "MS-ASCMD_R37071811", "MS-ASCMD_R37071812")
@pytest.mark.parametrize("span", ["", "1", "2-1", "0-1000", "-1-2", "a-b", "0-\u0661", "0-9;"])
async def test_what_is_no_range(box: Mailbox, span: str) -> None:
    assert await run(box.bench, request("word", range=span)) == Response(status=2)


async def test_older_messages_behind_many_that_do_not_hold(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_mail, "MAX_COUNTED", 2)
    monkeypatch.setattr(find_mail, "MAX_SCANNED", 32)
    for number in range(6):
        await box.deliver(message(f"other {number}", "plan spam" if number % 2 else "plan"))
    await box.deliver(message("plan"), age=timedelta(days=1))
    assert await subjects(box, "subject:plan") == ["plan"]
    assert await subjects(box, "plan -spam subject:plan") == ["plan"]


async def test_time_is_limited(box: Mailbox) -> None:
    class Slow:
        async def search(self, *_: Any) -> Sequence[SearchHit]:
            raise TimeoutError

    settings = Settings(sync=SyncSettings(window_seconds=5))
    bench = replace(box.bench, search=Slow(), settings=settings)
    with pytest.raises(CommandError) as caught:
        await run(bench, request("word"))
    assert (caught.value.status, caught.value.retry) == (CommonStatus.SERVER_ERROR_RETRY_LATER, True)


# ---- people


async def gal(words: str, on: People | None = None, **asked: Any) -> Response:
    criterion = GalCriterion(query=Element(TAG_QUERY, words), options=Options(**asked))
    wanted = Request(search_id="g", execute=ExecuteSearch(gal=criterion))
    return await run(Bench(directory=on or people()), wanted)


def entries(response: Response) -> list[GalProperties]:
    assert response.status == 1
    assert response.answer is not None
    found = response.answer.results
    return [load(GalProperties, Element(tag_of(GalProperties), result.properties.content)) for result in found]


@pytest.mark.requirement(
    "MS-ASCMD_R10031995", "MS-ASCMD_R10031997", "MS-ASCMD_R1002501", "MS-ASCMD_R132000", "MS-ASCMD_R132004",
    "MS-ASCMD_R131999", "MS-ASCMD_R61641062", "MS-ASCMD_R6865101723",
)  # fmt: skip
async def test_people() -> None:
    response = await gal("exam")
    assert [entry.display_name for entry in entries(response)] == [
        "Alice Example", "Bob Example", "Carol Example", "Dave Example",
    ]  # fmt: skip
    assert response.answer is not None
    assert (response.answer.range, response.answer.total) == ("0-3", 4)
    (bob,) = entries(await gal("bob", People(person("bob", phone="1", title="Dr", company="C", office="7"))))
    assert bob == GalProperties(
        display_name="Bob Example", phone="1", office="7", title="Dr", company="C", alias="bob", first_name="Bob",
        last_name="Example", email_address="bob@example.com",
    )  # fmt: skip


@pytest.mark.requirement("MS-ASCMD_R10031998", "MS-ASCMD_R10031996")
async def test_ranges_of_people() -> None:
    assert [entry.alias for entry in entries(await gal("example", range="0-1"))] == ["alice", "bob"]
    bench = Bench(directory=people(), settings=Settings(recipients=RecipientSettings(max_results=3)))
    for span, found in (("0-9", 3), ("2-9", 1), ("3-9", 0)):
        criterion = GalCriterion(query=Element(TAG_QUERY, "example"), options=Options(range=span))
        response = await run(bench, Request(search_id="g", execute=ExecuteSearch(gal=criterion)))
        assert len(entries(response)) == found


@pytest.mark.requirement("MS-ASCMD_R32831607", "MS-ASCMD_R32831610", "MS-ASCMD_R33001609", "MS-ASCMD_R33001610")
async def test_pictures() -> None:
    on = People(
        *(person(name, picture=b"p" * size) for name, size in (("a", 10), ("b", 999), ("c", 0), ("d", 9), ("e", 9)))
    )
    pictures = [
        e.picture for e in entries(await gal("example", on, picture=PictureOptions(max_size=99, max_pictures=2)))
    ]
    assert [(p.status, p.data and len(p.data)) for p in pictures if p] == [
        (1, 10), (174, None), (173, None), (1, 9), (175, None),
    ]  # fmt: skip
    assert [e.picture for e in entries(await gal("example", on))] == [None] * 5


# ---- the request


def tree(*children: Element) -> Element:
    execute = Element(tag("Find:ExecuteSearch"), list(children))
    return Element(tag("Find:Find"), [Element(tag("Find:SearchId"), "s"), execute])


@pytest.mark.requirement("MS-ASCMD_R72172512", "MS-ASCMD_R901100613", "MS-ASCMD_R6659100909")
async def test_parameters_that_are_invalid(box: Mailbox) -> None:
    whole = request("word").execute
    gal = GalCriterion(query=Element(TAG_QUERY, "word"))
    for execute in (
        ExecuteSearch(),
        ExecuteSearch(mailbox=whole.mailbox, gal=gal),
        ExecuteSearch(gal=GalCriterion(query=Element(TAG_QUERY, " "))),
        ExecuteSearch(mailbox=MailboxCriterion(query=MailboxQuery(free_text="x", classes=("Calendar",)))),
        *(ExecuteSearch(mailbox=request(text).execute.mailbox) for text in ("", " ", "OR", '"', "(a OR b)" * 6)),
    ):
        assert await run(box.bench, Request(search_id="s", execute=execute)) == Response(status=2)


def deep(levels: int) -> Element:
    found = Element(TAG_QUERY, "x")
    for _ in range(levels):
        found = Element(TAG_QUERY, [found])
    return found


@pytest.mark.parametrize(
    "wrong",
    [
        Element(tag("Find:Find"), [Element(tag("Find:SearchId"), "s")]),
        Element(tag("Find:Find"), [Element(tag("Find:ExecuteSearch"))]),
        tree(Element(tag("Find:MailBoxSearchCriterion"))),
        tree(Element(tag("Find:MailBoxSearchCriterion"), [Element(TAG_QUERY)])),
        tree(dump(MailboxCriterion(query=MailboxQuery(free_text="x" * 1025)), V16_1)),
        tree(Element(tag("Find:GalSearchCriterion"), [Element(TAG_QUERY, [Element(tag("Find:FreeText"), "x")])])),
        tree(Element(tag("Find:GalSearchCriterion"), [Element(TAG_QUERY, "x" * 1025)])),
        tree(Element(tag("Find:GalSearchCriterion"), [deep(50)])),
    ],
    ids=["no search", "no id", "no query", "no text", "long text", "tree in the GAL", "long words", "deep tree"],
)
async def test_what_is_no_request(box: Mailbox, wrong: Element) -> None:
    with pytest.raises(MalformedXml) as caught:
        await box.bench.run_tree(COMMAND, wrong)
    assert refuse(caught.value, V16_1) == Response(status=2)
    check(refuse(caught.value, V16_1), "Find", V16_1)


async def test_the_request_of_the_fixture(box: Mailbox) -> None:
    for version in (V14_1, V16_1):
        bench = replace(box.bench, version=version)
        line = (await bench.context("Find")).line
        read = COMMAND.read(FIXTURE.read_bytes(), line, version)
        assert read.execute.mailbox.query.collection_ids == ("5",)
        assert (await run(bench, read, version)).answer is not None


@pytest.mark.requirement("MS-ASCMD_R4897", "MS-ASCMD_R10032016", "MS-ASCMD_R10032018")
def test_versions_that_do_not_have_it_are_told_so() -> None:
    error = CommandError(CommonStatus.VERSION_NOT_SUPPORTED)
    for version in (V14_0, V16_0):
        reply = reply_to(error, Asked(command=COMMAND, version=version, policy_key_sent=True), 0)
        assert reply.response == fail(138, version)
        root = wbxml.decode(wbxml.encode(dump(reply.response, version)).join())
        assert [(child.tag, child.text) for child in root.children] == [(tag("Find:Status"), "138")]
    assert reply_to(error, Asked(command=COMMAND, version=V12_1, policy_key_sent=True), 0).status == 400
