"""LdapPool against a real Active Directory: encryption, the global catalog, referrals, fail-over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from eas_server.backends.ldap import LdapDirectory, LdapPool
from eas_server.errors import DirectoryUnavailable
from tests.integration.proxy import Proxy, proxied
from tests.integration.samba import BASE, LDAPS_PORT, LONGEST_SETUP, Samba, settings_for, shared_samba
from tests.integration.samba_people import BIG, PICTURE, SERVICE, group_dn

samba = shared_samba
pytestmark = [pytest.mark.integration("samba", "samba-tool"), pytest.mark.timeout(LONGEST_SETUP)]

RETRY = 30.0


class Watch:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def pool_of(server: Samba, *uris: str, watch: Watch | None = None, **changes: object) -> AsyncIterator[LdapPool]:
    keys: dict[str, object] = {"uris": uris, "retry_after": RETRY} | changes
    pool = LdapPool(settings_for(server, **keys), monotonic=watch or Watch())
    try:
        yield pool
    finally:
        await pool.close()


async def finds_alice(pool: LdapPool) -> bool:
    return (await LdapDirectory(pool).resolve("alice@example.com", 1)).total == 1


@pytest.mark.parametrize("start_tls", [True, False], ids=["StartTLS", "LDAPS"])
async def test_the_right_authority(samba: Samba, start_tls: bool) -> None:
    async with pool_of(samba, samba.uri if start_tls else samba.tls_uri, start_tls=start_tls) as pool:
        assert await finds_alice(pool)
        assert await finds_alice(pool)


@pytest.mark.parametrize("start_tls", [True, False], ids=["StartTLS", "LDAPS"])
async def test_another_authority(samba: Samba, start_tls: bool) -> None:
    uri = samba.uri if start_tls else samba.tls_uri
    async with pool_of(samba, uri, start_tls=start_tls, ca_file=samba.other_ca_file) as pool:
        with pytest.raises(DirectoryUnavailable, match=r"certificate verify failed"):
            await finds_alice(pool)


async def test_another_name(samba: Samba) -> None:
    async with proxied(samba.address, LDAPS_PORT) as proxy, pool_of(samba, f"ldaps://127.0.0.1:{proxy.port}") as pool:
        with pytest.raises(DirectoryUnavailable, match="is not valid for"):
            await finds_alice(pool)


async def test_a_controller_wants_encryption(samba: Samba) -> None:
    """It refuses passwords in the clear (strongerAuthRequired), after they were sent: so use ldaps:// or start_tls."""
    async with pool_of(samba, samba.uri) as pool:
        with pytest.raises(DirectoryUnavailable, match="strongerAuthRequired"):
            await finds_alice(pool)


async def test_the_global_catalog(samba: Samba) -> None:
    """Photos are in it, and certificates."""
    async with pool_of(samba, samba.catalog_uri) as pool:
        (alice,) = (await LdapDirectory(pool).resolve("alice@example.com", 1)).entries
    assert alice.picture == PICTURE
    assert (len(alice.user_certificates), len(alice.smime_certificates)) == (1, 1)


async def test_referrals_are_not_followed(samba: Samba) -> None:
    """A search below the domain's root answers with references to other partitions; nobody asks their hosts."""
    async with pool_of(samba, samba.tls_uri) as pool:
        found = await pool.run(lambda connection: connection.search("(sAMAccountName=alice)", ("mail",)))
        assert [raw.text(("mail",)) for raw in found.entries] == ["alice@example.com"]
    async with pool_of(samba, samba.tls_uri, base_dn="DC=other,DC=example,DC=test") as pool:
        with pytest.raises(DirectoryUnavailable, match=r"referral|noSuchObject"):
            await finds_alice(pool)


@pytest.mark.parametrize("step", [1500, 700])
async def test_values_in_ranges(samba: Samba, step: int) -> None:
    """Samba gives all values unless a range is asked for; Microsoft's own gives 1,500 at a time to whoever asks."""
    async with pool_of(samba, samba.tls_uri) as pool:
        attributes = ("mail", f"member;range=0-{step - 1}")
        found = await pool.run(lambda connection: connection.search("(sAMAccountName=group-big)", attributes))
    (group,) = found.entries
    assert group.dn == group_dn("big@example.com")
    assert len(group.texts(("member",))) == BIG


