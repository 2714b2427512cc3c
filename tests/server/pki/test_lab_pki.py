"""The lab PKI: its declared file, its certificates, its CRLs and its responders, at any instant."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from eas_server.lab.pki import declared_plan
from eas_server.pki.certificate import parse
from eas_server.pki.keys import KeyKind, generate_key
from eas_server.pki.lab_crl import Withdrawn, crl, delta_crl
from eas_server.pki.lab_issue import Lab, key_names, make_lab
from eas_server.pki.lab_ocsp import MAX_ASKED, MAX_REQUEST, answer, has_nonce
from eas_server.pki.lab_plan import CrlPoint, LabKey, PlanError, Revoked, directory_address, read_plan
from tests.server.pki import key

NOW = datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC)
URL = "http://[::1]:8080/lab/pki"
PLAN = declared_plan()
KEYS = {}
for _name in key_names(PLAN):
    _each = dict(PLAN.entries()).get(_name)
    # RSA keys of the fixtures: new ones take their time
    _rsa = _each is not None and _each.key is not LabKey.EC_P256
    KEYS[_name] = key("alice" if _name == "rsa" else "root") if _rsa else generate_key(KeyKind.EC_P256)
LAB = make_lab(PLAN, KEYS, url=URL, made=NOW, roots={})


def revoked(der: bytes) -> dict[int, x509.ReasonFlags | None]:
    """Serial numbers in a CRL, with reasons."""
    found = {}
    for each in x509.load_der_x509_crl(der):
        reasons = [extension.value.reason for extension in each.extensions if extension.oid == x509.CRLReason.oid]
        found[each.serial_number] = reasons[0] if reasons else None
    return found


def request(name: str, issuer: str = "", digest: hashes.HashAlgorithm | None = None, nonce: bytes = b"") -> bytes:
    subject = x509.load_der_x509_certificate(LAB.certificates[name])
    by = x509.load_der_x509_certificate(LAB.certificates[issuer or dict(PLAN.entries())[name].issuer])
    builder = ocsp.OCSPRequestBuilder().add_certificate(subject, by, digest or hashes.SHA1())
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(_der())


def _der():
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER


def test_the_same_arguments_give_the_same_certificates() -> None:
    assert make_lab(PLAN, KEYS, url=URL, made=NOW, roots={}).certificates == LAB.certificates


def test_a_lab_that_moves_keeps_its_serial_numbers() -> None:
    moved = make_lab(PLAN, KEYS, url="https://lab.example/lab/pki", made=NOW, roots={"root": LAB.certificates["root"]})
    assert moved.certificates["root"] == LAB.certificates["root"]
    assert moved.certificates["alice"] != LAB.certificates["alice"]
    assert {name: moved.serial(name) for name, _ in PLAN.entries()} == {
        name: LAB.serial(name) for name, _ in PLAN.entries()
    }


def test_another_instant_gives_other_serial_numbers_and_times() -> None:
    later = make_lab(PLAN, KEYS, url=URL, made=NOW + timedelta(days=1000), roots={})
    assert not {later.serial(name) for name, _ in PLAN.entries()} & {LAB.serial(name) for name, _ in PLAN.entries()}
    for name, person in PLAN.people.items():
        assert parse(later.certificates[name]).not_after == NOW + timedelta(days=1000 + person.to_days)


@pytest.mark.parametrize("name", PLAN.people)
def test_people_are_as_declared(name: str) -> None:
    person, read = PLAN.people[name], parse(LAB.certificates[name])
    assert read.emails == person.addresses
    assert (read.extended_key_usage or frozenset()) == set(person.extended_key_usage)
    assert (read.not_before, read.not_after) == (
        NOW + timedelta(days=person.from_days),
        NOW + timedelta(days=person.to_days),
    )
    assert read.is_ca == person.is_authority
    assert person.status[0] in (1, person.status[1])
    # who is good has nothing said against; the others are said to be what they are
    assert bool(person.wrong) or person.status == (1, 1)


def test_everything_that_is_pointed_to_is_below_the_url() -> None:
    for name, _ in PLAN.entries():
        certificate = x509.load_der_x509_certificate(LAB.certificates[name])
        for extension in certificate.extensions:
            match extension.value:
                case x509.AuthorityInformationAccess() as access:
                    urls = [entry.access_location.value for entry in access]
                case x509.CRLDistributionPoints() | x509.FreshestCRL() as points:
                    urls = [uri.value for point in points for uri in point.full_name]
                case _:
                    continue
            assert all(url.startswith(f"{URL}/") and url == url.lower() for url in urls)


def test_crls_tell_who_was_revoked_and_where() -> None:
    full, base = revoked(crl(LAB, "rsa", CrlPoint.FULL, NOW)), revoked(crl(LAB, "rsa", CrlPoint.DELTA, NOW))
    delta = revoked(delta_crl(LAB, "rsa", NOW))
    serial = {name: LAB.serial(name) for name in PLAN.people}
    assert full[serial["revoked"]] is x509.ReasonFlags.key_compromise
    assert full[serial["revoked-crl"]] is x509.ReasonFlags.superseded
    assert not {serial["alice"], serial["revoked-delta"], serial["released"]} & full.keys()
    assert base[serial["released"]] is x509.ReasonFlags.certificate_hold
    assert delta == {
        serial["revoked-delta"]: x509.ReasonFlags.key_compromise,
        serial["released"]: x509.ReasonFlags.remove_from_crl,
    }
    assert revoked(crl(LAB, "root", CrlPoint.FULL, NOW)) == {LAB.serial("revoked-ca"): x509.ReasonFlags.ca_compromise}
    later = Withdrawn(serial=4711, when=NOW)
    assert revoked(crl(LAB, "root", CrlPoint.FULL, NOW, [later]))[4711] is None


@pytest.mark.parametrize("point", [CrlPoint.FULL, CrlPoint.DELTA, CrlPoint.INDIRECT, CrlPoint.STALE])
def test_crls_of_one_hour_are_the_same_and_grow_with_time(point: CrlPoint) -> None:
    first = crl(LAB, "rsa", point, NOW)
    assert crl(LAB, "rsa", point, NOW + timedelta(minutes=20)) == first
    read, later = (x509.load_der_x509_crl(crl(LAB, "rsa", point, NOW + timedelta(hours=hours))) for hours in (0, 1))
    current = read.last_update_utc <= NOW <= read.next_update_utc
    assert current == (point is not CrlPoint.STALE)
    numbers = [each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for each in (read, later)]
    assert numbers[0] < numbers[1]
    scope = read.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    assert scope.critical
    assert scope.value.indirect_crl == (point is CrlPoint.INDIRECT)


def test_a_delta_belongs_to_its_base() -> None:
    base, delta = (
        x509.load_der_x509_crl(each) for each in (crl(LAB, "rsa", CrlPoint.DELTA, NOW), delta_crl(LAB, "rsa", NOW))
    )
    number = base.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator).value.crl_number == number
    assert delta.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number > number
    assert base.last_update_utc <= delta.last_update_utc <= NOW
    scopes = [each.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value for each in (base, delta)]
    assert scopes[0] == scopes[1]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("good-rsa", ocsp.OCSPCertStatus.GOOD),
        ("revoked", ocsp.OCSPCertStatus.REVOKED),
        ("revoked-ocsp", ocsp.OCSPCertStatus.REVOKED),
        ("revoked-ca", ocsp.OCSPCertStatus.REVOKED),
        ("unknown-ocsp", ocsp.OCSPCertStatus.UNKNOWN),
        ("released", ocsp.OCSPCertStatus.GOOD),
    ],
)
@pytest.mark.parametrize("digest", [hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_what_responders_say(name: str, status: ocsp.OCSPCertStatus, digest: hashes.HashAlgorithm) -> None:
    issuer = dict(PLAN.entries())[name].issuer
    read = ocsp.load_der_ocsp_response(answer(LAB, issuer, request(name, digest=digest, nonce=b"n" * 32), NOW))
    assert (read.certificate_status, read.serial_number) == (status, LAB.serial(name))
    assert read.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 32
    assert read.produced_at_utc == NOW
    assert read.this_update_utc <= NOW < read.next_update_utc
    (own,) = read.certificates
    own.verify_directly_issued_by(x509.load_der_x509_certificate(LAB.certificates[issuer]))
    assert own.extensions.get_extension_for_class(x509.OCSPNoCheck) is not None


def test_a_nonce_is_given_back_only_where_there_was_one() -> None:
    with_nonce, without = request("alice", nonce=b"once"), request("alice")
    assert (has_nonce(with_nonce), has_nonce(without), has_nonce(b"\x30")) == (True, False, False)
    assert answer(LAB, "rsa", without, NOW) == answer(LAB, "rsa", without, NOW)
    read = ocsp.load_der_ocsp_response(answer(LAB, "rsa", without, NOW))
    assert len(read.extensions) == 0


def test_a_responder_knows_its_own_authority_alone() -> None:
    read = ocsp.load_der_ocsp_response(answer(LAB, "ec", request("alice"), NOW))
    assert read.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_what_was_revoked_later_is_known_to_responders() -> None:
    later = Withdrawn(serial=LAB.serial("alice"), when=NOW, reason="superseded")
    read = ocsp.load_der_ocsp_response(answer(LAB, "rsa", request("alice"), NOW, [later]))
    assert read.revocation_reason is x509.ReasonFlags.superseded
    assert read.revocation_time_utc == NOW.replace(microsecond=0)


def many(count: int) -> bytes:
    one = asn1_ocsp.OCSPRequest.load(request("alice"))["tbs_request"]["request_list"][0]
    return asn1_ocsp.OCSPRequest({"tbs_request": {"request_list": [one] * count}}).dump()


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\x30",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x00",
        b"\x30\x80" * 2000,
        b"GET / HTTP/1.1",
        request("alice")[:-3],
        request("alice") + b"\x00",
        request("alice", nonce=b"n" * 129),
        many(MAX_ASKED + 1),
        many(0),
        b"\x30" * (MAX_REQUEST + 1),
    ],
)
def test_what_is_no_request_is_malformed(hostile: bytes) -> None:
    read = ocsp.load_der_ocsp_response(answer(LAB, "rsa", hostile, NOW))
    assert read.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_several_questions_have_several_answers() -> None:
    read = ocsp.load_der_ocsp_response(answer(LAB, "rsa", many(3), NOW))
    assert [each.certificate_status for each in read.responses] == [ocsp.OCSPCertStatus.GOOD] * 3


ROOT = '[authorities.root]\nname = "Root"\n'
BOB = '[people.bob]\nname = "Bob"\nissuer = "root"\nstatus = [1, 1]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = ", "Invalid value"),
        ("x = 1", "only"),
        ("people = 1", "people: must be a table"),
        ("people.bob = 1", "people.bob: must be a table"),
        ('[people."../x"]\nname = "x"', "a name is made of"),
        ("[authorities.root]\n", "authorities.root.name: is missing"),
        ('[people.bob]\nname = "x"\nissuer = "root"\n', "people.bob.status"),
        (ROOT + BOB + 'shoe = "42"', "people.bob.shoe: is unknown"),
        (ROOT + BOB + 'key = "dsa"', "people.bob.key: must be one of"),
        (ROOT + BOB + "from_days = true", "must be a number"),
        (ROOT + BOB + "tampered = 1", "must be true or false"),
        (ROOT + BOB + "addresses = 1", "must be a list"),
        (ROOT + BOB + 'usage = ["flying"]', "people.bob.usage: must be one of"),
        (ROOT + BOB + "wrong = 1", "must be text"),
        (ROOT + BOB + 'digest = "md5"', "must be 'sha1' or 'sha256'"),
        (ROOT + BOB + 'digest = "sha1"', "needs an issuer with an RSA key"),
        (ROOT + BOB + 'critical = "x"', "must be an OID"),
        (ROOT + BOB + 'extended_key_usage = ["mail"]', "must be dotted OIDs"),
        (ROOT + BOB + 'crl = "indirect"', "no crl_signer"),
        (ROOT + BOB + "to_days = -40", "must be more than from_days"),
        (ROOT + BOB.replace("[1, 1]", "[1, 18]"), "two Status values"),
        (ROOT + BOB.replace('"root"', '"nobody"'), "no authority 'nobody'"),
        (ROOT + BOB.replace("bob", "root"), "root: is there twice"),
        (ROOT + 'crl_signer = "x"', "no authority 'x'"),
        ('[authorities.a]\nname = "A"\nissuer = "a"', "has to stand before"),
        ('[people.bob]\nname = "Bob"\nstatus = [1, 1]', "bob.issuer: is missing"),
    ],
)
def test_files_that_cannot_be_meant(text: str, told: str) -> None:
    with pytest.raises(PlanError) as caught:
        read_plan(text)
    assert told in str(caught.value)


def test_the_directory_has_an_entry_for_each() -> None:
    assert directory_address("bob-expired", PLAN.people["bob-expired"]) == "bob@example.com"
    assert directory_address("wrong-address", PLAN.people["wrong-address"]) == "wrong-address@example.com"
    assert directory_address("pair-signing", PLAN.people["pair-signing"]) == "pair@example.com"
    assert {each.revoked for _, each in PLAN.entries()} == set(Revoked)


def test_the_table_of_the_documentation_is_that_of_the_file() -> None:
    text = (Path(__file__).parents[3] / "docs" / "lab-pki.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    table = [row for row in rows if row.count("|") == 6]
    assert table == [
        f"| `{name}` | {person.name} | {person.wrong or 'nothing'} | {person.status[0]} | {person.status[1]} |"
        for name, person in PLAN.people.items()
    ]


def test_chains_go_up_to_the_root() -> None:
    assert isinstance(LAB, Lab)
    assert LAB.chain("alice") == (LAB.certificates["rsa"], LAB.certificates["root"])
    assert LAB.chain("too-deep") == tuple(LAB.certificates[name] for name in ("too-deep-ca", "rsa", "root"))
    assert LAB.roots == (LAB.certificates["root"],)
