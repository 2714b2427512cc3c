"""Rights management, [MS-ASRM]: dialogues of two and three people, at each version that has it and that has not."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from eas_server.lab.device import octets_of
from eas_server.model.mail import FolderType
from eas_server.render.rights import NOTICE, SEALED_NAME
from protocol import wbxml
from protocol.client import (
    ITEM_OPERATIONS,
    MEETING_RESPONSE,
    MOVE_ITEMS,
    SEARCH,
    SEND_MAIL,
    SETTINGS,
    SYNC,
    Command,
    QueryForm,
    compose,
)
from protocol.codepages import tag
from protocol.commands import item_operations, meeting_response, move_items, search, settings, sync
from protocol.elements import Element
from protocol.items.email import Email
from protocol.items.rights import License
from protocol.schema import EMPTY, dump
from protocol.status import CommonStatus
from protocol.versions import V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.scenarios.guarded import (
    ATTACHED,
    BLIND,
    CONFIDENTIAL,
    KEPT,
    LEGAL,
    NO_RESTRICTION,
    OPEN,
    READS,
    REFUSES,
    REPLY_ALL,
    SILENT,
    UNKNOWN,
    WHOLE,
    Person,
    email_in,
    fetch_options,
    guarded_server,
    names_of,
    person,
    text_of,
)
from tests.scenarios.server import Server, World, fill

Q = TypeVar("Q")
R = TypeVar("R")
HAVING = (V14_1, V16_0, V16_1)
LACKING = (V12_1, V14_0)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with rights management, for this module."""
    running = guarded_server(tmp_path_factory.mktemp("guarded"))
    running.open(fill)
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log


@pytest.fixture
async def world(guarded: Server) -> AsyncIterator[World]:
    """People for one test."""
    made = guarded.world()
    yield made
    await made.close()


def is_sealed(found: Email) -> bool:
    """Whether nothing of the content can be seen, and no license is there."""
    text = text_of(found)
    hidden = NOTICE in text and "secret" not in text and names_of(found) == [SEALED_NAME]
    return hidden and found.rights_management_license is None


# ---- templates


GET = Element(tag("Settings:Get"))


async def templates_of(who: Person) -> settings.RightsManagementAnswer:
    request = settings.Request(properties=(settings.RightsManagementInformation(get=GET),))
    response = (await who.device.call(SETTINGS, request)).take()
    (answer,) = response.answers
    assert isinstance(answer, settings.RightsManagementAnswer)
    return answer


@pytest.mark.requirement("MS-ASRM_R202", "MS-ASRM_R203", "MS-ASRM_R130", "MS-ASRM_R133", "MS-ASRM_R134", "MS-ASRM_R135")
@pytest.mark.requirement("MS-ASRM_R301", "MS-ASRM_R302", "MS-ASCMD_R3863", "MS-ASCMD_R1740", "MS-ASCMD_R7085")
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_templates_are_listed_in_their_order(world: World, version: ProtocolVersion) -> None:
    answer = await templates_of(await person(world, "alice", version))
    assert answer.status == settings.Status.SUCCESS
    found = answer.get.templates.templates
    assert [each.template_id for each in found] == [CONFIDENTIAL, SILENT, OPEN, KEPT, ATTACHED, REPLY_ALL, LEGAL]
    assert found[0].template_name == "Confidential"
    assert found[0].template_description == "Recipients read it and answer its sender."


@pytest.mark.requirement("MS-ASRM_R340", "MS-ASRM_R196", "MS-ASCMD_R4960")
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_no_templates_without_tls(world: World, version: ProtocolVersion) -> None:
    answer = await templates_of(await person(world, "alice", version, scheme="http"))
    assert answer.status == CommonStatus.IRM_FEATURE_DISABLED
    assert answer.get.templates.templates == ()


