"""Verdicts about the certificates of recipients, remembered for a short time: the same people are written to again."""

from datetime import datetime
from typing import Final

from eas_server.model.trust import TrustCollection, fingerprint_of
from eas_server.pki.remembered import Remembered
from eas_server.pki.verdict import Verdict

SECONDS: Final = 60
"""How long a verdict counts before evidence is looked at again; that a certificate itself expires is seen at once."""
REMEMBERED: Final = 8192

_Key = tuple[str, int, int]


class RecentVerdicts:
    """What was found lately, by certificate, chain, trust and time."""

    def __init__(self) -> None:
        self._found: Remembered[_Key, Verdict] = Remembered(REMEMBERED)

    def get(self, certificate: bytes, chain: tuple[bytes, ...], trust: int, now: datetime) -> Verdict | None:
        """The verdict, where it is still new. `trust`: what `trust_key` gave."""
        return self._found.get(_key(certificate, chain, trust, now))

    def put(self, certificate: bytes, chain: tuple[bytes, ...], trust: int, now: datetime, verdict: Verdict) -> Verdict:
        """Remember a verdict, and give it back."""
        return self._found.put(_key(certificate, chain, trust, now), verdict)


def trust_key(trust: TrustCollection) -> int:
    """What a collection is known by while this program runs; worked out once for a request, since it may be large."""
    return hash(trust)


def _key(certificate: bytes, chain: tuple[bytes, ...], trust: int, now: datetime) -> _Key:
    return fingerprint_of(certificate), hash((chain, trust)), int(now.timestamp()) // SECONDS
