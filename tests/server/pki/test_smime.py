"""S/MIME messages made and read by the same hand; test_openssl.py has another hand read and write them."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import algos, cms, core
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eas_server.pki.enveloped_data import ContentCipher, build_enveloped_data
from eas_server.pki.mime_entity import split
from eas_server.pki.signed_data import build_signed_data
from eas_server.pki.smime import Fault, SmimeError, decrypt, encrypt, sign_detached, sign_opaque, verify
from tests.server.pki import declaration, der, key

NOW: datetime = declaration().NOW
ROOTS = [der("root")]
CONTENT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe \t\r\n--\r\n\r\n"
SIGN = [sign_detached, sign_opaque]


@pytest.mark.parametrize("sign", SIGN)
@pytest.mark.parametrize("who", ["alice", "dave"])
def test_a_good_signature(sign: Callable[..., bytes], who: str) -> None:
    entity = sign(CONTENT, der(who), key(who), [der("root")], now=NOW)
    found = verify(entity, ROOTS, NOW)
    assert found.good
    assert found.content == CONTENT
    assert not found.canonicalised
    assert found.addresses == {f"{who}@example.com"}
    (signer,) = found.signers
    assert signer.certificate is not None
    assert signer.certificate.der == der(who)
    assert signer.signing_time == NOW


def test_a_detached_signature_leaves_the_content_as_it_is() -> None:
    entity = sign_detached(CONTENT, der("alice"), key("alice"))
    assert entity.count(CONTENT) == 1
    assert entity.startswith(b"Content-Type: multipart/signed;")
    assert split(entity).parameters["micalg"] == "sha-256"
    assert split(entity).parameters["protocol"] == "application/pkcs7-signature"
    assert max(map(len, entity.replace(CONTENT, b"").split(b"\r\n"))) <= 78


def test_the_delimiter_is_not_in_the_content() -> None:
    first = sign_detached(CONTENT, der("alice"), key("alice"))
    nested = sign_detached(first, der("alice"), key("alice"))
    assert verify(verify(nested, ROOTS, NOW).content, ROOTS, NOW).content == CONTENT


@pytest.mark.parametrize("content", [b"a\nb", b"a\rb", b"\n"])
def test_content_must_be_canonical_to_be_signed_detached(content: bytes) -> None:
    with pytest.raises(SmimeError, match="canonical"):
        sign_detached(content, der("alice"), key("alice"))


@pytest.mark.parametrize("content", [b"", b"\r\n", b"no line end", CONTENT])
def test_any_canonical_content_comes_back_exactly(content: bytes) -> None:
    assert verify(sign_detached(content, der("alice"), key("alice")), ROOTS, NOW).content == content


@pytest.mark.parametrize("content", [b"", b"a\nb\r", bytes(range(256)) * 50])
def test_any_content_comes_back_exactly_from_opaque_and_encrypted(content: bytes) -> None:
    opaque = sign_opaque(content, der("alice"), key("alice"))
    assert verify(opaque, ROOTS, NOW).content == content
    assert decrypt(encrypt(content, [der("bob")]), key("bob"), der("bob")) == content


def faults(entity: bytes, roots: list[bytes] = ROOTS, now: datetime = NOW) -> set[Fault]:
    found = verify(entity, roots, now)
    assert not found.good
    return set(found.signers[0].faults)


def test_changed_content() -> None:
    entity = sign_detached(CONTENT, der("alice"), key("alice"))
    assert faults(entity.replace(b"Gr", b"gr")) == {Fault.CONTENT_CHANGED}


def test_content_whose_line_ends_a_hop_changed_is_good_in_canonical_form() -> None:
    entity = sign_detached(CONTENT, der("alice"), key("alice")).replace(b"\r\n", b"\n")
    found = verify(entity, ROOTS, NOW)
    assert found.good
    assert found.canonicalised
    assert found.content == CONTENT.replace(b"\r\n", b"\n")


def spoilt(**changes: object) -> bytes:
    """An opaque message whose SignerInfo has other fields."""
    info = cms.ContentInfo.load(build_signed_data(CONTENT, certificate=der("alice"), key=key("alice"), detached=False))
    signer = info["content"]["signer_infos"][0]
    for name, value in changes.items():
        signer[name] = value
    return opaque(info.dump(force=True))


def opaque(blob: bytes) -> bytes:
    return b"Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(blob)


def test_a_changed_signature_or_attribute() -> None:
    assert faults(spoilt(signature=bytes(256))) == {Fault.SIGNATURE}


@pytest.mark.parametrize(
    "algorithm",
    [
        {"signature_algorithm": {"algorithm": "sha256_ecdsa"}},
        {"signature_algorithm": {"algorithm": "sha1_rsa"}},
        {"digest_algorithm": {"algorithm": "sha1"}},
        {"signature_algorithm": {"algorithm": "1.2.3.4"}},
    ],
)
def test_algorithms_that_prove_nothing(algorithm: dict[str, object]) -> None:
    assert Fault.UNSUPPORTED in faults(spoilt(**algorithm))


def test_a_signature_without_attributes() -> None:
    signature = key("alice").sign(CONTENT, padding.PKCS1v15(), hashes.SHA256())
    assert verify(spoilt(signed_attrs=None, signature=signature), ROOTS, NOW).good
    assert faults(spoilt(signed_attrs=None)) == {Fault.CONTENT_CHANGED}


@pytest.mark.parametrize("name", ["sha256", "sha512"])
def test_a_pss_signature(name: str) -> None:
    digest = {"sha256": hashes.SHA256(), "sha512": hashes.SHA512()}[name]
    signature = key("alice").sign(CONTENT, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    parameters = algos.RSASSAPSSParams(
        {
            "hash_algorithm": {"algorithm": name},
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": name}},
            "salt_length": digest.digest_size,
        }
    )
    entity = spoilt(
        signed_attrs=None,
        signature=signature,
        digest_algorithm={"algorithm": name},
        signature_algorithm={"algorithm": "rsassa_pss", "parameters": parameters},
    )
    assert verify(entity, ROOTS, NOW).good


def test_an_attribute_that_names_another_content_type() -> None:
    info = cms.ContentInfo.load(build_signed_data(CONTENT, certificate=der("alice"), key=key("alice"), detached=False))
    attributes = info["content"]["signer_infos"][0]["signed_attrs"]
    kept = [attribute for attribute in attributes if attribute["type"].native != "content_type"]
    assert faults(spoilt(signed_attrs=cms.CMSAttributes(kept))) == {Fault.SIGNATURE}


def test_no_certificate_of_the_signer() -> None:
    info = cms.ContentInfo.load(build_signed_data(CONTENT, certificate=der("alice"), key=key("alice"), detached=False))
    info["content"]["certificates"] = None
    assert faults(opaque(info.dump(force=True))) == {Fault.CERTIFICATE_MISSING}


def test_nobody_signed() -> None:
    info = cms.ContentInfo.load(build_signed_data(CONTENT, certificate=der("alice"), key=key("alice"), detached=False))
    info["content"]["signer_infos"] = []
    found = verify(opaque(info.dump(force=True)), ROOTS, NOW)
    assert not found.good
    assert found.signers == ()


@pytest.mark.parametrize(
    ("who", "holder", "fault"),
    [
        ("bob-expired", "bob-expired", Fault.VALIDITY),
        ("bob-not-yet", "bob", Fault.VALIDITY),
        ("bob-wrong-eku", "bob", Fault.KEY_USAGE),
        ("erin-encryption", "erin-encryption", Fault.KEY_USAGE),
        ("alice-other-root", "alice", Fault.UNTRUSTED),
    ],
)
def test_a_certificate_that_may_not(who: str, holder: str, fault: Fault) -> None:
    entity = sign_detached(CONTENT, der(who), key(holder), [der("other-root"), der("root")])
    assert faults(entity) == {fault}


def test_somebody_elses_certificate() -> None:
    assert faults(sign_detached(CONTENT, der("bob"), key("alice"))) == {Fault.SIGNATURE}


def test_time_is_the_callers() -> None:
    entity = sign_detached(CONTENT, der("bob-expired"), key("bob-expired"))
    assert verify(entity, ROOTS, datetime(2022, 1, 1, tzinfo=UTC)).good
    assert verify(entity, ROOTS, NOW).signers[0].signing_time is None


def test_signing_times_beyond_utctime() -> None:
    later = datetime(2060, 1, 1, tzinfo=UTC) + timedelta(microseconds=5)
    found = verify(sign_opaque(CONTENT, der("alice"), key("alice"), now=later), ROOTS, later)
    assert found.signers[0].signing_time == datetime(2060, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("algorithm", list(ContentCipher))
def test_each_recipient_opens_it(algorithm: ContentCipher) -> None:
    entity = encrypt(CONTENT, [der("alice"), der("dave"), der("erin-encryption")], algorithm)
    assert split(entity).parameters["smime-type"] in {"enveloped-data", "authEnveloped-data"}
    for who in ("alice", "dave", "erin-encryption"):
        assert decrypt(entity, key(who), der(who)) == CONTENT
    for who in ("bob", "erin-signing"):
        with pytest.raises(SmimeError, match="names no recipient"):
            decrypt(entity, key(who), der(who))


def test_a_key_that_is_not_the_certificates() -> None:
    entity = encrypt(CONTENT, [der("alice"), der("dave")], ContentCipher.AES_256_GCM)
    with pytest.raises(SmimeError, match="cannot be"):
        decrypt(entity, key("bob"), der("alice"))
    with pytest.raises(SmimeError, match="names no recipient"):
        decrypt(entity, key("alice"), der("dave"))


def test_randomness_is_the_callers() -> None:
    asked: list[int] = []

    def counted(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    encrypt(CONTENT, [der("dave")], ContentCipher.AES_256_GCM, random=counted)
    assert asked == [32, 12]


@pytest.mark.parametrize("recipients", [[], [b"garbage"], [der("alice"), b""]])
def test_nobody_to_encrypt_to(recipients: list[bytes]) -> None:
    with pytest.raises(SmimeError):
        encrypt(CONTENT, recipients)


def test_a_changed_authenticated_envelope_does_not_open() -> None:
    entity = encrypt(CONTENT, [der("alice")], ContentCipher.AES_128_GCM)
    blob = bytearray(base64.b64decode(split(entity).body))
    blob[-25] ^= 1
    with pytest.raises(SmimeError, match="cannot be"):
        decrypt(opaque(bytes(blob)), key("alice"), der("alice"))


def test_an_authenticated_envelope_with_attributes() -> None:
    attributes = cms.CMSAttributes([{"type": "content_type", "values": ["data"]}])
    info = cms.ContentInfo.load(
        build_enveloped_data(b"", recipients=[der("alice")], cipher=ContentCipher.AES_128_GCM, random=bytes)
    )
    sealed = AESGCM(bytes(16)).encrypt(bytes(12), CONTENT, attributes.dump())
    info["content"]["auth_encrypted_content_info"]["encrypted_content"] = sealed[:-16]
    info["content"]["mac"] = sealed[-16:]
    info["content"]["auth_attrs"] = attributes
    assert decrypt(opaque(info.dump(force=True)), key("alice"), der("alice")) == CONTENT


def changed_envelope(change: Callable[[cms.EnvelopedData], None]) -> bytes:
    made = build_enveloped_data(
        CONTENT, recipients=[der("alice"), der("dave")], cipher=ContentCipher.AES_128_CBC, random=bytes
    )
    info = cms.ContentInfo.load(made)
    change(info["content"])
    return opaque(info.dump(force=True))


def other_cipher(envelope: cms.EnvelopedData) -> None:
    envelope["encrypted_content_info"]["content_encryption_algorithm"]["algorithm"] = "tripledes_3key"


def longer_key(envelope: cms.EnvelopedData) -> None:
    envelope["encrypted_content_info"]["content_encryption_algorithm"]["algorithm"] = "aes256_cbc"


def other_padding(envelope: cms.EnvelopedData) -> None:
    envelope["encrypted_content_info"]["encrypted_content"] = bytes(32)


def other_transport(envelope: cms.EnvelopedData) -> None:
    by_name(envelope)["ktri"]["key_encryption_algorithm"] = {"algorithm": "aes128_wrap"}


def other_agreement(envelope: cms.EnvelopedData) -> None:
    agreement = by_name(envelope)["kari"]["key_encryption_algorithm"]
    by_name(envelope)["kari"]["key_encryption_algorithm"] = {
        "algorithm": "1.2.3.4",
        "parameters": agreement["parameters"],
    }


def other_wrap(envelope: cms.EnvelopedData) -> None:
    wrap = cms.KeyEncryptionAlgorithm({"algorithm": "1.2.3.4"})
    by_name(envelope)["kari"]["key_encryption_algorithm"] = {
        "algorithm": "1.3.132.1.11.1",
        "parameters": core.Any.load(wrap.dump()),
    }


def static_originator(envelope: cms.EnvelopedData) -> None:
    originator = cms.OriginatorIdentifierOrKey({"subject_key_identifier": b"key"})
    by_name(envelope)["kari"]["originator"] = originator


def by_name(envelope: cms.EnvelopedData) -> dict[str, core.Asn1Value]:
    return {info.name: info.chosen for info in envelope["recipient_infos"]}


@pytest.mark.parametrize(
    ("who", "change", "why"),
    [
        ("alice", other_cipher, "cipher tripledes_3key is not supported"),
        ("alice", longer_key, "cannot be decrypted"),
        ("alice", other_padding, "cannot be decrypted"),
        ("alice", other_transport, "key transport aes128_wrap is not supported"),
        ("dave", other_agreement, "key agreement 1.2.3.4 is not supported"),
        ("dave", other_wrap, "key wrap 1.2.3.4 is not supported"),
        ("dave", static_originator, "without an ephemeral key"),
    ],
)
def test_envelopes_that_cannot_be_opened(who: str, change: Callable[[cms.EnvelopedData], None], why: str) -> None:
    with pytest.raises(SmimeError, match=why):
        decrypt(changed_envelope(change), key(who), der(who))


def test_a_key_transport_that_does_not_decrypt() -> None:
    def shorten(envelope: cms.EnvelopedData) -> None:
        by_name(envelope)["ktri"]["encrypted_key"] = bytes(10)

    with pytest.raises(SmimeError, match="cannot be decrypted"):
        decrypt(changed_envelope(shorten), key("alice"), der("alice"))


def test_a_certificate_that_is_none() -> None:
    for sign in SIGN:
        with pytest.raises(SmimeError):
            sign(CONTENT, b"garbage", key("alice"))


def test_signed_then_encrypted() -> None:
    signed = sign_detached(CONTENT, der("alice"), key("alice"), now=NOW)
    opened = decrypt(encrypt(signed, [der("bob")]), key("bob"), der("bob"))
    assert opened == signed
    assert verify(opened, ROOTS, NOW).good


DETACHED = sign_detached(CONTENT, der("alice"), key("alice"))


@pytest.mark.parametrize(
    "entity",
    [
        b"",
        b"Content-Type: text/plain\r\n\r\nhello",
        b"Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\na\r\n--x--\r\n",
        b"Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\na\r\n--x\r\n\r\nb\r\n--x--\r\n",
        b"Content-Type: multipart/signed\r\n\r\n--x\r\n",
        b"Content-Type: multipart/signed; boundary=x\r\n\r\n--x--\r\n\r\na\r\n--x\r\n",
        DETACHED[:-60],
        DETACHED.replace(b"MI", b"IM"),
        opaque(b"garbage"),
        encrypt(CONTENT, [der("alice")]),
        opaque(build_signed_data(CONTENT, certificate=der("alice"), key=key("alice"), detached=True)),
        b"Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\nA",
    ],
)
def test_no_signed_message(entity: bytes) -> None:
    with pytest.raises(SmimeError):
        verify(entity, ROOTS, NOW)


@pytest.mark.parametrize(
    "entity", [b"", DETACHED, opaque(b"garbage"), sign_opaque(CONTENT, der("alice"), key("alice"))]
)
def test_no_encrypted_message(entity: bytes) -> None:
    with pytest.raises(SmimeError):
        decrypt(entity, key("alice"), der("alice"))


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda entity: entity.replace(b"\r\n\r\n", b"\n\n", 1),
        lambda entity: entity.replace(b"Content-Type:", b"Subject: x\r\nContent-Type:", 1),
        lambda entity: entity.replace(b"multipart/signed", b"Multipart/SIGNED", 1),
        lambda entity: entity.replace(b"application/pkcs7-signature", b"application/x-pkcs7-signature"),
        lambda entity: entity + b"epilogue\r\n",
    ],
    ids=["Nine's bare line feeds", "fields of the message", "case", "the old type", "epilogue"],
)
def test_what_mailers_write(rewrite: Callable[[bytes], bytes]) -> None:
    found = verify(rewrite(sign_detached(CONTENT, der("alice"), key("alice"))), ROOTS, NOW)
    assert found.good
    assert found.content == CONTENT