@pytest.mark.requirement("MS-ASCMD_R7083", "MS-ASCMD_R7084")
@pytest.mark.parametrize("version", LACKING, ids=str)
async def test_older_versions_know_no_templates(world: World, version: ProtocolVersion) -> None:
    alice = await person(world, "alice", version)
    request = settings.Request(properties=(settings.RightsManagementInformation(get=GET),))
    assert (await alice.device.call(SETTINGS, request)).take().answers == ()


@pytest.mark.requirement("MS-ASRM_R656", "MS-ASRM_R658", "MS-ASRM_R205", "MS-ASRM_R405", "MS-ASRM_R406", "MS-ASRM_R207")
@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("de", "Vertraulich"),
        ("de-AT, en;q=0.5", "Vertraulich"),
        ("fr, de;q=0.3", "Vertraulich"),
        ("en-GB", "Confidential"),
        ("", "Confidential"),
        ("en, de;q=0.9", "Confidential"),
    ],
)
async def test_templates_are_named_in_the_language_of_the_client(world: World, wanted: str, name: str) -> None:
    headers = [("Accept-Language", wanted)] if wanted else []
    answer = await templates_of(await person(world, "alice", headers=headers))
    assert answer.get.templates.templates[0].template_name == name


@pytest.mark.requirement("MS-ASRM_R204", "MS-ASRM_R10204")
@pytest.mark.parametrize(("lcid", "name"), [(0x0407, "Vertraulich"), (0x0C07, "Vertraulich"), (0x0409, "Confidential")])
async def test_templates_are_named_in_the_language_of_a_base64_query(world: World, lcid: int, name: str) -> None:
    alice = await person(world, "alice", query=QueryForm.BASE64, headers=[("Accept-Language", "fr")])
    client = alice.device.client
    request = settings.Request(properties=(settings.RightsManagementInformation(get=GET),))
    line = replace(client.line(SETTINGS.name), locale=lcid)
    response = await alice.device.transport.send(client.raw(line, wbxml.encode(dump(request)).join()))
    answer = client.read(SETTINGS, response.status, response.headers, response.body).take()
    (found,) = answer.answers
    assert isinstance(found, settings.RightsManagementAnswer)
    assert found.get.templates.templates[0].template_name == name


@pytest.mark.requirement("MS-ASRM_R660", "MS-ASRM_R662", "MS-ASRM_R213", "MS-ASRM_R413", "MS-ASRM_R414", "MS-ASRM_R315")
async def test_licenses_are_in_the_language_of_the_client(world: World) -> None:
    alice = await person(world, "alice")
    assert await alice.send(alice.letter("bob"), CONFIDENTIAL) is None
    for wanted, name, description in (
        ("de-CH", "Vertraulich", "Nur lesen und antworten."),
        ("fr", "Confidential", "Recipients read it and answer its sender."),
    ):
        bob = await person(world, "bob", headers=[("Accept-Language", wanted)], device_id=wanted)
        granted = (await bob.newest())[1].rights_management_license
        assert granted is not None
        assert (granted.template_name, granted.template_description) == (name, description)


# ---- reading


@pytest.mark.requirement("MS-ASRM_R127", "MS-ASRM_R347", "MS-ASRM_R208", "MS-ASRM_R209", "MS-ASRM_R283", "MS-ASRM_R107")
@pytest.mark.requirement("MS-ASRM_R1002", "MS-ASRM_R1003", "MS-ASRM_R10031", "MS-ASEMAIL_R1382", "MS-ASEMAIL_R1383")
@pytest.mark.requirement("MS-ASRM_R1098", "MS-ASRM_R330", "MS-ASRM_R29", "MS-ASRM_R69", "MS-ASRM_R297")
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_who_asks_for_it_reads_a_protected_message_with_its_license(
    world: World, version: ProtocolVersion
) -> None:
    alice, bob = await person(world, "alice", version), await person(world, "bob", version)
    await bob.news()
    before = datetime.now(UTC)
    assert await alice.send(alice.letter("bob"), CONFIDENTIAL.upper()) is None
    _, found = await bob.newest()
    assert "The secret is 42." in text_of(found)
    assert names_of(found) == ["plan.pdf"]
    granted = found.rights_management_license
    assert granted is not None
    week = granted.content_expiry_date - before
    assert timedelta(days=7) <= week < timedelta(days=7, minutes=5)
    assert granted == License(
        owner=False,
        content_owner=world.address("alice"),
        reply_all_allowed=False,
        edit_allowed=False,
        reply_allowed=True,
        forward_allowed=False,
        export_allowed=False,
        modify_recipients_allowed=False,
        template_id=CONFIDENTIAL,
        extract_allowed=False,
        template_description="Recipients read it and answer its sender.",
        content_expiry_date=granted.content_expiry_date,
        template_name="Confidential",
        print_allowed=False,
        programmatic_access_allowed=False,
    )


