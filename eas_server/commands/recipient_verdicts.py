"""Verdicts about the certificates of recipients, from what is at hand: a compose waits for no network."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from eas_server.commands.certificate_evidence import EvidenceGatherer, judging
from eas_server.commands.context import Ports
from eas_server.commands.recent_verdicts import trust_key
from eas_server.errors import EvidenceUnavailable
from eas_server.interfaces import RevocationSource
from eas_server.model.certificates import ServedCertificates
from eas_server.model.directory import Account
from eas_server.model.trust import TrustCollection, Wanted
from eas_server.pki.validation import validate
from eas_server.pki.verdict import Purpose, Verdict

AT_ONCE: Final = 8
DEADLINE_SECONDS: Final = 5.0
"""For what is kept on the disk."""

NO_TRUST: Final = TrustCollection(name="")


class AtHand:
    """A RevocationSource that asks nobody."""

    def __init__(self, source: RevocationSource) -> None:
        self._source = source

    async def fetch(self, wanted: Wanted) -> bytes:
        """See RevocationSource."""
        octets = await self.kept(wanted)
        if octets is None:
            raise EvidenceUnavailable("it is not at hand", refused=True)
        return octets

    async def kept(self, wanted: Wanted) -> bytes | None:
        """See RevocationSource."""
        return await self._source.kept(wanted)


class PathVerdicts:
    """The verdicts of one request."""

    def __init__(self, ports: Ports, account: Account, rules: ServedCertificates, now: datetime) -> None:
        self._ports = ports
        self._account = account
        self._rules = rules
        self._now = now
        self._trust: TrustCollection | None = None
        self._gatherer: EvidenceGatherer | None = None
        self._places = asyncio.Semaphore(AT_ONCE)

    async def wanted(self) -> bool:
        """Whether verdicts matter: where nothing is trusted, and need not be, there is nothing to know."""
        if not (self._rules.require_trusted or self._rules.refuse_revoked):
            return False
        return self._rules.require_trusted or bool((await self._collection()).roots)

    async def of(self, certificates: Mapping[bytes, Sequence[bytes]]) -> dict[bytes, Verdict]:
        """The verdict about each DER certificate; with it stands what came along as its chain."""
        trust = await self._collection()
        named, recent = trust_key(trust), self._ports.recent_verdicts

        async def judged(certificate: bytes, chain: tuple[bytes, ...]) -> Verdict:
            known = recent.get(certificate, chain, named, self._now)
            if known is not None:
                return known
            async with self._places:
                evidence = await self._evidence().gather(certificate, chain, trust)
                verdict = await judging(
                    validate,
                    certificate,
                    chain=chain,
                    trust=trust,
                    when=self._now,
                    evidence=evidence,
                    purpose=Purpose.ENCRYPT_TO,
                )
            return recent.put(certificate, chain, named, self._now, verdict)

        found = await asyncio.gather(*(judged(der, tuple(chain)) for der, chain in certificates.items()))
        return dict(zip(certificates, found, strict=True))

    async def _collection(self) -> TrustCollection:
        if self._trust is None:
            domain = self._account.address.rpartition("@")[2].lower()
            self._trust = NO_TRUST if self._ports.trust is None else await self._ports.trust.collection(domain)
        return self._trust

    def _evidence(self) -> EvidenceGatherer:
        if self._gatherer is None:
            source = None if self._ports.revocation is None else AtHand(self._ports.revocation)
            self._gatherer = EvidenceGatherer(source, self._account.user, self._now, DEADLINE_SECONDS)
        return self._gatherer


_: type[RevocationSource] = AtHand
