"""What a meeting message does to the calendar of who got it: which items are added, changed, or go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eas_server.render.calendar.people import address_of
from eas_server.render.calendar.series import Owner, Series, read_series
from eas_server.render.calendar.times import Zones, read_time
from eas_server.render.contentlines import Component, dump
from eas_server.render.meetings.answers import take_answer
from eas_server.render.meetings.cancelled import cancel
from eas_server.render.meetings.invited import (
    Reader,
    accepts_request,
    age_of,
    invite,
    key_of,
    own_line,
    sequence_of,
    speaks_for,
    with_zones_of,
)
from eas_server.render.meetings.itip import MeetingMessage, Method, uid_of
from eas_server.render.pim import InvalidItem


class Edit(NamedTuple):
    """One change of the calendar."""

    at: int | None
    """The place among the copies that were given; None: a new item."""
    octets: bytes | None
    """None: the item goes."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """An item of the meeting."""

    at: int
    series: Series


class Copies:
    """The items of a calendar that have the UID of a meeting: of all of it, or of single occurrences."""

    def __init__(self, octets: Sequence[bytes], uid: str, owner: Owner) -> None:
        found = [(at, _read(item, owner)) for at, item in enumerate(octets)]
        copies = [_Copy(at, s) for at, s in found if s is not None and uid_of(s.master) == uid]
        self.whole = next((copy for copy in copies if not copy.series.is_orphan), None)
        self.orphans = tuple(copy for copy in copies if copy.series.is_orphan)

    def orphan_of(self, event: Component, zones: Zones) -> _Copy | None:
        """The item of the occurrence that an event of a message is about."""
        time = read_time(event.first("RECURRENCE-ID"), zones, zones.default)
        for copy in self.orphans:
            own = copy.series
            held = read_time(own.master.first("RECURRENCE-ID"), own.zones, own.zones.default)
            if time is not None and held is not None and held.moment == time.moment:
                return copy
        return None


def _read(octets: bytes, owner: Owner) -> Series | None:
    try:
        series = read_series(octets, owner)
        series.details  # noqa: B018 -- an item without a beginning is none that can be changed
    except InvalidItem:
        return None
    return series


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an invitation is to a calendar."""

    is_outdated: bool = False
    """The calendar knows something newer."""
    is_orphan: bool = False
    """It is for an occurrence of a series that the calendar does not have."""


def standing(octets: Sequence[bytes], message: MeetingMessage, owner: Owner) -> Standing:
    """What an invitation is to the items `octets`, all that may have its UID."""
    copies = Copies(octets, message.uid, owner)
    zones = Zones(message.calendar, owner.zone)
    event, whole = message.main, copies.whole
    if not message.is_of_occurrences:
        return Standing(is_outdated=whole is not None and age_of(event) < age_of(whole.series.master))
    if whole is None:
        orphan = copies.orphan_of(event, zones)
        newer = orphan is not None and age_of(event) < age_of(orphan.series.master)
        return Standing(is_outdated=newer, is_orphan=True)
    key = key_of(event, zones, whole.series)
    held = None if key is None else whole.series.changed.get(key)
    if held is not None:
        return Standing(is_outdated=age_of(event) < age_of(held[0]))
    return Standing(is_outdated=sequence_of(event) < sequence_of(whole.series.master))


def edits(octets: Sequence[bytes], message: MeetingMessage, reader: Reader) -> list[Edit]:
    """What the message changes among the items `octets`, all that may have its UID.

    Raises InvalidItem for a message that cannot be understood.
    """
    copies = Copies(octets, message.uid, reader.owner)
    match message.method:
        case Method.REQUEST:
            return _request(copies, message, reader) if accepts_request(message, reader.owner) else []
        case Method.CANCEL:
            return _cancel(copies, message, reader)
        case Method.REPLY | Method.COUNTER:
            return _answer(copies, message, reader)


def _request(copies: Copies, message: MeetingMessage, reader: Reader) -> list[Edit]:
    whole = copies.whole
    if whole is not None:
        return _changed(whole, invite(whole.series, message, reader))
    if not message.is_of_occurrences:
        return [] if _is_declined(message.main, reader) else _new_series(copies, message, reader)
    found = []
    zones = Zones(message.calendar, reader.owner.zone)
    for event in message.occurrences:
        orphan = copies.orphan_of(event, zones)
        if orphan is None and _is_declined(event, reader):
            continue
        made = invite(None if orphan is None else orphan.series, message.only(event), reader)
        found += [Edit(None, made)] if orphan is None else _changed(orphan, made)
    return found


def _is_declined(event: Component, reader: Reader) -> bool:
    """Whether the organizer knows that the user does not come: an update must not bring the meeting back."""
    mine = own_line(event, reader.owner)
    return mine is not None and (mine.param("PARTSTAT") or "").upper() == "DECLINED"


def _changed(copy: _Copy, octets: bytes | None) -> list[Edit]:
    return [] if octets is None else [Edit(copy.at, octets)]


def _new_series(copies: Copies, message: MeetingMessage, reader: Reader) -> list[Edit]:
    """A series that takes in what came of its occurrences before it."""
    made = invite(None, message, reader)
    own = [c for c in copies.orphans if speaks_for(c.series.master.first("ORGANIZER"), reader.senders)]
    if made is None or not own:
        return [Edit(None, made)]
    series = read_series(made, reader.owner)
    calendar = series.calendar
    for copy in own:
        event = copy.series.master
        time = read_time(event.first("RECURRENCE-ID"), copy.series.zones, series.anchor.zone)
        key = None if time is None else series.key(time)
        if key is not None and key not in series.changed and key not in series.deleted and series.is_occurrence(key):
            calendar = with_zones_of(calendar.with_added(event), copy.series.calendar)
    return [Edit(None, dump(calendar)), *(Edit(copy.at, None) for copy in own)]


def _cancel(copies: Copies, message: MeetingMessage, reader: Reader) -> list[Edit]:
    if copies.whole is not None:
        return _changed(copies.whole, cancel(copies.whole.series, message, reader))
    if not message.is_of_occurrences:
        return [edit for copy in copies.orphans for edit in _changed(copy, cancel(copy.series, message, reader))]
    found = []
    zones = Zones(message.calendar, reader.owner.zone)
    for event in message.occurrences:
        orphan = copies.orphan_of(event, zones)
        if orphan is not None:
            found += _changed(orphan, cancel(orphan.series, message.only(event), reader))
    return found


def _answer(copies: Copies, message: MeetingMessage, reader: Reader) -> list[Edit]:
    if copies.whole is None:
        return []
    organizer = copies.whole.series.master.first("ORGANIZER")
    if organizer is not None and not reader.owner.is_me(address_of(organizer)):
        return []
    return _changed(copies.whole, take_answer(copies.whole.series, message, reader))