@pytest.mark.requirement("MS-ASRM_R72", "MS-ASRM_R73", "MS-ASRM_R31", "MS-ASRM_R23")
async def test_the_owner_may_do_everything(world: World) -> None:
    alice = await person(world, "alice")
    await alice.news(folder=FolderType.SENT_ITEMS)
    assert await alice.send(alice.letter("bob"), CONFIDENTIAL) is None
    _, found = await alice.newest(folder=FolderType.SENT_ITEMS)
    granted = found.rights_management_license
    assert granted is not None
    assert granted.owner
    assert granted.export_allowed
    assert granted.forward_allowed
    assert granted.content_expiry_date == datetime(9999, 12, 30, 23, 59, 59, 999000, tzinfo=UTC)
    assert "The secret is 42." in text_of(found)


@pytest.mark.requirement("MS-ASRM_R30", "MS-ASRM_R31", "MS-ASRM_R330")
async def test_a_template_may_say_whose_the_content_is(world: World) -> None:
    alice = await person(world, "alice")
    await alice.news(folder=FolderType.SENT_ITEMS)
    assert await alice.send(alice.letter("bob"), LEGAL) is None
    _, found = await alice.newest(folder=FolderType.SENT_ITEMS)
    granted = found.rights_management_license
    assert granted is not None
    assert (granted.owner, granted.content_owner) == (False, "legal@example.com")
    assert not granted.export_allowed


@pytest.mark.requirement("MS-ASRM_R335", "MS-ASRM_R348", "MS-ASRM_R128")
@pytest.mark.parametrize("options", [BLIND, REFUSES], ids=["absent", "false"])
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_who_does_not_ask_for_it_gets_it_sealed(world: World, version: ProtocolVersion, options: tuple) -> None:
    alice, bob = await person(world, "alice", version), await person(world, "bob", version)
    assert await alice.send(alice.letter("bob"), CONFIDENTIAL) is None
    _, found = await bob.newest(options)
    assert is_sealed(found)
    assert found.subject == "Plans"
    assert found.message_class == "IPM.Note"
    assert found.content_class == "urn:content-classes:message"


@pytest.mark.requirement("MS-ASRM_R340")
async def test_without_tls_it_is_sealed(world: World) -> None:
    alice, bob = await person(world, "alice"), await person(world, "bob", scheme="http")
    assert await alice.send(alice.letter("bob"), CONFIDENTIAL) is None
    assert is_sealed((await bob.newest())[1])


@pytest.mark.requirement("MS-ASEMAIL_R1380", "MS-ASEMAIL_R1381", "MS-ASRM_R1000", "MS-ASRM_R1001")
@pytest.mark.parametrize("version", LACKING, ids=str)
async def test_older_versions_get_it_sealed(world: World, version: ProtocolVersion) -> None:
    alice, bob = await person(world, "alice"), await person(world, "bob", version)
    assert await alice.send(alice.letter("bob"), CONFIDENTIAL) is None
    server_id, found = await bob.newest(BLIND)
    assert is_sealed(found)
    reference = found.attachments.changes[0].file_reference
    fetched = await bob.fetch(file_reference=reference)
    assert fetched.status == item_operations.Status.SUCCESS
    again = await bob.fetch(server_id=server_id, collection_id=bob.inbox, options=item_operations.FetchOptions())
    assert names_of(email_in(again.properties)) == [SEALED_NAME]


