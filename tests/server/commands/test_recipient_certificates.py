"""ResolveRecipients: certificates from several sources, and whether they lead to a trusted root."""

import asyncio
import base64
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.backends.memory.revocation import MemoryRevocation
from eas_server.backends.memory.trust import MemoryTrust
from eas_server.commands.kept_items import new_item
from eas_server.commands.resolve_recipients import COMMAND
from eas_server.errors import StoreUnavailable
from eas_server.model.certificates import Harvested, HarvestScope, HarvestSettings, ServedCertificates, Source
from eas_server.model.directory import DirectoryEntry, Found
from eas_server.model.ids import UserId
from eas_server.model.mail import FolderType, ItemClass
from eas_server.model.settings import Settings, SmimeSettings
from protocol.commands.resolve_recipients import (
    CertificateRetrieval,
    Certificates,
    Options,
    PictureOptions,
    Recipient,
    Request,
    Response,
    ToResponse,
)
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.server.commands.keeping import folder_of
from tests.server.commands.mailbox import Mailbox, mailbox
from tests.server.commands.people import People, der, group, person
from tests.server.commands.support import ALICE, NOW, Bench
from tests.server.pki import making, user_smime
from tests.server.pki.making import Entity, authority, crl

FULL = CertificateRetrieval.FULL
CRL_URL = "http://pki.example.com/issuing.crl"
ROOT, OTHER_ROOT = authority("Root"), authority("Other")
ISSUING = authority("Issuing", ROOT)


def certificate(issuer: Entity = ISSUING, address: str = "bob@example.com", **how: Any) -> Entity:
    return making.person(issuer, emails=(address,), **how)


BOB, BOBS_OTHER = certificate(crl_urls=[CRL_URL]), certificate(OTHER_ROOT)


async def resolve(on: Bench, *to: str, **options: Any) -> list[ToResponse]:
    response = await on.run(COMMAND, Request(to=to, options=Options(certificate_retrieval=FULL, **options)))
    assert isinstance(response, Response)
    assert response.status == 1
    return list(response.responses)


async def the_one(on: Bench, to: str = "bob@example.com", **options: Any) -> tuple[Recipient, Certificates]:
    (answer,) = await resolve(on, to, **options)
    assert (answer.status, answer.recipient_count) == (1, 1)
    (recipient,) = answer.recipients
    assert recipient.certificates is not None
    return recipient, recipient.certificates


def settings(*sources: Source, scope: HarvestScope = HarvestScope.OFF, smime: Any = None, **rules: Any) -> Settings:
    served = ServedCertificates(**({"sources": sources} if sources else {}), **rules)
    return Settings(served=served, harvest=HarvestSettings(scope=scope), smime=smime or SmimeSettings())


def bob(*certificates: bytes, **properties: Any) -> People:
    return People(person("bob", user_certificates=certificates, **properties))


# ---- trust, revocation, weak keys


@pytest.mark.requirement("MS-ASCMD_R849", "MS-ASCMD_R4303", "MS-ASCMD_R4304")
@pytest.mark.parametrize("required", [False, True])
async def test_a_trusted_root_may_be_required(required: bool) -> None:
    on = Bench(
        directory=bob(BOB.der, BOBS_OTHER.der),
        trust=MemoryTrust([making.trust(ROOT, intermediates=[ISSUING])]),
        settings=settings(require_trusted=required),
    )
    _, found = await the_one(on)
    assert set(found.certificates) == ({BOB.der} if required else {BOB.der, BOBS_OTHER.der})
    on = replace(on, trust=MemoryTrust())
    _, found = await the_one(on)
    assert (found.status, found.certificate_count) == ((7, 0) if required else (1, 2))


async def test_the_chain_of_a_directory_value_leads_to_the_root() -> None:
    """The root comes along in the value, which makes it no root that is trusted."""
    value = user_smime("alice")
    alice = person("alice", smime_certificates=(value,))
    for roots, status in ((("root",), 1), (("other-root",), 7)):
        collection = replace(making.trust(), roots=tuple(map(der, roots)))
        on = Bench(directory=People(alice), trust=MemoryTrust([collection]), settings=settings(require_trusted=True))
        _, found = await the_one(on, "alice@example.com")
        assert found.status == status


