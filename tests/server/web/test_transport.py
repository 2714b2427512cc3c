"""Proxies: whose word holds about who the client is."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.web.transport import behind_proxy, host_of, is_loopback, is_trusted, peer_of

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


def scope(peer: str, *headers: tuple[str, str], scheme: str = "http") -> dict:
    return {
        "client": (peer, 5), "scheme": scheme, "headers": [(n.encode(), v.encode("latin-1")) for n, v in headers]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("1.1.1.1, 198.51.100.7", "198.51.100.7"),
        ("198.51.100.7, 10.1.1.1", "198.51.100.7"),
        ("198.51.100.7:4711", "198.51.100.7"),
        ("[2001:db9::1]:4711, 10.0.0.2", "2001:db9::1"),
        ("2001:db9::1", "2001:db9::1"),
        ("nonsense", "10.0.0.1"),
        ("198.51.100.7, nonsense, 10.0.0.2", "10.0.0.1"),
        ("10.0.0.9", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_the_last_address_that_no_proxy_of_ours_added(forwarded: str, client: str) -> None:
    seen = behind_proxy(scope("10.0.0.1", ("x-forwarded-for", forwarded), ("x-forwarded-proto", "https")), PROXIES)
    assert (peer_of(seen), seen["scheme"]) == (client, "https")


def test_strangers_are_not_believed() -> None:
    said = scope("198.51.100.7", ("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "https"))
    assert behind_proxy(said, PROXIES) is said
    assert behind_proxy(said, ()) is said


def test_a_proxy_that_says_something_odd_of_the_scheme() -> None:
    for odd in ("gopher", "", "http, ftp"):
        assert behind_proxy(scope("10.0.0.1", ("x-forwarded-proto", odd)), PROXIES)["scheme"] == "http"
    two = scope("10.0.0.1", ("x-forwarded-proto", "http,https"))
    assert behind_proxy(two, PROXIES)["scheme"] == "https"


@given(forwarded=st.text(alphabet="0123456789.:,[] abc", max_size=60))
def test_no_header_is_too_odd(forwarded: str) -> None:
    behind_proxy(scope("10.0.0.1", ("x-forwarded-for", forwarded)), PROXIES)


def test_addresses() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("localhost")
    assert not is_loopback("")
    assert is_trusted("::ffff:10.2.3.4", PROXIES)
    assert not is_trusted("11.0.0.1", PROXIES)


@pytest.mark.parametrize(
    ("host", "taken"),
    [
        ("mail.example.com", True),
        ("mail.example.com:8443", True),
        ("[::1]:80", True),
        ("a b", False),
        ("x/../", False),
        ("evil.example/path", False),
        ('"><script>', False),
        ("", False),
    ],
)
def test_a_host_that_can_be_part_of_a_url(host: str, taken: bool) -> None:
    assert host_of(scope("10.0.0.1", ("host", host))) == (host if taken else "")
    assert host_of(scope("10.0.0.1", ("host", "a"), ("host", "b"))) == ""
