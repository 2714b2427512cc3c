"""What a signed message tells of its sender's certificates, whatever its octets are."""

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.pki import smime
from eas_server.pki.harvesting import Harvest, NothingToHarvest, disputes, harvest
from eas_server.pki.smime import SmimeError, sign_detached, sign_opaque, verify
from tests.server.pki.making import NOW, Entity, authority, person, rsa_key, trust

BOB = "bob@example.com"
CONTENT = b"Content-Type: text/plain\r\n\r\nHello.\r\n"
ROOT, OTHER = authority("Root"), authority("Other")
ISSUING = authority("Issuing", ROOT)
BOBS = person(ISSUING)
TRUST = trust(ROOT)
SIGNED = [sign(CONTENT, BOBS.der, BOBS.key, [ISSUING.der]) for sign in (sign_detached, sign_opaque)]


def test_the_senders_certificate_with_what_leads_up() -> None:
    for message in SIGNED:
        assert harvest(message, BOB.upper(), TRUST, NOW) == Harvest(certificates=(BOBS.der,), chain=(ISSUING.der,))


@given(message=st.sampled_from(SIGNED), at=st.integers(0, 6000), octet=st.binary(min_size=0, max_size=4))
def test_changed_octets_tell_the_same_or_nothing(message: bytes, at: int, octet: bytes) -> None:
    changed = message[:at] + octet + message[at + len(octet) :]
    with contextlib.suppress(NothingToHarvest):
        assert harvest(changed, BOB, TRUST, NOW).certificates == (BOBS.der,)


@given(st.binary(max_size=300))
def test_any_octets_tell_nothing(octets: bytes) -> None:
    for message in (octets, b"Content-Type: application/pkcs7-mime\r\n\r\n" + octets):
        with pytest.raises(NothingToHarvest):
            harvest(message, BOB, TRUST, NOW)


def test_what_leads_nowhere_is_not_kept() -> None:
    chain = [ISSUING.der, *(authority(f"A{n}", ROOT).der for n in range(20))]
    found = harvest(sign_detached(CONTENT, BOBS.der, BOBS.key, chain), BOB, TRUST, NOW)
    assert found.chain == (ISSUING.der,)


def test_too_many_certificates_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smime, "MAX_CERTIFICATES", 1)
    with pytest.raises(SmimeError, match="too many"):
        verify(SIGNED[0], (), NOW)
    monkeypatch.setattr(smime, "MAX_CERTIFICATES", 2)
    monkeypatch.setattr(smime, "MAX_SIGNERS", 0)
    with pytest.raises(NothingToHarvest, match="too many"):
        harvest(SIGNED[0], BOB, TRUST, NOW)


@pytest.mark.parametrize(
    ("new", "against"),
    [
        (person(ISSUING), False),
        (person(OTHER, subject_key=BOBS.key), False),
        (person(OTHER), True),
        (person(OTHER, subject_key=rsa_key(), signing_key=OTHER.key), True),
    ],
    ids=["another device", "another issuer of the same key", "another issuer and key", "another kind of key"],
)
def test_what_is_a_dispute(new: Entity, against: bool) -> None:
    assert disputes(new.der, [BOBS.der], NOW) == (BOBS.der if against else None)
    assert disputes(new.der, [], NOW) is None
    assert disputes(new.der, [BOBS.der], NOW + timedelta(days=1000)) is None