@pytest.mark.parametrize(("refused", "status"), [(True, 7), (False, 1)])
async def test_what_is_known_to_be_revoked_is_not_served(refused: bool, status: int) -> None:
    revocation = MemoryRevocation({CRL_URL: crl(ISSUING, BOB)})
    on = Bench(
        directory=bob(BOB.der),
        trust=MemoryTrust([making.trust(ROOT, intermediates=[ISSUING])]),
        revocation=revocation,
        settings=settings(refuse_revoked=refused),
    )
    _, found = await the_one(on)
    assert found.status == status
    assert revocation.asked == []  # nobody waits for the network


async def test_what_nobody_knows_about_is_served() -> None:
    on = Bench(
        directory=bob(BOB.der),
        trust=MemoryTrust([making.trust(ROOT, intermediates=[ISSUING])]),
        revocation=MemoryRevocation(),
        settings=settings(require_trusted=True),
    )
    _, found = await the_one(on)
    assert (found.status, found.certificates) == (1, (BOB.der,))


@pytest.mark.parametrize(("least", "status"), [(2048, 7), (1024, 1)])
async def test_weak_keys_are_not_served(least: int, status: int) -> None:
    uses = ("digital_signature", "key_encipherment")
    weak = making.person(ISSUING, uses=uses, subject_key=making.rsa_key(1024), signing_key=ISSUING.key)
    _, found = await the_one(Bench(directory=bob(weak.der), settings=settings(min_rsa_bits=least)))
    assert found.status == status


@pytest.mark.parametrize(("secondary", "status"), [(True, 1), (False, 7)])
async def test_other_addresses_of_a_person(secondary: bool, status: int) -> None:
    mine = certificate(address="robert@example.org")
    on = Bench(
        directory=bob(mine.der, addresses=("robert@example.org",)),
        settings=settings(smime=SmimeSettings(secondary_addresses=secondary)),
    )
    _, found = await the_one(on)
    assert found.status == status


# ---- the user's contacts


def card(*lines: str, email: str = "bob@example.com", name: str = "Bob Builder") -> bytes:
    text = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{name}", f"EMAIL;TYPE=internet:{email}", *lines, "END:VCARD", ""]
    return "\r\n".join(text).encode()


def key_line(octets: bytes) -> str:
    return f"KEY;TYPE=X509;ENCODING=b:{base64.b64encode(octets).decode()}"


async def add(box: Mailbox, octets: bytes) -> None:
    folder = await folder_of(box, FolderType.CONTACTS)
    await box.store.mail.add(ALICE.user, folder, new_item(ItemClass.CONTACTS, octets))


@pytest.mark.requirement("MS-ASCMD_R4686", "MS-ASCMD_R4275", "MS-ASCMD_R5309")
@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("name", ["Bob@Example.com", "builder", "bob bui"])
async def test_a_contact_is_a_recipient_where_the_directory_has_nobody(
    tmp_path: Path, version: ProtocolVersion, name: str
) -> None:
    async with mailbox(tmp_path, version=version) as box:
        await add(box, card(key_line(BOB.der)))
        await add(box, card(email="carol@example.com", name="Carol Cook"))
        recipient, found = await the_one(box.bench, name)
        assert (recipient.type, recipient.display_name, recipient.email_address) == (
            2,
            "Bob Builder",
            "bob@example.com",
        )
        assert (found.status, found.certificate_count, found.recipient_count) == (1, 1, 1)
        assert found.certificates == (BOB.der,)
        recipient, found = await the_one(box.bench, "carol@example.com")
        assert (recipient.type, found.status) == (2, 7)


@pytest.mark.requirement("MS-ASCMD_R4277", "MS-ASCMD_R4279", "MS-ASCMD_R4282", "MS-ASCMD_R4284", "MS-ASCMD_R4286")
async def test_contacts_may_be_ambiguous_but_an_address_is_not(tmp_path: Path) -> None:
    async with mailbox(tmp_path) as box:
        for octets in (card(key_line(BOB.der)), card(name="Bob twice"), card(email="bob2@example.com", name="Bob Two")):
            await add(box, octets)
        (answer,) = await resolve(box.bench, "bob")
        assert (answer.status, answer.recipient_count) == (2, 2)
        assert [(r.type, r.certificates) for r in answer.recipients] == [(2, None)] * 2
        for most, count in ((0, 0), (1, 1)):
            (answer,) = await resolve(box.bench, "bob", max_ambiguous_recipients=most)
            assert (answer.status, answer.recipient_count, len(answer.recipients)) == (3, 2, count)
            _, found = await the_one(box.bench, max_ambiguous_recipients=most)
            assert found.certificates == (BOB.der,)
        (answer,) = await resolve(box.bench, "nobody@example.com")
        assert (answer.status, answer.recipients) == (4, ())


