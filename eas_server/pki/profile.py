"""What path validation has to know of a certificate beyond `ParsedCertificate`, as an immutable value."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID

from eas_server.pki.certificate import (
    CACHED_CERTIFICATES,
    MAX_CACHED_BYTES,
    CertificateError,
    ParsedCertificate,
    parse_cached,
)
from eas_server.pki.hostile import declared

MAX_RSA_BITS: Final = 8192
"""Larger moduli are not computed with: the cost of one signature grows with their square."""
MIN_RSA_BITS: Final = 1024
"""Signatures by shorter keys prove nothing any more."""
MAX_RSA_EXPONENT_BITS: Final = 33
"""65537 is what everybody has; a huge exponent makes a check as dear as a signature."""
MAX_URLS: Final = 8
"""Of each kind in one certificate."""
MAX_URL: Final = 2048

NO_REV_AVAIL: Final = "2.5.29.56"
"""[RFC 9608]: the issuer says nothing about revocation of this certificate, which lives shortly."""

_CRL_POINTS: Final = "2.5.29.31"
_FRESHEST_CRL: Final = "2.5.29.46"
_ACCESS: Final = "1.3.6.1.5.5.7.1.1"
_NAME_CONSTRAINTS: Final = "2.5.29.30"
_ALTERNATIVE_NAMES: Final = "2.5.29.17"
_HANDLED: Final = frozenset(
    {
        _ACCESS,
        _ALTERNATIVE_NAMES,
        _CRL_POINTS,
        _FRESHEST_CRL,
        _NAME_CONSTRAINTS,
        NO_REV_AVAIL,
        "1.3.6.1.5.5.7.1.3",  # qcStatements: some authorities mark it critical, though it asks nothing of a verifier
        "1.3.6.1.5.5.7.48.1.5",  # id-pkix-ocsp-nocheck
        "2.5.29.14",  # subjectKeyIdentifier
        "2.5.29.15",  # keyUsage
        "2.5.29.19",  # basicConstraints
        "2.5.29.32",  # certificatePolicies
        "2.5.29.33",  # policyMappings
        "2.5.29.35",  # authorityKeyIdentifier
        "2.5.29.36",  # policyConstraints
        "2.5.29.37",  # extendedKeyUsage
        "2.5.29.54",  # inhibitAnyPolicy
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A certificate as a link of a path.

    `subject` and `issuer` are comparable forms of the names ([RFC 5280] 7.1): case and inner space do not count.
    `basic_constraints` None: the extension is absent. `path_length` counts the authorities that may follow.
    `unknown_critical` are dotted OIDs. `key_fault` says why no signature is checked with its key, "" if one is. `names`
    and `constraints` count what name constraints would have to compare. The URLs are as written, any scheme.
    """

    certificate: ParsedCertificate
    subject: str = field(repr=False)
    issuer: str = field(repr=False)
    public_key: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    """What the issuer signed (TBSCertificate)."""
    signature: bytes = field(repr=False)
    algorithm: bytes = field(repr=False)
    """DER AlgorithmIdentifier of the signature; b"" where the certificate contradicts itself ([RFC 5280] 4.1.1.2)."""
    basic_constraints: bool | None
    path_length: int | None
    unknown_critical: tuple[str, ...]
    key_fault: str
    names: int
    constraints: int
    no_revocation: bool
    issuer_urls: tuple[str, ...]
    ocsp_urls: tuple[str, ...]
    crl_urls: tuple[str, ...]
    crl_issuers: frozenset[str] = field(repr=False)
    """Who else signs CRLs about it (cRLIssuer of the distribution points), in the form of `issuer`."""

    @property
    def der(self) -> bytes:
        """The certificate itself."""
        return self.certificate.der

    @property
    def self_issued(self) -> bool:
        """Subject and issuer are the same name; whether it is signed with its own key is another question."""
        return self.subject == self.issuer

    def __str__(self) -> str:
        """For people: the subject, or the serial number where it is empty."""
        return self.certificate.subject or f"serial {self.certificate.serial:x}"


def profile(der: bytes) -> Profile:
    """Read one DER certificate. Raises CertificateError, and nothing else."""
    return _remembered(der) if len(der) <= MAX_CACHED_BYTES else _profile(der)


