"""Certificates out of signed mail."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.backends.memory.trust import MemoryTrust
from eas_server.commands import resolve_recipients
from eas_server.delivery import harvest as step
from eas_server.delivery.harvest import HarvestPorts
from eas_server.delivery.steps import deliver_through
from eas_server.errors import StoreUnavailable
from eas_server.model.certificates import Harvested, HarvestScope, HarvestSettings
from eas_server.model.settings import Settings
from eas_server.model.trust import TrustCollection
from eas_server.pki.smime import encrypt, sign_detached, sign_opaque
from protocol.commands.resolve_recipients import CertificateRetrieval, Options, Request
from tests.server.commands.people import People, person
from tests.server.delivery.house import DOMAIN, HOST, House, house, user
from tests.server.pki import making
from tests.server.pki.making import Entity, authority

DAVE = "dave@elsewhere.test"
ROOT, OTHER_ROOT = authority("Root"), authority("Other")
ISSUING = authority("Issuing", ROOT)
CONTENT = b"Content-Type: text/plain\r\n\r\nHello.\r\n"
DAY = timedelta(days=1)


def certificate(issuer: Entity = ISSUING, address: str = DAVE, **how: Any) -> Entity:
    return making.person(issuer, "Dave", emails=(address,), **how)


DAVES = certificate()


class Harvesting:
    """A house whose users' mail tells certificates."""

    def __init__(self, home: House) -> None:
        self.home = home
        self.settings = HarvestSettings(scope=HarvestScope.USER)
        self.trust: Any = MemoryTrust([making.trust(ROOT, OTHER_ROOT)])
        store = home.store
        home.submission = deliver_through(
            store.submission,
            folders=store.folders,
            mail=store.mail,
            search=store.mail,
            accounts=store.accounts,
            preferences=store.preferences,
            host=HOST,
            domains=(DOMAIN,),
            harvest=HarvestPorts(kept=store.harvested, trust=self, settings=lambda: self.settings),
        )

    async def collection(self, domain: str) -> TrustCollection:
        """See TrustStore."""
        assert domain == DOMAIN
        found: TrustCollection = await self.trust.collection(domain)
        return found

    async def collections(self) -> Any:
        """See TrustStore."""
        raise AssertionError

    async def comes(self, *, to: str = "alice@example.com", **how: Any) -> None:
        """Mail of dave's."""
        await self.home.comes(signed(**how), DAVE, to)

    async def known(self, name: str = "alice", address: str = DAVE) -> list[Harvested]:
        """What is known of dave from somebody's mail."""
        return list(await self.home.store.harvested.known(user(name), [address]))

    async def certificates(self, name: str = "alice") -> set[bytes]:
        """The same, as DER."""
        return {each.certificate for each in await self.known(name)}


def signed(
    by: Entity = DAVES,
    *,
    sender: str = DAVE,
    chain: tuple[Entity, ...] = (ISSUING,),
    sign: Any = sign_detached,
    content: bytes = CONTENT,
) -> bytes:
    entity: bytes = sign(content, by.der, by.key, [each.der for each in chain], now=making.NOW)
    head = f"From: {sender}\r\nTo: alice@example.com\r\nSubject: Signed\r\nMIME-Version: 1.0\r\n"
    return head.encode() + entity


@pytest.fixture
async def harvesting(tmp_path: Path) -> AsyncIterator[Harvesting]:
    async with house(tmp_path) as home:
        yield Harvesting(home)


@pytest.mark.parametrize("sign", [sign_detached, sign_opaque])
async def test_a_signed_message_tells_its_senders_certificate(harvesting: Harvesting, sign: Any) -> None:
    await harvesting.comes(sign=sign)
    (found,) = await harvesting.known()
    now = harvesting.home.clock.moment
    assert (found.address, found.certificate, found.chain) == (DAVE, DAVES.der, (ISSUING.der,))
    assert (found.first_seen, found.last_seen, found.disputed) == (now, now, False)
    assert await harvesting.known("bob") == []


