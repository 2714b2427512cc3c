"""CRLs as the library takes them: large ones shortened to the entries that matter.

The library walks through all entries of a CRL, some hundred thousand in one of a public authority, and holds up
everybody meanwhile. It gets the same CRL with no more entries than those of the certificates in question; the signature
is checked over the CRL as it came.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from asn1crypto import core
from asn1crypto import crl as asn1_crl
from cryptography import x509

from eas_server.pki.hostile import declared
from eas_server.pki.profile import Profile

SHORT_ENOUGH: Final = 8 * 1024
"""Octets of a CRL that is taken as it is."""
MAX_INDIRECT: Final = 1024 * 1024
"""Octets of an indirect CRL: there an entry means what stood before it says, so that all have to be read."""


class CrlError(ValueError):
    """The octets are not a CRL that can be worked with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crl:
    """A CRL, whose issuer is in the comparable form of `Profile`."""

    crl: asn1_crl.CertificateList
    issuer: str
    indirect: bool

    def may_speak_of(self, certificate: Profile) -> bool:
        """Whether it is the CRL of the certificate's issuer, or one that the certificate refers to by name.

        [RFC 5280] 6.3.3 (b) (1). The library also listens to CRLs of any authority that has the same issuer.
        """
        if self.issuer == certificate.issuer and not certificate.crl_issuers:
            return True
        return self.issuer in certificate.crl_issuers and (self.indirect or self.issuer == certificate.issuer)


@dataclass(slots=True)
class Crls:
    """CRLs in the form of the library. `originals`: what was signed, by what stands in its place now."""

    loaded: list[Crl] = field(default_factory=list)
    originals: dict[bytes, bytes] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def load_crls(ders: Sequence[bytes], serials: Collection[int]) -> Crls:
    """Read CRLs to look for certificates with these serial numbers; what cannot be read is told in `broken`."""
    crls = Crls()
    for der in dict.fromkeys(ders):
        try:
            with declared(CrlError, "not a CRL"):
                _load(der, serials, crls)
        except CrlError as error:
            crls.broken.append(str(error))
    return crls


def _load(der: bytes, serials: Collection[int], crls: Crls) -> None:
    crl = asn1_crl.CertificateList.load(der, strict=True)
    # parsed lazily: what is broken has to show here, lest it spoil what is not
    if not crl.issuer.hashable or crl["tbs_cert_list"]["this_update"].native is None:
        raise CrlError("a CRL without an issuer or a time")
    point = crl.issuing_distribution_point_value
    is_indirect = point is not None and bool(point["indirect_crl"].native)
    if is_indirect and len(der) > MAX_INDIRECT:
        raise CrlError(f"an indirect CRL of {len(der)} octets")
    if len(der) <= SHORT_ENOUGH or is_indirect:
        crls.loaded.append(Crl(crl=crl, issuer=crl.issuer.hashable, indirect=is_indirect))
        return
    short = _shortened(crl, x509.load_der_x509_crl(der), serials)
    crls.originals[short["tbs_cert_list"].dump()] = crl["tbs_cert_list"].dump()
    crls.loaded.append(Crl(crl=short, issuer=crl.issuer.hashable, indirect=False))


def _shortened(
    crl: asn1_crl.CertificateList, fast: x509.CertificateRevocationList, serials: Collection[int]
) -> asn1_crl.CertificateList:
    entries = [_entry(found) for serial in serials if (found := fast.get_revoked_certificate_by_serial_number(serial))]
    whole = crl["tbs_cert_list"]
    names = ("version", "signature", "issuer", "this_update", "next_update", "crl_extensions")
    kept = {name: whole[name] for name in names if whole[name].native is not None}
    return asn1_crl.CertificateList(
        {
            "tbs_cert_list": asn1_crl.TbsCertList(kept | {"revoked_certificates": entries}),
            "signature_algorithm": crl["signature_algorithm"],
            "signature": crl["signature"],
        }
    )


def _entry(found: x509.RevokedCertificate) -> dict[str, object]:
    extensions = [
        {
            "extn_id": extension.oid.dotted_string,
            "critical": extension.critical,
            "extn_value": core.ParsableOctetString(extension.value.public_bytes()),
        }
        for extension in found.extensions
    ]
    date = asn1_crl.Time({"general_time": found.revocation_date_utc})
    entry = {"user_certificate": found.serial_number, "revocation_date": date}
    return entry | ({"crl_entry_extensions": extensions} if extensions else {})
