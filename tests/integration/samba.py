"""A real Active Directory for tests: a Samba domain controller in a temporary folder, one for the whole run.

A test module takes it by naming the fixture: `samba = shared_samba`. Provisioning takes seconds, so all modules and all
workers of a run share one controller, and tests change only accounts that are theirs alone. It wants root, and an
address of its own in 127.0.0.0/8, because its ports are fixed.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from eas_server.backends.ldap import LdapSettings
from eas_server.backends.ldap.connection import ldap3
from eas_server.pki.keys import KeyKind, generate_key, key_to_pem
from eas_server.pki.lab import create_root, issue_server, to_pem
from tests.conftest import REQUIRED
from tests.integration.samba_people import (
    ADMIN,
    ADMIN_PASSWORD,
    BASE,
    SERVICE,
    SERVICE_PASSWORD,
    content,
    dn,
    named,
    person,
)

SYSTEM_PATH: Final = "/usr/sbin:/usr/local/sbin:/usr/bin:/bin"
SAMBA: Final = shutil.which("samba", path=SYSTEM_PATH)
SAMBA_TOOL: Final = shutil.which("samba-tool", path=SYSTEM_PATH)
SYSTEM_PYTHON: Final = "/usr/bin/python3"
"""The one that has Samba's modules."""
REALM: Final = "AD.EXAMPLE.TEST"
DOMAIN: Final = "EXAMPLE"
LDAP_PORT: Final = 389
LDAPS_PORT: Final = 636
CATALOG_PORT: Final = 3269
START_SECONDS: Final = 180
LONGEST_SETUP: Final = 400
"""Seconds that a test may take with the making of the domain before it: a busy machine takes its time."""
STOP_SECONDS: Final = 20
LONGEST_RUN: Final = 3600
"""Seconds after which a controller ends by itself, whatever became of the tests."""
LOAD: Final = """\
import sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
parameters = LoadParm()
parameters.load(sys.argv[1])
database = SamDB(url=sys.argv[2], session_info=system_session(), lp=parameters)
database.transaction_start()
database.modify_ldif(sys.stdin.read())
database.transaction_commit()
"""
SETTINGS: Final = """
[global]
    pid directory = {home}/pid
    ncalrpc dir = {home}/ncalrpc
    log file = {home}/log.%m
    server services = ldap
    tls certfile = {home}/server.pem
    tls keyfile = {home}/server.key
    tls cafile = {home}/ca.pem
"""


@dataclass(frozen=True, slots=True)
class Samba:
    """A domain controller that is running."""

    home: Path
    address: str

    @property
    def uri(self) -> str:
        return f"ldap://{self.address}"

    @property
    def tls_uri(self) -> str:
        return f"ldaps://{self.address}"

    @property
    def catalog_uri(self) -> str:
        """The global catalog."""
        return f"ldaps://{self.address}:{CATALOG_PORT}"

    @property
    def ca_file(self) -> str:
        return str(self.home / "ca.pem")

    @property
    def other_ca_file(self) -> str:
        """A root that did not issue the controller's certificate."""
        return str(self.home / "other-ca.pem")


def settings_for(server: Samba, **changes: object) -> LdapSettings:
    """As an administrator would set it up, by LDAPS."""
    keys: dict[str, object] = {
        "uris": (server.tls_uri,),
        "base_dn": BASE,
        "bind_dn": SERVICE,
        "bind_password": SERVICE_PASSWORD,
        "ca_file": server.ca_file,
        "layout": "active-directory",
    }
    return LdapSettings(**(keys | changes))  # type: ignore[arg-type]


def add_person(server: Samba, local: str) -> str:
    """Somebody new, without a password; the answer is the address."""
    address = f"{local}@example.com"
    values: dict[str, list[str | bytes]] = {}
    for name, value in person(named(local, local)):
        if name not in {"dn", "changetype"}:
            values.setdefault(name, []).append(value)
    connection = ldap3.Connection(
        ldap3.Server(server.tls_uri, get_info=ldap3.NONE), ADMIN, ADMIN_PASSWORD, auto_bind=True, check_names=False
    )
    try:
        if not connection.add(dn(address), attributes=values):
            raise RuntimeError(f"{address}: {connection.result}")
    finally:
        connection.unbind()
    return address


