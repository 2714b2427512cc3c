"""The certificates of the lab PKI: made from the plan, the keys, the lab's URL and the instant of its making.

The same arguments give the same certificates, octet by octet, so they need not be kept. Serial numbers follow from the
name and the instant, not from the URL: a lab that moves keeps them, and what was encrypted to a certificate of before
can still be read by the device that has it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from eas_server.pki.certificate import KeyUse
from eas_server.pki.keys import PrivateKey, PublicKey
from eas_server.pki.lab import SERIAL_BYTES, Authority, key_usage, person_uses, serial_from
from eas_server.pki.lab_plan import AuthorityPlan, CrlPoint, Declared, PersonPlan, Plan, Responder
from eas_server.pki.profile import NO_REV_AVAIL

CRLS: Final = "crl"
ISSUERS: Final = "ca"
OCSP: Final = "ocsp"
DOWN: Final = "down"
"""Parts of the lab's URLs; below the last one nothing is there."""
RESPONDER: Final = "responder"
"""What is added to an authority's name for the certificate of its OCSP responder, and for the name of its key."""
RESPONDER_KEY: Final = "ocsp"
"""The name of the key of all responders."""

_NULL: Final = b"\x05\x00"
_SHA256_WITH_RSA: Final = bytes.fromhex("06092a864886f70d01010b")
_SHA1_WITH_RSA: Final = bytes.fromhex("06092a864886f70d010105")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """The whole PKI. Certificates are DER, by the names of the plan."""

    plan: Plan
    url: str
    """Of the lab, without a slash at the end."""
    made: datetime
    keys: Mapping[str, PrivateKey]
    certificates: Mapping[str, bytes]
    responders: Mapping[str, bytes]
    """The certificates of OCSP responders, by the names of their authorities."""

    def authority(self, name: str) -> Authority:
        """An authority with its key."""
        return Authority(certificate=self.certificates[name], key=self.keys[name])

    def chain(self, name: str) -> tuple[bytes, ...]:
        """The authorities above an entry, its issuer first, the root last."""
        return tuple(self.certificates[each] for each in issuers_of(self.plan, name))

    def serial(self, name: str) -> int:
        """The serial number of an entry's certificate."""
        return x509.load_der_x509_certificate(self.certificates[name]).serial_number

    @property
    def roots(self) -> tuple[bytes, ...]:
        """What is to be trusted."""
        return tuple(self.certificates[name] for name, each in self.plan.authorities.items() if each.trusted)


def key_names(plan: Plan) -> Iterator[str]:
    """The names of all keys that the lab needs."""
    yield from (name for name, _ in plan.entries())
    yield RESPONDER_KEY


def issuers_of(plan: Plan, name: str) -> Iterator[str]:
    """The names of the authorities above an entry."""
    issuer = dict(plan.entries())[name].issuer
    while issuer:
        yield issuer
        issuer = plan.authorities[issuer].issuer


def make_lab(
    plan: Plan, keys: Mapping[str, PrivateKey], *, url: str, made: datetime, roots: Mapping[str, bytes]
) -> Lab:
    """Make all certificates. `keys` has all of `key_names`; `roots` are the certificates of roots that are there."""
    made = made.replace(microsecond=0)
    certificates = dict(roots)
    for name, authority in plan.authorities.items():
        if name not in certificates:
            certificates[name] = _Issuing(plan, keys, certificates, url, made).authority(name, authority)
    for name, person in plan.people.items():
        certificates[name] = _Issuing(plan, keys, certificates, url, made).person(name, person)
    responders = {
        name: _Issuing(plan, keys, certificates, url, made).responder(name, authority)
        for name, authority in plan.authorities.items()
    }
    return Lab(
        plan=plan,
        url=url,
        made=made,
        keys=MappingProxyType(dict(keys)),
        certificates=MappingProxyType(certificates),
        responders=MappingProxyType(responders),
    )


def serial_of(name: str, made: datetime) -> int:
    """The serial number of an entry: not to be foretold by those who do not know when the lab was made."""
    digest = hashlib.sha256(f"{name} {made.isoformat()}".encode()).digest()
    return serial_from(digest[:SERIAL_BYTES])


