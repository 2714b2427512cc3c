"""Certificates in the forms that directories and people keep them in."""

import base64
import struct

import pytest
from asn1crypto import cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from eas_server.pki import directory_blobs
from eas_server.pki.cms import tlv
from eas_server.pki.directory_blobs import BlobError, build_user_smime_certificate, certificates_in, certificates_of
from eas_server.pki.lab import to_pem
from eas_server.pki.select import Candidate, Reason, Source, select
from eas_server.pki.signed_data import build_signed_data, read_signed_data
from tests.server.pki import declaration, der, key, user_smime

NOW = declaration().NOW
SMIME = Source.USER_SMIME_CERTIFICATE


def certs_only(*names: str, encoding: Encoding = Encoding.DER) -> bytes:
    return pkcs7.serialize_certificates([x509.load_der_x509_certificate(der(name)) for name in names], encoding)


def block(tag: int, content: bytes) -> bytes:
    return struct.pack("<HH", tag, len(content) + 4) + content


def test_user_certificate_values_are_taken_as_they_are() -> None:
    assert certificates_of([der("bob"), b"garbage"], []) == [
        Candidate(der=der("bob"), source=Source.USER_CERTIFICATE),
        Candidate(der=b"garbage", source=Source.USER_CERTIFICATE),
    ]


def test_the_marked_certificate_is_taken_out_of_signed_data() -> None:
    assert certificates_of([], [user_smime("alice"), user_smime("erin")]) == [
        Candidate(der=der("alice"), source=SMIME, preferred=True),
        Candidate(der=der("erin-encryption"), source=SMIME, preferred=True),
    ]


def test_without_a_mark_the_signer_and_certificates_of_the_same_subject() -> None:
    value = build_signed_data(
        b"", certificate=der("erin-signing"), key=key("erin-signing"), detached=True,
        chain=[der("root"), der("bob"), der("erin-encryption")],
    )  # fmt: skip
    found = certificates_of([], [value])
    assert {candidate.der for candidate in found} == {der("erin-signing"), der("erin-encryption")}
    assert not any(candidate.preferred for candidate in found)
    chosen = select(found, addresses=frozenset({"erin@example.com"}), now=NOW).chosen
    assert [certificate.der for certificate in chosen] == [der("erin-encryption")]


def test_degenerate_signed_data_gives_all_but_authorities() -> None:
    found = certificates_of([], [certs_only("root", "erin-signing", "erin-encryption")])
    assert {candidate.der for candidate in found} == {der("erin-signing"), der("erin-encryption")}


def with_attribute(kind: str, value: core.Asn1Value) -> bytes:
    """Erin's SignedData with another signed attribute put in (its signature no longer holds; nobody asks).

    Put together octet by octet, because asn1crypto has one of the forms of the attribute wrong.
    """
    built = build_signed_data(
        b"", certificate=der("erin-signing"), key=key("erin-signing"), detached=True, chain=[der("erin-encryption")]
    )
    info = cms.ContentInfo.load(built)
    signed = info["content"]
    (signer,) = signed["signer_infos"]
    added = tlv(0x30, cms.CMSAttributeType(kind).dump(), tlv(0x31, value.dump()))
    attributes = tlv(0xA0, *(attribute.dump() for attribute in signer["signed_attrs"]), added)
    fields = [attributes if name == "signed_attrs" else signer[name].dump() for name in SIGNER_FIELDS]
    signers = tlv(0x31, tlv(0x30, *fields))
    before = (signed[name].dump() for name in ("version", "digest_algorithms", "encap_content_info", "certificates"))
    return tlv(0x30, info["content_type"].dump(), tlv(0xA0, tlv(0x30, *before, signers)))


SIGNER_FIELDS = ("version", "sid", "digest_algorithm", "signed_attrs", "signature_algorithm", "signature")


def issuer_and_serial_of(name: str) -> cms.IssuerAndSerialNumber:
    fields = asn1_x509.Certificate.load(der(name))["tbs_certificate"]
    return cms.IssuerAndSerialNumber({"issuer": fields["issuer"], "serial_number": fields["serial_number"]})


def test_outlooks_own_mark_is_known() -> None:
    value = with_attribute("1.3.6.1.4.1.311.16.4", issuer_and_serial_of("erin-encryption"))
    assert certificates_of([], [value]) == [Candidate(der=der("erin-encryption"), source=SMIME, preferred=True)]


def test_a_mark_by_recipient_key_identifier() -> None:
    identifier = asn1_x509.Certificate.load(der("erin-encryption")).key_identifier
    named = cms.RecipientKeyIdentifier({"subjectKeyIdentifier": identifier})
    preference = cms.SMIMEEncryptionKeyPreference({"recipientKeyId": named})
    value = with_attribute("encrypt_key_pref", preference)
    assert certificates_of([], [value]) == [Candidate(der=der("erin-encryption"), source=SMIME, preferred=True)]


