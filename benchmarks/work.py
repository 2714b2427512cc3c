"""The workloads: each seeds a store, starts a server over it, loads it, and says what it measured."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from benchmarks import certificates, kept, seeds
from benchmarks.http import Connection, sync_key
from benchmarks.result import Result, hammer, octets, percentile
from benchmarks.server import Server, serving
from eas_server.backends.sqlite.store import Store
from protocol.client import compose
from protocol.codepages import tag
from protocol.commands import item_operations, ping, resolve_recipients, search, sync
from protocol.elements import Element
from protocol.items.airsyncbase import BodyPreference, BodyType

MIB: Final = 1024 * 1024
ME: Final = "user0@example.com"
YOU: Final = "user1@example.com"


# ---- initial Sync


def sync_request(key: str, options: sync.Options | None = None, window: int = 100) -> bytes:
    """A Sync of the Inbox."""
    collection = sync.Collection(
        sync_key=key,
        collection_id=seeds.INBOX,
        window_size=window,
        options=() if options is None else (options,),
    )
    return octets(sync.Request(collections=sync.Collections(collections=(collection,))))


PREVIEWS: Final = sync.Options(body_preferences=(BodyPreference(type=BodyType.PLAIN, truncation_size=500),))
WHOLE: Final = sync.Options(mime_support=2, body_preferences=(BodyPreference(type=BodyType.MIME),))


async def initial_sync(count: int = 2_000) -> list[Result]:
    """2,000 mixed messages, previews and whole."""
    total = 0

    async def seed(store: Store) -> None:
        nonlocal total
        await seeds.add_users(store, 1)
        total = await seeds.fill_mixed(store, ME, count)

    results = []
    async with serving(seed) as server:
        for name, options, target in (
            ("bodies of 500 bytes", PREVIEWS, "2,000 messages/s"),
            ("full MIME", WHOLE, "1,000 messages/s"),
        ):
            best = await _best_of(3, lambda n, o=options, w=name: _initial(server, f"{w[:4].strip()}{n}", o))
            seconds, cpu, received, rounds = best
            results.append(
                Result(
                    f"initial Sync of {count:,} messages, {total / 1e6:.0f} MB, WindowSize 100: {name}",
                    target,
                    f"{count / seconds:,.0f} messages/s",
                    [
                        f"{cpu / count * 1e6:,.0f} µs CPU a message; {received / 1e6:.1f} MB in {rounds} answers;"
                        " best of 3"
                    ],
                )
            )
    return results


async def _best_of(times: int, run: Callable[[int], Awaitable[tuple[float, float, int, int]]]) -> Any:
    return min([await run(n) for n in range(times)])


async def _initial(server: Server, device: str, options: sync.Options) -> tuple[float, float, int, int]:
    async with Connection(server.port, ME, device) as connection:
        cpu, begun = server.cpu(), time.perf_counter()
        body = await connection.ask("Sync", sync_request("0", options))
        received = rounds = 0
        while body:
            body = await connection.ask("Sync", sync_request(sync_key(body).decode()))
            received += len(body)
            rounds += 1
        return time.perf_counter() - begun, server.cpu() - cpu, received, rounds - 1


# ---- Sync without changes


async def idle_sync(seconds: float = 6.0) -> list[Result]:
    """32 clients that have everything, in a small folder and in a large one."""
    small, small_note = await _idle(100, seconds)
    large, large_note = await _idle(50_000, seconds)
    return [
        Result("Sync without changes, 32 clients, folder of 100", "1,500 requests/s, p99 under 60 ms", *small_note),
        Result("the same, folder of 50,000", "within 1.2 times", f"{small / large:.2f} times", list(large_note)),
    ]


async def _idle(items: int, seconds: float) -> tuple[float, Any]:
    devices = [f"idle{n}" for n in range(32)]
    keys: dict[str, str] = {}

    async def seed(store: Store) -> None:
        await seeds.add_users(store, 1)
        await seeds.fill_small(store, ME, items)
        keys.update(await seeds.in_sync(store, ME, devices, items))

    async with serving(seed) as server:
        connections = [await Connection(server.port, ME, device).__aenter__() for device in devices]
        bodies = {id(c): sync_request(keys[device]) for c, device in zip(connections, devices, strict=True)}

        async def one(connection: Connection, _: int) -> None:
            assert await connection.ask("Sync", bodies[id(connection)]) == b""

        await hammer(connections, 1.0, one)
        cpu = server.cpu()
        count, took, times = await hammer(connections, seconds, one)
        cpu = server.cpu() - cpu
        for connection in connections:
            await connection.__aexit__()
    rate = count / took
    p99 = percentile(times, 0.99) * 1e3
    text = f"{rate:,.0f} requests/s, p99 {p99:.0f} ms"
    return rate, (text, [f"{cpu / count * 1e6:.0f} µs CPU a request"]) if items == 100 else (rate, text)[1:]


# ---- waiting Pings


async def waiting_pings(count: int = 10_000, users: int = 500, rounds: int = 100) -> list[Result]:
    """Many devices that wait, and mail that wakes some of them."""

    async def seed(store: Store) -> None:
        await seeds.add_users(store, users)
        for n in range(users):
            names = [f"ping{device}" for device in range(n, count, users)]
            await seeds.in_sync(store, f"user{n}@example.com", names)

    request = octets(ping.Request(heartbeat_interval=3000, folders=(ping.Folder(id=seeds.INBOX, item_class="Email"),)))
    async with serving(seed) as server:
        await _sign_in_all(server, users)
        before = server.resident()
        waiting = [
            await Connection(server.port, f"user{n % users}@example.com", f"ping{n}").__aenter__() for n in range(count)
        ]
        for at in range(0, count, 200):
            for connection in waiting[at : at + 200]:
                connection.send("Ping", request)
            await asyncio.sleep(0.1)
        await _until_idle(server)
        each = (server.resident() - before) / count
        latencies = await _wake(server, waiting, users, rounds)
        for connection in waiting:
            await connection.__aexit__()
    return [
        Result(
            f"waiting Pings: {count:,} held",
            "at most 40 kB each, wake-up p99 under 100 ms",
            f"{each / 1000:.1f} kB each, wake-up p99 {percentile(latencies, 0.99) * 1e3:.0f} ms",
            [
                f"{len(latencies)} wake-ups, median {percentile(latencies, 0.5) * 1e3:.0f} ms, from SendMail's request"
                " to Ping's answer"
            ],
        )
    ]


async def _until_idle(server: Server) -> None:
    """All requests have been taken in: the server uses less than a twentieth of a core."""
    used = server.cpu() + 1.0
    while server.cpu() - used > 0.05 or used > server.cpu():
        used = server.cpu()
        await asyncio.sleep(1)


async def _sign_in_all(server: Server, users: int) -> None:
    for n in range(users):
        async with Connection(server.port, f"user{n}@example.com", "warm") as connection:
            await connection.ask("Sync", sync_request("0"))


async def _wake(server: Server, waiting: Sequence[Connection], users: int, rounds: int) -> list[float]:
    """Send mail to one user after another; how long until each of the user's devices is answered, in seconds."""
    latencies: list[float] = []

    async def answered(connection: Connection, begun: float) -> None:
        await connection.receive()
        latencies.append(time.perf_counter() - begun)

    async with Connection(server.port, ME, "sender") as sender:
        for n in range(1, rounds + 1):
            mime = f"From: {ME}\r\nTo: user{n}@example.com\r\nSubject: wake\r\n\r\nup\r\n".encode()
            body = octets(compose(mime, f"wake{n}", save=False))
            begun = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for connection in waiting[n::users]:
                    group.create_task(answered(connection, begun))
                sender.send("SendMail", body)
                await sender.receive()
    return latencies