class _Issuing:
    """Issues with the authorities that are there already."""

    def __init__(
        self, plan: Plan, keys: Mapping[str, PrivateKey], certificates: Mapping[str, bytes], url: str, made: datetime
    ) -> None:
        self._plan = plan
        self._keys = keys
        self._certificates = certificates
        self._url = url
        self._made = made

    def authority(self, name: str, plan: AuthorityPlan) -> bytes:
        builder = self._begun(name, plan, self._keys[name].public_key())
        length = plan.path_length if plan.is_authority else None
        builder = builder.add_extension(x509.BasicConstraints(ca=plan.is_authority, path_length=length), critical=True)
        builder = builder.add_extension(key_usage(set(plan.usage)), critical=True)
        if plan.permitted:
            permitted = [x509.RFC822Name(domain) for domain in plan.permitted]
            constraints = x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None)
            builder = builder.add_extension(constraints, critical=True)
        return self._signed(self._pointed(builder, plan), plan.issuer or name)

    def person(self, name: str, plan: PersonPlan) -> bytes:
        public_key = self._keys[name].public_key()
        builder = self._begun(name, plan, public_key)
        builder = builder.add_extension(x509.BasicConstraints(ca=plan.is_authority, path_length=None), critical=True)
        uses = set(plan.usage) or person_uses(public_key, plan.purpose)
        if plan.is_authority:
            uses.add(KeyUse.KEY_CERT_SIGN)
        builder = builder.add_extension(key_usage(uses), critical=True)
        addresses = [x509.RFC822Name(address) for address in plan.addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        if plan.critical:
            odd = x509.UnrecognizedExtension(x509.ObjectIdentifier(plan.critical), _NULL)
            builder = builder.add_extension(odd, critical=True)
        if plan.no_revocation:
            never = x509.UnrecognizedExtension(x509.ObjectIdentifier(NO_REV_AVAIL), _NULL)
            builder = builder.add_extension(never, critical=False)
        made = self._signed(self._pointed(builder, plan), plan.issuer)
        issuer_key = self._keys[plan.issuer]
        if plan.digest == "sha1" and isinstance(issuer_key, rsa.RSAPrivateKey):
            made = _signed_over_sha1(made, issuer_key)
        return _tampered(made) if plan.tampered else made

    def responder(self, name: str, authority: AuthorityPlan) -> bytes:
        """Delegated, and not to be asked about itself ([RFC 6960] 4.2.2.2)."""
        own = f"{name}-{RESPONDER}"
        plan = AuthorityPlan(
            name=f"{authority.name[:50]} OCSP",
            issuer=name,
            from_days=authority.from_days,
            to_days=authority.to_days,
        )
        builder = self._begun(own, plan, self._keys[RESPONDER_KEY].public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(key_usage({KeyUse.DIGITAL_SIGNATURE}), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
        return self._signed(builder, name)

    def _begun(self, name: str, plan: Declared, public_key: PublicKey) -> x509.CertificateBuilder:
        issuer = self._plan.authorities[plan.issuer].name if plan.issuer else plan.name
        return (
            x509.CertificateBuilder()
            .subject_name(_common_name(plan.name))
            .issuer_name(_common_name(issuer))
            .public_key(public_key)
            .serial_number(serial_of(name, self._made))
            .not_valid_before(self._made + timedelta(days=plan.from_days))
            .not_valid_after(self._made + timedelta(days=plan.to_days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(self._authority_key(plan.issuer or name), critical=False)
        )

    def _authority_key(self, issuer: str) -> x509.AuthorityKeyIdentifier:
        """As the issuer's own certificate has it: a root that was there already may not have it by our rule."""
        known = self._certificates.get(issuer)
        if known is None:
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._keys[issuer].public_key())
        extensions = x509.load_der_x509_certificate(known).extensions
        identifier = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)

    def _pointed(self, builder: x509.CertificateBuilder, plan: Declared) -> x509.CertificateBuilder:
        """With extended key usage, and with the URLs where issuer and revocation are told."""
        if plan.extended_key_usage:
            oids = [x509.ObjectIdentifier(oid) for oid in plan.extended_key_usage]
            builder = builder.add_extension(x509.ExtendedKeyUsage(oids), critical=False)
        access = self._access(plan)
        if access:
            builder = builder.add_extension(x509.AuthorityInformationAccess(access), critical=False)
        if plan.crl is not CrlPoint.NONE:
            signer = self._crl_signer(plan)
            point = x509.DistributionPoint([_url(crl_url(self._url, plan.issuer, plan.crl))], None, None, signer)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        if plan.crl is CrlPoint.DELTA:
            fresh = x509.DistributionPoint([_url(delta_url(self._url, plan.issuer))], None, None, None)
            builder = builder.add_extension(x509.FreshestCRL([fresh]), critical=False)
        return builder

    def _access(self, plan: Declared) -> list[x509.AccessDescription]:
        found = []
        if plan.ocsp is not Responder.NONE:
            place = DOWN if plan.ocsp is Responder.DOWN else OCSP
            where = _url(f"{self._url}/{place}/{plan.issuer}")
            found.append(x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where))
        if plan.issuer_url and plan.issuer:
            where = _url(issuer_url(self._url, plan.issuer))
            found.append(x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where))
        return found

    def _crl_signer(self, plan: Declared) -> list[x509.GeneralName] | None:
        if plan.crl is not CrlPoint.INDIRECT:
            return None
        signer = self._plan.authorities[self._plan.authorities[plan.issuer].crl_signer]
        return [x509.DirectoryName(_common_name(signer.name))]

    def _signed(self, builder: x509.CertificateBuilder, issuer: str) -> bytes:
        key = self._keys[issuer]
        deterministic = True if isinstance(key, ec.EllipticCurvePrivateKey) else None
        return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=deterministic).public_bytes(Encoding.DER)


def crl_url(url: str, authority: str, point: CrlPoint) -> str:
    """Where a CRL is. `point` is not NONE."""
    match point:
        case CrlPoint.DOWN:
            return f"{url}/{DOWN}/{authority}.crl"
        case CrlPoint.FULL:
            return f"{url}/{CRLS}/{authority}.crl"
        case _:
            return f"{url}/{CRLS}/{authority}-{point}.crl"


def delta_url(url: str, authority: str) -> str:
    """Where the delta CRL to the CRL of CrlPoint.DELTA is."""
    return f"{url}/{CRLS}/{authority}-changes.crl"


def issuer_url(url: str, authority: str) -> str:
    """Where the certificate of an authority is."""
    return f"{url}/{ISSUERS}/{authority}.cer"


def _url(url: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(url)


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _signed_over_sha1(der: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """Signed anew over SHA-1, which `cryptography` does not do any more for certificates, but for octets.

    The two algorithms have names of the same length, and a key's signatures too: nothing else moves.
    """
    named = der.replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA)
    signed = x509.load_der_x509_certificate(named).tbs_certificate_bytes
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - what it is to be refused for
    return named[: -len(signature)] + signature


def _tampered(der: bytes) -> bytes:
    return der[:-1] + bytes((der[-1] ^ 1,))
