"""Whom a vCard names, and the certificates in it."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.render.contacts.keys import MAX_ADDRESSES, MAX_KEYS, CardPerson, card_person
from eas_server.render.contentlines import MalformedLines


def read(*lines: str) -> CardPerson:
    return card_person("\r\n".join(["BEGIN:VCARD", "VERSION:3.0", *lines, "END:VCARD", ""]).encode())


def test_names_and_addresses() -> None:
    found = read("FN:Bob", "EMAIL:bob@example.org", "EMAIL;TYPE=internet,pref:Bob@Example.com", "NICKNAME:Bobby")
    assert (found.name, found.addresses) == ("Bob", ("Bob@Example.com", "bob@example.org"))
    assert all(word in found.words for word in ("Bob", "Bobby", "bob@example.org"))
    assert read("EMAIL:x@example.com").name == "x@example.com"
    assert read("FN:Nobody").addresses == ()


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("KEY;ENCODING=b:" + base64.b64encode(b"0der").decode(), b"0der"),
        ("KEY;TYPE=X509;ENCODING=BASE64:" + base64.b64encode(b"0der").decode(), b"0der"),
        ("KEY:data:application/pkix-cert;base64\\," + base64.b64encode(b"0der").decode(), b"0der"),
        ("KEY:-----BEGIN CERTIFICATE-----\\nMAA=\\n-----END CERTIFICATE-----", None),
        ("KEY:https://example.com/key", b""),
        ("KEY;TYPE=PGP;ENCODING=b:" + base64.b64encode(b"pgp").decode(), b""),
        ("KEY;MEDIATYPE=application/pgp-keys;ENCODING=b:" + base64.b64encode(b"pgp").decode(), b""),
        ("KEY;ENCODING=b:", b""),
    ],
)
def test_forms_of_keys(line: str, key: bytes | None) -> None:
    keys = read("FN:Bob", line).keys
    if key is None:
        assert keys[0].startswith(b"-----BEGIN CERTIFICATE-----\n")
    else:
        assert keys == ((key,) if key else ())


def test_bounds() -> None:
    key = "KEY;ENCODING=b:" + base64.b64encode(b"0").decode()
    found = read("FN:Many", *[key] * 100, *(f"EMAIL:a{n}@example.com" for n in range(100)))
    assert (len(found.keys), len(found.addresses)) == (MAX_KEYS, MAX_ADDRESSES)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_line(name: str, value: str) -> None:
    with contextlib.suppress(MalformedLines):
        read(f"KEY;{name}:{value}", f"EMAIL;{name}:{value}")
