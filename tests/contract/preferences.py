"""What every Preferences keeps to."""

from dataclasses import replace
from datetime import timedelta

import pytest

from eas_server.errors import NoSuchFolder
from eas_server.model.ids import UserId
from eas_server.model.preferences import (
    AutomaticReply,
    CalendarRight,
    CalendarRights,
    Delegates,
    OofState,
    OutOfOffice,
)
from tests.contract.samples import ALICE, BOB, NOW, AnyStore

DAY = timedelta(days=1)


class PreferencesContract:
    """Inherit, and give a fixture `store`."""

    async def test_a_record_has_a_value_from_the_start(self, store: AnyStore) -> None:
        assert await store.preferences.preference(ALICE, CalendarRights) == CalendarRights()
        assert await store.preferences.preference(UserId("nobody@example.com"), Delegates) == Delegates()

    async def test_a_record_is_kept_for_its_user_and_kind(self, store: AnyStore) -> None:
        wanted = CalendarRights(default=CalendarRight.NONE, others={BOB: CalendarRight.READ})
        assert await store.preferences.change_preference(ALICE, CalendarRights, lambda _: wanted) == wanted
        assert await store.preferences.preference(ALICE, CalendarRights) == wanted
        assert await store.preferences.preference(BOB, CalendarRights) == CalendarRights()
        assert await store.preferences.preference(ALICE, Delegates) == Delegates()

    async def test_a_change_is_made_of_what_is_stored(self, store: AnyStore) -> None:
        for user in (BOB, UserId("carol@example.com")):
            await store.preferences.change_preference(
                ALICE, Delegates, lambda stored, user=user: replace(stored, users=(*stored.users, user))
            )
        found = await store.preferences.preference(ALICE, Delegates)
        assert found.users == (BOB, "carol@example.com")

    async def test_what_a_change_raises_is_raised_and_nothing_is_stored(self, store: AnyStore) -> None:
        def refuse(_: Delegates) -> Delegates:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await store.preferences.change_preference(ALICE, Delegates, refuse)
        assert await store.preferences.preference(ALICE, Delegates) == Delegates()

    async def test_nothing_is_kept_of_strangers(self, store: AnyStore) -> None:
        with pytest.raises(NoSuchFolder):
            await store.preferences.change_preference(UserId("nobody@example.com"), Delegates, lambda stored: stored)
        with pytest.raises(NoSuchFolder):
            await store.preferences.mark_once(UserId("nobody@example.com"), "x", NOW, NOW + DAY)

    async def test_all_that_a_record_holds_comes_back(self, store: AnyStore) -> None:
        reply = AutomaticReply(enabled=True, text="Away \u2603\r\n\0", html=True)
        wanted = OutOfOffice(
            state=OofState.TIME_BASED, start=NOW, end=NOW + DAY / 7, known=reply, since=NOW + timedelta(microseconds=1)
        )
        await store.preferences.change_preference(ALICE, OutOfOffice, lambda _: wanted)
        found = await store.preferences.preference(ALICE, OutOfOffice)
        assert found == wanted
        assert (found.state, found.is_away(NOW), found.is_away(NOW + DAY)) == (OofState.TIME_BASED, True, False)

    async def test_once_is_once(self, store: AnyStore) -> None:
        once = store.preferences.mark_once
        assert await once(ALICE, "a", NOW, NOW + DAY)
        assert not await once(ALICE, "a", NOW, NOW + DAY)
        assert not await once(ALICE, "a", NOW + DAY / 2, NOW + 2 * DAY)
        assert await once(ALICE, "b", NOW, NOW + DAY)
        assert await once(BOB, "a", NOW, NOW + DAY)
        assert await once(ALICE, "a", NOW + DAY, NOW + 2 * DAY)
