"""ResolveRecipients of a whole server whose directory is a real OpenLDAP: dialogues over HTTP."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.client import RESOLVE_RECIPIENTS
from protocol.commands.resolve_recipients import CertificateRetrieval, Certificates, Options, Request, ToResponse
from protocol.versions import SUPPORTED, V16_1, ProtocolVersion
from tests.integration.slapd import BASE, SERVICE_DN, SERVICE_PASSWORD, Slapd, shared_slapd
from tests.scenarios.server import Server, World, fill

slapd = shared_slapd
pytestmark = pytest.mark.integration("slapd")

PKI = Path(__file__).parents[2] / "fixtures" / "pki"
CONFIG = """
[directory]
kind = "ldap"
[ldap]
uris = ["{uri}"]
base_dn = "{base}"
bind_dn = "{dn}"
bind_password = "{password}"
"""


def der(name: str) -> bytes:
    return (PKI / f"{name}.der").read_bytes()


@pytest.fixture(scope="module")
def server(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    more = CONFIG.format(uri=slapd.uri, base=BASE, dn=SERVICE_DN, password=SERVICE_PASSWORD)
    made = Server(tmp_path_factory.mktemp("server"), more)
    made.open(lambda store: fill(store, 1))
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def world(server: Server) -> AsyncIterator[World]:
    made = server.home()
    yield made
    await made.close()


async def resolve(world: World, *to: str, version: ProtocolVersion = V16_1, **options: Any) -> list[ToResponse]:
    """What a phone is answered; each answer holds by the schemas."""
    device = world.device(version=version, device_id=f"ldap{version}".replace(".", ""))
    await device.provision()
    wanted = Options(**{"certificate_retrieval": CertificateRetrieval.FULL, **options})
    response = (await device.call(RESOLVE_RECIPIENTS, Request(to=to, options=wanted))).take()
    assert response.status == 1
    assert [each.to for each in response.responses] == list(to)
    return list(response.responses)


def certificates_of(answer: ToResponse) -> Certificates:
    (recipient,) = answer.recipients
    assert recipient.certificates is not None
    assert recipient.type == 1
    return recipient.certificates


@pytest.mark.requirement("MS-ASCMD_R4302", "MS-ASCMD_R4303", "MS-ASCMD_R4304", "MS-ASCMD_R841", "MS-ASCMD_R849")
@pytest.mark.requirement("MS-ASCMD_R4620", "MS-ASCMD_R4275", "MS-ASCMD_R4686", "MS-ASCMD_R857")
@pytest.mark.parametrize("version", SUPPORTED)
async def test_people_by_address_alias_and_name(world: World, version: ProtocolVersion) -> None:
    names = ("a.adams@example.com", "bob", "Müll", "erin@EXAMPLE.com")
    answers = await resolve(world, *names, version=version)
    assert [(each.status, each.recipient_count) for each in answers] == [(1, 1)] * 4
    expected = [("alice",), ("bob",), (), ("erin-encryption",)]
    for answer, wanted in zip(answers, expected, strict=True):
        found = certificates_of(answer)
        assert (found.status, found.certificate_count, found.recipient_count) == (1 if wanted else 7, len(wanted), 1)
        assert found.certificates == tuple(map(der, wanted))


@pytest.mark.requirement("MS-ASCMD_R4277", "MS-ASCMD_R4279", "MS-ASCMD_R4282", "MS-ASCMD_R4284", "MS-ASCMD_R4286")
async def test_the_ambiguous_and_the_unknown(world: World) -> None:
    ambiguous, unknown = await resolve(world, "berg", "nobody@example.com")
    assert (ambiguous.status, ambiguous.recipient_count) == (2, 2)
    assert [(each.email_address, each.certificates) for each in ambiguous.recipients] == [
        ("bob@example.com", None),
        ("erin@example.com", None),
    ]
    assert (unknown.status, unknown.recipients) == (4, ())
    for most in (0, 1):
        partial, exact = await resolve(world, "berg", "bob@example.com", max_ambiguous_recipients=most)
        assert (partial.status, partial.recipient_count, len(partial.recipients)) == (3, 2, most)
        assert certificates_of(exact).certificates == (der("bob"),)


@pytest.mark.requirement("MS-ASCMD_R3768", "MS-ASCMD_R3769", "MS-ASCMD_R864")
@pytest.mark.parametrize(
    ("group", "people", "members"),
    [
        ("team", ("alice", "bob"), 3),
        ("unique", ("alice", "bob"), 2),
        ("posix", ("bob",), 2),
        ("all", ("alice", "bob", "erin-encryption"), 5),
        ("cycle", ("alice", "bob", "erin-encryption"), 5),
    ],
)
async def test_groups_nested_and_in_cycles(world: World, group: str, people: tuple[str, ...], members: int) -> None:
    (answer,) = await resolve(world, f"{group}@example.com")
    found = certificates_of(answer)
    assert (found.status, found.certificate_count, found.recipient_count) == (1, len(people), members)
    assert set(found.certificates) == set(map(der, people))


@pytest.mark.requirement("MS-ASCMD_R3255", "MS-ASCMD_R4305", "MS-ASCMD_R4306", "MS-ASCMD_R851", "MS-ASCMD_R3254")
async def test_the_budget_of_the_request(world: World) -> None:
    names = ("team@example.com", "all@example.com", "bob@example.com")
    answers = [certificates_of(each) for each in await resolve(world, *names, max_certificates=3)]
    assert [(each.status, each.certificate_count, len(each.certificates)) for each in answers] == [
        (1, 2, 2),
        (8, 3, 0),
        (1, 1, 1),
    ]


@pytest.mark.requirement("MS-ASCMD_R3433", "MS-ASCMD_R3435", "MS-ASCMD_R858", "MS-ASCMD_R856")
async def test_mini_certificates_and_none(world: World) -> None:
    (mini,) = await resolve(world, "bob", certificate_retrieval=CertificateRetrieval.MINI)
    assert certificates_of(mini).mini_certificate == der("bob")
    (none,) = await resolve(world, "bob", certificate_retrieval=CertificateRetrieval.NONE)
    assert none.recipients[0].certificates is None