def _profile(der: bytes) -> Profile:
    parsed = parse_cached(der)
    with declared(CertificateError, "not a readable certificate"):
        certificate = x509.load_der_x509_certificate(der)
        fields = asn1_x509.Certificate.load(der, strict=True)
        extensions = {extension.oid.dotted_string: extension for extension in certificate.extensions}
        constraints = _value(extensions, "2.5.29.19")
        return Profile(
            certificate=parsed,
            subject=fields.subject.hashable,
            issuer=fields.issuer.hashable,
            public_key=fields.public_key.dump(),
            signed=certificate.tbs_certificate_bytes,
            signature=certificate.signature,
            algorithm=_algorithm(fields),
            basic_constraints=constraints.ca if constraints is not None else None,
            path_length=constraints.path_length if constraints is not None else None,
            unknown_critical=tuple(
                sorted(oid for oid, extension in extensions.items() if extension.critical and oid not in _HANDLED)
            ),
            key_fault=_key_fault(certificate),
            names=_names(certificate, extensions),
            constraints=_constraints(extensions),
            no_revocation=NO_REV_AVAIL in extensions,
            issuer_urls=_access(extensions, AuthorityInformationAccessOID.CA_ISSUERS),
            ocsp_urls=_access(extensions, AuthorityInformationAccessOID.OCSP),
            crl_urls=_bounded((*_points(extensions, _CRL_POINTS), *_points(extensions, _FRESHEST_CRL))),
            crl_issuers=_crl_issuers(fields),
        )


_remembered = lru_cache(maxsize=CACHED_CERTIFICATES)(_profile)


def looks_like_certificate(der: bytes) -> bool:
    """Whether it has at least the outline of a certificate: three members, of which the first has those of one.

    Tells what is broken inside (MS-ASCMD_R4500) from what is something else altogether.
    """
    try:
        with declared(CertificateError, "no outline"):
            outer = asn1_x509.Certificate.load(der, strict=True)
            return len(outer["tbs_certificate"]["subject_public_key_info"].dump()) > 0 and len(outer) == len(_OUTLINE)
    except CertificateError:
        return False


_OUTLINE: Final = ("tbsCertificate", "signatureAlgorithm", "signatureValue")


def _value(extensions: dict[str, "x509.Extension[x509.ExtensionType]"], oid: str) -> "x509.BasicConstraints | None":
    found = extensions.get(oid)
    return found.value if found is not None and isinstance(found.value, x509.BasicConstraints) else None


def _algorithm(fields: asn1_x509.Certificate) -> bytes:
    outer: bytes = fields["signature_algorithm"].dump()
    fits = outer == fields["tbs_certificate"]["signature"].dump()
    return outer if fits and not fields["signature_value"].unused_bits else b""


def _key_fault(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm:
        return f"a key of the kind {certificate.public_key_algorithm_oid.dotted_string}"
    if not isinstance(key, rsa.RSAPublicKey):
        return ""
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        return f"an RSA key of {key.key_size} bits"
    bits = key.public_numbers().e.bit_length()
    return f"an RSA exponent of {bits} bits" if bits > MAX_RSA_EXPONENT_BITS else ""


def _names(certificate: x509.Certificate, extensions: dict[str, "x509.Extension[x509.ExtensionType]"]) -> int:
    found = extensions.get(_ALTERNATIVE_NAMES)
    value = found.value if found is not None else None
    alternative = len(list(value)) if isinstance(value, x509.SubjectAlternativeName) else 0
    return alternative + len(list(certificate.subject))


def _constraints(extensions: dict[str, "x509.Extension[x509.ExtensionType]"]) -> int:
    found = extensions.get(_NAME_CONSTRAINTS)
    if found is None or not isinstance(found.value, x509.NameConstraints):
        return 0
    return len(found.value.permitted_subtrees or ()) + len(found.value.excluded_subtrees or ())


def _access(
    extensions: dict[str, "x509.Extension[x509.ExtensionType]"], method: x509.ObjectIdentifier
) -> tuple[str, ...]:
    found = extensions.get(_ACCESS)
    if found is None or not isinstance(found.value, x509.AuthorityInformationAccess):
        return ()
    return _bounded(
        entry.access_location.value
        for entry in found.value
        if entry.access_method == method and isinstance(entry.access_location, x509.UniformResourceIdentifier)
    )


def _points(extensions: dict[str, "x509.Extension[x509.ExtensionType]"], oid: str) -> tuple[str, ...]:
    found = extensions.get(oid)
    if found is None or not isinstance(found.value, x509.CRLDistributionPoints | x509.FreshestCRL):
        return ()
    return tuple(
        name.value
        for point in found.value
        for name in point.full_name or ()
        if isinstance(name, x509.UniformResourceIdentifier)
    )


def _crl_issuers(fields: asn1_x509.Certificate) -> frozenset[str]:
    points = fields.crl_distribution_points_value or ()
    return frozenset(
        name.chosen.untag().hashable
        for point in points
        for name in point["crl_issuer"] or ()
        if name.name == "directory_name"
    )


def _bounded(urls: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(url for url in urls if len(url) <= MAX_URL))[:MAX_URLS]
