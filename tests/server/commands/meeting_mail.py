"""Invitations that come by mail, and answers to them, for tests."""

from dataclasses import replace
from typing import Any

from eas_server.commands import meeting_response, send_mail
from eas_server.commands.compose import Order, send
from eas_server.model.ids import DeviceId
from eas_server.model.mail import FolderType
from eas_server.render.mime import index_message
from eas_server.submission.incoming import Envelope, Incoming, IncomingPorts, Outcome
from protocol.commands.meeting_response import Answer, Request, Response, Result
from protocol.commands.sync import Options, ServerAdd
from protocol.items.calendar import Calendar
from protocol.items.email import Email
from protocol.schema import load
from tests.server.commands.colleagues import Colleague, Colleagues
from tests.server.commands.mailbox import FixedClock

ACCEPT, MAYBE, DECLINE = 1, 2, 3
BOB = "bob@example.com"
INBOX, DELETED, CALENDAR = FolderType.INBOX, FolderType.DELETED_ITEMS, FolderType.CALENDAR
DAILY = ("RRULE:FREQ=DAILY;COUNT=5",)
SECOND = "2026-12-02T09:00:00.000Z"


async def deliver(all_: Colleagues, octets: bytes, *to: str) -> None:
    """A mail that comes from outside."""
    store = all_.box.store
    ports = IncomingPorts(
        accounts=store.accounts,
        submission=all_.alice.bench.submission,
        clock=FixedClock(all_.alice.bench.now),
        index=index_message,
    )
    incoming = Incoming(ports, host="mail.example.com", domains=("example.com",))
    envelope = Envelope(
        sender="alice@example.com", recipients=to or (BOB,), content=memoryview(octets), protocol="LMTP"
    )
    assert set(await incoming.deliver(envelope)) == {Outcome.DELIVERED}


async def write(one: Colleague, octets: bytes) -> None:
    """A mail that a device sends."""
    order = Order(command="SendMail", client_id=None, mime=memoryview(octets), save=True)
    await send(order, await one.bench.context(send_mail.COMMAND.name))


async def shown(one: Colleague, folder: FolderType, kind: type[Any]) -> dict[str, Any]:
    """What a new device gets of a folder, by ServerId."""
    phone = one.box.phone("new", one.folders[folder])
    phone.bench = replace(one.bench, device_id=DeviceId("new"))
    found = {}
    phone.key = "0"
    while (got := await phone.ask(lose=True, options=Options())) is not None:
        phone.key = got.sync_key
        for command in got.commands.commands if got.commands else ():
            assert isinstance(command, ServerAdd)
            found[command.server_id] = load(kind, command.application_data)
    return found


async def event(one: Colleague) -> Calendar:
    """The only event of somebody's calendar."""
    (found,) = (await shown(one, CALENDAR, Calendar)).values()
    assert isinstance(found, Calendar)
    return found


async def invitation(one: Colleague) -> tuple[str, Email]:
    """The only message in somebody's Inbox."""
    ((name, found),) = (await shown(one, INBOX, Email)).items()
    return name, found


async def respond(one: Colleague, *answers: Answer) -> tuple[Result, ...]:
    response: Response = await one.bench.run(meeting_response.COMMAND, Request(answers=answers))
    return response.results


def to(name: str, answer: int, **more: Any) -> Answer:
    """An answer to an item."""
    return Answer(user_response=answer, collection_id=name.partition(":")[0], request_id=name, **more)
