"""What every HarvestedCertificates keeps to."""

from dataclasses import replace
from datetime import timedelta

from eas_server.model.certificates import MAX_HARVESTED_OF_ADDRESS, Harvested
from eas_server.model.ids import UserId
from tests.contract.samples import ALICE, BOB, NOW, AnyStore

DAY = timedelta(days=1)
DAVE = "dave@example.org"


def seen(certificate: bytes = b"one", *, user: UserId = ALICE, address: str = DAVE, day: int = 0) -> Harvested:
    when = NOW + day * DAY
    return Harvested(user=user, address=address, certificate=certificate, first_seen=when, last_seen=when)


class HarvestedContract:
    """Inherit, and give a fixture `store`."""

    async def test_nothing_is_known_at_first(self, store: AnyStore) -> None:
        assert list(await store.harvested.known(ALICE, [DAVE])) == []
        assert list(await store.harvested.known(None, [DAVE])) == []
        assert list(await store.harvested.disputed()) == []

    async def test_it_is_known_to_its_user_and_among_everybodys(self, store: AnyStore) -> None:
        own, other = replace(seen(), chain=(b"a", b"b")), seen(b"two", user=BOB, day=1)
        for each in (own, other, seen(address="erin@example.org")):
            await store.harvested.keep(each)
        assert list(await store.harvested.known(ALICE, [DAVE])) == [own]
        assert list(await store.harvested.known(BOB, ["nobody@example.org", DAVE])) == [other]
        assert list(await store.harvested.known(None, [DAVE, DAVE])) == [other, own]
        assert list(await store.harvested.known(None, [])) == []

    async def test_one_that_is_seen_again_keeps_when_it_was_seen_first(self, store: AnyStore) -> None:
        await store.harvested.keep(replace(seen(), disputed=True))
        await store.harvested.keep(replace(seen(day=3), chain=(b"c",)))
        (found,) = await store.harvested.known(ALICE, [DAVE])
        assert (found.first_seen, found.last_seen) == (NOW, NOW + 3 * DAY)
        assert (found.disputed, found.chain) == (False, (b"c",))

    async def test_those_seen_least_lately_go(self, store: AnyStore) -> None:
        for number in range(MAX_HARVESTED_OF_ADDRESS + 2):
            await store.harvested.keep(seen(bytes([number]), day=number))
        found = await store.harvested.known(ALICE, [DAVE])
        assert [each.certificate for each in found] == [bytes([n]) for n in range(MAX_HARVESTED_OF_ADDRESS + 1, 1, -1)]

    async def test_one_is_forgotten_everywhere(self, store: AnyStore) -> None:
        for each in (seen(), seen(user=BOB), seen(b"two")):
            await store.harvested.keep(each)
        assert await store.harvested.forget(seen().fingerprint) == 2
        assert await store.harvested.forget(seen().fingerprint) == 0
        assert [each.certificate for each in await store.harvested.known(None, [DAVE])] == [b"two"]

    async def test_the_disputed_are_listed_by_address(self, store: AnyStore) -> None:
        disputed = [replace(seen(address=address), disputed=True) for address in ("b@example.org", "a@example.org")]
        for each in (*disputed, seen(b"two")):
            await store.harvested.keep(each)
        assert list(await store.harvested.disputed()) == disputed[::-1]

    async def test_nothing_is_kept_of_strangers(self, store: AnyStore) -> None:
        await store.harvested.keep(seen(user=UserId("nobody@example.com")))
        assert list(await store.harvested.known(None, [DAVE])) == []
