"""What files of roots and intermediates may be, and which certificate is what."""

import base64

import pytest
from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given
from hypothesis import strategies as st

from eas_server.model.trust import Anchor
from eas_server.pki import trust_files
from eas_server.pki.lab import to_pem
from eas_server.pki.sst import write_sst
from eas_server.pki.trust_files import (
    PrivateKeyThere,
    TrustFileError,
    TrustForm,
    judge,
    read_trust_file,
    to_pem_bundle,
    to_pkcs7,
    to_sst,
)
from tests.server.pki.making import DAY, NOW, authority, crl, make, person, person_with_public_key, rsa_key, rsa_public

ROOT = authority("Root")
ISSUING = authority("Issuing", ROOT)
BOB = person(ISSUING)
BOTH = (ROOT.der, ISSUING.der)


def pem(label: str, octets: bytes) -> bytes:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(octets).decode()}-----END {label}-----\n".encode()


def certs_only(*certificates: bytes) -> bytes:
    return to_pkcs7(iter(certificates))


def indefinite(der: bytes) -> bytes:
    """A ContentInfo whose outer lengths are left open (BER), as streaming writers have it."""
    content = cms.ContentInfo.load(der)["content"].untag().dump()
    oid = cms.ContentType("signed_data").dump()
    return b"\x30\x80" + oid + b"\xa0\x80" + content + b"\0\0" + b"\0\0"


class TestForms:
    @pytest.mark.parametrize(
        ("octets", "form"),
        [
            (to_pem(ROOT.der) + b"and a text\r\n" + to_pem(ISSUING.der), TrustForm.PEM),
            (b"\xef\xbb\xbf" + to_pem(ROOT.der) + to_pem(ISSUING.der), TrustForm.PEM),
            ((to_pem(ROOT.der) + to_pem(ISSUING.der)).decode().encode("utf-16"), TrustForm.PEM),
            (b"0 s:CN = Root\n" + to_pem(ROOT.der) + to_pem(ISSUING.der), TrustForm.PEM),
            (certs_only(*BOTH), TrustForm.PKCS7),
            (indefinite(certs_only(*BOTH)), TrustForm.PKCS7),
            (pem("PKCS7", certs_only(*BOTH)), TrustForm.PKCS7),
            (base64.encodebytes(certs_only(*BOTH)), TrustForm.PKCS7),
            (write_sst(BOTH), TrustForm.SST),
        ],
    )
    def test_bundles(self, octets, form):
        found = read_trust_file(octets)
        assert (found.form, sorted(found.certificates), found.notes) == (form, sorted(BOTH), ())

    @pytest.mark.parametrize("octets", [ROOT.der, ROOT.der + b"\r\n", base64.b64encode(ROOT.der)])
    def test_one_certificate(self, octets):
        assert read_trust_file(octets).certificates == (ROOT.der,)

    def test_what_openssl_appends_to_a_trusted_certificate_is_left_out(self):
        trusted = pem("TRUSTED CERTIFICATE", ROOT.der + bytes.fromhex("300c300a06082b06010505070304"))
        assert read_trust_file(trusted).certificates == (ROOT.der,)

    def test_what_is_no_certificate_is_passed_over_and_told(self):
        listed = crl(ROOT)
        bundle = pem("X509 CRL", listed) * 2 + to_pem(ROOT.der) + pem("CERTIFICATE REQUEST", b"x")
        assert read_trust_file(bundle).notes == ("passed over: 2 × X509 CRL", "passed over: 1 × CERTIFICATE REQUEST")
        assert read_trust_file(certs_only(ROOT.der)).notes == ()
        cut = write_sst(BOTH)[:-12]
        assert "may have been cut" in read_trust_file(cut).notes[0]

    @pytest.mark.parametrize(
        ("octets", "reason"),
        [
            (b"", "empty"),
            (b" \r\n", "empty"),
            (b"hello, world", "none of PEM, DER"),
            (b"hellohello", "no"),
            (b"-----BEGIN CERTIFICATE-----", "no certificate"),
            (pem("X509 CRL", b"x"), "no certificate"),
            (pem("CERTIFICATE", b""), "within"),
            (ROOT.der[:-1], "was cut"),
            (ROOT.der + ROOT.der, "stand behind"),
            (certs_only(), "no certificate is in the PKCS#7"),
            (certs_only(*BOTH)[:-3], "was cut"),
            (cms.ContentInfo({"content_type": "data", "content": b"x"}).dump(), "no SignedData"),
            (b"\0\0\0\0CERT\x20", "serialized store that cannot be read: it ends within"),
            (b"\x30\x88" + b"\xff" * 8, "absurd"),
            (b"\xff\xfe" + b"\0\xd8" * 2, "UTF-16"),
            (bytes.fromhex("30800609 2a864886 f70d0107 02a080"), "CMS"),
        ],
    )
    def test_what_cannot_be_read(self, octets, reason):
        with pytest.raises(TrustFileError, match=reason):
            read_trust_file(octets)


