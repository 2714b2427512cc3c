"""The declared mail of the demonstration: real signatures and envelopes, read by the same indexer as all mail."""

import email
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.lab.keys import LabKeys, load_keys, make_keys
from eas_server.lab.mailboxes import picture, samples
from eas_server.lab.people import ALICE, BOB, CAROL, PEOPLE
from eas_server.model.mail import FolderType
from eas_server.pki.certificate import parse
from eas_server.pki.lab import from_pkcs12
from eas_server.pki.mime_entity import canonical
from eas_server.pki.smime import SmimeError, decrypt, verify
from eas_server.render.mime import index_message

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> LabKeys:
    return make_keys(tmp_path_factory.mktemp("lab"), "http://127.0.0.1:8080", NOW)


@pytest.fixture(scope="module")
def inbox(keys):
    """Alice's Inbox by subject, with the index of each message."""
    found = [s for s in samples(keys, NOW) if s.owner is ALICE and s.folder is FolderType.INBOX]
    return {index_message(s.content)[0].subject: (s, index_message(s.content)[0]) for s in found}


def test_every_kind_of_message_is_there(inbox):
    classes = {index.message_class for _, index in inbox.values()}
    assert classes == {"IPM.Note", "IPM.Note.SMIME", "IPM.Note.SMIME.MultipartSigned"}
    assert any(a.inline and a.content_id for _, index in inbox.values() for a in index.attachments)
    assert any(len(index.attachments) == 4 for _, index in inbox.values())


def test_ages_give_every_filter_something_to_leave_out(keys):
    ages = sorted(NOW - sample.received for sample in samples(keys, NOW))
    for days in (1, 3, 7, 14, 30, 90):
        assert any(age < timedelta(days=days) for age in ages)
        assert any(age > timedelta(days=days) for age in ages)
    assert min(ages) > timedelta(0)


def test_messages_are_clean_mime(keys):
    for sample in samples(keys, NOW):
        assert canonical(sample.content) == sample.content
        parsed = email.message_from_bytes(sample.content)
        assert [part.defects for part in parsed.walk() if part.defects] == []
        assert parsed["Message-ID"]
        assert not index_message(sample.content)[0].broken


def test_signatures_are_good(keys, inbox):
    for subject in ("Signed, and readable everywhere", "Signed, in one piece"):
        found = verify(inbox[subject][0].content, [keys.root.certificate], NOW)
        assert found.good, found
        assert BOB.address in found.addresses


def test_envelopes_open_for_their_readers_alone(keys, inbox):
    sealed = inbox["Signed, then encrypted"][0].content
    for reader in ("alice", "bob"):
        identity = keys.identities[reader]
        inner = decrypt(sealed, identity.key, identity.certificate)
        assert verify(inner, [keys.root.certificate], NOW).good
    old = keys.identities["bob-expired"]
    with pytest.raises(SmimeError):
        decrypt(sealed, old.key, old.certificate)


def test_bob_has_an_expired_certificate_and_carol_none(keys):
    assert list(BOB.certificates) == ["bob-expired", "bob"]
    valid = {name: parse(identity.certificate).valid_at(NOW) for name, identity in keys.identities.items()}
    assert valid == {"alice": True, "bob-expired": False, "bob": True}
    assert keys.of(CAROL) is None


def test_the_mailed_key_can_be_imported(keys, inbox):
    parsed = email.message_from_bytes(inbox["Your key and certificate"][0].content)
    (pfx,) = [part.get_payload(decode=True) for part in parsed.walk() if part.get_filename() == "alice.p12"]
    bundle = from_pkcs12(pfx, password=keys.pkcs12_password.encode())
    assert bundle.certificate == keys.identities["alice"].certificate
    assert bundle.chain == keys.identities["alice"].chain
    assert bundle.chain[-1] == keys.root.certificate


def test_keys_are_kept_for_their_owner_alone(tmp_path):
    made = make_keys(tmp_path, "http://127.0.0.1:8080", NOW)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    loaded = load_keys(tmp_path, "http://127.0.0.1:8080", NOW)
    assert loaded.root.certificate == made.root.certificate
    assert {name: i.certificate for name, i in loaded.identities.items()} == {
        name: i.certificate for name, i in made.identities.items()
    }


def test_the_picture_is_one():
    assert picture().startswith(b"\x89PNG\r\n\x1a\n")
    assert picture().endswith(b"IEND\xaeB`\x82")


def test_names_are_those_of_the_example_domain():
    assert [person.address for person in PEOPLE] == ["alice@example.com", "bob@example.com", "carol@example.com"]
