"""What a message is: the structure says so, never the header."""

import base64

import pytest
from asn1crypto import algos, cms
from hypothesis import given
from hypothesis import strategies as st

from eas_server.pki import message_kind
from eas_server.pki.ber import check_pieces
from eas_server.pki.cms import tlv
from eas_server.pki.message_kind import Class, Encrypted, Signed, kind_of, may_be_protected
from eas_server.pki.smime import encrypt, sign_detached, sign_opaque
from tests.server.pki import der, key, making

CONTENT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n"
TOP = b"From: alice@example.com\r\nTo: bob@example.com\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
SIGN = pytest.mark.parametrize("sign", [sign_detached, sign_opaque])


def signed(sign=sign_detached, content=CONTENT, who="alice"):
    return sign(content, der(who), key(who))


def sealed(content=CONTENT):
    return encrypt(content, [der("bob"), der("dave")])


def cms_part(blob, kind=b"application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"):
    return TOP + b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(blob)


def blob_of(entity):
    return base64.b64decode(entity.partition(b"\r\n\r\n")[2])


def test_plain():
    assert kind_of(TOP + CONTENT).class_ is Class.PLAIN
    assert not may_be_protected(TOP + CONTENT)


@SIGN
def test_signed(sign):
    octets = TOP + signed(sign)
    kind = kind_of(octets)
    assert may_be_protected(octets)
    assert (kind.class_, kind.encrypted, kind.problem, kind.weaknesses) == (Class.SIGNED, False, "", ())
    (signature,) = kind.signature.signatures
    assert (signature.certificate, signature.fits) == (der("alice"), True)


def test_encrypted_hides_its_signature():
    kind = kind_of(TOP + sealed(signed()))
    assert (kind.class_, kind.signature) == (Class.ENCRYPTED, None)
    (layer,) = kind.layers
    assert isinstance(layer, Encrypted)
    assert (layer.cipher, layer.recipients) == ("aes256_cbc", 2)


@SIGN
def test_triple_wrapped(sign):
    kind = kind_of(TOP + signed(sign, sealed(signed())))
    assert [type(layer) for layer in kind.layers] == [Signed, Encrypted]
    assert kind.class_ is Class.SIGNED_AND_ENCRYPTED


def test_signed_twice():
    kind = kind_of(TOP + signed(sign_opaque, signed(who="dave")))
    assert kind.class_ is Class.SIGNED
    assert len(kind.layers) == 2


def test_line_ends_that_a_mailer_lost():
    assert kind_of(TOP + signed().replace(b"\r\n", b"\n")).class_ is Class.SIGNED


def test_a_nameless_binary_that_is_called_so():
    named = b'application/octet-stream; name="SMIME.P7M"'
    assert kind_of(cms_part(blob_of(sealed()), named)).class_ is Class.ENCRYPTED
    assert kind_of(cms_part(blob_of(sealed()), b"application/octet-stream; name=smime.bin")).class_ is Class.PLAIN


def test_other_signatures_are_none_of_ours():
    pgp = signed().replace(b"pkcs7-signature", b"pgp-signature")
    assert kind_of(TOP + pgp).class_ is Class.PLAIN


def test_what_is_inside_another_message_does_not_count():
    forward = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n' + signed() + b"\r\n--b--\r\n"
    assert kind_of(TOP + forward).class_ is Class.PLAIN


# ---- what only says that it is S/MIME


def without_signer(detached=False):
    body = {"content_type": "data"} | ({} if detached else {"content": CONTENT})
    empty = cms.SignedData(
        {"version": "v1", "digest_algorithms": [], "encap_content_info": body, "certificates": [], "signer_infos": []}
    )
    return cms.ContentInfo({"content_type": "signed_data", "content": empty}).dump()


def fake_clear(signature):
    return TOP + (
        b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="b"\r\n\r\n'
        b"--b\r\n" + CONTENT + b"\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(signature) + b"\r\n--b--\r\n"
    )


def empty_envelope():
    envelope = cms.EnvelopedData(
        {
            "version": "v0",
            "recipient_infos": [],
            "encrypted_content_info": {
                "content_type": "data",
                "content_encryption_algorithm": {"algorithm": "aes256_cbc", "parameters": b"\0" * 16},
                "encrypted_content": b"x" * 16,
            },
        }
    )
    return cms.ContentInfo({"content_type": "enveloped_data", "content": envelope}).dump()


BROKEN = {
    "header alone": TOP + b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nHello\r\n",
    "text called p7m": cms_part(b"Hello, this is text"),
    "signed without signer": cms_part(without_signer()),
    "clear signed without signer": fake_clear(without_signer(detached=True)),
    "signature is text": fake_clear(b"trust me"),
    "signature is an envelope": fake_clear(blob_of(sealed())),
    "an envelope for nobody": cms_part(empty_envelope()),
    "one part": TOP + b'Content-Type: multipart/signed; boundary="b"\r\n\r\n--b\r\n' + CONTENT + b"\r\n--b--\r\n",
    "no boundary": TOP + b"Content-Type: multipart/signed\r\n\r\n" + CONTENT,
    "two texts": TOP
    + b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary="b"\r\n\r\n--b\r\n'
    + CONTENT
    + b"\r\n--b\r\n"
    + CONTENT
    + b"\r\n--b--\r\n",
    "another content": TOP + signed().replace(b"Hello", b"Jello"),
    "cut off": TOP + signed(sign_opaque)[:-700],
    "certificates only": cms_part(without_signer(), b"application/pkcs7-mime; smime-type=certs-only; name=smime.p7c"),
}