def provision(home: Path, address: str) -> None:
    """A domain with its controller and the people of the tests."""
    home.mkdir(parents=True)
    command = [
        *(SAMBA_TOOL or "", "domain", "provision", f"--realm={REALM}", f"--domain={DOMAIN}", "--server-role=dc"),
        *("--dns-backend=NONE", f"--adminpass={ADMIN_PASSWORD}", f"--targetdir={home}", f"--host-ip={address}"),
        *("--host-name=dc1", f"--option=interfaces={address}/8", "--option=bind interfaces only=yes"),
        "--option=vfs objects=dfs_samba4 acl_xattr",
    ]
    _run(command)
    for name in ("pid", "ncalrpc"):
        (home / name).mkdir()
    _certificates(home, address)
    config = home / "etc" / "smb.conf"
    config.write_text(config.read_text() + SETTINGS.format(home=home))
    _run([SYSTEM_PYTHON, "-c", LOAD, config, home / "private" / "sam.ldb"], content())


def _run(command: Sequence[str | Path], text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=START_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}")


def _certificates(home: Path, address: str) -> None:
    """Samba's own certificate has no subjectAltName, which no client of today takes."""
    span = {"not_before": datetime(2020, 1, 1, tzinfo=UTC), "not_after": datetime(2120, 1, 1, tzinfo=UTC)}
    key = generate_key(KeyKind.EC_P256)
    root = create_root("Active Directory test root", key=generate_key(KeyKind.EC_P256), serial=1, **span)
    other = create_root("Another root", key=generate_key(KeyKind.EC_P256), serial=1, **span)
    server = issue_server(root, hosts=[address], public_key=key.public_key(), serial=2, **span)
    (home / "ca.pem").write_bytes(to_pem(root.certificate))
    (home / "other-ca.pem").write_bytes(to_pem(other.certificate))
    (home / "server.pem").write_bytes(to_pem(server))
    (home / "server.key").write_bytes(key_to_pem(key))
    (home / "server.key").chmod(0o600)  # Samba refuses it otherwise


def start(home: Path, address: str) -> None:
    """Wait until it answers; it leads a process group of its own, whose id is in its pid file."""
    _run([SAMBA or "", "-D", "-s", home / "etc" / "smb.conf", f"--maximum-runtime={LONGEST_RUN}"])
    deadline = time.monotonic() + START_SECONDS
    while not all(_answers(address, port) for port in (LDAP_PORT, LDAPS_PORT, CATALOG_PORT)):
        if time.monotonic() > deadline:
            stop(home)
            logs = "\n".join(log.read_text(errors="replace")[-2000:] for log in home.glob("log.*"))
            raise RuntimeError(f"samba does not start: {logs}")
        time.sleep(0.1)


def stop(home: Path) -> None:
    """End the controller, with all processes of its group."""
    with suppress(FileNotFoundError, ProcessLookupError):
        group = int((home / "pid" / "samba.pid").read_text())
        os.killpg(group, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)


def _answers(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


def _free_address() -> str:
    for last in range(1, 255):
        with suppress(OSError), socket.socket() as probe:
            probe.bind((address := f"127.77.{last}.1", LDAP_PORT))
            return address
    raise RuntimeError("no address of 127.77.0.0/16 is free")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _enter(folder: Path) -> Samba:
    """Take part in the controller of this run; whoever comes first starts it."""
    users, where = folder / "users", folder / "address"
    with _locked(folder):
        count = int(users.read_text()) if users.exists() else 0
        if not where.exists():
            where.write_text(_free_address())
            provision(folder / "home", where.read_text())
        if count == 0:
            start(folder / "home", where.read_text())
        users.write_text(str(count + 1))
        return Samba(folder / "home", where.read_text())


def _leave(folder: Path) -> None:
    """Whoever goes last stops it."""
    with _locked(folder):
        count = int((folder / "users").read_text()) - 1
        (folder / "users").write_text(str(count))
        if count == 0:
            stop(folder / "home")


def _obstacle() -> str:
    if SAMBA is None or SAMBA_TOOL is None:
        return "samba is not installed as a domain controller (Debian packages samba-ad-dc, samba-ad-provision)"
    return "" if os.geteuid() == 0 else "a domain controller needs root"


@pytest.fixture(scope="session", name="samba")
def shared_samba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    """The domain controller of this run, with the people of `samba_people.py`."""
    if obstacle := _obstacle():
        (pytest.fail if REQUIRED else pytest.skip)(obstacle)
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "samba"
    controller = _enter(folder)
    yield controller
    _leave(folder)


__all__ = ["BASE", "DOMAIN", "LONGEST_SETUP", "REALM", "Samba", "add_person", "settings_for", "shared_samba"]
