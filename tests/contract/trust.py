"""What every TrustStore keeps to."""

from collections.abc import Awaitable, Callable, Sequence

from eas_server.interfaces import TrustStore
from eas_server.model.trust import TrustCollection

Trusting = Callable[[Sequence[TrustCollection]], Awaitable[TrustStore]]

ROOT, OTHER_ROOT, BETWEEN = b"0\x03root", b"0\x03other", b"0\x03between"
EVERYBODY = TrustCollection(name="", roots=(ROOT,), intermediates=(BETWEEN,))
OWN = TrustCollection(name="example.com", roots=(OTHER_ROOT, ROOT))
WITHOUT_ROOTS = TrustCollection(name="example.org", intermediates=(BETWEEN,))


class TrustStoreContract:
    """Inherit, and give a fixture `trusting`, which makes a store that holds collections."""

    async def test_nothing_is_trusted_at_first(self, trusting: Trusting) -> None:
        store = await trusting([])
        assert await store.collection("example.com") == TrustCollection(name="")
        assert list(await store.collections()) == []

    async def test_a_domain_without_one_has_that_of_all(self, trusting: Trusting) -> None:
        store = await trusting([EVERYBODY, OWN])
        for domain in ("example.net", "", "sub.example.com"):
            assert await store.collection(domain) == EVERYBODY

    async def test_a_collection_of_a_domain_stands_alone(self, trusting: Trusting) -> None:
        store = await trusting([EVERYBODY, OWN, WITHOUT_ROOTS])
        found = await store.collection("example.com")
        assert (found.name, set(found.roots), found.intermediates) == ("example.com", {ROOT, OTHER_ROOT}, ())
        assert await store.collection("example.org") == WITHOUT_ROOTS

    async def test_domains_have_no_case(self, trusting: Trusting) -> None:
        store = await trusting([OWN])
        assert (await store.collection("Example.COM")).name == "example.com"

    async def test_a_domain_without_one_trusts_nobody_where_there_is_none_for_all(self, trusting: Trusting) -> None:
        assert await (await trusting([OWN])).collection("example.net") == TrustCollection(name="")

    async def test_all_by_name(self, trusting: Trusting) -> None:
        store = await trusting([WITHOUT_ROOTS, OWN, EVERYBODY])
        assert [each.name for each in await store.collections()] == ["", "example.com", "example.org"]