@pytest.mark.requirement("MS-ASRM_R357", "MS-ASRM_R418")
@pytest.mark.parametrize("version", LACKING, ids=str)
async def test_older_versions_take_its_elements_for_an_error(world: World, version: ProtocolVersion) -> None:
    bob = await person(world, "bob", version)
    await bob.news(BLIND)

    async def status_of(command: Command[Q, R], request: Q) -> int:
        client = bob.device.client
        octets = wbxml.encode(dump(request, V16_1)).join()
        response = await bob.device.transport.send(client.raw(client.line(command.name), octets))
        answer = client.read(command, response.status, response.headers, response.body)
        return answer.http_status if answer.response is None else answer.response.status

    asked = bob.device.client.collection(bob.inbox, options=READS, get_changes=True)
    request = sync.Request(collections=sync.Collections(collections=(asked,)))
    assert await status_of(SYNC, request) == sync.Status.PROTOCOL_ERROR
    fetch = item_operations.Fetch(store="Mailbox", server_id=f"{bob.inbox}:1", options=fetch_options())
    request = item_operations.Request(operations=(fetch,))
    assert await status_of(ITEM_OPERATIONS, request) == item_operations.Status.PROTOCOL_ERROR
    removing = replace(fetch, options=fetch_options(rights=None), remove_protection=EMPTY)
    request = item_operations.Request(operations=(removing,))
    assert await status_of(ITEM_OPERATIONS, request) == item_operations.Status.PROTOCOL_ERROR
    if version == V14_0:
        sent = compose(bob.letter("alice"), "1")
        assert await status_of(SEND_MAIL, replace(sent, template_id=CONFIDENTIAL)) == CommonStatus.INVALID_XML


async def test_the_whole_mime_is_the_message_or_its_seal(world: World) -> None:
    alice, bob = await person(world, "alice"), await person(world, "bob")
    assert await alice.send(alice.letter("bob"), CONFIDENTIAL) is None
    server_id, found = await bob.newest(WHOLE)
    assert b"The secret is 42." in octets_of(found)
    blind = await bob.fetch(
        server_id=server_id,
        options=item_operations.FetchOptions(mime_support=2, body_preferences=WHOLE[0].body_preferences),
    )
    octets = octets_of(email_in(blind.properties))
    assert b"secret" not in octets
    assert b"the plan itself" not in octets
    assert b"Subject: Plans" in octets
    assert NOTICE.encode() in octets


# ---- ItemOperations and Search


@pytest.mark.requirement("MS-ASRM_R410", "MS-ASRM_R210", "MS-ASCMD_R2400")
@pytest.mark.parametrize("multiparts", [False, True])
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_fetch_with_and_without(world: World, version: ProtocolVersion, multiparts: bool) -> None:
    alice, bob = await person(world, "alice", version), await person(world, "bob", version)
    assert await alice.send(alice.letter("bob"), CONFIDENTIAL) is None
    server_id, _ = await bob.newest(BLIND)
    named = {"server_id": server_id, "collection_id": bob.inbox, "multiparts": multiparts}
    shown = email_in((await bob.fetch(**named, options=fetch_options())).properties)
    assert shown.rights_management_license is not None
    assert names_of(shown) == ["plan.pdf"]
    for options in (fetch_options(rights=None), fetch_options(rights=False)):
        hidden = email_in((await bob.fetch(**named, options=options)).properties)
        assert hidden.rights_management_license is None
        assert names_of(hidden) == [SEALED_NAME]