# ---- large messages


def large_mime(size: int) -> bytes:
    """A message with an attachment of random octets, `size` octets in all."""
    attached = seeds.message(7, size, random.Random(7))
    return attached.replace(b"user@example.com", YOU.encode(), 1)


async def large_messages(size: int = 20_000_000) -> list[Result]:
    """SendMail and Fetch of 20 MB: what they cost above idle."""

    async def seed(store: Store) -> None:
        await seeds.add_users(store, 2)
        await seeds.fill_small(store, ME, 1)

    mime = large_mime(size)
    body = octets(compose(mime, "large1", save=False))
    async with serving(seed) as server, Connection(server.port, ME, "large") as mine:
        small = f"From: {ME}\r\nTo: {ME}\r\nSubject: x\r\n\r\nx\r\n".encode()
        await mine.ask("SendMail", octets(compose(small, "warm", save=False)))
        async with Connection(server.port, YOU, "large") as yours:
            first = await yours.ask("Sync", sync_request("0"))
            await yours.ask("Sync", sync_request(sync_key(first).decode()))
            sent, send_seconds = await _peak(server, lambda: mine.ask("SendMail", body))
            fetch = octets(
                item_operations.Request(
                    operations=(
                        item_operations.Fetch(
                            store="Mailbox",
                            collection_id=seeds.INBOX,
                            server_id=f"{seeds.INBOX}:1",
                            options=item_operations.FetchOptions(
                                mime_support=2, body_preferences=(BodyPreference(type=BodyType.MIME),)
                            ),
                        ),
                    )
                )
            )

            async def take() -> None:
                yours.send("ItemOperations", fetch)
                assert await yours.drain() > size

            await asyncio.sleep(1)
            fetched, fetch_seconds = await _peak(server, take)
    return [
        Result(
            f"fetch and SendMail of a {size / 1e6:.0f} MB message",
            "at most 8 MB and 30 MB above idle",
            f"{fetched / 1e6:.1f} MB and {sent / 1e6:.1f} MB",
            [f"fetch in {fetch_seconds * 1e3:.0f} ms, SendMail in {send_seconds * 1e3:.0f} ms"],
        )
    ]


