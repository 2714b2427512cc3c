"""Whom a user writes to comes to the devices as the recipient information cache, the most used first."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import get_item_estimate, move_items, ping, sync
from eas_server.delivery.recipient_cache import MAX_ENTRIES, MAX_NOTED, SAME_USE
from eas_server.model.ids import DeviceId
from eas_server.model.mail import FolderType
from eas_server.render.recipients import HALF_LIFE, used, weighted_rank
from protocol.commands.get_item_estimate import Collection as Estimated
from protocol.commands.get_item_estimate import Request as EstimateRequest
from protocol.commands.move_items import Move
from protocol.commands.move_items import Request as MoveRequest
from protocol.commands.ping import Folder as PingFolder
from protocol.commands.ping import Request as PingRequest
from protocol.commands.sync import (
    Add,
    Change,
    ClientCommands,
    Collection,
    Collections,
    Delete,
    Options,
    Request,
    ServerAdd,
    SoftDelete,
    Status,
)
from protocol.items.contacts import Contact
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, V12_1, V14_0, ProtocolVersion
from tests.server.commands.support import NOW, Bench
from tests.server.delivery.house import House, house, mail, user

DAY = timedelta(days=1)
CACHE = FolderType.RECIPIENT_INFORMATION_CACHE
WITH_CACHE = [version for version in SUPPORTED if version >= V14_0]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


@dataclass
class Phone:
    """A device that syncs the cache."""

    bench: Bench
    folder: str = "RI"
    key: str = "0"
    entries: dict[str, Contact] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    async def ask(self, *commands: Any, **asked: Any) -> Any:
        """One Sync; the answer, or the whole response where there is no collection in it."""
        collection = Collection(
            sync_key=self.key,
            collection_id=self.folder,
            commands=ClientCommands(commands=commands) if commands else None,
            **asked,
        )
        request = Request(collections=Collections(collections=(collection,)))
        response = await self.bench.run_tree(sync.COMMAND, dump(request, self.bench.version))
        if response is None or response.collections is None:
            return response
        (answer,) = response.collections.collections
        self.key = answer.sync_key
        for command in answer.commands.commands if answer.commands else ():
            self.told.append(type(command).__name__)
            if isinstance(command, (ServerAdd, Change)):
                assert command.application_data is not None
                self.entries[command.server_id] = load(Contact, command.application_data)
            elif isinstance(command, (Delete, SoftDelete)):
                del self.entries[command.server_id]
        return answer

    async def all(self, **asked: Any) -> None:
        """Until nothing is left."""
        self.told.clear()
        while await self.ask(**asked) is not None:
            pass

    def ranked(self) -> list[str | None]:
        """The addresses, the first one first."""
        return [e.email1_address for e in sorted(self.entries.values(), key=lambda e: -(e.weighted_rank or 0))]


async def writes(home: House, to: str, **fields: str) -> None:
    """Alice writes."""
    await home.send(await home.bench(), mail(f"m{home.sent}", sender="alice@example.com", to=to, **fields))


@pytest.mark.requirement("MS-ASCNTC_R102", "MS-ASCNTC_R2006", "MS-ASCNTC_R2007", "MS-ASCNTC_R2008")
@pytest.mark.requirement("MS-ASCNTC_R2008001", "MS-ASCNTC_R231")
@pytest.mark.requirement("MS-ASCMD_R2037", "MS-ASCNTC_R514", "MS-ASCNTC_R219", "MS-ASCNTC_R236", "MS-ASCNTC_R410")
@pytest.mark.requirement("MS-ASCNTC_R412", "MS-ASCNTC_R414", "MS-ASCNTC_R2246", "MS-ASCNTC_R2247", "MS-ASCNTC_R2248")
@pytest.mark.requirement("MS-ASCNTC_R2248001", "MS-ASCMD_R4685", "MS-ASCNTC_R105")
@pytest.mark.parametrize("version", WITH_CACHE, ids=str)
async def test_whom_somebody_writes_to_is_there(home: House, version: ProtocolVersion) -> None:
    await writes(home, "Bob Builder <Bob@example.com>", Cc="dora@elsewhere.test, alice@example.com")
    phone = Phone(await home.bench(version=version))
    await phone.ask()
    answer = await phone.ask(options=(Options(max_items=50),))
    (first, second) = answer.commands.commands
    names = {child.tag.name for add in (first, second) for child in add.application_data.children}
    assert names == {"Email1Address", "FileAs", "Alias", "WeightedRank"}
    assert {child.tag.namespace for child in first.application_data.children} == {"Contacts"}
    bob, dora = (load(Contact, add.application_data) for add in (first, second))
    assert (bob.email1_address, bob.file_as, bob.alias) == ("Bob@example.com", "Bob Builder", "bob")
    assert (dora.email1_address, dora.file_as, dora.alias) == ("dora@elsewhere.test", "dora@elsewhere.test", None)
    assert bob.weighted_rank == weighted_rank(NOW)


@pytest.mark.requirement("MS-ASCNTC_R2245", "MS-ASCNTC_R2262", "MS-ASCNTC_R2261")
async def test_12_1_does_not_know_of_it(home: House) -> None:
    await writes(home, "bob@example.com")
    bench = await home.bench(version=V12_1)
    answer = await Phone(bench).ask(item_class="Contacts")
    assert answer.status == Status.HIERARCHY_CHANGED
    estimate = await bench.run(
        get_item_estimate.COMMAND, EstimateRequest(collections=(Estimated(collection_id="RI", sync_key="1"),))
    )
    assert estimate.responses[0].status == 2
    asked = PingRequest(heartbeat_interval=60, folders=(PingFolder(id="RI", item_class="Contacts"),))
    assert (await bench.run(ping.COMMAND, asked)).status == 7


@pytest.mark.requirement("MS-ASCNTC_R413", "MS-ASCNTC_R414")
async def test_who_is_written_to_more_often_comes_first(home: House) -> None:
    phone = Phone(await home.bench())
    await phone.all()
    for to in ("bob@example.com", "carol@example.com", "bob@example.com"):
        await writes(home, to)
        home.clock.moment += timedelta(hours=1)
    await phone.all()
    assert phone.ranked() == ["bob@example.com", "carol@example.com"]
    await writes(home, "carol@example.com")
    await phone.all()
    assert phone.ranked() == ["carol@example.com", "bob@example.com"]
    assert phone.told == ["Change"]
    home.clock.moment += 6 * HALF_LIFE
    await writes(home, "dora@elsewhere.test")
    await phone.all()
    assert phone.ranked()[0] == "dora@elsewhere.test"


async def test_the_name_is_the_last_that_was_given(home: House) -> None:
    phone = Phone(await home.bench())
    for to, shown in (
        ("Bob <bob@example.com>", "Bob"),
        ("bob@example.com", "Bob"),
        ("Robert <BOB@example.com>", "Robert"),
    ):
        await writes(home, to)
        await phone.all()
        assert [entry.file_as for entry in phone.entries.values()] == [shown]


@pytest.mark.requirement("MS-ASCMD_R3273", "MS-ASCMD_R3275", "MS-ASCMD_R6771", "MS-ASCMD_R6772", "MS-ASCMD_R6773")
@pytest.mark.requirement("MS-ASCMD_R6773101601")
@pytest.mark.parametrize("version", WITH_CACHE, ids=str)
async def test_max_items_keeps_the_first_of_them(home: House, version: ProtocolVersion) -> None:
    await writes(home, ", ".join(f"p{n}@elsewhere.test" for n in range(5)))
    phone = Phone(await home.bench(version=version))
    await phone.all(options=(Options(max_items=2),))
    assert phone.ranked() == ["p0@elsewhere.test", "p1@elsewhere.test"]
    home.clock.moment += DAY
    await writes(home, "p4@elsewhere.test")
    await phone.all()  # the Options are remembered
    assert phone.ranked() == ["p4@elsewhere.test", "p0@elsewhere.test"]
    await phone.all(options=(Options(max_items=4),))
    assert phone.ranked() == [f"p{n}@elsewhere.test" for n in (4, 0, 1, 2)]
    await phone.all(options=(Options(),))
    assert len(phone.entries) == 5


@pytest.mark.requirement("MS-ASCMD_R3263", "MS-ASCMD_R3264", "MS-ASCMD_R6767", "MS-ASCMD_R6768", "MS-ASCMD_R6769")
@pytest.mark.requirement("MS-ASCMD_R6769101601")
@pytest.mark.parametrize("version", WITH_CACHE, ids=str)
async def test_an_estimate_counts_the_first_of_them(home: House, version: ProtocolVersion) -> None:
    phone = Phone(await home.bench(version=version))
    await phone.ask()
    await writes(home, ", ".join(f"p{n}@elsewhere.test" for n in range(5)))
    asked = Estimated(collection_id="RI", sync_key=phone.key, options=(Options(max_items=3),))
    answer = await phone.bench.run(get_item_estimate.COMMAND, EstimateRequest(collections=(asked,)))
    assert answer.responses[0].collection.estimate == 3


@pytest.mark.requirement("MS-ASCMD_R756", "MS-ASCMD_R754", "MS-ASCMD_R2038")
@pytest.mark.parametrize("version", WITH_CACHE, ids=str)
async def test_clients_only_read_it(home: House, version: ProtocolVersion) -> None:
    await writes(home, "bob@example.com")
    phone = Phone(await home.bench(version=version))
    await phone.all()
    (name,) = phone.entries
    data = dump(Contact(file_as="x"), version)
    for command in (
        Add(client_id="1", application_data=data),
        Change(server_id=name, application_data=data),
        Delete(server_id=name),
    ):
        refused = await phone.ask(command)
        assert (refused.status, refused.collections) == (Status.PROTOCOL_ERROR, None)
    for move in (
        Move(source_id=name, source_folder="RI", destinations=("8",)),
        Move(source_id="8:1", source_folder="8", destinations=("RI",)),
    ):
        (moved,) = (await phone.bench.run(move_items.COMMAND, MoveRequest(moves=(move,)))).responses
        assert moved.status in {1, 2}
    (item,) = await home.items("alice", CACHE)
    assert item.index.to == "bob@example.com"


async def test_machines_note_nobody(home: House) -> None:
    await writes(home, "bob@example.com", Auto_Submitted="auto-generated", Bcc="carol@example.com")
    await writes(home, "bob@example.com", Content_Type="multipart/report; boundary=x")
    await home.comes(mail("in", sender="dora@elsewhere.test"), "dora@elsewhere.test", "alice@example.com")
    await writes(home, "noreply@elsewhere.test, alice@example.com")
    assert await home.items("alice", CACHE) == []
    assert await home.items("bob", CACHE) == []


async def test_hidden_recipients_are_noted_from_the_own_copy(home: House) -> None:
    await writes(home, "bob@example.com", Bcc="carol@example.com")
    assert {item.index.to for item in await home.items("alice", CACHE)} == {"bob@example.com", "carol@example.com"}


async def test_a_mail_that_is_not_kept_notes_its_recipients_too(home: House) -> None:
    octets = mail("x", sender="alice@example.com", to="dora@elsewhere.test")
    await home.send(await home.bench(), octets, save=False)
    assert [item.index.to for item in await home.items("alice", CACHE)] == ["dora@elsewhere.test"]


async def test_a_mail_to_many_notes_a_few(home: House) -> None:
    await writes(home, ", ".join(f"p{n}@elsewhere.test" for n in range(500)))
    assert len(await home.items("alice", CACHE)) == MAX_NOTED


async def test_the_least_used_go(home: House) -> None:
    for start in range(0, MAX_ENTRIES + MAX_NOTED, MAX_NOTED):
        await writes(home, ", ".join(f"p{n}@elsewhere.test" for n in range(start, start + MAX_NOTED)))
        home.clock.moment += timedelta(hours=1)
    found = {item.index.to for item in await home.items("alice", CACHE)}
    assert len(found) == MAX_ENTRIES
    assert found.isdisjoint(f"p{n}@elsewhere.test" for n in range(MAX_NOTED))
    moments = [item.received for item in await home.items("alice", CACHE)]
    assert len(set(moments)) == MAX_ENTRIES


async def test_a_group_is_noted_as_it_was_written_to(home: House) -> None:
    await writes(home, "The Team <team@example.com>")
    (item,) = await home.items("alice", CACHE)
    assert item.index.to == "team@example.com"


def test_a_use_counts_half_after_a_half_life() -> None:
    once = used(None, NOW)
    assert once == NOW
    twice = used(once, NOW)
    assert twice - NOW == HALF_LIFE
    assert used(twice, NOW + 100 * HALF_LIFE) - (NOW + 100 * HALF_LIFE) < timedelta(seconds=1)
    assert weighted_rank(NOW) < weighted_rank(twice) < 2**31
    many = NOW
    for _ in range(1000):
        many = used(many, NOW)
    assert many - NOW < 10 * HALF_LIFE


async def test_addresses_alike_are_told_apart(home: House) -> None:
    alike = [
        "a@elsewhere.test",
        "ab@elsewhere.test",
        "a.b@elsewhere.test",
        "b.a@elsewhere.test",
        "a@elsewhere.test.test",
    ]
    for _ in range(2):
        await writes(home, ", ".join(alike))
    assert {item.index.to for item in await home.items("alice", CACHE)} == set(alike)
    assert len(await home.items("alice", CACHE)) == len(alike)


async def test_mails_at_once_make_one_entry(home: House) -> None:
    bench = await home.bench()
    letters = [mail(f"m{n}", sender="alice@example.com", to="dora@elsewhere.test") for n in range(5)]
    await asyncio.gather(*(home.send(bench, octets) for octets in letters))
    (item,) = await home.items("alice", CACHE)
    assert item.received == NOW, "what is sent at once counts once"
    home.clock.moment += SAME_USE
    await writes(home, "dora@elsewhere.test")
    (item,) = await home.items("alice", CACHE)
    assert abs(item.received - used(NOW, home.clock.moment)) < timedelta(minutes=1)


async def test_who_has_no_room_sends_all_the_same(home: House) -> None:
    await home.store.admin.set_quota(user("alice"), 1000)
    for n in range(20):
        octets = mail("x" * 100, sender="alice@example.com", to=f"p{n}@elsewhere.test")
        await home.send(await home.bench(), octets, save=False)
    assert 0 < len(await home.items("alice", CACHE)) < 20
    assert len(await home.outgoing()) == 20


@pytest.mark.requirement("MS-ASCMD_R2038")
async def test_a_ping_hears_of_a_new_entry(home: House) -> None:
    phone = Phone(await home.bench())
    await phone.all(options=(Options(max_items=1),))
    await writes(home, "bob@example.com")
    asked = PingRequest(heartbeat_interval=60, folders=(PingFolder(id="RI", item_class="Contacts"),))
    answer = await phone.bench.run(ping.COMMAND, asked)
    assert (answer.status, answer.folders) == (2, ("RI",))


@pytest.mark.requirement("MS-ASCNTC_R415", "MS-ASCNTC_R105")
async def test_other_contacts_have_no_rank(home: House) -> None:
    bench = await home.bench()
    folders = await home.store.folders.folders(bench.account.user)
    contacts = next(each.id for each in folders if each.type is FolderType.CONTACTS)
    first = Phone(bench, folder=contacts)
    await first.all()
    contact = Contact(file_as="Bob", email1_address="bob@example.com", weighted_rank=7, alias="bob")
    await first.ask(Add(client_id="1", application_data=dump(contact)))
    second = Phone(await home.bench(device_id=DeviceId("device2")), folder=contacts)
    await second.all()
    (found,) = second.entries.values()
    assert (found.file_as, found.weighted_rank, found.alias) == ("Bob", None, None)