async def test_a_schema_does_not_take_the_license_away(world: World) -> None:
    alice, bob = await person(world, "alice"), await person(world, "bob")
    assert await alice.send(alice.letter("bob"), CONFIDENTIAL) is None
    server_id, _ = await bob.newest()
    schema = Element(tag("ItemOperations:Schema"), [Element(tag("Email:Subject"))])
    shown = email_in((await bob.fetch(server_id=server_id, options=fetch_options(schema=schema))).properties)
    assert shown.subject == "Plans"
    assert shown.body is None
    assert shown.rights_management_license is not None


@pytest.mark.requirement("MS-ASRM_R201", "MS-ASRM_R88", "MS-ASCMD_R4968")
async def test_attachments_need_the_option_too(world: World) -> None:
    alice, bob = await person(world, "alice"), await person(world, "bob")
    assert await alice.send(alice.letter("bob"), CONFIDENTIAL) is None
    _, found = await bob.newest()
    reference = found.attachments.changes[0].file_reference
    shown = await bob.fetch(file_reference=reference, options=fetch_options())
    assert shown.status == item_operations.Status.SUCCESS
    for options in (fetch_options(rights=None), fetch_options(rights=False)):
        refused = await bob.fetch(file_reference=reference, options=options)
        assert refused.status == CommonStatus.IRM_OPERATION_NOT_PERMITTED
        assert refused.properties is None
    absent = reference.rpartition(":")[0] + ":7"
    assert (await bob.fetch(file_reference=absent, options=fetch_options())).status == 15
    plain = await person(world, "bob", scheme="http")
    refused = await plain.fetch(file_reference=reference, options=fetch_options())
    assert refused.status == CommonStatus.IRM_OPERATION_NOT_PERMITTED


@pytest.mark.requirement("MS-ASRM_R411", "MS-ASRM_R211", "MS-ASCMD_R2403")
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_search_with_and_without(world: World, version: ProtocolVersion) -> None:
    alice, bob = await person(world, "alice", version), await person(world, "bob", version)
    assert await alice.send(alice.letter("bob", subject="Zebra"), CONFIDENTIAL) is None

    async def found(rights: bool | None) -> search.Result:
        query = Element(
            tag("Search:Query"),
            [
                Element(
                    tag("Search:And"),
                    [
                        Element(tag("AirSync:CollectionId"), bob.inbox),
                        Element(tag("Search:FreeText"), "Zebra"),
                    ],
                )
            ],
        )
        options = search.Options(body_preferences=BLIND[0].body_preferences, rights_management=rights)
        store = search.Store(name="Mailbox", query=query, options=options)
        response = (await bob.device.call(SEARCH, search.Request(store=store))).take()
        (result,) = response.answer.store.results
        return result

    shown = email_in((await found(True)).properties)
    assert shown.rights_management_license is not None
    assert "The secret is 42." in text_of(shown)
    assert is_sealed(email_in((await found(None)).properties))
    assert is_sealed(email_in((await found(False)).properties))


# ---- sending


@pytest.mark.requirement("MS-ASRM_R200", "MS-ASRM_R356", "MS-ASCMD_R4966", "MS-ASRM_R358", "MS-ASRM_R374")
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_a_template_that_is_not_there(world: World, version: ProtocolVersion) -> None:
    alice, bob = await person(world, "alice", version), await person(world, "bob", version)
    assert await alice.send(alice.letter("bob")) is None
    server_id, _ = await bob.newest()
    for wrong in (UNKNOWN, "confidential", "", "x" * 10_000):
        assert await bob.send(bob.letter("alice"), wrong) == CommonStatus.IRM_INVALID_TEMPLATE_ID
        assert await bob.reply(server_id, bob.letter("alice"), wrong) == CommonStatus.IRM_INVALID_TEMPLATE_ID
        assert await bob.forward(server_id, bob.letter("carol"), wrong) == CommonStatus.IRM_INVALID_TEMPLATE_ID
    assert await alice.news() == {}


