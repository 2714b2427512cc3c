"""What there is to say about an S/MIME message, for people: `eas-server smime`, and whoever shows messages.

Pure: the verdict about a signer's certificate comes from the caller, who has the trust and the evidence.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from typing import Final

from eas_server.pki.certificate import CertificateError, ParsedCertificate, normal_address, parse_cached
from eas_server.pki.message_kind import Encrypted, MessageKind, Signature, Signed
from eas_server.pki.verdict import Verdict

MAX_HEADER: Final = 256 * 1024
"""Octets of a message among which From is looked for."""

Judge = Callable[[bytes, Sequence[bytes]], Verdict]
"""The verdict about a certificate (DER) with the certificates that came along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerReport:
    """One signature. `verdict` is about its certificate; None where the message does not have it."""

    signature: Signature
    certificate: ParsedCertificate | None
    verdict: Verdict | None
    is_sender: bool
    """The certificate names the address in From."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words; nothing is for a good signature."""
        found = []
        if self.signature.fits is False:
            found.append("the content is not what was signed")
        elif self.signature.fits is None:
            found.append("the signature cannot be checked")
        if self.verdict is None:
            found.append("the signer's certificate is not in the message")
        elif not self.verdict.good:
            found.append(f"the signer's certificate: {self.verdict.reason}")
        if self.certificate is not None and not self.is_sender:
            found.append("the certificate does not name the sender's address")
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReport:
    """A message, layer by layer, outermost first."""

    kind: MessageKind
    senders: tuple[str, ...]
    """The addresses in From."""
    signers: tuple[SignerReport, ...]
    """Of all layers."""

    @property
    def envelopes(self) -> tuple[Encrypted, ...]:
        """The layers that are encrypted."""
        return tuple(layer for layer in self.kind.layers if isinstance(layer, Encrypted))

    @property
    def good(self) -> bool:
        """There is a signer, and nothing is wrong with any of them."""
        return bool(self.signers) and not any(signer.problems for signer in self.signers) and not self.kind.problem


def report(message: bytes, kind: MessageKind, judge: Judge) -> MessageReport:
    """The report on a whole message, or on a MIME entity, whose kind is known. Never raises for what stands in it."""
    senders = _senders(message)
    signers = tuple(
        _signer(signature, layer, senders, judge)
        for layer in kind.layers
        if isinstance(layer, Signed)
        for signature in layer.signatures
    )
    return MessageReport(kind=kind, senders=senders, signers=signers)


def _signer(signature: Signature, layer: Signed, senders: Sequence[str], judge: Judge) -> SignerReport:
    if signature.certificate is None:
        return SignerReport(signature=signature, certificate=None, verdict=None, is_sender=False)
    others = [der for der in layer.certificates if der != signature.certificate]
    try:
        certificate = parse_cached(signature.certificate)
    except CertificateError:
        certificate = None
    named = set() if certificate is None else {normal_address(address) for address in certificate.emails}
    return SignerReport(
        signature=signature,
        certificate=certificate,
        verdict=judge(signature.certificate, others),
        is_sender=not senders or not named.isdisjoint(senders),
    )


def _senders(message: bytes) -> tuple[str, ...]:
    header = BytesHeaderParser().parsebytes(message[:MAX_HEADER])
    found = getaddresses([str(value) for value in header.get_all("From", [])])
    return tuple(dict.fromkeys(normal_address(address) for _, address in found if address))
