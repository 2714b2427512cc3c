"""What a signed message tells of its sender's certificates. Pure: the trust and the instant are arguments.

Nothing is taken from a message of which anything is in doubt: one signer, whose signature holds, whose certificate is
good for signing mail, leads to a trusted root, and names the address that the message is from. The certificate to
encrypt to is the one that he marked, or his own; it has to hold by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eas_server.model.certificates import ServedCertificates
from eas_server.model.trust import TrustCollection
from eas_server.pki.certificate import ParsedCertificate
from eas_server.pki.directory_blobs import owners_in
from eas_server.pki.profile import profile
from eas_server.pki.select import Candidate, any_path, select
from eas_server.pki.smime import Fault, SmimeError, Verification, verify
from eas_server.pki.validation import validate
from eas_server.pki.verdict import Purpose

MAX_CHAIN: Final = 6
"""Certificates kept with one: the links of its path to a root."""

_OURS: Final = frozenset({Fault.UNTRUSTED})
"""Faults that are judged by `validate` in the place of `verify`, which knows no revocation and no constraints."""


class NothingToHarvest(Exception):
    """Why the message tells nothing that could be relied on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """Certificates (DER) to encrypt to, the best first, with what leads up to a root."""

    certificates: tuple[bytes, ...]
    chain: tuple[bytes, ...]


def harvest(message: bytes, sender: str, trust: TrustCollection, now: datetime) -> Harvest:
    """What a whole MIME message from `sender` gives. Raises NothingToHarvest, and nothing else, for any octets."""
    if not trust.roots:
        raise NothingToHarvest("no root is trusted here")
    try:
        found = verify(message, (), now)
    except SmimeError as error:
        raise NothingToHarvest(str(error)) from error
    signer = _signer(found, sender)
    bag = tuple(dict.fromkeys(found.signed.certificates))
    verdict = validate(signer.der, chain=bag, trust=trust, when=now, purpose=Purpose.SIGN_MAIL)
    if not verdict.good:
        raise NothingToHarvest(f"the signer's certificate: {verdict.reason}")
    marked, others = owners_in(found.signed)
    chosen = select(
        [Candidate(der=der, preferred=der in marked) for der in dict.fromkeys((*marked, *others))],
        addresses=frozenset({sender}),
        now=now,
        rules=ServedCertificates(),
        judge=any_path,
    ).chosen
    verdicts = [validate(each.der, chain=bag, trust=trust, when=now, purpose=Purpose.ENCRYPT_TO) for each in chosen]
    good = [verdict for verdict in verdicts if verdict.good and verdict.path is not None]
    if not good:
        raise NothingToHarvest("no certificate in it is good for encrypting to its sender")
    paths = [[each.certificate.der for each in verdict.path.certificates] for verdict in good if verdict.path]
    links = dict.fromkeys(der for path in paths for der in path[1:] if der in bag and der not in trust.roots)
    return Harvest(certificates=tuple(path[0] for path in paths), chain=tuple(links)[:MAX_CHAIN])


def disputes(certificate: bytes, known: Sequence[bytes], now: datetime) -> bytes | None:
    """The certificate among `known` (DER) that stands against a new one: of another issuer, for another key, and valid.

    A second device, or the next certificate after this one, is of the same issuer or for the same key. None: nothing
    stands against it.
    """
    new = profile(certificate)
    for der in known:
        held = profile(der)
        if not held.certificate.valid_at(now):
            continue
        if held.issuer != new.issuer and held.public_key != new.public_key:
            return der
    return None


def _signer(found: Verification, sender: str) -> ParsedCertificate:
    if len(found.signers) != 1:
        raise NothingToHarvest(f"{len(found.signers)} signers")
    (signer,) = found.signers
    faults = [fault for fault in signer.faults if fault not in _OURS]
    if faults or signer.certificate is None:
        raise NothingToHarvest(str(faults[0]) if faults else "no signer's certificate")
    if not signer.certificate.has_address(frozenset({sender})):
        raise NothingToHarvest("the signer's certificate does not name the address that the message is from")
    return signer.certificate