class TestKeys:
    def keys(self):
        key = rsa_key()
        encoding, form = serialization.Encoding, serialization.PrivateFormat
        plain, secret = serialization.NoEncryption(), serialization.BestAvailableEncryption(b"x")
        return [
            to_pem(ROOT.der) + key.private_bytes(encoding.PEM, form.PKCS8, plain),
            key.private_bytes(encoding.PEM, form.TraditionalOpenSSL, plain),
            key.private_bytes(encoding.PEM, form.PKCS8, secret),
            key.private_bytes(encoding.DER, form.PKCS8, plain),
            key.private_bytes(encoding.DER, form.TraditionalOpenSSL, plain),
            key.private_bytes(encoding.DER, form.PKCS8, secret),
            ROOT.key.private_bytes(encoding.DER, form.TraditionalOpenSSL, plain),
            pkcs12.serialize_key_and_certificates(b"x", ROOT.key, ROOT.certificate, None, secret),
            b"\x30\x80\x02\x01\x03\x30\x80",
        ]

    def test_private_keys_are_refused_in_every_form(self):
        for octets in self.keys():
            for each in (octets, base64.b64encode(octets)) if octets[:1] == b"\x30" else (octets,):
                with pytest.raises(PrivateKeyThere):
                    read_trust_file(each)


class TestHostile:
    def test_too_much(self, monkeypatch):
        with pytest.raises(TrustFileError, match="more than"):
            read_trust_file(bytes(trust_files.MAX_TRUST_FILE + 1))
        many = write_sst([b"0\0"] * (trust_files.MAX_CERTIFICATES + 1))
        with pytest.raises(TrustFileError, match="more than 5000 certificates"):
            read_trust_file(many)
        with pytest.raises(TrustFileError, match="more than 5000 certificates"):
            read_trust_file(pem("CERTIFICATE", b"0\0") * 5001)

    def test_a_million_members_of_a_pkcs7_are_counted_no_further_than_allowed(self):
        def tlv(tag: int, value: bytes) -> bytes:
            return bytes((tag, 0x84)) + len(value).to_bytes(4, "big") + value

        oid = cms.ContentType("signed_data").dump()
        for tag, reason in ((0xA0, "5000 certificates"), (0xA1, "5000 CRLs")):
            body = b"\x02\x01\x01\x31\x00\x30\x00" + tlv(tag, b"\x30\x00" * 1_000_000)
            octets = tlv(0x30, oid + tlv(0xA0, tlv(0x30, body)))
            with pytest.raises(TrustFileError, match=reason):
                read_trust_file(octets)

    def test_pkcs7_in_pkcs7_in_pkcs7(self):
        """A SignedData is no certificate, however deep it is."""
        octets = certs_only(ROOT.der)
        for _ in range(50):
            octets = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData.load(
                cms.SignedData({
                    "version": "v1", "digest_algorithms": [], "signer_infos": [],
                    "encap_content_info": {"content_type": "data", "content": octets},
                }).dump())}).dump()  # fmt: skip
        with pytest.raises(TrustFileError, match="no certificate is in the PKCS#7"):
            read_trust_file(octets)
        deep = b"\x30\x80" + cms.ContentType("signed_data").dump() + b"\xa0\x80" * 5000
        with pytest.raises(TrustFileError):
            read_trust_file(deep)

    def test_long_streams_are_not_followed(self, monkeypatch):
        monkeypatch.setattr(trust_files, "MAX_STREAMED", 100)
        with pytest.raises(TrustFileError, match="write it anew as DER"):
            read_trust_file(indefinite(certs_only(*BOTH)))

    @given(st.binary(max_size=300), st.integers(0, 2000), st.sampled_from(range(5)))
    def test_any_octets_are_read_or_refused(self, noise, cut, which):
        whole = (ROOT.der, certs_only(*BOTH), write_sst(BOTH), to_pem(ROOT.der), indefinite(certs_only(*BOTH)))[which]
        for octets in (noise, whole[:cut], whole[:cut] + noise, whole[:cut] + noise + whole[cut + len(noise) :]):
            try:
                read_trust_file(octets)
            except TrustFileError:
                continue


