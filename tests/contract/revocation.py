"""What every RevocationSource keeps to."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.errors import EvidenceUnavailable
from eas_server.interfaces import RevocationSource
from eas_server.model.ids import UserId
from eas_server.model.trust import EvidenceKind, Wanted

ALICE, BOB = UserId("alice@example.com"), UserId("bob@example.com")


@dataclass(frozen=True)
class Place:
    """A source, and the world that it asks."""

    source: RevocationSource
    url: Callable[[str], str]
    """The URL of a path ("/ca.crl")."""
    publish: Callable[[str, bytes], None]
    """Have octets at a path."""
    forbidden: str
    """A URL that may not be asked."""


def keep_until(octets: bytes, fetched: datetime) -> datetime | None:
    """Evidence begins with "good"; what ends in "once" is not kept."""
    assert fetched.tzinfo is UTC
    if not octets.startswith(b"good"):
        raise ValueError("no evidence")
    return None if octets.endswith(b"once") else fetched + timedelta(hours=1)


def wanted(url: str, kind: EvidenceKind = EvidenceKind.CRL, *, user: UserId = ALICE, body: bytes = b"") -> Wanted:
    """Evidence at a URL."""
    return Wanted(kind=kind, url=url, user=user, body=body, keep_until=keep_until)


class RevocationSourceContract:
    """Inherit, and give a fixture `place`."""

    @pytest.mark.parametrize("kind", EvidenceKind)
    async def test_the_octets_are_given_as_they_are(self, place: Place, kind: EvidenceKind) -> None:
        octets = b"good\x00\xff\r\n" + bytes(range(256)) * 100
        place.publish("/x", octets)
        body = b"question" if kind is EvidenceKind.OCSP else b""
        for user in (ALICE, BOB, ALICE):
            assert await place.source.fetch(wanted(place.url("/x"), kind, user=user, body=body)) == octets

    async def test_each_url_has_its_own(self, place: Place) -> None:
        for path in ("/a.crl", "/A.crl", "/a.crl?b"):
            place.publish(path, b"good " + path.encode())
        for path in ("/a.crl", "/A.crl", "/a.crl?b"):
            assert await place.source.fetch(wanted(place.url(path))) == b"good " + path.encode()

    async def test_what_may_not_be_kept_is_asked_for_each_time(self, place: Place) -> None:
        for octets in (b"good first once", b"good second once"):
            place.publish("/x", octets)
            assert await place.source.fetch(wanted(place.url("/x"))) == octets

    async def test_many_at_once(self, place: Place) -> None:
        for number in range(5):
            place.publish(f"/{number}", b"good %d" % number)
        found = await asyncio.gather(
            *(place.source.fetch(wanted(place.url(f"/{number % 5}"))) for number in range(20)),
        )
        assert found == [b"good %d" % (number % 5) for number in range(20)]

    async def test_what_is_not_there(self, place: Place) -> None:
        for _ in range(2):
            with pytest.raises(EvidenceUnavailable) as caught:
                await place.source.fetch(wanted(place.url("/nothing")))
            assert (caught.value.refused, caught.value.unreadable) == (False, False)

    async def test_what_is_no_evidence_is_not_given_out(self, place: Place) -> None:
        place.publish("/x", b"<html>")
        for _ in range(2):
            with pytest.raises(EvidenceUnavailable) as caught:
                await place.source.fetch(wanted(place.url("/x")))
            assert (caught.value.refused, caught.value.unreadable) == (False, True)

    async def test_what_is_at_hand_is_had_without_asking(self, place: Place) -> None:
        assert await place.source.kept(wanted(place.url("/nothing"))) is None
        assert await place.source.kept(wanted(place.forbidden)) is None
        place.publish("/x", b"good")
        await place.source.fetch(wanted(place.url("/x")))
        assert await place.source.kept(wanted(place.url("/x"))) == b"good"

    async def test_what_may_not_be_asked(self, place: Place) -> None:
        with pytest.raises(EvidenceUnavailable) as caught:
            await place.source.fetch(wanted(place.forbidden))
        assert (caught.value.refused, caught.value.unreadable) == (True, False)

    async def test_a_failure_says_nothing_about_others(self, place: Place) -> None:
        place.publish("/good", b"good")
        for url in (place.url("/nothing"), place.forbidden):
            with pytest.raises(EvidenceUnavailable):
                await place.source.fetch(wanted(url))
        assert await place.source.fetch(wanted(place.url("/good"))) == b"good"