@pytest.mark.requirement("MS-ASCMD_R4686", "MS-ASCMD_R4302")
async def test_it_is_served_to_who_got_it(harvesting: Harvesting) -> None:
    await harvesting.comes()
    for scope, name, status in (
        (HarvestScope.USER, "alice", 1),
        (HarvestScope.USER, "bob", 7),
        (HarvestScope.EVERYBODY, "bob", 1),
    ):
        settings = Settings(harvest=HarvestSettings(scope=scope))
        at = await harvesting.home.bench(name, settings=settings, trust=harvesting)
        at.directory, at.harvested = People(person("dave", email=DAVE)), harvesting.home.store.harvested
        asked = Request(to=(DAVE,), options=Options(certificate_retrieval=CertificateRetrieval.FULL))
        response = await at.run(resolve_recipients.COMMAND, asked)
        (recipient,) = response.responses[0].recipients
        assert (recipient.type, recipient.certificates.status) == (2 if status == 1 else 1, status)


async def test_off_is_off(harvesting: Harvesting) -> None:
    harvesting.settings = HarvestSettings()
    await harvesting.comes()
    assert await harvesting.known() == []


@pytest.mark.parametrize(
    "message",
    [
        signed(sender="carol@elsewhere.test"),
        signed(sender=f"{DAVE}, carol@elsewhere.test"),
        signed(sender=f"{DAVE}\r\nFrom: carol@elsewhere.test"),
        signed().replace(b"Hello", b"Adieu"),
        signed(chain=()),
        signed(certificate(authority("Nobody's")), chain=()),
        signed(certificate(not_after=making.NOW - DAY)),
        signed(certificate(purposes=(making.SERVER,))),
        signed(certificate(uses=("key_agreement",))),
        signed(certificate(uses=("digital_signature",))),
        signed(certificate(address="carol@elsewhere.test")),
        signed(ISSUING),
        signed()[:-400] + b"\r\n",
        b"From: " + DAVE.encode() + b"\r\n" + encrypt(CONTENT, [DAVES.der]),
        b"From: " + DAVE.encode() + b"\r\nContent-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nx",
        b"From: " + DAVE.encode() + b"\r\n\r\nplain\r\n",
    ],
    ids=[
        *("another's", "two senders", "two Froms", "changed", "no path", "untrusted", "expired", "not for mail"),
        *("cannot sign", "cannot encrypt", "another address", "an authority", "cut", "encrypted", "garbage", "plain"),
    ],
)
async def test_what_is_in_any_doubt_tells_nothing(harvesting: Harvesting, message: bytes) -> None:
    await harvesting.home.comes(message, DAVE, "alice@example.com")
    assert len(await harvesting.home.items("alice")) == 1
    for address in (DAVE, "carol@elsewhere.test"):
        assert await harvesting.known(address=address) == []


async def test_no_roots_and_no_trust_store_tell_nothing(harvesting: Harvesting) -> None:
    class Down(MemoryTrust):
        async def collection(self, domain: str) -> TrustCollection:
            """See TrustStore."""
            raise StoreUnavailable("down")

    for trust in (MemoryTrust(), Down()):
        harvesting.trust = trust
        await harvesting.comes()
    assert await harvesting.known() == []


async def test_large_messages_are_left_alone(harvesting: Harvesting) -> None:
    harvesting.settings = replace(harvesting.settings, max_message=100)
    await harvesting.comes()
    assert await harvesting.known() == []


async def test_a_pair_of_certificates_gives_the_one_to_encrypt_to(harvesting: Harvesting) -> None:
    signing = certificate(uses=("digital_signature",))
    encryption = certificate(uses=("key_agreement",))
    await harvesting.comes(by=signing, chain=(ISSUING, encryption))
    assert await harvesting.certificates() == {encryption.der}