class TestJudgement:
    def test_roots_and_intermediates_are_told_apart(self):
        assert judge(ROOT.der, NOW).anchor is Anchor.ROOT
        assert judge(ISSUING.der, NOW).anchor is Anchor.INTERMEDIATE
        assert judge(ROOT.der, NOW).warnings == ()

    def test_the_administrator_may_say_otherwise(self):
        assert judge(ISSUING.der, NOW, Anchor.ROOT).anchor is Anchor.ROOT
        assert judge(ROOT.der, NOW, Anchor.INTERMEDIATE).anchor is Anchor.INTERMEDIATE
        assert judge(BOB.der, NOW, Anchor.ROOT).anchor is None

    def test_people_are_refused(self):
        found = judge(BOB.der, NOW)
        assert (found.anchor, "no CA flag" in found.reason, found.certificate is not None) == (None, True, True)
        assert judge(make("Self", ca=False).der, NOW).anchor is None

    def test_what_cannot_be_read_is_refused(self):
        found = judge(b"\x30\x00", NOW)
        assert (found.anchor, found.certificate) == (None, None)
        assert "not a readable certificate" in found.reason

    def test_an_old_root_that_does_not_say_that_it_is_one(self):
        old = make("Old Root", uses=None)
        assert "--as root" in judge(old.der, NOW).reason
        assert judge(old.der, NOW, Anchor.ROOT).anchor is Anchor.ROOT
        assert judge(old.der, NOW, Anchor.INTERMEDIATE).anchor is None

    def test_an_authority_that_may_not_sign_certificates(self):
        found = judge(make("Odd", ca=True, uses=("crl_sign",)).der, NOW)
        assert (found.anchor, "key usage" in found.reason) == (None, True)

    def test_a_new_key_signed_by_the_old_one_is_an_intermediate(self):
        rolled = authority("Root", ROOT)
        assert judge(rolled.der, NOW).anchor is Anchor.INTERMEDIATE

    def test_a_root_whose_signature_is_wrong(self):
        broken = ROOT.der[:-1] + bytes((ROOT.der[-1] ^ 1,))
        assert "not by its own key" in judge(broken, NOW).reason
        assert judge(broken, NOW, Anchor.ROOT).anchor is Anchor.ROOT

    def test_a_root_over_sha1_is_a_root(self):
        fields = asn1_x509.Certificate.load(authority("Old", subject_key=rsa_key()).der)
        for algorithm in (fields["tbs_certificate"]["signature"], fields["signature_algorithm"]):
            algorithm["algorithm"] = "sha1_rsa"
        signed = fields["tbs_certificate"].dump(force=True)
        signature = rsa_key().sign(signed, padding.PKCS1v15(), hashes.SHA1())
        fields["signature_value"] = signature
        der = fields.dump(force=True)
        assert judge(der, NOW).anchor is Anchor.ROOT
        assert "not by its own key" in judge(der[:-1] + bytes((der[-1] ^ 1,)), NOW).reason

    @pytest.mark.parametrize(
        ("how", "warning"),
        [
            ({"not_after": NOW - DAY}, "expired on 2026-11-22"),
            ({"not_before": NOW + DAY}, "not valid before 2026-11-24"),
            ({"subject_key": rsa_key(1024)}, "1024 bits is weak"),
            ({"purposes": ("1.3.6.1.5.5.7.3.1",)}, "no e-mail protection"),
            (
                {"extensions": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0"), True)]},
                "1.2.3.4",
            ),
        ],
    )
    def test_warnings(self, how, warning):
        found = judge(authority("Warned", **how).der, NOW)
        assert found.anchor is Anchor.ROOT
        assert any(warning in each for each in found.warnings)

    @pytest.mark.parametrize(("bits", "exponent"), [(16384, 65537), (2048, (1 << 2000) + 1), (512, 3)])
    def test_keys_that_are_never_computed_with(self, bits, exponent):
        absurd = person_with_public_key(
            ROOT, rsa_public(bits, exponent), ca=True, uses=("key_cert_sign",), subject="Root", emails=()
        )
        for wanted in (None, *Anchor):
            found = judge(absurd.der, NOW, wanted)
            assert (found.anchor, "no signature is checked" in found.reason) == (None, True)

    @given(st.integers(0, 10_000), st.binary(min_size=1, max_size=3), st.sampled_from([None, *Anchor]))
    def test_any_octets_are_judged(self, at, noise, wanted):
        at %= len(ISSUING.der)
        for der in (ISSUING.der, ROOT.der):
            judge(der[:at] + noise + der[at + len(noise) :], NOW, wanted)


class TestWriting:
    @pytest.mark.parametrize("write", [to_pem_bundle, to_pkcs7, to_sst])
    def test_what_is_written_can_be_read(self, write):
        assert sorted(read_trust_file(write(iter(BOTH))).certificates) == sorted(BOTH)
