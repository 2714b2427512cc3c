"""The roots of the operating system, behind those of the administrator."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from eas_server.backends import system_trust
from eas_server.backends.memory.trust import MemoryTrust
from eas_server.backends.system_trust import SystemTrust, check_bundle, read_bundle, system_bundle
from eas_server.errors import ConfigError
from eas_server.interfaces import TrustStore
from eas_server.model.settings import SmimeSettings
from eas_server.model.trust import TrustCollection
from eas_server.pki.lab import to_pem
from tests.contract.trust import Trusting, TrustStoreContract
from tests.server.pki.making import Entity, authority

A, B = authority("A Root"), authority("B Root")
BETWEEN = authority("Issuing", A)
OWN = TrustCollection(name="example.com", roots=(A.der,), intermediates=(BETWEEN.der,))


def write(path: Path, *entities: Entity, more: bytes = b"") -> None:
    path.write_bytes(b"# A bundle\n" + b"".join(to_pem(each.der) for each in entities) + more)
    stamp = path.stat().st_mtime_ns + len(entities) * 10**9
    os.utime(path, ns=(stamp, stamp))


def over(bundle: Path, *collections: TrustCollection, on: bool = True) -> SystemTrust:
    settings = SmimeSettings(system_trust=on, system_trust_file=str(bundle))
    return SystemTrust(MemoryTrust(collections), lambda: settings, look_seconds=0)


class TestWithoutTheSystem(TrustStoreContract):
    @pytest.fixture
    def trusting(self) -> Trusting:
        async def make(collections: Sequence[TrustCollection]) -> TrustStore:
            return SystemTrust(MemoryTrust(collections), SmimeSettings)

        return make


class TestWithAnEmptyBundle(TrustStoreContract):
    @pytest.fixture
    def trusting(self, tmp_path: Path) -> Trusting:
        async def make(collections: Sequence[TrustCollection]) -> TrustStore:
            return over(tmp_path / "none.pem", *collections)

        return make


async def test_off_it_adds_nothing(tmp_path: Path) -> None:
    write(tmp_path / "ca.pem", A, B)
    store = over(tmp_path / "ca.pem", OWN, on=False)
    assert await store.collection("example.com") == OWN
    assert await store.collections() == [OWN]


async def test_it_stands_behind_the_collections(tmp_path: Path) -> None:
    write(tmp_path / "ca.pem", B, A, BETWEEN)
    store = over(tmp_path / "ca.pem", OWN)
    assert (await store.collection("example.com")).roots == (A.der, B.der)
    assert (await store.collection("example.com")).intermediates == (BETWEEN.der,)
    assert await store.collection("example.net") == TrustCollection(name="", roots=(B.der, A.der))
    assert [each.name for each in await store.collections()] == ["", "example.com"]


async def test_it_is_the_same_as_long_as_nothing_changes(tmp_path: Path) -> None:
    write(tmp_path / "ca.pem", A, B)
    settings = SmimeSettings(system_trust=True, system_trust_file=str(tmp_path / "ca.pem"))
    store = SystemTrust(MemoryTrust([OWN]), lambda: settings)
    before = await store.collection("example.com")
    (tmp_path / "ca.pem").unlink()
    assert await store.collection("example.com") is before


async def test_it_is_switched_while_the_server_runs(tmp_path: Path) -> None:
    write(tmp_path / "a.pem", A)
    write(tmp_path / "b.pem", B)
    settings = [SmimeSettings(system_trust=on, system_trust_file=str(tmp_path / f"{name}.pem")) for on, name in
                ((False, "a"), (True, "a"), (True, "b"), (False, "b"), (True, "a"))]  # fmt: skip
    store = SystemTrust(MemoryTrust(), lambda: settings[0])
    found = []
    while settings:
        found.append((await store.collection("")).roots)
        settings.pop(0)
    assert found == [(), (A.der,), (B.der,), (), (A.der,)]


def test_a_start_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "ca.pem"
    check_bundle(SmimeSettings(system_trust_file=str(bundle)))
    with pytest.raises(ConfigError, match="cannot be read"):
        check_bundle(SmimeSettings(system_trust=True, system_trust_file=str(bundle)))
    write(bundle, A)
    check_bundle(SmimeSettings(system_trust=True, system_trust_file=str(bundle)))
    monkeypatch.setattr(system_trust, "USUAL_PLACES", ())
    with pytest.raises(ConfigError, match="name it in system_trust_file"):
        check_bundle(SmimeSettings(system_trust=True))


async def test_what_is_an_intermediate_here_is_no_root_by_the_system(tmp_path: Path) -> None:
    write(tmp_path / "ca.pem", A)
    demoted = TrustCollection(name="", intermediates=(A.der,))
    assert await over(tmp_path / "ca.pem", demoted).collection("") == demoted


async def test_a_changed_bundle_is_read_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundle = tmp_path / "ca.pem"
    store = over(bundle)
    with caplog.at_level(logging.WARNING):
        assert (await store.collection("")).roots == ()
        assert (await store.collection("")).roots == ()
    assert len(caplog.records) == 1
    write(bundle, A)
    assert (await store.collection("")).roots == (A.der,)
    write(bundle, A, B)
    assert (await store.collection("")).roots == (A.der, B.der)
    bundle.write_bytes(b"nothing")
    assert (await store.collection("")).roots == ()


def test_one_broken_certificate_does_not_spoil_the_rest(tmp_path: Path) -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
    write(tmp_path / "ca.pem", A, more=broken + to_pem(B.der) + to_pem(B.der))
    assert read_bundle(tmp_path / "ca.pem").roots == (A.der, B.der)


def test_a_huge_bundle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_trust, "MAX_BUNDLE", 100)
    write(tmp_path / "ca.pem", A)
    with pytest.raises(ValueError, match="more than 100"):
        read_bundle(tmp_path / "ca.pem")


def test_the_usual_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = (str(tmp_path / "none.pem"), str(tmp_path / "ca.pem"))
    monkeypatch.setattr(system_trust, "USUAL_PLACES", places)
    assert system_bundle(SmimeSettings()) is None
    write(tmp_path / "ca.pem", A)
    assert system_bundle(SmimeSettings()) == tmp_path / "ca.pem"
    assert system_bundle(SmimeSettings(system_trust_file="/x.pem")) == Path("/x.pem")
