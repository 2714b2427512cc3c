"""The workloads of the other classes: a calendar, contacts, searches in a large mailbox, and when people are free."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from benchmarks import seeds
from benchmarks.http import Connection, sync_key
from benchmarks.result import Result, octets, percentile
from benchmarks.server import Server, serving
from eas_server.backends.sqlite.store import Store
from eas_server.commands import kept_items
from eas_server.model.directory import Account
from eas_server.model.ids import CollectionId, UserId
from eas_server.model.mail import FolderType, ItemClass
from protocol.codepages import tag
from protocol.commands import resolve_recipients, search, sync
from protocol.datatypes import SystemTime, TimeZone
from protocol.elements import Element
from protocol.items.airsyncbase import Body, BodyPreference, BodyType
from protocol.items.calendar import (
    Attendee,
    AttendeeStatus,
    AttendeeType,
    BusyStatus,
    Calendar,
    MeetingStatus,
    Recurrence,
    RecurrenceType,
    Sensitivity,
)
from protocol.items.contacts import Contact
from protocol.schema import dump
from protocol.versions import V14_1

ME: Final = "user0@example.com"
TIMES: Final = 3
"""How often a work is done; the best counts."""
PREVIEW: Final = sync.Options(body_preferences=(BodyPreference(type=BodyType.PLAIN, truncation_size=500),))
BERLIN: Final = TimeZone(
    bias=-60,
    standard_date=SystemTime(month=10, day_of_week=0, day=5, hour=3),
    daylight_date=SystemTime(month=3, day_of_week=0, day=5, hour=2),
    daylight_bias=-60,
)
TODAY: Final = seeds.NOW.replace(hour=0, minute=0, second=0, microsecond=0)


def _writing(user: str, number: int) -> kept_items.Writing:
    return kept_items.Writing(
        version=V14_1,
        now=seeds.NOW,
        uid=f"bench-{number}",
        account=Account(user=UserId(user), address=user, addresses=frozenset({user}), display_name="User"),
        device_type="bench",
        supported=None,
    )


def event(user: str, number: int, *, recurs: bool, spread: int, randomness: random.Random) -> bytes:
    """An event as a device sends it, within `spread` days around today: a time zone, a place, notes, up to three
    attendees; a series comes back each week.
    """
    begin = TODAY + timedelta(days=number % (2 * spread) - spread, hours=8 + number % 9)
    attendees = tuple(
        Attendee(
            email=f"person{randomness.randrange(500)}@example.com",
            name=f"Person {number % 7}",
            status=AttendeeStatus.ACCEPTED,
            type=AttendeeType.REQUIRED,
        )
        for _ in range(randomness.randrange(4))
    )
    weekly = Recurrence(
        type=RecurrenceType.WEEKLY, interval=1, day_of_week=1 << (begin.isoweekday() % 7), occurrences=50
    )
    data = Calendar(
        time_zone=BERLIN.dump(),
        all_day_event=False,
        start_time=begin,
        end_time=begin + timedelta(minutes=30 * randomness.randrange(1, 5)),
        dt_stamp=seeds.NOW,
        subject=f"Meeting {number} about {randomness.choice(('budget', 'release', 'lunch'))}",
        location_text=f"Room {number % 40}",
        uid=f"bench-{number}",
        busy_status=BusyStatus(2),
        sensitivity=Sensitivity.NORMAL,
        reminder=15,
        meeting_status=MeetingStatus.ORGANIZER if attendees else MeetingStatus.APPOINTMENT,
        attendees=attendees or None,
        body=Body(type=BodyType.PLAIN, data="Agenda: " + "what there is to say. " * 10),
        recurrence=weekly if recurs else None,
    )
    return kept_items.written(ItemClass.CALENDAR, None, dump(data, V14_1), _writing(user, number))


def contact(user: str, number: int) -> bytes:
    """A contact as a device sends it: names, three addresses, five numbers, two places, a note."""
    data = Contact(
        first_name=f"Anna{number}",
        last_name=f"Huber{number % 97}",
        file_as=f"Huber{number % 97}, Anna{number}",
        company_name="Example GmbH",
        department="Sales",
        job_title="Engineer",
        email1_address=f"anna{number}@example.org",
        email2_address=f"a.huber{number}@example.net",
        mobile_phone_number=f"+49 170 {number:07}",
        business_phone_number=f"+49 30 {number:06}",
        home_phone_number=f"+49 89 {number:06}",
        business_address_street="Main Street 1",
        business_address_city="Berlin",
        business_address_postal_code="10115",
        business_address_country="Germany",
        home_address_city="Munich",
        home_address_street=f"Lane {number % 300}",
        web_page="https://example.org",
        body=Body(type=BodyType.PLAIN, data="Met at the fair; likes tea."),
    )
    return kept_items.written(ItemClass.CONTACTS, None, dump(data, V14_1), _writing(user, number))


async def fill(store: Store, user: str, item_class: ItemClass, octets_of: Callable[[int], bytes], count: int) -> str:
    """Put items into the user's default folder of a class; gives its id."""
    types = {ItemClass.CALENDAR: FolderType.CALENDAR, ItemClass.CONTACTS: FolderType.CONTACTS}
    folders = await store.folders.folders(UserId(user))
    folder = next(each.id for each in folders if each.type is types[item_class])
    for at in range(0, count, seeds.AT_ONCE * 4):
        await asyncio.gather(
            *(
                store.mail.add(UserId(user), folder, kept_items.new_item(item_class, octets_of(number)))
                for number in range(at, min(at + seeds.AT_ONCE * 4, count))
            )
        )
    return folder


# ---- initial Sync


