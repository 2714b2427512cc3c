"""Any URL and any address: read in one way only, and judged as the registries say."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from urllib.parse import urljoin

from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from eas_server.backends.revocation.addresses import Address, Guard, Target
from eas_server.backends.revocation.settings import RevocationSettings
from eas_server.errors import EvidenceUnavailable

GUARD = Guard(RevocationSettings())
BASE = "http://crl.example.com:80/ca/root.crl"

PIECES = """
http https HTTP :// : // / \\ @ # ? [ ] % %00 %2f %40 . .. 127.0.0.1 0x7f.1 1 0177 ::1 ::ffff:10.0.0.1 example.com a -
80 443 22 65536 xn-- é 。 ① user:pw localhost %25eth0 ; & = + _
"""
pieces = st.sampled_from([*PIECES.split(), " ", "\t", "\r\n", "\0"])
urls = st.one_of(
    st.lists(pieces, max_size=14).map("".join),
    st.lists(pieces, max_size=14).map(lambda some: "http://" + "".join(some)),
    st.text(max_size=60).map(lambda text: f"http://{text}"),
    st.text(max_size=60),
)


def read(url: str) -> Target | None:
    """The target; None for a refusal."""
    try:
        return GUARD.target(url)
    except EvidenceUnavailable as error:
        refused = error.refused
    assert refused
    return None


@given(urls)
@example("http://example.com:80#@10.0.0.1/")
@example("http://example.com;@10.0.0.1/")
@example("http://[::1]@example.com/")
@example("http://example.com?@10.0.0.1/")
@example("http://[fe80::1%25lo]/")
@example("http://example.com:/")
def test_a_url_is_refused_or_read_as_the_client_reads_it(url: str) -> None:
    target = read(url)
    if target is None:
        return
    assert target.scheme in ("http", "https")
    assert target.port in (80, 443)
    client = URL(target.url, encoded=True)
    assert (client.scheme, client.raw_host, client.port) == (target.scheme, target.host, target.port)
    assert (client.user, client.password, client.fragment) == (None, None, "")
    assert str(client.raw_path_qs).isascii()
    assert read(target.url) == target


@given(urls)
def test_a_redirect_is_refused_or_read(location: str) -> None:
    try:
        joined = urljoin(BASE, location)
    except ValueError:
        return
    read(joined)


@given(urls)
def test_no_host_is_an_address_that_was_not_seen_as_one(url: str) -> None:
    target = read(url)
    if target is None or target.address is not None:
        return
    try:
        # what the C library takes for an address: 127.1, 0x7f000001 …
        socket.inet_aton(target.host)
    except OSError:
        return
    raise AssertionError(target.host)


addresses = st.one_of(
    st.ip_addresses(),
    st.ip_addresses(v=4).map(lambda inner: IPv6Address(f"::ffff:{inner}")),
    st.ip_addresses(v=4).map(lambda inner: IPv6Address(f"64:ff9b::{inner}")),
    st.sampled_from(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10"])
    .map(ip_network)
    .flatmap(lambda network: st.ip_addresses(network=network)),
)


def inner(address: Address) -> Address:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in IPv6Network("64:ff9b::/96"):
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@given(addresses)
def test_what_is_permitted_is_public_for_the_standard_library_too(address: Address) -> None:
    target = GUARD.target("http://pki.example.com/")
    try:
        permitted = GUARD.permitted(target, [address])
    except EvidenceUnavailable:
        permitted = []
    reached = inner(address)
    if permitted:
        assert reached.is_global
        assert not any((reached.is_multicast, reached.is_reserved, reached.is_loopback, reached.is_unspecified))
    elif reached.is_global and not reached.is_multicast:
        # what we refuse beyond that: obsolete and special blocks that the library counts as global
        special = ("192.88.99.0/24", "168.63.129.16/32", "192.0.0.0/24", "::/3", "4000::/2", "8000::/1", "2001::/23")
        networks = [ip_network(each) for each in (*special, "2002::/16", "3fff::/20")]
        assert any(reached in network for network in networks if network.version == reached.version), reached
