"""What may be asked."""

import re
from ipaddress import ip_address
from typing import Any

import pytest

from eas_server.backends.revocation.addresses import Guard
from eas_server.backends.revocation.settings import RevocationSettings
from eas_server.errors import EvidenceUnavailable

WORLD = Guard(RevocationSettings())


def permitted(host: str, *addresses: str, **settings: Any) -> list[str]:
    """Those of the addresses of a host that may be connected to."""
    guard = Guard(RevocationSettings(**settings))
    target = guard.target(f"http://{host}/")
    return [str(each) for each in guard.permitted(target, map(ip_address, addresses))]


def refusal(url: str, **settings: Any) -> str:
    """Why a URL is not asked."""
    with pytest.raises(EvidenceUnavailable) as caught:
        Guard(RevocationSettings(**settings)).target(url)
    assert caught.value.refused
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("http://crl.example.com/ca.crl", "http://crl.example.com:80/ca.crl"),
        ("HTTPS://CRL.Example.COM./Ca.crl", "https://crl.example.com:443/Ca.crl"),
        ("http://crl.example.com", "http://crl.example.com:80/"),
        ("http://crl.example.com/a?b=c&d#e", "http://crl.example.com:80/a?b=c&d"),
        ("http://crl.example.com:443/My CA(1)+.crl", "http://crl.example.com:443/My%20CA(1)+.crl"),
        (" http://crl.example.com/%41 ", "http://crl.example.com:80/%41"),
        ("http://93.184.215.14/", "http://93.184.215.14:80/"),
        ("http://[2606:2800:21F::A]/", "http://[2606:2800:21f::a]:80/"),
        ("http://pki_1.example.com/", "http://pki_1.example.com:80/"),
        ("http://xn--bcher-kva.example/", "http://xn--bcher-kva.example:80/"),
    ],
)
def test_urls_that_are_asked(url: str, read: str) -> None:
    assert WORLD.target(url).url == read


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ldap://dc.example.com/CN=CA?certificateRevocationList", "not ldap"),
        ("ldap:///CN=CA,DC=example,DC=com?cACertificate?base?objectClass=certificationAuthority", "not ldap"),
        ("file:///etc/passwd", "not file"),
        ("ftp://ftp.example.com/ca.crl", "not ftp"),
        ("gopher://example.com/", "not gopher"),
        ("unix:///run/docker.sock", "not unix"),
        ("//example.com/", "without a scheme"),
        ("/ca.crl", "without a scheme"),
        ("", "do not belong"),
        ("http://", "the host of the URL is none"),
        ("http:///ca.crl", "the host of the URL is none"),
        ("http://user:secret@example.com/", "with a user name"),
        ("http://example.com@10.0.0.1/", "with a user name"),
        ("http://example.com:22/", "port 22 is not asked"),
        ("http://example.com:8080/", "port 8080 is not asked"),
        ("http://example.com:0x50/", "the port of the URL is none"),
        ("http://example.com:99999/", "the port of the URL is none"),
        ("http://example.com:-1/", "the port of the URL is none"),
        ("http://exam\r\nple.com/", "do not belong"),
        ("http://example.com/\r\nHost: other", "do not belong"),
        ("http://example.com\\@10.0.0.1/", "do not belong"),
        ("http://bücher.example/", "do not belong"),
        ("http://example.com/\0", "do not belong"),
        ("http://example.com/\t", "do not belong"),
        ("http://example.com/" + "x" * 2048, "more than 2048"),
        ("http://[::1", "cannot be read"),
        ("http://[v1.x]/", "usual form|cannot be read"),
        ("http://a..b/", "the host of the URL is none"),
        ("http://-a.example/", "the host of the URL is none"),
        ("http://a%2eb/", "the host of the URL is none"),
        ("http://" + "a." * 130 + "b/", "the host of the URL is none"),
        # other ways to write 127.0.0.1
        ("http://2130706433/", "usual form"),
        ("http://0x7f000001/", "usual form"),
        ("http://0x7f.0.0.1/", "usual form"),
        ("http://0177.0.0.1/", "usual form"),
        ("http://127.1/", "usual form"),
        ("http://127.0.0.1./", "usual form"),
        ("http://1.2.3.0x/", "usual form"),
        ("http://127.0.0.1/", "not public"),
        ("http://[::1]/", "not public"),
        ("http://[::ffff:127.0.0.1]/", "not public"),
        ("http://[::ffff:7f00:1]/", "not public"),
        ("http://[fe80::1%25eth0]/", "of a link|usual form"),
        ("http://169.254.169.254/latest/meta-data/", "secrets"),
    ],
)
def test_urls_that_are_not(url: str, reason: str) -> None:
    assert re.search(reason, refusal(url))


PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255",
    "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.1.1", "169.254.169.254", "172.16.0.1", "172.31.255.255",
    "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::", "2002:0a00:1::", "3fff::1",
    "5f00::1", "fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1",
    "93.184.215.14",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "64:ff9b::1.1.1.1",
    "::ffff:1.1.1.1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    with pytest.raises(EvidenceUnavailable, match=f"pki.example.com is at {ip_address(address)}: ") as caught:
        permitted("pki.example.com", address)
    assert caught.value.refused


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert permitted("pki.example.com", address) == [str(ip_address(address))]


def test_of_several_addresses_the_public_ones_are_left() -> None:
    assert permitted("pki.example.com", "10.0.0.1", "1.1.1.1", "::1") == ["1.1.1.1"]
    assert permitted("pki.example.com") == []


def test_allowed_hosts_may_be_inside() -> None:
    settings: dict[str, Any] = {"allow_hosts": ("PKI.corp.example", ".sub.corp.example", "intranet")}
    for host in ("pki.corp.example", "a.sub.corp.example", "b.a.sub.corp.example", "intranet"):
        for address in ("10.0.0.1", "127.0.0.1", "fd00::1", "100.64.0.1", "64:ff9b::a00:1"):
            assert permitted(host, address, **settings) == [str(ip_address(address))]
    for host in ("corp.example", "sub.corp.example", "evilsub.corp.example", "pki.corp.example.evil.example"):
        with pytest.raises(EvidenceUnavailable):
            permitted(host, "10.0.0.1", **settings)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "169.254.169.254", "169.254.1.1", "fe80::1", "fd00:ec2::254", "168.63.129.16", "224.0.0.1", "::"],
)
def test_the_name_of_an_allowed_host_does_not_open_everything(address: str) -> None:
    with pytest.raises(EvidenceUnavailable):
        permitted("intranet", address, allow_hosts=("intranet",))


def test_allowed_networks() -> None:
    settings: dict[str, Any] = {"allow_networks": ("10.1.0.0/16", "fd00::/8", "169.254.0.0/16", "64:ff9b:1::/48")}
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd12::1", "169.254.1.1", "64:ff9b:1::1"):
        assert permitted("pki.example.com", address, **settings) == [str(ip_address(address))]
    for address in ("10.2.0.1", "169.254.169.254", "fd00:ec2::254", "0.0.0.0"):
        with pytest.raises(EvidenceUnavailable):
            permitted("pki.example.com", address, **settings)
    assert Guard(RevocationSettings(**settings)).target("http://10.1.2.3/").address is not None


def test_metadata_is_opened_by_its_very_address_alone() -> None:
    settings: dict[str, Any] = {"allow_networks": ("169.254.169.254/32",)}
    assert permitted("pki.example.com", "169.254.169.254", **settings) == ["169.254.169.254"]


def test_nothing_opens_what_is_no_single_other_host() -> None:
    for address in ("0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"):
        with pytest.raises(EvidenceUnavailable):
            permitted("a.example", address, allow_networks=("0.0.0.0/0", "::/0"), allow_hosts=("a.example",))


def test_refused_networks() -> None:
    settings: dict[str, Any] = {"refuse_networks": ("93.184.0.0/16",), "allow_networks": ("93.184.7.0/24",)}
    with pytest.raises(EvidenceUnavailable, match="in refuse_networks"):
        permitted("pki.example.com", "93.184.215.14", **settings)
    with pytest.raises(EvidenceUnavailable, match="in refuse_networks"):
        permitted("pki.example.com", "64:ff9b::93.184.215.14", **settings)
    assert permitted("pki.example.com", "93.184.7.1", **settings) == ["93.184.7.1"]


def test_other_ports_and_nothing_at_all() -> None:
    assert Guard(RevocationSettings(allow_ports=(8080,))).target("http://example.com:8080/").port == 8080
    assert "enabled is false" in refusal("http://example.com/", enabled=False)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"allow_hosts": ("*.example.com",)}, "allow_hosts"),
        ({"allow_hosts": ("http://example.com",)}, "allow_hosts"),
        ({"allow_hosts": ("",)}, "allow_hosts"),
        ({"allow_networks": ("10.0.0.1/8",)}, "allow_networks"),
        ({"refuse_networks": ("everything",)}, "refuse_networks"),
        ({"allow_ports": (0,)}, "allow_ports"),
        ({"allow_ports": (65536,)}, "allow_ports"),
        ({"timeout": 0.0}, "timeout"),
        ({"parallel": 0}, "parallel"),
        ({"first_retry": 10.0, "last_retry": 5.0}, "last_retry"),
    ],
)
def test_settings_that_cannot_be_meant(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(ValueError, match=f"^{key}: "):
        RevocationSettings(**settings)
