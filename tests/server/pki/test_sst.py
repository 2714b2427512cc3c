"""The serialized store, octet by octet."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.pki import sst
from eas_server.pki.sst import SstError, is_sst, read_sst, write_sst
from tests.server.pki.making import authority

ROOT = authority("SST Root").der
ISSUING = authority("SST Issuing").der

HEAD = bytes.fromhex("00000000 43455254")
END = bytes(12)
FRIENDLY_NAME = bytes.fromhex("0b000000 01000000 08000000 5200 6f00 6f00 7400")
"""Property 11 (CERT_FRIENDLY_NAME_PROP_ID): "Root" in UTF-16, without its end."""


def entry(identity: int, value: bytes, encoding: int = 1, length: int | None = None) -> bytes:
    return struct.pack("<III", identity, encoding, len(value) if length is None else length) + value


def test_the_documented_layout_by_hand():
    certificate = bytes.fromhex("3003020105")
    octets = HEAD + FRIENDLY_NAME + bytes.fromhex("20000000 01000000 05000000") + certificate + END
    assert is_sst(octets)
    assert read_sst(octets).certificates == (certificate,)
    assert write_sst([certificate]) == HEAD + bytes.fromhex("20000000 01000000 05000000") + certificate + END


def test_round_trip():
    assert read_sst(write_sst([ROOT, ISSUING])).certificates == (ROOT, ISSUING)
    assert read_sst(write_sst([])) == sst.SerializedStore(certificates=())


def test_lists_are_skipped_and_counted():
    octets = HEAD + entry(0x21, b"crl") + entry(3, b"hash") + entry(0x20, ROOT) + entry(0x22, b"ctl") * 2 + END
    found = read_sst(octets)
    assert (found.certificates, found.crls, found.ctls, found.whole) == ((ROOT,), 1, 2, True)


def test_a_store_without_its_end_mark_is_told():
    assert read_sst(HEAD + entry(0x20, ROOT)).whole is False
    assert read_sst(HEAD + entry(0x20, ROOT) + END + b"more").whole is True


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "begin"),
        (b"\0\0\0\0CER", "begin"),
        (b"\1\0\0\0CERT", "begin"),
        (HEAD + b"\x20\0\0", "ends within"),
        (HEAD + entry(0x20, ROOT)[:-1], "are left"),
        (HEAD + entry(0x20, b"", length=0xFFFFFFFF), "4294967295 octets, 0 are left"),
        (HEAD + entry(0x20, ROOT, encoding=2), "encoding type 2"),
        (HEAD + entry(0x10000, b""), "no property has"),
        (HEAD + entry(0xFFFFFFFF, b""), "no property has"),
        (HEAD + FRIENDLY_NAME, "properties of a certificate that is not there"),
        (HEAD + FRIENDLY_NAME + END, "properties of a certificate that is not there"),
    ],
)
def test_what_cannot_be_read(octets, reason):
    with pytest.raises(SstError, match=reason):
        read_sst(octets)


def test_a_million_entries_are_not_followed():
    with pytest.raises(SstError, match="more than 100000 entries"):
        read_sst(HEAD + entry(3, b"") * 1_000_000)
    with pytest.raises(SstError, match="more than 10000 certificates"):
        read_sst(HEAD + entry(0x20, b"") * 1_000_000)
    with pytest.raises(SstError, match="more than"):
        read_sst(HEAD + bytes(sst.MAX_SST_BYTES))


@given(st.binary(max_size=200), st.lists(st.binary(max_size=40), max_size=4), st.integers(0, 250))
def test_any_octets_are_read_or_refused(noise, certificates, cut):
    whole = write_sst(certificates)
    for octets in (HEAD + noise, whole[:cut], whole[:cut] + noise, noise):
        try:
            read_sst(octets)
        except SstError:
            continue
