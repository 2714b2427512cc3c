"""Certificates, CRLs and OCSP answers for tests, good and bad in every way, at any instant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from eas_server.model.trust import TrustCollection
from eas_server.pki.cms import tlv

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)
EMAIL = "1.3.6.1.5.5.7.3.4"
SERVER = "1.3.6.1.5.5.7.3.1"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
DER = serialization.Encoding.DER

_serials = count(1000)
_labels = count()
UNSET: Any = object()


@dataclass(frozen=True)
class Entity:
    """A certificate with its key."""

    der: bytes
    key: Any

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)

    @property
    def serial(self) -> int:
        return self.certificate.serial_number


@cache
def key(label: str) -> ec.EllipticCurvePrivateKey:
    """A key of this test run that belongs to `label`."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key(bits: int = 2048, exponent: int = 65537) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(exponent, bits)


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def usage(*uses: str) -> x509.KeyUsage:
    known = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{each: each in uses for each in known})


def make(
    subject: str | x509.Name,
    issuer: Entity | None = None,
    *,
    ca: bool | None = None,
    path_length: int | None = None,
    uses: Sequence[str] | None = (),
    purposes: Sequence[str] | None = None,
    not_before: datetime = NOW - YEAR,
    not_after: datetime = NOW + YEAR,
    serial: int | None = None,
    emails: Sequence[str] = (),
    subject_key: Any = None,
    signing_key: Any = None,
    issuer_name: x509.Name | None = None,
    crl_urls: Sequence[str] = (),
    ocsp_urls: Sequence[str] = (),
    issuer_urls: Sequence[str] = (),
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    identifiers: bool = True,
    authority_key_id: bytes | None = None,
    digest: hashes.HashAlgorithm | None = UNSET,
    rsa_padding: Any = None,
) -> Entity:
    """A certificate. `ca` None: no basicConstraints; `uses` None: no keyUsage; no issuer: signed with its own key."""
    own = subject_key or key(f"{subject}{next(_labels)}")
    subject_name = name(subject) if isinstance(subject, str) else subject
    signer = signing_key or (issuer.key if issuer is not None else own)
    by = issuer_name or (issuer.certificate.subject if issuer is not None else subject_name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(by)
        .public_key(own.public_key())
        .serial_number(serial or next(_serials))
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    if uses is not None and (uses or ca is not None):
        builder = builder.add_extension(usage(*(uses or _uses(ca=bool(ca)))), critical=True)
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(p) for p in purposes]), False)
    if emails:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(e) for e in emails]), False)
    if identifiers:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False)
        if issuer is not None:
            known = issuer.certificate.extensions.get_extension_for_class
            try:
                theirs = known(x509.SubjectKeyIdentifier).value.digest
                identifier = x509.AuthorityKeyIdentifier(authority_key_id or theirs, None, None)
                builder = builder.add_extension(identifier, False)
            except x509.ExtensionNotFound:
                pass
    if crl_urls:
        builder = builder.add_extension(x509.CRLDistributionPoints([point(*crl_urls)]), False)
    access = [(AuthorityInformationAccessOID.OCSP, url) for url in ocsp_urls]
    access += [(AuthorityInformationAccessOID.CA_ISSUERS, url) for url in issuer_urls]
    if access:
        entries = [x509.AccessDescription(oid, x509.UniformResourceIdentifier(url)) for oid, url in access]
        builder = builder.add_extension(x509.AuthorityInformationAccess(entries), False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    if digest is UNSET:
        digest = hashes.SHA256() if isinstance(signer, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) else None
    return Entity(builder.sign(signer, digest, rsa_padding=rsa_padding).public_bytes(DER), own)


def _uses(*, ca: bool) -> tuple[str, ...]:
    return ("key_cert_sign", "crl_sign") if ca else ("digital_signature", "key_agreement")


def authority(subject: str, issuer: Entity | None = None, **how: Any) -> Entity:
    return make(subject, issuer, **({"ca": True} | how))


def person(issuer: Entity, subject: str = "Bob", **how: Any) -> Entity:
    return make(subject, issuer, **({"ca": False, "purposes": (EMAIL,), "emails": ("bob@example.com",)} | how))


def point(*urls: str, issuer: x509.Name | None = None, reasons: Any = None) -> x509.DistributionPoint:
    names = [x509.UniformResourceIdentifier(url) for url in urls] or None
    return x509.DistributionPoint(names, None, reasons, [x509.DirectoryName(issuer)] if issuer else None)


def trust(*roots: Entity, intermediates: Sequence[Entity] = ()) -> TrustCollection:
    return TrustCollection(
        name="", roots=tuple(root.der for root in roots), intermediates=tuple(each.der for each in intermediates)
    )


def crl(
    issuer: Entity,
    *revoked: Entity,
    this_update: datetime = NOW - DAY,
    next_update: datetime | None = NOW + DAY,
    revoked_at: datetime = NOW - 2 * DAY,
    reason: x509.ReasonFlags | None = None,
    number: int = 1,
    base: int | None = None,
    freshest: Sequence[str] = (),
    issuing_point: x509.IssuingDistributionPoint | None = None,
    certificate_issuer: x509.Name | None = None,
    signing_key: Any = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """A CRL (DER). `base`: it is the delta to the CRL of that number."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(this_update)
        .next_update(next_update or NOW + YEAR)
        .add_extension(x509.CRLNumber(number), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False)
    )
    if base is not None:
        builder = builder.add_extension(x509.DeltaCRLIndicator(base), True)
    if freshest:
        builder = builder.add_extension(x509.FreshestCRL([point(*freshest)]), False)
    if issuing_point is not None:
        builder = builder.add_extension(issuing_point, True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.serial).revocation_date(revoked_at)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), False)
        if certificate_issuer is not None:
            entry = entry.add_extension(x509.CertificateIssuer([x509.DirectoryName(certificate_issuer)]), True)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(signing_key or issuer.key, hashes.SHA256()).public_bytes(DER)


def issuing_point(**how: Any) -> x509.IssuingDistributionPoint:
    urls = how.pop("urls", ())
    plain: dict[str, Any] = {
        "full_name": [x509.UniformResourceIdentifier(url) for url in urls] or None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**(plain | how))


def ocsp_answer(
    subject: Entity,
    issuer: Entity,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    responder: Entity | None = None,
    this_update: datetime = NOW - timedelta(hours=1),
    next_update: datetime | None = NOW + DAY,
    algorithm: hashes.HashAlgorithm | None = None,
    nonce: bytes | None = None,
    by_key: bool = False,
    include: bool = True,
    revoked_at: datetime = NOW - 2 * DAY,
) -> bytes:
    """An OCSP answer (DER) signed by the issuer or a delegated responder."""
    signer = responder or issuer
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    encoding = ocsp.OCSPResponderEncoding.HASH if by_key else ocsp.OCSPResponderEncoding.NAME
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=subject.certificate,
            issuer=issuer.certificate,
            algorithm=algorithm or hashes.SHA1(),
            cert_status=status,
            this_update=this_update,
            next_update=next_update,
            revocation_time=revoked_at if revoked else None,
            revocation_reason=None,
        )
        .responder_id(encoding, signer.certificate)
    )
    if responder is not None and include:
        builder = builder.certificates([responder.certificate])
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), False)
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(DER)


def ocsp_refusal() -> bytes:
    """An answer without an answer: tryLater."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(DER)


def responder(
    issuer: Entity, *, no_check: bool = True, purposes: Sequence[str] = (OCSP_SIGNING,), **how: Any
) -> Entity:
    extensions = [(x509.OCSPNoCheck(), False)] if no_check else []
    return make("Responder", issuer, **({"ca": False, "purposes": purposes, "extensions": extensions} | how))


def tampered(entity: Entity) -> bytes:
    """The certificate with the last octet of its signature changed."""
    return entity.der[:-1] + bytes((entity.der[-1] ^ 1,))


@cache
def rsa_public(bits: int, exponent: int = 65537) -> Any:
    """An RSA public key of any size, made without the search for primes: nobody has the private one."""
    return rsa.RSAPublicNumbers(exponent, (1 << (bits - 1)) + 1).public_key()


def person_with_public_key(issuer: Entity, public_key: Any, **how: Any) -> Entity:
    """A person's certificate for a key of which only the public half exists."""

    class _Half:
        def public_key(self) -> Any:
            return public_key

    return person(issuer, subject_key=_Half(), signing_key=issuer.key, **how)


def resigned(
    entity: Entity, issuer: Entity, old: bytes, new: bytes, digest: hashes.HashAlgorithm | None = None
) -> bytes:
    """The certificate with some of its octets replaced, wherever they are, and signed anew by its issuer."""
    assert len(old) == len(new)
    whole = entity.certificate
    outer = asn1_x509.Certificate.load(entity.der)
    signed = whole.tbs_certificate_bytes.replace(old, new)
    algorithm = outer["signature_algorithm"].dump().replace(old, new)
    digest = digest or hashes.SHA256()
    if isinstance(issuer.key, rsa.RSAPrivateKey):
        signature = issuer.key.sign(signed, padding.PKCS1v15(), digest)
    else:
        signature = issuer.key.sign(signed, ec.ECDSA(digest))
    return tlv(0x30, signed, algorithm, tlv(0x03, b"\0", signature))
