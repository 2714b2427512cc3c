"""A real OpenLDAP for a test: its own slapd with its own database on free ports of the loopback.

A test module takes a fixture by naming it: `slapd = shared_slapd`, `own_slapd = private_slapd`.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from eas_server.pki.keys import KeyKind, generate_key, key_to_pem
from eas_server.pki.lab import create_root, issue_server, to_pem

SLAPD: Final = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/libexec")
SLAPADD: Final = shutil.which("slapadd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
SCHEMAS: Final = Path("/etc/ldap/schema")
MODULES: Final = Path("/usr/lib/ldap")
LOOPBACK: Final = "127.0.0.1"
BASE: Final = "dc=example,dc=com"
SERVICE_DN: Final = f"cn=eas,{BASE}"
SERVICE_PASSWORD: Final = "service-secret"
PEOPLE: Final = Path(__file__).parents[2] / "fixtures" / "directory" / "people.ldif"
TLS_CONFIG: Final = """\
TLSCertificateFile {home}/server.pem
TLSCertificateKeyFile {home}/server.key
TLSCACertificateFile {home}/ca.pem
"""
START_SECONDS: Final = 20
STOP_SECONDS: Final = 10

CONFIG: Final = """\
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
include {schemas}/nis.schema
modulepath {modules}
moduleload back_mdb
pidfile {home}/slapd.pid
{extra}
database mdb
maxsize 67108864
suffix "{base}"
rootdn "cn=root,{base}"
directory {home}/db
index objectClass eq
index mail,uid,cn,sn,givenName,displayName eq,sub
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous auth
"""


class Slapd:
    """A slapd that can be stopped and started again on the same ports with the same content."""

    def __init__(
        self, home: Path, ldif: str, *, extra: str = "", tls: bool = True, certified_host: str = LOOPBACK
    ) -> None:
        self.home = home
        self.tls = tls
        (home / "db").mkdir(parents=True)
        self._certificates(certified_host)
        config = CONFIG.format(schemas=SCHEMAS, modules=MODULES, home=home, base=BASE, extra=extra)
        if tls:
            config = TLS_CONFIG.format(home=home) + config
        (home / "slapd.conf").write_text(config)
        (home / "content.ldif").write_text(ldif)
        subprocess.run(
            [SLAPADD or "", "-q", "-f", home / "slapd.conf", "-l", home / "content.ldif"],
            check=True,
            capture_output=True,
        )
        self.port, self.tls_port = free_port(), free_port()
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_uri(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    @property
    def ca_file(self) -> str:
        return str(self.home / "ca.pem")

    @property
    def other_ca_file(self) -> str:
        """A root that did not issue the server's certificate."""
        return str(self.home / "other-ca.pem")

    def start(self) -> None:
        listeners = [self.uri, self.tls_uri] if self.tls else [self.uri]
        log = (self.home / "slapd.log").open("ab")
        with log:
            self._running = subprocess.Popen(
                [SLAPD or "", "-d", "0", "-h", " ".join(listeners), "-f", self.home / "slapd.conf"],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not (answers(self.port) and (answers(self.tls_port) or not self.tls)):
            if self._running.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"slapd does not start: {(self.home / 'slapd.log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        running.terminate()
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()

    def _certificates(self, host: str) -> None:
        span = {"not_before": datetime(2020, 1, 1, tzinfo=UTC), "not_after": datetime(2120, 1, 1, tzinfo=UTC)}
        key = generate_key(KeyKind.EC_P256)
        root = create_root("Directory test root", key=generate_key(KeyKind.EC_P256), serial=1, **span)
        other = create_root("Another root", key=generate_key(KeyKind.EC_P256), serial=1, **span)
        server = issue_server(root, hosts=[host], public_key=key.public_key(), serial=2, **span)
        (self.home / "ca.pem").write_bytes(to_pem(root.certificate))
        (self.home / "other-ca.pem").write_bytes(to_pem(other.certificate))
        (self.home / "server.pem").write_bytes(to_pem(server))
        (self.home / "server.key").write_bytes(key_to_pem(key))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def start_slapd(
    home: Path, ldif: str | None = None, *, extra: str = "", tls: bool = True, certified_host: str = LOOPBACK
) -> Slapd:
    """A running slapd with the entries of an LDIF (the people of the fixtures); whoever starts it stops it."""
    if SLAPD is None or SLAPADD is None or not SCHEMAS.is_dir():
        pytest.skip("slapd is not installed (Debian package slapd)")
    content = PEOPLE.read_text(encoding="ascii") if ldif is None else ldif
    server = Slapd(home, content, extra=extra, tls=tls, certified_host=certified_host)
    server.start()
    return server


@pytest.fixture(scope="module", name="slapd")
def shared_slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """A slapd with the people of the fixtures, for a whole module: tests leave it as it is."""
    server = start_slapd(tmp_path_factory.mktemp("slapd") / "home")
    yield server
    server.stop()


@pytest.fixture(name="own_slapd")
def private_slapd(tmp_path: Path) -> Iterator[Slapd]:
    """A slapd that one test may stop and start."""
    server = start_slapd(tmp_path / "home")
    yield server
    server.stop()
