"""Whether a certificate leads to a trusted root."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from eas_server.pki import chain
from eas_server.pki.chain import leads_to_root
from eas_server.pki.lab import Authority, Purpose, create_root, issue_person
from tests.server.pki import declaration, der, key

NOW: datetime = declaration().NOW
START, END, PAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)


def authority(name: str, parent: str, *, holder: str, signer: str, ca: bool = True, end: datetime = END) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, parent)]))
        .public_key(key(holder).public_key())
        .serial_number(99)
        .not_valid_before(START)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    return builder.sign(key(signer), hashes.SHA256()).public_bytes(Encoding.DER)


MIDDLE = authority("Middle", "Example Lab Root", holder="alice", signer="root")
LEAF = issue_person(
    Authority(certificate=MIDDLE, key=key("alice")),
    name="Bob",
    addresses=["bob@example.com"],
    public_key=key("bob").public_key(),
    purpose=Purpose.BOTH,
    serial=5,
    not_before=START,
    not_after=END,
)
ROOT = der("root")


def test_directly_and_by_an_intermediate() -> None:
    assert leads_to_root(der("bob"), intermediates=[], roots=[ROOT], now=NOW)
    assert leads_to_root(LEAF, intermediates=[der("other-root"), MIDDLE], roots=[ROOT], now=NOW)
    assert leads_to_root(LEAF, intermediates=[], roots=[MIDDLE], now=NOW)


def test_a_pinned_certificate_is_its_own_root() -> None:
    assert leads_to_root(der("bob"), intermediates=[], roots=[der("bob")], now=NOW)


@pytest.mark.parametrize(
    ("leaf", "intermediates", "roots"),
    [
        (LEAF, [], [ROOT]),
        (LEAF, [MIDDLE], []),
        (LEAF, [MIDDLE], [der("other-root")]),
        (der("alice-other-root"), [ROOT], [ROOT]),
        (der("bob"), [ROOT], []),
        (LEAF, [authority("Middle", "Example Lab Root", holder="alice", signer="root", ca=False)], [ROOT]),
        (LEAF, [authority("Middle", "Example Lab Root", holder="bob", signer="root")], [ROOT]),
        (LEAF, [authority("Middle", "Example Lab Root", holder="alice", signer="bob")], [ROOT]),
        (LEAF, [authority("Middle", "Example Lab Root", holder="alice", signer="root", end=PAST)], [ROOT]),
        (LEAF, [b"garbage"], [b"garbage", ROOT]),
        (b"garbage", [], [b"garbage"]),
    ],
    ids=[
        "no intermediate", "no root", "another root", "another issuer", "root only in the bag", "not a ca",
        "another key of that name", "forged", "expired", "garbage in the bags", "garbage",
    ],
)  # fmt: skip
def test_no_way(leaf: bytes, intermediates: list[bytes], roots: list[bytes]) -> None:
    assert not leads_to_root(leaf, intermediates=intermediates, roots=roots, now=NOW)


def test_the_root_must_be_valid_too() -> None:
    assert not leads_to_root(der("bob"), intermediates=[], roots=[ROOT], now=datetime(2130, 1, 1, tzinfo=UTC))


def test_loops_end() -> None:
    one = authority("One", "Two", holder="alice", signer="bob")
    two = authority("Two", "One", holder="bob", signer="alice")
    assert not leads_to_root(one, intermediates=[one, two], roots=[ROOT], now=NOW)


def test_a_bag_of_look_alikes_costs_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "MAX_ISSUERS_TRIED", 3)
    monkeypatch.setattr(chain, "MAX_AUTHORITIES", 6)
    forged = [
        create_root("Middle", key=key("dave"), serial=serial, not_before=START, not_after=END).certificate
        for serial in range(1, 8)
    ]
    assert not leads_to_root(LEAF, intermediates=[*forged, MIDDLE], roots=[ROOT], now=NOW)
