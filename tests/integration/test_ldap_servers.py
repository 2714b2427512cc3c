"""LdapPool against real servers: encryption, failures, fail-over."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eas_server.backends.ldap import LdapDirectory, LdapPool, LdapSettings
from eas_server.errors import DirectoryUnavailable
from tests.integration.slapd import (
    BASE,
    SERVICE_DN,
    SERVICE_PASSWORD,
    Slapd,
    free_port,
    private_slapd,
    shared_slapd,
    start_slapd,
)

slapd = shared_slapd
own_slapd = private_slapd
pytestmark = pytest.mark.integration("slapd")

RETRY = 30.0


class Watch:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def directory_of(
    *uris: str, watch: Watch | None = None, password: str = SERVICE_PASSWORD, **changes: object
) -> AsyncIterator[LdapDirectory]:
    keys: dict[str, object] = {
        "uris": uris,
        "base_dn": BASE,
        "bind_dn": SERVICE_DN,
        "bind_password": password,
        "retry_after": RETRY,
    }
    pool = LdapPool(LdapSettings(**(keys | changes)), monotonic=watch or Watch())  # type: ignore[arg-type]
    try:
        yield LdapDirectory(pool)
    finally:
        await pool.close()


async def finds_alice(directory: LdapDirectory) -> bool:
    return (await directory.resolve("alice@example.com", 1)).total == 1


async def test_ldaps_with_the_right_authority(slapd: Slapd) -> None:
    async with directory_of(slapd.tls_uri, ca_file=slapd.ca_file) as directory:
        assert await finds_alice(directory)
        assert await finds_alice(directory)


async def test_start_tls_with_the_right_authority(slapd: Slapd) -> None:
    async with directory_of(slapd.uri, ca_file=slapd.ca_file, start_tls=True) as directory:
        assert await finds_alice(directory)


@pytest.mark.parametrize("start_tls", [True, False])
async def test_another_authority(slapd: Slapd, start_tls: bool) -> None:
    uri = slapd.uri if start_tls else slapd.tls_uri
    async with directory_of(uri, ca_file=slapd.other_ca_file, start_tls=start_tls) as directory:
        with pytest.raises(DirectoryUnavailable, match=r"certificate verify failed"):
            await finds_alice(directory)


@pytest.fixture(scope="module")
def misnamed_slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    server = start_slapd(tmp_path_factory.mktemp("misnamed") / "home", certified_host="ldap.example.com")
    yield server
    server.stop()


@pytest.mark.parametrize("start_tls", [True, False])
async def test_another_name(misnamed_slapd: Slapd, start_tls: bool) -> None:
    uri = misnamed_slapd.uri if start_tls else misnamed_slapd.tls_uri
    async with directory_of(uri, ca_file=misnamed_slapd.ca_file, start_tls=start_tls) as directory:
        with pytest.raises(DirectoryUnavailable, match="is not valid for"):
            await finds_alice(directory)


async def test_without_verification(slapd: Slapd) -> None:
    async with directory_of(slapd.tls_uri, verify=False) as directory:
        assert await finds_alice(directory)


@pytest.fixture(scope="module")
def plain_slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    server = start_slapd(tmp_path_factory.mktemp("plain") / "home", tls=False)
    yield server
    server.stop()


async def test_a_server_without_start_tls_never_sees_the_password(plain_slapd: Slapd) -> None:
    async with directory_of(plain_slapd.uri, ca_file=plain_slapd.ca_file, start_tls=True) as directory:
        with pytest.raises(DirectoryUnavailable):
            await finds_alice(directory)


async def test_the_servers_own_password_is_wrong(slapd: Slapd) -> None:
    async with directory_of(slapd.uri, password="wrong") as directory:
        with pytest.raises(DirectoryUnavailable, match="refuses bind_dn"):
            await finds_alice(directory)
        # No second attempt at once, that could lock the account.
        with pytest.raises(DirectoryUnavailable, match="a moment ago"):
            await finds_alice(directory)


async def test_the_password_comes_from_a_file(slapd: Slapd, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SERVICE_PASSWORD + "\n")
    async with directory_of(slapd.uri, password="", bind_password_file=str(secret)) as directory:
        assert await finds_alice(directory)


async def test_the_base_does_not_exist(slapd: Slapd) -> None:
    async with directory_of(slapd.uri, base_dn="dc=example,dc=org") as directory:
        with pytest.raises(DirectoryUnavailable, match=r"noSuchObject|referral"):
            await finds_alice(directory)


async def test_a_server_stops_and_comes_back(own_slapd: Slapd) -> None:
    watch = Watch()
    async with directory_of(own_slapd.uri, watch=watch) as directory:
        assert await finds_alice(directory)
        own_slapd.stop()
        with pytest.raises(DirectoryUnavailable, match=r"refused|terminated"):
            await finds_alice(directory)
        own_slapd.start()
        with pytest.raises(DirectoryUnavailable, match="a moment ago"):
            await finds_alice(directory)
        watch.now += RETRY
        assert await finds_alice(directory)


async def test_a_restart_between_two_requests_is_not_noticed(own_slapd: Slapd) -> None:
    async with directory_of(own_slapd.uri) as directory:
        assert await finds_alice(directory)
        own_slapd.stop()
        own_slapd.start()
        assert await finds_alice(directory)


async def test_connections_are_used_again_but_not_old_ones(slapd: Slapd, monkeypatch: pytest.MonkeyPatch) -> None:
    from eas_server.backends.ldap import pool as module

    opened: list[str] = []

    class Counted(module.LdapConnection):
        def open(self) -> None:
            opened.append(self.uri)
            super().open()

    monkeypatch.setattr(module, "LdapConnection", Counted)
    watch = Watch()
    async with directory_of(slapd.uri, watch=watch) as directory:
        assert await finds_alice(directory)
        assert await finds_alice(directory)
        assert len(opened) == 1
        watch.now += module.IDLE_LIMIT + 1
        assert await finds_alice(directory)
        assert len(opened) == 2


async def test_the_next_server_answers(own_slapd: Slapd, slapd: Slapd, caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch()
    async with directory_of(own_slapd.uri, slapd.uri, watch=watch) as directory:
        own_slapd.stop()
        assert await finds_alice(directory)
        assert await finds_alice(directory)
        # The dead one was tried once.
        assert [own_slapd.uri in record.getMessage() for record in caplog.records] == [True]
        own_slapd.start()
        watch.now += RETRY
        assert await finds_alice(directory)
        assert directory._pool._servers[0].idle


async def test_nobody_listens() -> None:
    async with directory_of(f"ldap://127.0.0.1:{free_port()}") as directory:
        with pytest.raises(DirectoryUnavailable):
            await finds_alice(directory)