async def test_a_certificate_that_came_along_is_nobodys(harvesting: Harvesting) -> None:
    """Of the signer's, only such as name him and lead to a root by themselves."""
    others = (certificate(address="carol@elsewhere.test"), certificate(authority("Nobody's")))
    await harvesting.comes(chain=(ISSUING, *others))
    assert await harvesting.certificates() == {DAVES.der}


async def test_several_devices_and_when_they_were_seen(harvesting: Harvesting) -> None:
    phone, start = certificate(), harvesting.home.clock.moment
    await harvesting.comes()
    await harvesting.comes(by=phone)
    harvesting.home.clock.moment += DAY / 2
    await harvesting.comes()
    harvesting.home.clock.moment += DAY
    await harvesting.comes(by=phone)
    found = {each.certificate: each for each in await harvesting.known()}
    assert {each.first_seen for each in found.values()} == {start}
    assert found[DAVES.der].last_seen == start
    assert found[phone.der].last_seen == start + DAY * 1.5
    assert not any(each.disputed for each in found.values())


async def test_another_authoritys_certificate_is_told_and_not_served(
    harvesting: Harvesting, caplog: pytest.LogCaptureFixture
) -> None:
    first = certificate(not_after=making.NOW + 10 * DAY)
    rival = certificate(OTHER_ROOT)
    await harvesting.comes(by=first)
    with caplog.at_level(logging.WARNING, logger=step.__name__):
        await harvesting.comes(by=rival, chain=())
        await harvesting.comes(by=rival, chain=())
    assert len(caplog.messages) == 1
    (disputed,) = await harvesting.home.store.harvested.disputed()
    assert (disputed.certificate, disputed.user) == (rival.der, user("alice"))
    await harvesting.comes(by=first)
    assert [each.certificate for each in await harvesting.home.store.harvested.disputed()] == [rival.der]
    harvesting.home.clock.moment += 11 * DAY  # the first one has expired
    await harvesting.comes(by=rival, chain=())
    assert await harvesting.home.store.harvested.disputed() == []


async def test_the_same_key_from_another_authority_is_no_dispute(harvesting: Harvesting) -> None:
    again = certificate(OTHER_ROOT, subject_key=DAVES.key)
    await harvesting.comes()
    await harvesting.comes(by=again, chain=())
    assert await harvesting.certificates() == {DAVES.der, again.der}
    assert await harvesting.home.store.harvested.disputed() == []


@pytest.mark.parametrize(("scope", "disputes"), [(HarvestScope.USER, 0), (HarvestScope.EVERYBODY, 1)])
async def test_disputes_are_among_what_is_shared(harvesting: Harvesting, scope: HarvestScope, disputes: int) -> None:
    harvesting.settings = HarvestSettings(scope=scope)
    await harvesting.comes()
    await harvesting.comes(by=certificate(OTHER_ROOT), chain=(), to="bob@example.com")
    assert len(await harvesting.home.store.harvested.disputed()) == disputes


async def test_a_message_for_several_is_read_once(harvesting: Harvesting, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = step.harvest

    def noting(octets: bytes, sender: str, *rest: Any) -> Any:
        read.append(sender)
        return original(octets, sender, *rest)

    monkeypatch.setattr(step, "harvest", noting)
    await harvesting.home.comes(signed(), DAVE, "team@example.com")
    assert read == [DAVE]
    assert await harvesting.certificates("alice") == await harvesting.certificates("bob") == {DAVES.der}


async def test_what_takes_too_long_tells_nothing(harvesting: Harvesting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "SECONDS", 0.0)
    await harvesting.comes()
    assert await harvesting.known() == []
    monkeypatch.undo()
    monkeypatch.setattr(step, "WAITING", 0)
    await harvesting.comes()
    assert await harvesting.known() == []


async def test_very_many_signers_or_certificates_tell_nothing(harvesting: Harvesting) -> None:
    await harvesting.comes(chain=tuple(certificate() for _ in range(70)))
    assert await harvesting.known() == []
