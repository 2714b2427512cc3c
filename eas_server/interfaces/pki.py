"""Trust, and evidence of revocation."""

from collections.abc import Collection, Sequence
from typing import Protocol

from eas_server.model.certificates import Harvested
from eas_server.model.ids import UserId
from eas_server.model.trust import TrustCollection, Wanted


class TrustStore(Protocol):
    """The administrator's trust: virtual certificate collections, by mail domain."""

    async def collection(self, domain: str) -> TrustCollection:
        """What counts for users of a mail domain: its own collection, else the one of the name "", empty if need be."""
        ...

    async def collections(self) -> Sequence[TrustCollection]:
        """All of them, by name."""
        ...


class RevocationSource(Protocol):
    """Fetches CRLs, OCSP answers and issuers from where certificates point to. The certificates are strangers'."""

    async def fetch(self, wanted: Wanted) -> bytes:
        """The octets, from the cache or from the network; bounded in size and time.

        Raises EvidenceUnavailable for what may not be asked (scheme, address, budget) and for what gave no answer, also
        while an earlier failure is remembered.
        """
        ...

    async def kept(self, wanted: Wanted) -> bytes | None:
        """The octets where they are at hand and still hold. Asks nobody: somebody waits who must not wait."""
        ...


class HarvestedCertificates(Protocol):
    """What signed mail told of its senders' certificates. Addresses are in lower case. Writes are durable."""

    async def known(self, user: UserId | None, addresses: Collection[str]) -> Sequence[Harvested]:
        """What the mail of a user, or (None) anybody's, told of these addresses; the one seen last comes first."""
        ...

    async def keep(self, found: Harvested) -> None:
        """Keep a certificate. One that is known of that user and address keeps its `first_seen`.

        Beyond MAX_HARVESTED_OF_ADDRESS, and of all addresses beyond MAX_HARVESTED_OF_USER, those seen least lately go.
        Without effect for a user who is no more.
        """
        ...

    async def forget(self, fingerprint: str) -> int:
        """Drop a certificate wherever it was found; of how many users and addresses it was."""
        ...

    async def disputed(self) -> Sequence[Harvested]:
        """Everybody's that are not served, for the administrator to look at: by address."""
        ...