async def test_a_word_in_a_note_is_no_name(tmp_path: Path) -> None:
    async with mailbox(tmp_path) as box:
        await add(box, card("NOTE:married to Dora"))
        (answer,) = await resolve(box.bench, "dora")
        assert answer.status == 4


@pytest.mark.requirement("MS-ASCMD_R4686")
@pytest.mark.parametrize("contacts_first", [False, True])
async def test_the_order_of_sources(tmp_path: Path, contacts_first: bool) -> None:
    directory = (Source.USER_SMIME_CERTIFICATE, Source.USER_CERTIFICATE)
    order = (Source.CONTACTS, *directory) if contacts_first else (*directory, Source.CONTACTS)
    async with mailbox(tmp_path, settings=settings(*order)) as box:
        await add(box, card(key_line(BOBS_OTHER.der)))
        box.bench.directory = bob(BOB.der)
        recipient, found = await the_one(box.bench)
        wanted = (2, BOBS_OTHER.der) if contacts_first else (1, BOB.der)
        assert (recipient.type, found.certificates) == (wanted[0], (wanted[1],))
        box.bench.directory = bob(b"garbage")
        recipient, found = await the_one(box.bench)
        assert (recipient.type, recipient.display_name) == (2, "Bob Example")
        assert found.certificates == (BOBS_OTHER.der,)


async def test_sources_that_are_not_named_are_not_looked_at(tmp_path: Path) -> None:
    async with mailbox(tmp_path, settings=settings(Source.USER_SMIME_CERTIFICATE)) as box:
        await add(box, card(key_line(BOB.der)))
        (answer,) = await resolve(box.bench, "builder")
        assert answer.status == 4
        box.bench.directory = bob(BOB.der)
        _, found = await the_one(box.bench)
        assert found.status == 7


@pytest.mark.parametrize(
    "line",
    [
        "KEY:data:application/pkix-cert;base64," + base64.b64encode(BOB.der).decode().replace(",", "\\,"),
        "KEY;ENCODING=BASE64;X509:" + base64.b64encode(base64.b64encode(BOB.der)).decode(),
        "KEY;TYPE=X509;ENCODING=b:" + base64.b64encode(user_smime("alice")).decode(),
        "KEY;VALUE=uri:http://example.com/bob.cer",
        "KEY;TYPE=PGP;ENCODING=b:" + base64.b64encode(b"pgp").decode(),
        "KEY;ENCODING=b:!!!",
        "KEY:",
        "KEY;ENCODING=b:" + base64.b64encode(b"0" * 300_000).decode(),
    ],
    ids=["data", "twice", "pkcs7", "elsewhere", "pgp", "no base64", "nothing", "huge"],
)
async def test_the_forms_of_a_key(tmp_path: Path, line: str) -> None:
    async with mailbox(tmp_path, settings=settings(min_rsa_bits=0)) as box:
        await add(box, card(line, "EMAIL:alice@example.com"))
        _, found = await the_one(box.bench, "bob@example.com")
        if "data:" in line or "BASE64" in line:
            assert found.certificates == (BOB.der,)
        elif "TYPE=X509" in line:
            assert found.certificates == (der("alice"),)
        else:
            assert (found.status, found.certificates) == (7, ())


async def test_broken_and_oversized_contacts_are_passed_over(tmp_path: Path) -> None:
    async with mailbox(tmp_path) as box:
        await add(box, card("NOTE:" + "x" * 600_000))
        await add(box, card(key_line(BOB.der)))
        _, found = await the_one(box.bench)
        assert found.certificates == (BOB.der,)


async def test_a_contacts_photo(tmp_path: Path) -> None:
    photo = b"\x89PNG" + b"p" * 50
    async with mailbox(tmp_path) as box:
        await add(box, card("PHOTO;ENCODING=b;TYPE=PNG:" + base64.b64encode(photo).decode()))
        recipient, _ = await the_one(box.bench, picture=PictureOptions())
        assert recipient.picture is not None
        assert recipient.picture.data == photo


# ---- signed mail


def harvested(entity: Entity, *, user: UserId = ALICE.user, **how: Any) -> Harvested:
    seen = {"first_seen": NOW, "last_seen": NOW}
    record = Harvested(user=user, address="bob@example.com", certificate=entity.der, chain=(ISSUING.der,), **seen)
    return replace(record, **how)