@pytest.mark.parametrize("query", ["alice", "gone", "liddell", "gone dis", "x@example.org", "team"])
async def test_what_ambiguous_name_resolution_of_the_controller_finds_is_found(samba: Samba, query: str) -> None:
    """`(anr=…)` looks at fewer attributes than we do, and takes words of a full name only in two orders."""
    async with pool_of(samba, samba.tls_uri) as pool:
        theirs = await pool.run(lambda connection: connection.search(f"(&(mail=*)(anr={query}))", ("mail",)))
        ours = await LdapDirectory(pool).search(query, 0, 100)
    assert {raw.text(("mail",)) for raw in theirs.entries} <= {entry.email for entry in ours.entries}


@asynccontextmanager
async def two_ways(samba: Samba, **changes: object) -> AsyncIterator[tuple[Proxy, Proxy, LdapPool, Watch]]:
    """One controller behind two proxies, as two controllers of a domain. Their names differ from the certificate's."""
    watch = Watch()
    async with proxied(samba.address, LDAPS_PORT) as first, proxied(samba.address, LDAPS_PORT) as second:
        uris = [f"ldaps://127.0.0.1:{proxy.port}" for proxy in (first, second)]
        async with pool_of(samba, *uris, watch=watch, verify=False, **changes) as pool:
            yield first, second, pool, watch


async def test_the_second_controller_takes_over_and_the_first_comes_back(samba: Samba) -> None:
    async with two_ways(samba) as (first, second, pool, watch):
        assert await finds_alice(pool)
        assert (first.connections, second.connections) == (1, 0)
        await first.cut()
        assert await finds_alice(pool)
        assert await finds_alice(pool)
        assert (first.connections, second.connections) == (1, 1)
        await first.start()
        watch.now += RETRY
        assert await finds_alice(pool)
        assert (first.connections, second.connections) == (2, 1)


async def test_a_connection_that_broke_is_made_anew(samba: Samba) -> None:
    async with two_ways(samba) as (first, second, pool, _watch):
        assert await finds_alice(pool)
        await first.cut()
        await first.start()
        assert await finds_alice(pool)
        assert (first.connections, second.connections) == (2, 0)


async def test_no_controller_is_left(samba: Samba) -> None:
    async with two_ways(samba) as (first, second, pool, watch):
        assert await finds_alice(pool)
        await first.cut()
        await second.cut()
        with pytest.raises(DirectoryUnavailable, match=r"refused|terminated"):
            await finds_alice(pool)
        with pytest.raises(DirectoryUnavailable, match="a moment ago"):
            await finds_alice(pool)
        await second.start()
        watch.now += RETRY
        assert await finds_alice(pool)


async def test_a_controller_that_hangs_gives_way_to_the_next(samba: Samba) -> None:
    async with two_ways(samba, connect_timeout=2.0) as (first, second, pool, _watch):
        first.hang()
        assert await finds_alice(pool)
        assert second.connections == 1


async def test_others_go_on_while_all_controllers_hang(samba: Samba) -> None:
    """The event loop is free, and who asks is told in time."""
    patience = {"operation_timeout": 2.0, "connect_timeout": 2.0, "receive_timeout": 30.0}
    async with two_ways(samba, **patience) as (first, second, pool, _watch):
        assert await finds_alice(pool)
        first.hang()
        second.hang()
        asked = [asyncio.create_task(finds_alice(pool)) for _ in range(20)]
        turns = 0
        while not all(task.done() for task in asked):
            await asyncio.sleep(0.01)
            turns += 1
        assert turns > len(asked) // 2
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(each) for each in outcomes} == {DirectoryUnavailable}
    assert SERVICE not in str(outcomes)
    assert BASE not in str(outcomes)
