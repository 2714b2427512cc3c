"""Everybody of the lab PKI, judged by a server over HTTP as lab.toml expects: the public test bench of ValidateCert."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from eas_server.backends.sqlite import SystemClock
from eas_server.lab.pki import declared_plan
from eas_server.lab.publishing import publish
from eas_server.lab.serving import lab_at
from eas_server.pki.lab_issue import Lab
from eas_server.web.lab_pki import PATH
from protocol.client import RESOLVE_RECIPIENTS, VALIDATE_CERT
from protocol.commands import resolve_recipients, validate_cert
from protocol.commands.validate_cert import CertificateStatus, certificate_content
from protocol.versions import V12_1, V14_1, V16_1
from tests.scenarios.demo import free_port
from tests.scenarios.server import Server, World, fill

PEOPLE = declared_plan().people
RESOLVED = 5


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Lab]]:
    """A server that serves the lab PKI, and trusts its root."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    more = f'[lab]\nurl = "{origin}"\n[revocation]\nallow_networks = ["127.0.0.1"]\nallow_ports = [{port}]\n'
    server = Server(tmp_path_factory.mktemp("lab"), more)
    server.config.write_text(server.config.read_text().replace("port = 0", f"port = {port}"))
    lab = lab_at(server.folder, origin, SystemClock().now())

    async def set_up(store) -> None:
        await fill(store, worlds=0)
        await publish(lab, store.admin, store.trust)

    server.open(set_up)
    server.start()
    yield server, lab
    server.stop()
    assert "Traceback" not in server.log
    assert (server.folder / "stderr.txt").read_text() == ""


async def judged(server: Server, lab: Lab, names: list[str], check: int, version=V16_1, chain=()) -> dict[str, int]:
    """The Status of each."""
    world = World(server, -1)
    device = world.device(version=version, device_id=f"lab{version.value}")
    try:
        await device.provision()
        request = validate_cert.Request(
            certificate_chain=tuple(map(certificate_content, chain)) or None,
            certificates=tuple(certificate_content(lab.certificates[name]) for name in names),
            check_crl=check,
        )
        response = (await device.call(VALIDATE_CERT, request)).take()
    finally:
        await world.close()
    assert response.status == validate_cert.Status.SUCCESS
    return {name: int(each.status) for name, each in zip(names, response.certificates, strict=True)}


@pytest.mark.requirement("MS-ASCMD_R893")
@pytest.mark.requirement("MS-ASCMD_R895")
@pytest.mark.requirement("MS-ASCMD_R2924")
@pytest.mark.parametrize("check", [0, 1])
async def test_everybody_is_judged_as_declared(bench, check):
    found = await judged(*bench, list(PEOPLE), check)
    assert found == {name: person.status[check] for name, person in PEOPLE.items()}


@pytest.mark.parametrize("version", [V12_1, V14_1])
async def test_all_versions_judge_alike(bench, version):
    names = ["good-rsa", "good-ec", "revoked", "expired", "untrusted", "stale-crl"]
    assert await judged(*bench, names, 1, version) == {name: PEOPLE[name].status[1] for name in names}


@pytest.mark.requirement("MS-ASCMD_R1123")
async def test_an_issuer_that_is_not_to_be_found_may_come_along(bench):
    server, lab = bench
    assert await judged(server, lab, ["missing-issuer"], 1, chain=lab.chain("missing-issuer")) == {"missing-issuer": 1}


def test_all_statuses_of_a_certificate_are_there_but_those_that_cannot_be():
    """12 needs an address, which the command has not, and 17 a server that is not set up."""
    declared = {status for person in PEOPLE.values() for status in person.status}
    cannot = {CertificateStatus.WRONG_ADDRESS, CertificateStatus.SERVER_ERROR}
    assert declared == set(CertificateStatus) - cannot


def test_programs_can_read_the_table(bench):
    _, lab = bench
    with urllib.request.urlopen(f"{lab.url}/people.json", timeout=10) as answer:
        table = json.load(answer)
    assert [each["name"] for each in table["people"]] == list(PEOPLE)
    with urllib.request.urlopen(table["trust"][0], timeout=10) as answer:
        assert (answer.read(),) == lab.roots
    for each in table["people"][:RESOLVED]:
        with urllib.request.urlopen(each["certificate"], timeout=10) as answer:
            assert answer.read() == lab.certificates[each["name"]]


async def test_the_directory_has_them_and_gives_out_the_good_ones(bench):
    server, lab = bench
    world = World(server, -1)
    device = world.device()
    try:
        await device.provision()
        asked = tuple(f"{name}@example.com" for name in ("good-rsa", "good-ec", "pair", "expired", "wrong-address"))
        request = resolve_recipients.Request(
            to=asked,
            options=resolve_recipients.Options(
                certificate_retrieval=resolve_recipients.CertificateRetrieval.FULL, max_ambiguous_recipients=5
            ),
        )
        response = (await device.call(RESOLVE_RECIPIENTS, request)).take()
    finally:
        await world.close()
    given = [each.recipients[0].certificates.certificates for each in response.responses]
    good = [(lab.certificates[name],) for name in ("good-rsa", "good-ec", "pair-encryption")]
    assert given == [*good, (), ()]


def test_the_lab_is_there_without_a_password_and_nothing_else_is(bench):
    server, _ = bench
    for path, status in (("/ca/root.cer", 200), ("/ca/nobody.cer", 404), ("/keys/root.key", 404), ("/../eas", 404)):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{PATH}{path}", timeout=10) as answer:
                found = answer.status
        except urllib.error.HTTPError as error:
            found = error.code
        assert (path, found) == (path, status)
