"""The workloads of certificates: recipients out of OpenLDAP, large groups, ValidateCert with and without a network."""

import asyncio
import base64
import contextlib
import http.server
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks import seeds
from benchmarks.http import Connection
from benchmarks.result import Result, hammer, octets, percentile
from benchmarks.server import Server, serving
from eas_server.backends.sqlite.store import Store
from eas_server.model.directory import DirectoryEntry, EntryKind
from eas_server.model.trust import Anchor
from eas_server.pki.keys import KeyKind, generate_key
from eas_server.pki.lab import Purpose, create_root, issue_person
from protocol.commands import resolve_recipients, validate_cert
from tests.integration.slapd import BASE, SERVICE_DN, SERVICE_PASSWORD, SLAPD, Slapd
from tests.server.pki import making

ME: Final = "user0@example.com"
PEOPLE: Final = 400
BEGIN: Final = seeds.NOW - timedelta(days=30)
END: Final = seeds.NOW + timedelta(days=365)
SECONDS: Final = 4.0
MIN_ANSWER: Final = 10
"""Octets of an answer that is one."""


def resolve(names: list[str]) -> bytes:
    """ResolveRecipients with certificates."""
    options = resolve_recipients.Options(certificate_retrieval=resolve_recipients.CertificateRetrieval.FULL)
    return octets(resolve_recipients.Request(to=tuple(names), options=options))


def person(number: int) -> str:
    return f"person{number}@example.com"


def certificates(count: int) -> list[bytes]:
    """Certificates of as many people, of one authority."""
    key = generate_key(KeyKind.RSA_2048)
    root = create_root("Bench CA", key=key, serial=1, not_before=BEGIN, not_after=END)
    return [
        issue_person(
            root,
            name=f"Person {n}",
            addresses=[person(n)],
            public_key=key.public_key(),
            purpose=Purpose.BOTH,
            serial=1000 + n,
            not_before=BEGIN,
            not_after=END,
        )
        for n in range(count)
    ]


async def _rate(
    server: Server, devices: int, command: str, body_of: Callable[[int], bytes]
) -> tuple[float, float, float]:
    """Requests a second, the p99 in ms and CPU in ms a request, of some devices that ask one after the other."""
    connections = [await Connection(server.port, ME, f"c{n}").__aenter__() for n in range(devices)]

    async def one(connection: Connection, n: int) -> None:
        assert len(await connection.ask(command, body_of(n))) > MIN_ANSWER

    await hammer(connections, 0.5, one)
    cpu = server.cpu()
    count, took, times = await hammer(connections, SECONDS, one)
    cpu = server.cpu() - cpu
    for connection in connections:
        await connection.__aexit__()
    return count / took, percentile(times, 0.99) * 1e3, cpu / count * 1e3


# ---- recipients out of OpenLDAP


async def recipients_of_ldap() -> list[Result]:
    """400 people with a certificate each in OpenLDAP."""
    if SLAPD is None:
        return [Result("ResolveRecipients from OpenLDAP", "300/s and 60/s", "slapd is not installed")]
    ldif = [f"dn: {BASE}\nobjectClass: organization\nobjectClass: dcObject\no: x\ndc: example\n"]
    ldif.append(f"dn: {SERVICE_DN}\nobjectClass: person\ncn: eas\nsn: eas\nuserPassword: {SERVICE_PASSWORD}\n")
    for number, der in enumerate(certificates(PEOPLE)):
        ldif.append(
            f"dn: uid=p{number},{BASE}\nobjectClass: inetOrgPerson\nuid: p{number}\ncn: Person {number}\nsn: {number}\n"
            f"mail: {person(number)}\nuserCertificate;binary:: {base64.b64encode(der).decode()}\n"
        )
    with tempfile.TemporaryDirectory(prefix="eas-bench-ldap-") as name:
        directory = Slapd(Path(name) / "home", "\n".join(ldif))
        directory.start()
        try:
            return await _recipients_of(directory)
        finally:
            directory.stop()