@pytest.mark.parametrize("octets", BROKEN.values(), ids=BROKEN)
def test_says_that_it_is_and_is_not(octets):
    kind = kind_of(octets)
    assert (kind.class_, kind.encrypted, kind.signature) == (Class.BROKEN, False, None)


def test_a_second_signature_that_does_not_fit_spoils_it():
    blob = cms.ContentInfo.load(blob_of(signed(sign_opaque)))
    good = blob["content"]["signer_infos"][0]
    bad = good.copy()
    bad["signature"] = b"\0" * len(good["signature"].native)
    blob["content"]["signer_infos"] = [good, bad]
    assert kind_of(cms_part(blob.dump(force=True))).class_ is Class.BROKEN


def test_too_many_signers_and_layers():
    blob = cms.ContentInfo.load(blob_of(signed(sign_opaque)))
    good = blob["content"]["signer_infos"][0]
    blob["content"]["signer_infos"] = [good.copy() for _ in range(message_kind.MAX_SIGNERS + 1)]
    assert "more than 8 signer_infos" in kind_of(cms_part(blob.dump(force=True))).problem
    deep = CONTENT
    for _ in range(message_kind.MAX_LAYERS + 1):
        deep = signed(sign_opaque, deep)
    assert "layers" in kind_of(TOP + deep).problem


@given(st.binary(max_size=200), st.integers(0, 2000), st.sampled_from([signed(), signed(sign_opaque), sealed()]))
def test_hostile_octets_never_raise(noise, at, entity):
    kind_of(TOP + entity[:at] + noise + entity[at + len(noise) :])
    kind_of(noise)
    kind_of(cms_part(noise))


# ---- what protects little


def weak_signature(digest):
    blob = cms.ContentInfo.load(blob_of(signed(sign_opaque)))
    signer = blob["content"]["signer_infos"][0]
    signer["digest_algorithm"] = algos.DigestAlgorithm({"algorithm": digest})
    return cms_part(blob.dump(force=True))


def test_weak_digests_do_not_fit_by_accident():
    assert kind_of(weak_signature("sha1")).class_ is Class.BROKEN


def test_a_weak_key_signs():
    who = making.person(making.authority("Root"), subject_key=making.rsa_key(1024))
    kind = kind_of(TOP + sign_detached(CONTENT, who.der, who.key))
    assert (kind.class_, kind.weaknesses) == (Class.SIGNED, ("RSA-1024",))


def test_a_weak_key_to_encrypt_to():
    who = making.person(making.authority("Root"), subject_key=making.rsa_key(1024))
    kind = kind_of(TOP + encrypt(CONTENT, [der("bob"), who.der]))
    assert (kind.class_, kind.weaknesses) == (Class.ENCRYPTED, ("RSA-1024",))


@pytest.mark.parametrize(
    ("algorithm", "name"), [("tripledes_3key", "3DES"), ("des", "DES"), ("rc2", "RC2"), ("rc4", "RC4")]
)
def test_weak_ciphers(algorithm, name):
    blob = cms.ContentInfo.load(blob_of(sealed()))
    inner = blob["content"]["encrypted_content_info"]
    inner["content_encryption_algorithm"] = algos.EncryptionAlgorithm({"algorithm": algorithm})
    assert kind_of(cms_part(blob.dump(force=True))).weaknesses == (name,)


# ---- what would take long

MANY = 1_000_000
ENVELOPE_BEGINS = bytes.fromhex("308006092a864886f70d010703a0803080020100")
SIGNED_BEGINS = bytes.fromhex("308006092a864886f70d010702a080308002010131003080")
LONG = {
    "nested": b"\x30\x80" * MANY,
    "pieces of an envelope": ENVELOPE_BEGINS + b"\x31\x80" + b"\x30\x00" * MANY,
    "pieces of content": SIGNED_BEGINS + bytes.fromhex("06092a864886f70d010701a0802480") + b"\x04\x00" * MANY,
    "pieces of a definite length": tlv(0x30, tlv(0xA0, tlv(0x30, tlv(0x24, b"\x04\x00" * MANY)))),
}


@pytest.mark.parametrize("blob", LONG.values(), ids=LONG)
def test_too_many_pieces_are_not_parsed(blob):
    assert kind_of(cms_part(blob)).problem == f"more than {message_kind.MAX_PIECES} pieces"


def test_too_many_recipients_delimiters_and_header_lines():
    infos = tlv(0x30, b"\x02\x01\x00", tlv(0x31, b"\x30\x00" * 2 * MANY), b"\x30\x00")
    envelope = tlv(0x30, bytes.fromhex("06092a864886f70d010703"), tlv(0xA0, infos))
    assert "recipients take more" in kind_of(cms_part(envelope)).problem
    clear = b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\r\n\r\n'
    assert kind_of(clear + b"--b\r\n" * MANY).problem == "too many delimiters"
    assert "header is longer" in kind_of(TOP + b"X: y\r\n" * 100_000).problem


@given(st.binary(max_size=60))
def test_any_octets_are_walked_to_their_end(octets):
    check_pieces(octets, 100)
