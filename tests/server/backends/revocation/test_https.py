"""https is checked, and its failures count."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eas_server.backends.revocation.exchange import trusting
from eas_server.backends.revocation.settings import RevocationSettings
from eas_server.backends.revocation.source import FetchingSource
from eas_server.errors import ConfigError, EvidenceUnavailable
from tests.server.backends.revocation import hostile
from tests.server.backends.revocation.conftest import Names, wanted
from tests.server.backends.revocation.hostile import serving

Open = Callable[..., FetchingSource]
HOST = "pki.example.com"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for HOST that is its own root, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(certificate)
    return made


async def test_a_server_that_can_be_checked(
    opened: Open, names: Names, certificate: Path, context: ssl.SSLContext
) -> None:
    names.addresses[HOST] = [["127.0.0.1"]]
    async with serving(context) as server:
        server.answers["/x.crl"] = hostile.body(b"evidence")
        source = opened(allow_ports=(server.port,), ca_file=str(certificate))
        assert await source.fetch(wanted(server.url("/x.crl", HOST))) == b"evidence"
        assert server.asked[0].headers["host"] == f"{HOST}:{server.port}"
        await source.close()


@pytest.mark.parametrize("cause", ["nobody knows it", "another name"])
async def test_a_server_that_cannot(
    opened: Open, names: Names, certificate: Path, context: ssl.SSLContext, cause: str
) -> None:
    names.addresses[HOST] = names.addresses["other.example.com"] = [["127.0.0.1"]]
    async with serving(context) as server:
        server.answers["/x.crl"] = hostile.body(b"evidence")
        trusts = {} if cause == "nobody knows it" else {"ca_file": str(certificate)}
        source = opened(allow_ports=(server.port,), **trusts)
        host = HOST if cause == "nobody knows it" else "other.example.com"
        with pytest.raises(EvidenceUnavailable, match="no connection: its certificate does not hold") as caught:
            await source.fetch(wanted(server.url("/x.crl", host)))
        assert not caught.value.refused
        assert server.asked == []


async def test_http_where_https_was_asked_for(opened: Open, names: Names) -> None:
    names.addresses[HOST] = [["127.0.0.1"]]
    async with serving() as server:
        source = opened(allow_ports=(server.port,), connect_timeout=0.3)
        with pytest.raises(EvidenceUnavailable, match="no answer in time"):
            await source.fetch(wanted(f"https://{HOST}:{server.port}/x.crl"))
        # the failure is that of https at this port, and of nothing else
        server.answers["/x.crl"] = hostile.body(b"evidence")
        assert await source.fetch(wanted(f"http://{HOST}:{server.port}/x.crl")) == b"evidence"


async def test_a_handshake_that_hangs_has_its_time(opened: Open, names: Names) -> None:
    names.addresses[HOST] = [["127.0.0.1"]]
    leave = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await leave.wait()
        writer.close()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    source = opened(allow_ports=(port,), connect_timeout=0.2)
    with pytest.raises(EvidenceUnavailable, match="no answer in time"):
        await source.fetch(wanted(f"https://{HOST}:{port}/x.crl"))
    leave.set()
    listener.close()
    await listener.wait_closed()


def test_roots_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^revocation\.ca_file: .*roots\.pem: "):
        trusting(RevocationSettings(ca_file=str(tmp_path / "roots.pem")))
    (tmp_path / "roots.pem").write_text("no roots")
    with pytest.raises(ConfigError, match=r"^revocation\.ca_file: "):
        trusting(RevocationSettings(ca_file=str(tmp_path / "roots.pem")))
