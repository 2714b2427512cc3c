"""The MeetingRequest of messages, in whatever command they come to a device."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eas_server.commands import item_operations, search
from eas_server.model.mail import FolderType
from protocol.codepages import tag
from protocol.commands import item_operations as operations
from protocol.commands import search as searching
from protocol.elements import Element
from protocol.items.email import Email
from protocol.schema import EMPTY, load
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.server.commands.colleagues import Colleagues, colleagues
from tests.server.commands.meeting_mail import INBOX, deliver, invitation, shown, write
from tests.server.render.invitations import APPLE, OUTLOOK, answer, google, ics, mail


@pytest.fixture
async def all_(tmp_path: Path) -> AsyncIterator[Colleagues]:
    async with colleagues(tmp_path) as made:
        yield made


def email(properties: Element) -> Email:
    return load(Email, Element(tag("AirSync:ApplicationData"), properties.content))


@pytest.mark.requirement("MS-ASEMAIL_R541", "MS-ASEMAIL_R545", "MS-ASCMD_R5067")
@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("octets", [OUTLOOK, google(), APPLE, mail(ics(organizer=None)), mail(ics("CANCEL"))])
async def test_sync_fetch_and_search(all_: Colleagues, version: ProtocolVersion, octets: bytes) -> None:
    all_.speak(version)
    await deliver(all_, octets)
    name, synced = await invitation(all_.bob)
    assert synced.meeting_request is not None
    fetch = operations.Fetch(store="Mailbox", collection_id=name.partition(":")[0], server_id=name)
    fetched = await all_.bob.bench.run(item_operations.COMMAND, operations.Request(operations=(fetch,)))
    (one,) = fetched.responses.fetched
    assert email(one.properties).meeting_request == synced.meeting_request
    sought = Element(tag("Search:And"), [Element(tag("Search:FreeText"), "alice")])
    store = searching.Store(
        name="Mailbox",
        query=Element(tag("Search:Query"), [sought]),
        options=searching.Options(deep_traversal=EMPTY),
    )
    response = await all_.bob.bench.run(search.COMMAND, searching.Request(store=store))
    (result,) = [one for one in response.answer.store.results if one.long_id == name]
    assert email(result.properties).meeting_request == synced.meeting_request


@pytest.mark.requirement("MS-ASEMAIL_R544")
async def test_other_messages_have_none(all_: Colleagues) -> None:
    await deliver(all_, b"From: alice@example.com\r\nSubject: x\r\n\r\nHello\r\n")
    await deliver(all_, mail(ics("PUBLISH")))
    assert {m.meeting_request for m in (await shown(all_.bob, INBOX, Email)).values()} == {None}


async def test_in_sent_items(all_: Colleagues) -> None:
    await write(all_.alice, mail(ics()))
    await write(all_.bob, mail(answer("ACCEPTED"), "REPLY", sender="bob@example.com", to="alice@example.com"))
    (invited,) = (await shown(all_.alice, FolderType.SENT_ITEMS, Email)).values()
    assert (invited.message_class, invited.meeting_request) == ("IPM.Schedule.Meeting.Request", None)
    (answered,) = (await shown(all_.bob, FolderType.SENT_ITEMS, Email)).values()
    assert answered.message_class == "IPM.Schedule.Meeting.Resp.Pos"
    assert answered.meeting_request is not None