async def _peak(server: Server, run: Callable[[], Awaitable[object]]) -> tuple[int, float]:
    """Resident octets at the most while `run` goes on, above what there were before, and seconds."""
    server.forget_peak()
    before = server.resident()
    begun = time.perf_counter()
    await run()
    return server.resident("VmHWM") - before, time.perf_counter() - begun


# ---- SendMail


async def send_mail(seconds: float = 6.0, clients: int = 8, size: int = 20_000) -> list[Result]:
    """Messages of 20 kB to a local user, durable before they are acknowledged."""

    async def seed(store: Store) -> None:
        await seeds.add_users(store, clients * 2)

    async with serving(seed) as server:
        connections = [
            await Connection(server.port, f"user{n}@example.com", f"send{n}").__aenter__() for n in range(clients)
        ]
        filler = seeds.prose(size)

        async def one(connection: Connection, count: int) -> None:
            n = connections.index(connection)
            mime = (
                f"From: user{n}@example.com\r\nTo: user{n + clients}@example.com\r\nSubject: {count}\r\n"
                f"Content-Type: text/plain; charset=utf-8\r\n\r\n{filler}\r\n"
            ).encode()
            await connection.ask("SendMail", octets(compose(mime, f"c{count}")))

        await hammer(connections, 0.5, lambda c, n: one(c, n + 1_000_000))
        cpu = server.cpu()
        count, took, times = await hammer(connections, seconds, one)
        cpu = server.cpu() - cpu
        for connection in connections:
            await connection.__aexit__()
    return [
        Result(
            f"SendMail of {size / 1000:.0f} kB, {clients} clients",
            "300/s, durable",
            f"{count / took:,.0f}/s",
            [
                f"{cpu / count * 1e3:.2f} ms CPU each, p99 {percentile(times, 0.99) * 1e3:.0f} ms; to one local user,"
                " with a copy in Sent Items"
            ],
        )
    ]


# ---- the directory


async def recipients(seconds: float = 4.0, people: int = 10_000) -> list[Result]:
    """ResolveRecipients with certificates, and the GAL."""

    async def seed(store: Store) -> None:
        await seeds.add_users(store, 1)
        await seeds.add_people(store, people)
        await seeds.certify(store, 20)

    def resolve(count: int) -> bytes:
        options = resolve_recipients.Options(certificate_retrieval=resolve_recipients.CertificateRetrieval.FULL)
        names = tuple(f"person{n}@example.com" for n in range(count))
        return octets(resolve_recipients.Request(to=names, options=options))

    def find(word: str) -> bytes:
        store = search.Store(name="GAL", query=Element(tag("Search:Query"), word), options=search.Options(range="0-19"))
        return octets(search.Request(store=store))

    words = [find(word) for word in ("anna", "hub", "jan jung", "person77", "p123", "greta g")]
    results = []
    async with serving(seed) as server:
        connections = [await Connection(server.port, ME, f"gal{n}").__aenter__() for n in range(4)]
        for name, target, command, bodies in (
            ("ResolveRecipients with certificates, 1 recipient", "500/s", "ResolveRecipients", [resolve(1)]),
            ("the same, 20 recipients", "100/s", "ResolveRecipients", [resolve(20)]),
            (f"GAL search over {people:,} people", "500/s", "Search", words),
        ):

            async def one(connection: Connection, n: int, c: str = command, b: list[bytes] = bodies) -> None:
                assert len(await connection.ask(c, b[n % len(b)])) > 30

            await hammer(connections, 0.5, one)
            cpu = server.cpu()
            count, took, times = await hammer(connections, seconds, one)
            cpu = server.cpu() - cpu
            results.append(
                Result(
                    name,
                    target,
                    f"{count / took:,.0f}/s",
                    [f"{cpu / count * 1e3:.2f} ms CPU each, p99 {percentile(times, 0.99) * 1e3:.0f} ms; 4 clients"],
                )
            )
        for connection in connections:
            await connection.__aexit__()
    return results


WORK: Final[dict[str, Callable[[], Awaitable[list[Result]]]]] = {
    "initial": initial_sync,
    "idle": idle_sync,
    "ping": waiting_pings,
    "large": large_messages,
    "send": send_mail,
    "recipients": recipients,
    "calendar": kept.initial_calendar,
    "contacts": kept.initial_contacts,
    "search": kept.mailbox_search,
    "freebusy": kept.free_busy,
    "ldap": certificates.recipients_of_ldap,
    "groups": certificates.groups,
    "validate": certificates.validate,
}