def test_a_mark_by_subject_key_identifier() -> None:
    identifier = asn1_x509.Certificate.load(der("erin-encryption")).key_identifier
    value = with_attribute("encrypt_key_pref", core.OctetString(identifier, implicit=2))
    assert certificates_of([], [value]) == [Candidate(der=der("erin-encryption"), source=SMIME, preferred=True)]


def test_a_mark_of_a_certificate_that_is_not_there() -> None:
    value = with_attribute("encrypt_key_pref", core.OctetString(b"another", implicit=2))
    assert {candidate.der for candidate in certificates_of([], [value])} == {
        der("erin-signing"),
        der("erin-encryption"),
    }


def test_exchange_blocks_of_any_tag_that_are_certificates() -> None:
    value = (
        block(0x0001, b"\x01\x00\x00\x00")
        + block(0x0004, der("root"))
        + block(0x0008, der("erin-signing"))
        + block(0x0009, bytes(20))
        + block(0x0003, der("erin-encryption"))
    )
    found = certificates_of([], [value])
    assert [candidate.der for candidate in found] == [der("root"), der("erin-signing"), der("erin-encryption")]
    chosen = select(found, addresses=frozenset({"erin@example.com"}), now=NOW)
    assert [certificate.der for certificate in chosen.chosen] == [der("erin-encryption")]
    assert {refused.reason for refused in chosen.refused} == {Reason.CA, Reason.KEY_USAGE}


def test_a_bare_certificate_in_the_wrong_attribute() -> None:
    assert certificates_of([], [der("bob")]) == [Candidate(der=der("bob"), source=SMIME)]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"garbage",
        b"\x30\x03\x06\x01\x00",
        user_smime("alice")[:-1],
        block(1, b"x") + b"\x00\x00\x01\x00",
        certs_only("root"),
        b"\x01" * (directory_blobs.MAX_BLOB_BYTES + 1),
    ],
    ids=["empty", "words", "a lone oid", "cut", "length too small", "an authority only", "giant"],
)
def test_a_value_without_a_certificate_is_refused_not_lost(value: bytes) -> None:
    found = certificates_of([], [value])
    assert len(found) == 1
    assert found[0].der == value[: directory_blobs.MAX_BLOB_BYTES]
    refused = select(found, addresses=frozenset(), now=NOW).refused
    assert [entry.reason for entry in refused] == [Reason.UNPARSABLE]


def test_no_more_than_so_many_from_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_blobs, "MAX_CERTIFICATES", 2)
    assert len(certificates_of([], [certs_only("bob", "alice", "erin-encryption")])) == 2
    assert len(certificates_in(certs_only("bob", "alice", "dave"))) == 2


BOB = der("bob")
TWICE = base64.b64encode(base64.encodebytes(BOB))


@pytest.mark.parametrize(
    "blob",
    [
        BOB,
        to_pem(BOB),
        b"subject=CN = Bob\n" + to_pem(BOB).replace(b"\n", b"\r\n"),
        to_pem(BOB).replace(b"BEGIN CERTIFICATE", b"BEGIN X509 CERTIFICATE").replace(b"END CERT", b"END X509 CERT"),
        base64.b64encode(BOB),
        base64.encodebytes(BOB),
        TWICE,
        base64.b64encode(to_pem(BOB)),
        certs_only("bob"),
        certs_only("bob", encoding=Encoding.PEM),
        base64.b64encode(certs_only("bob")),
        base64.b64encode(base64.b64encode(certs_only("bob"))),
    ],
    ids=[
        "DER", "PEM", "PEM in text", "old PEM", "base64", "base64 in lines", "base64 twice", "PEM in base64",
        "PKCS#7", "PKCS#7 PEM", "PKCS#7 base64", "PKCS#7 base64 twice",
    ],
)  # fmt: skip
def test_every_form_that_is_met(blob: bytes) -> None:
    assert certificates_in(blob) == [BOB]


def test_the_owner_comes_first() -> None:
    value = build_user_smime_certificate(der("alice"), key("alice"), [der("root")], NOW)
    assert certificates_in(value) == [der("alice"), der("root")]
    assert certificates_in(certs_only("root", "alice")) == [der("alice"), der("root")]
    assert certificates_in(to_pem(der("alice")) + to_pem(der("root"))) == [der("alice"), der("root")]


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"%%%",
        b"=",
        b"AAA",
        b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----",
        b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03",
        bytes(directory_blobs.MAX_BLOB_BYTES + 1),
    ],
)
def test_no_certificate_to_be_found(blob: bytes) -> None:
    with pytest.raises(BlobError):
        certificates_in(blob)


def test_what_is_built_says_what_it_should() -> None:
    signed = read_signed_data(user_smime("erin"))
    assert signed.content is None
    assert set(signed.certificates) == {der("root"), der("erin-signing"), der("erin-encryption")}
    (signer,) = signed.signers
    assert signer.signer.names(der("erin-signing"))
    assert signer.encryption_key is not None
    assert signer.encryption_key.names(der("erin-encryption"))
    assert signer.signing_time == NOW
    attributes = cms.CMSAttributes.load(signer.attributes)
    assert "smime_capabilities" in [attribute["type"].native for attribute in attributes]