async def _recipients_of(directory: Slapd) -> list[Result]:
    password = directory.home / "password"
    password.write_text(SERVICE_PASSWORD)
    extra = (
        f'[directory]\nkind = "ldap"\n[ldap]\nuris = ["{directory.tls_uri}"]\nbase_dn = "{BASE}"\n'
        f'bind_dn = "{SERVICE_DN}"\nbind_password_file = "{password}"\nca_file = "{directory.ca_file}"\n'
    )
    results = []

    async def seed(store: Store) -> None:
        await seeds.add_users(store, 1)

    async with serving(seed, extra) as server:
        async with Connection(server.port, ME, "cold") as connection:
            begun = time.perf_counter()
            await connection.ask("ResolveRecipients", resolve([person(0)]))
            first = time.perf_counter() - begun
            begun = time.perf_counter()
            await connection.ask("ResolveRecipients", resolve([person(n) for n in range(1, 21)]))
            twenty = time.perf_counter() - begun
        for count, target in ((1, "300/s"), (20, "60/s")):
            bodies = [
                resolve([person((at * count + n) % PEOPLE) for n in range(count)]) for at in range(PEOPLE // count)
            ]
            async with Connection(server.port, ME, "warm") as connection:
                for body in bodies:
                    await connection.ask("ResolveRecipients", body)
            rate, p99, cpu = await _rate(server, 4, "ResolveRecipients", lambda n, b=bodies: b[n % len(b)])
            cold = first if count == 1 else twenty
            results.append(
                Result(
                    f"ResolveRecipients with certificates from OpenLDAP, {count} recipient{'s' if count > 1 else ''}",
                    target,
                    f"{rate:,.0f}/s",
                    [
                        f"{cpu:.1f} ms CPU each, p99 {p99:.0f} ms; 4 clients over {PEOPLE} people;"
                        f" cold {cold * 1e3:.0f} ms"
                    ],
                )
            )
    return results


# ---- groups, and people with many certificates


async def groups(members: int = 10_000, many: int = 200) -> list[Result]:
    """A group of 10,000 with certificates for some; beside it another client. A person with 200 certificates."""

    async def seed(store: Store) -> None:
        await seeds.add_users(store, 1)
        await seeds.add_people(store, members)
        await seeds.certify(store, 100)
        team = DirectoryEntry(key="", kind=EntryKind.GROUP, display_name="All", email="all@example.com")
        await store.admin.add_group(team, [person(n) for n in range(members)])
        for number in range(many):
            await store.admin.publish_certificate(person(200), _certificate_of(200, number))

    extra = f"[limits.recipients]\nmax_members = {members}\n"
    async with (
        serving(seed, extra) as server,
        Connection(server.port, ME, "a") as one,
        Connection(server.port, ME, "b") as other,
    ):
        await one.ask("ResolveRecipients", resolve([person(1)]))
        one.send("ResolveRecipients", resolve(["all@example.com"]))
        begun, waits = time.perf_counter(), []
        done = threading.Event()

        async def beside() -> None:
            while not done.is_set():
                start = time.perf_counter()
                await other.ask("ResolveRecipients", resolve([person(2)]))
                waits.append(time.perf_counter() - start)

        watching = asyncio.create_task(beside())
        await one.receive()
        took = time.perf_counter() - begun
        done.set()
        await watching
        times = []
        for _ in range(20):
            start = time.perf_counter()
            assert len(await one.ask("ResolveRecipients", resolve([person(200)]))) > 1000
            times.append(time.perf_counter() - start)
    return [
        Result(
            f"a group of {members:,} members",
            "under 2 s, without holding up others",
            f"{took:.2f} s",
            [f"another client's requests meanwhile: at most {max(waits) * 1e3:.0f} ms, {len(waits)} of them"],
        ),
        Result(
            f"a person with {many} certificates",
            "under 50 ms",
            f"first {times[0] * 1e3:.0f} ms, then median {percentile(times, 0.5) * 1e3:.0f} ms",
            ["the whole request"],
        ),
    ]


_KEY: Final = generate_key(KeyKind.EC_P256)


def _certificate_of(number: int, serial: int) -> bytes:
    root = create_root("Bench CA", key=_KEY, serial=1, not_before=BEGIN, not_after=END)
    return issue_person(
        root,
        name="Many",
        addresses=[person(number)],
        public_key=_KEY.public_key(),
        purpose=Purpose.BOTH,
        serial=5000 + serial,
        not_before=BEGIN,
        not_after=END,
    )


# ---- ValidateCert


class _Responder(http.server.BaseHTTPRequestHandler):
    """Serves CRLs by their path."""

    files: Mapping[str, bytes] = {}

    def do_GET(self) -> None:
        found = self.files.get(self.path, b"")
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextlib.contextmanager
def _responding(files: dict[str, bytes]) -> Iterator[int]:
    handler = type("Handler", (_Responder,), {"files": files})
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield listening.server_port
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


async def validate(people: int = 60) -> list[Result]:
    """Chains of three: a root, an intermediate, and people; CRLs on the loopback."""
    files: dict[str, bytes] = {}
    with _responding(files) as port:
        url = f"http://127.0.0.1:{port}"
        span: dict[str, datetime] = {"not_before": BEGIN, "not_after": END}
        root = making.authority("Root", **span)
        issuing = making.authority("Issuing", root, crl_urls=[f"{url}/root.crl"], **span)
        ends = {"this_update": seeds.NOW - timedelta(hours=1), "next_update": seeds.NOW + timedelta(days=2)}
        files["/root.crl"] = making.crl(root, **ends)
        files["/issuing.crl"] = making.crl(issuing, **ends)
        leaves = [making.person(issuing, f"P{n}", crl_urls=[f"{url}/issuing.crl"], **span) for n in range(people)]

        async def seed(store: Store) -> None:
            await seeds.add_users(store, 1)
            await store.trust.trust("", {root.der: Anchor.ROOT})

        extra = f'[revocation]\nallow_networks = ["127.0.0.1"]\nallow_ports = [{port}]\n'
        chain = (base64.b64encode(issuing.der).decode(),)
        bodies = [
            octets(
                validate_cert.Request(
                    certificates=(base64.b64encode(leaf.der).decode(),), certificate_chain=chain, check_crl=1
                )
            )
            for leaf in leaves
        ]
        async with serving(seed, extra) as server:
            async with Connection(server.port, ME, "cold") as connection:
                begun = time.perf_counter()
                answer = await connection.ask("ValidateCert", bodies[0])
                cold = time.perf_counter() - begun
                assert answer.count(b"\x031\x00") == 2, answer
            rate, p99, cpu = await _rate(server, 4, "ValidateCert", lambda n: bodies[n % people])
    return [
        Result(
            "ValidateCert of a chain of three with CheckCRL",
            "200/s warm",
            f"{rate:,.0f}/s",
            [
                f"{cpu:.1f} ms CPU each, p99 {p99:.0f} ms; 4 clients, {people} certificates;"
                f" cold with two CRLs {cold * 1e3:.0f} ms"
            ],
        )
    ]
