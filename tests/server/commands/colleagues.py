"""Alice, Bob and Carol on one server, each with a phone that syncs their calendar and the folders of their mail."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from eas_server.delivery.steps import deliver_through
from eas_server.interfaces import Queued
from eas_server.model.blob import read
from eas_server.model.directory import Account
from eas_server.model.ids import CollectionId, DeviceId, UserId
from eas_server.model.mail import FolderType, Item
from eas_server.model.view import TOP
from eas_server.render.contentlines import Component, parse
from protocol.commands.sync import Add, Change, Delete
from protocol.items.calendar import Attendee, Calendar
from protocol.items.email import BusyStatus
from protocol.schema import dump
from protocol.versions import ProtocolVersion
from tests.server.commands.mailbox import Mailbox, Phone, mailbox
from tests.server.commands.support import ALICE, Bench


def account(name: str) -> Account:
    address = f"{name}@example.com"
    return Account(
        user=UserId(address),
        address=address,
        addresses=frozenset({address}),
        display_name=name.title(),
    )


BOB, CAROL = account("bob"), account("carol")


@dataclass(frozen=True)
class Mail:
    """A message in somebody's folder."""

    item: Item
    octets: bytes
    message: EmailMessage

    @property
    def method(self) -> str:
        part = self.calendar_part
        return "" if part is None else str(part.get_param("method"))

    @property
    def calendar_part(self) -> EmailMessage | None:
        return next((p for p in self.message.walk() if p.get_content_type() == "text/calendar"), None)

    @property
    def calendar(self) -> Component:
        assert self.calendar_part is not None
        octets = self.calendar_part.get_payload(decode=True)
        assert isinstance(octets, bytes)
        return parse(octets)

    @property
    def events(self) -> tuple[Component, ...]:
        return self.calendar.components("VEVENT")

    @property
    def event(self) -> Component:
        (found,) = self.events
        return found

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])


@dataclass
class Colleague:
    """One of them."""

    box: Mailbox
    bench: Bench
    folders: dict[FolderType, CollectionId]
    calendar: Phone

    def another_device(self) -> "Colleague":
        """The same person with a second phone, which holds nothing yet."""
        bench = replace(self.calendar.bench, device_id=DeviceId("second"))
        return replace(self, bench=bench, calendar=Phone(bench, self.calendar.folder))

    async def mail(self, folder: FolderType = FolderType.INBOX) -> list[Mail]:
        """What is in a folder of mail, oldest first."""
        items = await self.items(folder)
        found = []
        for item in items:
            octets = await read(item.content)
            message = message_from_bytes(octets, policy=policy.default)
            assert isinstance(message, EmailMessage)
            found.append(Mail(item, octets, message))
        return found

    async def items(self, folder: FolderType) -> list[Item]:
        mail, user, id_ = self.box.store.mail, self.bench.account.user, self.folders[folder]
        page = await mail.page(user, id_, below=TOP, not_before=0, limit=1000)
        return list(await mail.fetch(user, id_, sorted(entry.id for entry in page)))

    async def events(self) -> list[Component]:
        """The VCALENDARs of the calendar."""
        return [parse(await read(item.content)) for item in await self.items(FolderType.CALENDAR)]

    async def sync(self, *commands: Any, **asked: Any) -> Any:
        """Sync the calendar once; the answer."""
        if self.calendar.key == "0":
            await self._take(await self.calendar.ask(lose=True))
        answer = await self.calendar.ask(*commands, lose=True, **asked)
        await self._take(answer)
        return answer

    async def _take(self, answer: Any) -> None:
        if answer is not None:
            assert answer.status == 1, answer
            self.calendar.key = answer.sync_key

    async def add(self, event: Calendar, client_id: str = "1", **asked: Any) -> Any:
        """Add an event; its ServerId."""
        answer = await self.sync(Add(client_id=client_id, application_data=dump(event)), **asked)
        (response,) = answer.responses.responses
        assert response.status == 1, response
        return response.server_id

    async def change(self, server_id: str, event: Calendar, instance_id: str | None = None) -> Any:
        change = Change(server_id=server_id, instance_id=instance_id, application_data=dump(event))
        answer = await self.sync(change, get_changes=False)
        assert answer.responses is None, answer.responses
        return answer

    async def delete(self, server_id: str, instance_id: str | None = None) -> Any:
        answer = await self.sync(Delete(server_id=server_id, instance_id=instance_id), get_changes=False)
        assert answer.responses is None, answer.responses
        return answer


@dataclass
class Colleagues:
    """All of them."""

    box: Mailbox
    alice: Colleague
    bob: Colleague
    carol: Colleague

    def speak(self, version: ProtocolVersion) -> None:
        for one in (self.alice, self.bob, self.carol):
            one.bench.version = version
            one.calendar.bench.version = version

    def wait(self, span: timedelta) -> None:
        """Let time go by."""
        for one in (self.alice, self.bob, self.carol):
            one.bench.now += span
            one.calendar.bench.now += span

    async def queue(self) -> list[Queued]:
        """What goes to other servers."""
        return list(await self.box.store.queue.due(self.alice.bench.now + timedelta(days=1), 100))


@asynccontextmanager
async def colleagues(folder: Path) -> AsyncIterator[Colleagues]:
    """A server with the three."""
    async with mailbox(folder) as box:
        for other in (BOB, CAROL):
            await box.store.admin.add_user(str(other.user), None)
        box.bench.submission = deliver_through(
            box.store.submission,
            folders=box.store.folders,
            mail=box.store.mail,
            search=box.store.mail,
            accounts=box.store.accounts,
            preferences=box.store.preferences,
            host="mail.example.com",
            domains=("example.com",),
        )
        box.bench.settings = replace(box.bench.settings, domains=("example.com",))
        alice, bob, carol = [await _colleague(box, one) for one in (ALICE, BOB, CAROL)]
        yield Colleagues(box, alice, bob, carol)


async def _colleague(box: Mailbox, who: Account) -> Colleague:
    bench = replace(box.bench, account=who)
    found = {f.type: f.id for f in await bench.folders.folders(who.user)}
    return Colleague(box, bench, found, Phone(replace(bench), found[FolderType.CALENDAR]))


def meeting(*attendees: str, **changes: Any) -> Calendar:
    """An hour tomorrow week, as a device of 16.0 and later sends it."""
    values: dict[str, Any] = {
        "subject": "Stand-up",
        "start_time": datetime(2026, 12, 1, 9, 0, tzinfo=UTC),
        "end_time": datetime(2026, 12, 1, 10, 0, tzinfo=UTC),
        "busy_status": BusyStatus.BUSY,
        "all_day_event": False,
        "attendees": tuple(Attendee(email=a, name=a.partition("@")[0].title()) for a in attendees) or None,
    }
    return Calendar(**{**values, **changes})