@pytest.mark.requirement("MS-ASCMD_R4686")
@pytest.mark.parametrize(
    ("scope", "owner", "disputed", "kind"),
    [
        (HarvestScope.USER, "alice", False, 2),
        (HarvestScope.USER, "bob", False, 1),
        (HarvestScope.USER, "alice", True, 1),
        (HarvestScope.EVERYBODY, "bob", False, 2),
        (HarvestScope.OFF, "alice", False, 1),
    ],
)
async def test_certificates_out_of_signed_mail(
    tmp_path: Path, scope: HarvestScope, owner: str, disputed: bool, kind: int
) -> None:
    trusted = MemoryTrust([making.trust(ROOT)])
    async with mailbox(tmp_path, settings=settings(scope=scope), trust=trusted) as box:
        await box.store.admin.add_user("bob@example.com", None)
        box.bench.harvested = box.store.harvested
        await box.store.harvested.keep(harvested(BOB, user=UserId(f"{owner}@example.com"), disputed=disputed))
        recipient, found = await the_one(box.bench)
        assert (recipient.type, found.status) == (kind, 1 if kind == 2 else 7)
        box.bench.directory = bob(BOBS_OTHER.der)  # never overridden
        recipient, found = await the_one(box.bench)
        assert (recipient.type, found.certificates) == (1, (BOBS_OTHER.der,))


async def test_what_was_harvested_counts_only_while_its_root_is_trusted(tmp_path: Path) -> None:
    async with mailbox(tmp_path, settings=settings(scope=HarvestScope.USER)) as box:
        await box.store.admin.add_user("bob@example.com", None)
        box.bench.harvested = box.store.harvested
        await box.store.harvested.keep(harvested(BOB))
        for roots, status in (([ROOT], 1), ([OTHER_ROOT], 7), ([], 7)):
            box.bench.trust = MemoryTrust([making.trust(*roots)])
            _, found = await the_one(box.bench)
            assert found.status == status


# ---- groups


@pytest.mark.requirement("MS-ASCMD_R3768", "MS-ASCMD_R3769", "MS-ASCMD_R849", "MS-ASCMD_R3254")
async def test_two_of_seven_have_none(tmp_path: Path) -> None:
    """Five have one: in the directory, in the contacts, in signed mail."""
    names = ["ann", "ben", "cat", "dan", "eve", "fay", "gus"]
    own = {name: certificate(address=f"{name}@example.com") for name in names}
    members = [person(name, user_certificates=(own[name].der,) * 2 if name in names[:3] else ()) for name in names]
    async with mailbox(tmp_path, settings=settings(scope=HarvestScope.USER)) as box:
        box.bench.directory = People(group("team"), members={"team": members})
        box.bench.harvested, box.bench.trust = box.store.harvested, MemoryTrust([making.trust(ROOT)])
        await add(box, card(key_line(own["dan"].der), email="dan@example.com"))
        await box.store.harvested.keep(harvested(own["eve"], address="eve@example.com"))
        recipient, found = await the_one(box.bench, "team")
        assert (recipient.type, found.status, found.certificate_count, found.recipient_count) == (1, 1, 5, 7)
        assert found.certificates == tuple(own[name].der for name in names[:5])


class Slow(People):
    """A directory that takes its time for groups."""

    async def members(self, group: DirectoryEntry, limit: int) -> Found:
        """See Directory."""
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.requirement("MS-ASCMD_R4305", "MS-ASCMD_R3254")
async def test_a_group_that_takes_too_long() -> None:
    on = Bench(directory=Slow(group("team")), settings=settings(smime=SmimeSettings(group_seconds=0.01)))
    _, found = await the_one(on, "team")
    assert (found.status, found.certificates, found.certificate_count, found.recipient_count) == (8, (), 0, 1)


async def test_two_hundred_certificates_of_a_person() -> None:
    entities = [certificate(not_before=NOW - timedelta(days=200 - n)) for n in range(200)]
    _, found = await the_one(Bench(directory=bob(*(each.der for each in entities))))
    assert found.certificates == tuple(each.der for each in reversed(entities))


async def test_a_trust_store_that_is_down_is_no_missing_certificate() -> None:
    class Down(MemoryTrust):
        async def collection(self, domain: str) -> Any:
            """See TrustStore."""
            raise StoreUnavailable("down")

    with pytest.raises(StoreUnavailable):
        await the_one(Bench(directory=bob(BOB.der), trust=Down()))