def _request(collection: str, key: str, options: sync.Options | None = None) -> bytes:
    asked = sync.Collection(
        sync_key=key,
        collection_id=CollectionId(collection),
        window_size=100,
        options=() if options is None else (options,),
    )
    return octets(sync.Request(collections=sync.Collections(collections=(asked,))))


async def _initial(server: Server, collection: str, device: str) -> tuple[float, float, int]:
    """Seconds, CPU seconds and answers of a first Sync."""
    async with Connection(server.port, ME, device) as connection:
        cpu, begun, rounds = server.cpu(), time.perf_counter(), 0
        body = await connection.ask("Sync", _request(collection, "0", PREVIEW))
        while body:
            body = await connection.ask("Sync", _request(collection, sync_key(body).decode()))
            rounds += 1
        return time.perf_counter() - begun, server.cpu() - cpu, rounds - 1


async def _first_sync(seed: Callable[[Store], Awaitable[str]], count: int, what: str, target: str) -> list[Result]:
    collection = ""

    async def seeded(store: Store) -> None:
        nonlocal collection
        await seeds.add_users(store, 1)
        collection = await seed(store)

    async with serving(seeded) as server:
        seconds, cpu, rounds = min([await _initial(server, collection, f"first{n}") for n in range(TIMES)])
    return [
        Result(
            f"initial Sync of {what}, WindowSize 100",
            target,
            f"{count / seconds:,.0f}/s",
            [f"{cpu / count * 1e6:,.0f} µs CPU each; {rounds} answers; best of {TIMES}"],
        )
    ]


async def initial_calendar(count: int = 5_000, series: int = 500) -> list[Result]:
    """5,000 events, 500 of them series."""
    randomness = random.Random(11)
    every = count // series

    def octets_of(number: int) -> bytes:
        return event(ME, number, recurs=number % every == 0, spread=700, randomness=randomness)

    return await _first_sync(
        lambda store: fill(store, ME, ItemClass.CALENDAR, octets_of, count),
        count,
        f"a calendar of {count:,} events, {series} of them series",
        "1,000/s",
    )


async def initial_contacts(count: int = 10_000) -> list[Result]:
    """10,000 contacts."""
    return await _first_sync(
        lambda store: fill(store, ME, ItemClass.CONTACTS, lambda number: contact(ME, number), count),
        count,
        f"{count:,} contacts",
        "2,000/s",
    )


# ---- Search


async def mailbox_search(count: int = 50_000, rounds: int = 300) -> list[Result]:
    """Words that are rare, common, together, and nowhere, in a mailbox of 50,000 messages."""

    async def seed(store: Store) -> None:
        await seeds.add_users(store, 1)
        await seeds.fill_varied(store, ME, count)

    def find(words: str) -> bytes:
        condition = search.And(free_texts=(words,), collection_ids=(seeds.INBOX,))
        query = Element(tag("Search:Query"), [dump(condition)])
        options = search.Options(range="0-19", body_preferences=PREVIEW.body_preferences)
        return octets(search.Request(store=search.Store(name="Mailbox", query=query, options=options)))

    asked = [find(words) for words in ("invoice", "number777", "meeting budget", "number4 lunch", "nowhere", "re")]
    async with serving(seed) as server, Connection(server.port, ME, "search") as connection:
        for body in asked:
            await connection.ask("Search", body)
        times, cpu = [], server.cpu()
        for n in range(rounds):
            begun = time.perf_counter()
            assert len(await connection.ask("Search", asked[n % len(asked)])) > 20
            times.append(time.perf_counter() - begun)
        cpu = server.cpu() - cpu
    return [
        Result(
            f"Search in a mailbox of {count:,} messages, range 0-19 with previews",
            "median under 50 ms",
            f"median {percentile(times, 0.5) * 1e3:.0f} ms, p99 {percentile(times, 0.99) * 1e3:.0f} ms",
            [f"{cpu / rounds * 1e3:.1f} ms CPU each; one client, six kinds of words"],
        )
    ]


# ---- free/busy


async def free_busy(people: int = 20, events: int = 400, rounds: int = 60) -> list[Result]:
    """When 20 people are free within 7 days, each with a calendar of 400 events, 40 of them series."""
    randomness = random.Random(12)

    async def seed(store: Store) -> None:
        await seeds.add_users(store, people + 1)
        for person in range(1, people + 1):
            user = f"user{person}@example.com"

            def octets_of(number: int, user: str = user) -> bytes:
                return event(user, number, recurs=number % 10 == 0, spread=180, randomness=randomness)

            await fill(store, user, ItemClass.CALENDAR, octets_of, events)

    availability = resolve_recipients.AvailabilityOptions(start=TODAY, end=TODAY + timedelta(days=7))
    request = octets(
        resolve_recipients.Request(
            to=tuple(f"user{n}@example.com" for n in range(1, people + 1)),
            options=resolve_recipients.Options(availability=availability),
        )
    )
    async with serving(seed) as server, Connection(server.port, ME, "free") as connection:
        first = time.perf_counter()
        await connection.ask("ResolveRecipients", request)
        first = time.perf_counter() - first
        times, cpu = [], server.cpu()
        for _ in range(rounds):
            begun = time.perf_counter()
            assert len(await connection.ask("ResolveRecipients", request)) > people * 300
            times.append(time.perf_counter() - begun)
        cpu = server.cpu() - cpu
    return [
        Result(
            f"free/busy of {people} people over 7 days",
            "under 50 ms",
            f"median {percentile(times, 0.5) * 1e3:.0f} ms, p99 {percentile(times, 0.99) * 1e3:.0f} ms",
            [f"{cpu / rounds * 1e3:.1f} ms CPU each; {events} events a person; the first took {first * 1e3:.0f} ms"],
        )
    ]
