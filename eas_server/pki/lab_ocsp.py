"""The OCSP responders of the lab ([RFC 6960]): one for each authority, delegated, pure.

The answers of `cryptography` take the time from the clock and know no way to sign without randomness, so they are put
together here.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from asn1crypto import algos as asn1_algos
from asn1crypto import core as asn1_core
from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from eas_server.pki.hostile import declared
from eas_server.pki.lab_crl import Withdrawn, hour_of, withdrawn
from eas_server.pki.lab_issue import RESPONDER_KEY, Lab
from eas_server.pki.lab_plan import Responder

MAX_REQUEST: Final = 8 * 1024
"""Octets of a request."""
MAX_ASKED: Final = 16
"""Certificates in one request."""
MAX_NONCE: Final = 128
"""[RFC 9654] 2.1."""
LASTS: Final = timedelta(hours=12)
"""From thisUpdate to nextUpdate."""

_DIGESTS: Final = frozenset({"sha1", "sha256", "sha384", "sha512"})
"""By which a request may name the issuer."""


class _RequestError(ValueError):
    """It is not a request that can be read."""


def answer(lab: Lab, authority: str, request: bytes, now: datetime, further: Sequence[Withdrawn] = ()) -> bytes:
    """The answer (DER) of an authority's responder to a DER request at `now`.

    What cannot be read is answered with malformedRequest, a question about another authority's certificate with
    unauthorized. `further` are certificates of the authority that were revoked, beyond those declared.
    """
    try:
        with declared(_RequestError, "not an OCSP request"):
            names, nonce = _read(request)
    except _RequestError:
        return _failure("malformed_request")
    issuer = asn1_x509.Certificate.load(lab.certificates[authority])
    if not all(_is_ours(name, issuer) for name in names):
        return _failure("unauthorized")
    revoked = {each.serial: each for each in (*withdrawn(lab, authority), *further)}
    responses = [_single(lab, authority, name, revoked, now) for name in names]
    return _signed(lab, authority, responses, nonce, now)


def asked_about(lab: Lab, authority: str, request: bytes) -> list[str]:
    """The entries of the plan that a request asks an authority about, by their names; none where it cannot be read."""
    try:
        with declared(_RequestError, "not an OCSP request"):
            serials = [name["serial_number"].native for name in _read(request)[0]]
    except _RequestError:
        return []
    return [name for name, _ in lab.plan.issued_by(authority) if lab.serial(name) in serials]


def has_nonce(request: bytes) -> bool:
    """Whether the answer will hold for this request alone."""
    try:
        with declared(_RequestError, "not an OCSP request"):
            return _read(request)[1] is not None
    except _RequestError:
        return False


def _read(request: bytes) -> tuple[list[asn1_ocsp.CertId], bytes | None]:
    if len(request) > MAX_REQUEST:
        raise _RequestError("too long")
    asked = asn1_ocsp.OCSPRequest.load(request, strict=True)
    wanted = list(asked["tbs_request"]["request_list"])
    if not 1 <= len(wanted) <= MAX_ASKED:
        raise _RequestError("no questions, or too many")
    names = [each["req_cert"] for each in wanted]
    for name in names:
        if name["hash_algorithm"]["algorithm"].native not in _DIGESTS:
            raise _RequestError("an unknown digest")
        # read here, for parsing is lazy
        name["issuer_name_hash"].native, name["issuer_key_hash"].native, name["serial_number"].native
    return names, _nonce(asked)


def _nonce(asked: asn1_ocsp.OCSPRequest) -> bytes | None:
    for extension in asked["tbs_request"]["request_extensions"]:
        if extension["extn_id"].native == "nonce":
            nonce = bytes(extension["extn_value"].parsed.native)
            if not 1 <= len(nonce) <= MAX_NONCE:
                raise _RequestError("a nonce of a length that none has")
            return nonce
    return None


def _is_ours(name: asn1_ocsp.CertId, issuer: asn1_x509.Certificate) -> bool:
    digest = name["hash_algorithm"]["algorithm"].native
    by_name = hashlib.new(digest, issuer.subject.dump()).digest()
    by_key = hashlib.new(digest, bytes(issuer.public_key["public_key"])).digest()
    return (name["issuer_name_hash"].native, name["issuer_key_hash"].native) == (by_name, by_key)


def _single(
    lab: Lab, authority: str, name: asn1_ocsp.CertId, revoked: dict[int, Withdrawn], now: datetime
) -> dict[str, Any]:
    serial = name["serial_number"].native
    known = {
        lab.serial(each) for each, plan in lab.plan.issued_by(authority) if plan.ocsp is not Responder.UNKNOWN
    } | revoked.keys()
    issued = hour_of(now)
    return {
        "cert_id": name,
        "cert_status": _status(serial, serial in known, revoked.get(serial)),
        "this_update": issued,
        "next_update": issued + LASTS,
    }


def _status(serial: int, known: bool, withdrawn: Withdrawn | None) -> asn1_ocsp.CertStatus:
    if withdrawn is not None:
        details: dict[str, Any] = {"revocation_time": withdrawn.when.replace(microsecond=0)}
        if withdrawn.reason in _REASONS:
            details["revocation_reason"] = asn1_crl.CRLReason(_REASONS[withdrawn.reason])
        return asn1_ocsp.CertStatus(name="revoked", value=details)
    name = "good" if known else "unknown"
    return asn1_ocsp.CertStatus(name=name, value=asn1_core.Null())


_REASONS: Final = {
    "keyCompromise": "key_compromise",
    "cACompromise": "ca_compromise",
    "affiliationChanged": "affiliation_changed",
    "superseded": "superseded",
    "cessationOfOperation": "cessation_of_operation",
    "certificateHold": "certificate_hold",
    "privilegeWithdrawn": "privilege_withdrawn",
}


def _signed(lab: Lab, authority: str, responses: list[dict[str, Any]], nonce: bytes | None, now: datetime) -> bytes:
    own = lab.responders[authority]
    identifier = x509.load_der_x509_certificate(own).extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    told: dict[str, Any] = {
        "responder_id": asn1_ocsp.ResponderId(name="by_key", value=identifier.value.digest),
        "produced_at": now.astimezone(UTC).replace(microsecond=0),
        "responses": responses,
    }
    if nonce is not None:
        # an OCTET STRING within the one of every extension ([RFC 9654] 2.1)
        value = asn1_core.ParsableOctetString(asn1_core.OctetString(nonce).dump())
        told["response_extensions"] = [{"extn_id": "nonce", "extn_value": value}]
    signed = asn1_ocsp.ResponseData(told)
    key = lab.keys[RESPONDER_KEY]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        algorithm, signature = "sha256_ecdsa", key.sign(signed.dump(), ec.ECDSA(hashes.SHA256(), True))
    else:
        algorithm, signature = "sha256_rsa", key.sign(signed.dump(), padding.PKCS1v15(), hashes.SHA256())
    basic = asn1_ocsp.BasicOCSPResponse(
        {
            "tbs_response_data": signed,
            "signature_algorithm": asn1_algos.SignedDigestAlgorithm({"algorithm": algorithm}),
            "signature": signature,
            "certs": [asn1_x509.Certificate.load(own)],
        }
    )
    whole = {"response_type": "basic_ocsp_response", "response": asn1_core.ParsableOctetString(basic.dump())}
    return bytes(asn1_ocsp.OCSPResponse({"response_status": "successful", "response_bytes": whole}).dump())


def _failure(status: str) -> bytes:
    return bytes(asn1_ocsp.OCSPResponse({"response_status": status}).dump())