@pytest.mark.requirement("MS-ASRM_R222", "MS-ASRM_R371", "MS-ASCMD_R4960")
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_a_template_without_tls(world: World, version: ProtocolVersion) -> None:
    bob = await person(world, "bob", version, scheme="http")
    assert await bob.send(bob.letter("bob")) is None
    server_id, _ = await bob.newest(BLIND)
    for template in (CONFIDENTIAL, UNKNOWN, NO_RESTRICTION):
        assert await bob.send(bob.letter("alice"), template) == CommonStatus.IRM_FEATURE_DISABLED
        assert await bob.reply(server_id, bob.letter("alice"), template) == CommonStatus.IRM_FEATURE_DISABLED
        assert await bob.forward(server_id, bob.letter("carol"), template) == CommonStatus.IRM_FEATURE_DISABLED


async def test_protected_mail_does_not_leave_the_server(world: World) -> None:
    alice, bob = await person(world, "alice"), await person(world, "bob")
    outside = alice.letter("bob").replace(b"\r\nSubject", b", eve@elsewhere.example\r\nSubject")
    assert await alice.send(outside, CONFIDENTIAL) == CommonStatus.IRM_OPERATION_NOT_PERMITTED
    assert await bob.news() == {}
    assert await alice.send(outside, NO_RESTRICTION) is None
    assert (await bob.newest())[1].rights_management_license is None


async def test_nobody_else_can_say_that_a_message_is_protected(world: World) -> None:
    alice, bob = await person(world, "alice"), await person(world, "bob")
    forged = b"Content-Class: rpmsg.message\r\nX-Protection: " + CONFIDENTIAL.encode() + b"\r\n"
    assert await alice.send(forged + alice.letter("bob")) is None
    _, found = await bob.newest()
    assert found.rights_management_license is None
    assert "The secret is 42." in text_of(found)


async def test_a_move_keeps_the_protection(world: World) -> None:
    alice, bob = await person(world, "alice"), await person(world, "bob")
    await bob.news(BLIND, FolderType.DELETED_ITEMS)
    assert await alice.send(alice.letter("bob"), CONFIDENTIAL) is None
    server_id, _ = await bob.newest()
    target = bob.folders[FolderType.DELETED_ITEMS]
    move = move_items.Move(source_id=server_id, source_folder=bob.inbox, destinations=(target,))
    await bob.device.call(MOVE_ITEMS, move_items.Request(moves=(move,)))
    assert is_sealed((await bob.newest(BLIND, FolderType.DELETED_ITEMS))[1])


INVITATION = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//tests//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20261123T120000Z
DTSTART:20261201T120000Z
DTEND:20261201T130000Z
SUMMARY:Plans
DESCRIPTION:The secret is 42.
ORGANIZER:mailto:{alice}
ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{bob}
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize("template", [CONFIDENTIAL, None], ids=["protected", "plain"])
async def test_a_protected_invitation_does_not_reach_the_calendar(world: World, template: str | None) -> None:
    alice, bob = await person(world, "alice"), await person(world, "bob")
    event = INVITATION.format(uid=template, alice=world.address("alice"), bob=world.address("bob"))
    head, _, _ = alice.letter("bob").partition(b"MIME-Version")
    content = b"MIME-Version: 1.0\r\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n"
    assert await alice.send(head + content + event.replace("\n", "\r\n").encode(), template) is None
    server_id, found = await bob.newest(BLIND)
    assert (found.meeting_request is None) == (template is not None)
    answer = meeting_response.Answer(user_response=1, collection_id=bob.inbox, request_id=server_id)
    response = (await bob.device.call(MEETING_RESPONSE, meeting_response.Request(answers=(answer,)))).take()
    refused = [result.status for result in response.results] == [meeting_response.Status.INVALID_MEETING_REQUEST]
    assert refused == (template is not None)
    news = await bob.device.catch_up(bob.folders[FolderType.CALENDAR], options=())
    assert bool(news.commands) == (template is None)
