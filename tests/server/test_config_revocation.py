"""`[revocation]` of the configuration, and what is made of it."""

from pathlib import Path

import pytest

from eas_server.backends.revocation.settings import RevocationSettings
from eas_server.backends.revocation.source import FetchingSource
from eas_server.backends.sqlite import SystemClock
from eas_server.config import load, parse
from eas_server.errors import ConfigError, EvidenceUnavailable
from eas_server.main import check, open_adapters
from eas_server.model.ids import UserId
from eas_server.model.trust import EvidenceKind, Wanted
from eas_server.notify import ChangeNotifier
from eas_server.web.settings import Live

FILE = Path("/etc/eas/eas-server.toml")


def test_revocation() -> None:
    assert parse("", FILE).revocation == RevocationSettings()
    text = """
        [revocation]
        allow_hosts = ["pki.corp.example", ".pki.example"]
        allow_networks = ["10.1.0.0/16", "fd00::1"]
        allow_ports = [8080]
        ca_file = "roots.pem"
        timeout = 3
    """
    assert parse(text, FILE).revocation == RevocationSettings(
        allow_hosts=("pki.corp.example", ".pki.example"),
        allow_networks=("10.1.0.0/16", "fd00::1"),
        allow_ports=(8080,),
        ca_file="/etc/eas/roots.pem",
        timeout=3.0,
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('allow_hosts = ["http://pki.example"]', 'revocation.allow_hosts: "http://pki.example" must be a name'),
        ('allow_networks = ["10.0.0.1/8"]', "revocation.allow_networks: must be networks"),
        ('refuse_networks = ["us"]', "revocation.refuse_networks: must be networks"),
        ("allow_ports = [0]", "revocation.allow_ports: must be between 1 and 65535"),
        ('allow_ports = ["80"]', "revocation.allow_ports: must be a list"),
        ("max_crl = 0", "revocation.max_crl: must be more than 0"),
        ("timeout = -1", "revocation.timeout: must not be negative"),
        ("last_retry = 1", "revocation.last_retry: must not be less than first_retry"),
        ("timeouts = 1", "revocation.timeouts: is unknown; did you mean timeout?"),
    ],
)
def test_what_cannot_be_meant(line: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"[revocation]\n{line}\n", FILE)
    assert f"{FILE}: {told}" in str(caught.value)


def test_roots_that_cannot_be_read_are_told_before_the_start(tmp_path: Path) -> None:
    path = tmp_path / "eas-server.toml"
    path.write_text('[revocation]\nca_file = "roots.pem"\n')
    with pytest.raises(ConfigError, match=r"^revocation\.ca_file: .*/roots\.pem: No such file"):
        check(path)


async def test_the_server_fetches_and_refreshes(tmp_path: Path) -> None:
    path = tmp_path / "eas-server.toml"
    path.write_text("[revocation]\nallow_ports = [8080]\n")
    config = load(path)
    async with open_adapters(config, ChangeNotifier(), SystemClock(), Live(config.web)) as adapters:
        source = adapters.ports.revocation
        assert isinstance(source, FetchingSource)
        assert source.run in adapters.jobs
        wanted = Wanted(
            kind=EvidenceKind.CRL,
            url="http://127.0.0.1:8080/ca.crl",
            user=UserId("alice@example.com"),
            keep_until=lambda octets, fetched: None,
        )
        with pytest.raises(EvidenceUnavailable, match="not public"):
            await source.fetch(wanted)
    with pytest.raises(EvidenceUnavailable, match="the server stops"):
        await source.fetch(wanted)
