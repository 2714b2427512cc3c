"""Certificates out of signed mail: who signs what he writes tells which certificate to encrypt to.

Off unless the administrator switches it on; docs/decisions/0030-recipient-certificates.md has what is believed.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from eas_server.errors import StoreFull, Unavailable
from eas_server.interfaces import Delivery, HarvestedCertificates, Receipt, Submission, TrustStore
from eas_server.model import blob
from eas_server.model.blob import Blob
from eas_server.model.certificates import Harvested, HarvestScope, HarvestSettings
from eas_server.model.ids import UserId
from eas_server.model.mail import FolderType
from eas_server.model.trust import fingerprint_of
from eas_server.pki.harvesting import Harvest, NothingToHarvest, disputes, harvest
from eas_server.render import addresses, headers
from eas_server.render.out_of_office import normal

log = logging.getLogger(__name__)

SECONDS: Final = 5.0
"""How long a delivery waits for this; after that the message tells nothing."""
WAITING: Final = 20
"""Messages that are read or wait for it; more tell nothing."""
SEEN_AGAIN: Final = timedelta(days=1)
"""How often it is noted that a known certificate was seen."""
_SIGNED: Final = "IPM.NOTE.SMIME"

_READER: Final = ThreadPoolExecutor(1, thread_name_prefix="harvest")
"""Of its own: strangers' mail holds up nobody's requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestPorts:
    """What certificates are harvested with."""

    kept: HarvestedCertificates
    trust: TrustStore
    settings: Callable[[], HarvestSettings]
    """As the configuration has it now."""


class HarvestsCertificates:
    """The step. Mail that is not signed costs a look at its class."""

    def __init__(self, ports: HarvestPorts | None) -> None:
        """None: nothing can be harvested here."""
        self._ports = ports
        self._waiting = 0

    async def before(self, submission: Submission) -> Submission:
        """Nothing."""
        return submission

    async def after(self, submission: Submission, receipt: Receipt) -> None:
        """Look at what each user got; a message that several got is read once for each collection of roots."""
        ports = self._ports
        settings = ports.settings() if ports is not None else HarvestSettings()
        if ports is None or settings.scope is HarvestScope.OFF:
            return
        read: dict[tuple[int, str], tuple[str, Harvest] | None] = {}
        for delivery in submission.deliveries:
            if not _concerns(delivery, receipt, settings):
                continue
            domain = delivery.user.rpartition("@")[2].lower()
            message = (id(delivery.message.index), domain)  # one index: the same octets
            if message not in read:
                read[message] = await self._read(delivery.message.content, domain, submission.now, ports)
            found = read[message]
            if found is not None:
                await _keep(delivery.user, *found, submission.now, settings.scope, ports.kept)

    async def _read(self, content: Blob, domain: str, now: datetime, ports: HarvestPorts) -> tuple[str, Harvest] | None:
        """The sender and his certificates."""
        if self._waiting >= WAITING:
            log.warning("too much signed mail waits to be looked at: some tells nothing")
            return None
        self._waiting += 1
        try:
            async with asyncio.timeout(SECONDS):
                trust = await ports.trust.collection(domain)
                octets = await blob.read(content)
                sender = _sender(octets)
                work = asyncio.get_running_loop().run_in_executor(_READER, harvest, octets, sender, trust, now)
                return normal(sender), await work
        except NothingToHarvest as nothing:
            log.debug("a signed message tells no certificate: %s", nothing)
        except (TimeoutError, Unavailable) as error:
            log.info("a signed message was not looked at: %s", error or "there was no time")
        finally:
            self._waiting -= 1
        return None


def _concerns(delivery: Delivery, receipt: Receipt, settings: HarvestSettings) -> bool:
    message = delivery.message
    return (
        delivery.folder is FolderType.INBOX
        and delivery.user not in receipt.missed
        and message.index.message_class.upper().startswith(_SIGNED)
        and message.content.size <= settings.max_message
    )


def _sender(octets: bytes) -> str:
    """The one address that a message is from. Raises NothingToHarvest."""
    fields, _ = headers.header_block(octets, 0, min(len(octets), headers.MAX_HEADER_BLOCK))
    values = fields.get("from", ())
    found = [one.address for value in values for one in addresses.parse(value)]
    if len(values) != 1 or len(found) != 1 or "@" not in found[0]:
        raise NothingToHarvest("it is not from one address")
    return found[0]


async def _keep(
    user: UserId, address: str, found: Harvest, now: datetime, scope: HarvestScope, kept: HarvestedCertificates
) -> None:
    known = await kept.known(None if scope is HarvestScope.EVERYBODY else user, [address])
    for certificate in found.certificates:
        rival = disputes(certificate, [each.certificate for each in known if not each.disputed], now)
        own = next((each for each in known if each.user == user and each.certificate == certificate), None)
        is_new = own is None or own.disputed is not (rival is not None)
        if not is_new and own is not None and now - own.last_seen < SEEN_AGAIN:
            continue
        if is_new:
            _tell(user, address, certificate, rival)
        try:
            await kept.keep(_record(user, address, certificate, found.chain, now, disputed=rival is not None))
        except (StoreFull, Unavailable) as error:
            log.info("a certificate of %s was not kept: %s", address, error)


def _record(
    user: UserId, address: str, certificate: bytes, chain: Sequence[bytes], now: datetime, *, disputed: bool
) -> Harvested:
    return Harvested(
        user=user,
        address=address,
        certificate=certificate,
        chain=tuple(each for each in chain if each != certificate),
        first_seen=now,
        last_seen=now,
        disputed=disputed,
    )


def _tell(user: UserId, address: str, certificate: bytes, rival: bytes | None) -> None:
    if rival is None:
        log.info("certificate %s of %s was harvested for %s", fingerprint_of(certificate), address, user)
        return
    log.warning(
        "certificate %s of %s, seen by %s, is not served: %s of another issuer is known and still valid",
        fingerprint_of(certificate),
        address,
        user,
        fingerprint_of(rival),
    )
