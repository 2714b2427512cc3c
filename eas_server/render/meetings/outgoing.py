"""What attendees are to be told when the organizer changes a meeting: pure, from the event before and after.

| change | who is told what |
| --- | --- |
| a meeting is new, or an event gets attendees | REQUEST to them |
| when, where, subject, text, files or the like | REQUEST to all |
| attendees only | REQUEST to those who are new, CANCEL to those who are gone; the others are left alone |
| one occurrence | the same, for that occurrence |
| an occurrence is deleted, a meeting is cancelled or deleted | CANCEL to all |
| reminder, categories, how busy, the answers of attendees | nobody |

SEQUENCE grows with the times, the rule, the place, with attendees who go and with what is cancelled ([RFC 5546] 2.1.4).
Only the organizer's changes count: whoever was invited tells nobody by changing their own copy.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from eas_server.render.calendar.details import Details, read_details, with_details
from eas_server.render.calendar.occurrences import filter_instant
from eas_server.render.calendar.people import address_of, read_attendee
from eas_server.render.calendar.series import Owner, Series, read_series, series_of
from eas_server.render.contentlines import Component, dump
from eas_server.render.meetings.letter import printable
from protocol.items.calendar import Attendee, AttendeeStatus
from protocol.versions import V16_1

_SEQUENCE: Final = "SEQUENCE"
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_MAX_SEQUENCE: Final = 2**31 - 1
_RECEIVED: Final = 2
"""The bit of MeetingStatus that says that somebody else is the organizer."""
_RULE: Final = ("RRULE", "RDATE", "EXRULE")
_TOLD: Final = (
    "is_day",
    "start",
    "end",
    "subject",
    "text",
    "location",
    "sensitivity",
    "attachments",
    "response_requested",
    "disallow_new_time_proposal",
    "conf_link",
    "external_link",
)
"""Fields of Details that attendees are to know of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A mail that is to be sent."""

    method: str
    """REQUEST or CANCEL."""
    event: bytes
    """The kept event that it is made of."""
    to: tuple[Attendee, ...]
    """Whom a CANCEL is for: it names them and nobody else."""
    instance: datetime | None = None
    """The occurrence that it is about; None: all of the meeting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of a change."""

    event: bytes | None
    """The event as it is to be kept."""
    notices: tuple[Notice, ...] = ()


def changed(before: bytes | None, after: bytes, owner: Owner, *, sends: bool = True) -> Outcome:
    """What follows from the organizer's Add (`before` None) or Change. Raises InvalidItem.

    Not `sends`: the device tells the attendees itself. The numbers grow all the same, for another device may go on.
    """
    new = read_series(after, owner)
    old = None if before is None else read_series(before, owner)
    concerned = _everybody(new, owner) or (old is not None and _everybody(old, owner))
    if before == after or not concerned or not _organizes(new, owner):
        return Outcome(event=after)
    made = _numbered(old, new, owner, resets=sends)
    kept = dump(made.calendar)
    return Outcome(event=kept, notices=tuple(_notices(before, old, kept, made, owner)) if sends else ())


def deleted(before: bytes, owner: Owner, now: datetime) -> Outcome:
    """What follows when the organizer deletes a meeting: nothing where it is over. Raises InvalidItem."""
    old = read_series(before, owner)
    everybody = _everybody(old, owner)
    is_over = filter_instant(before, owner=owner) < now
    if is_over or old.details.cancelled or not everybody or not _organizes(old, owner):
        return Outcome(event=None)
    event = dump(_with_sequence(old.calendar, old.master, _sequence(old.master) + 1))
    return Outcome(event=None, notices=(Notice(method="CANCEL", event=event, to=everybody),))


# ---- who is who


def _organizes(series: Series, owner: Owner) -> bool:
    """Whether the user is the organizer of it, and it is no single occurrence of somebody's series."""
    held = series.details
    received = held.meeting_status is not None and held.meeting_status & _RECEIVED
    mine = held.organizer_email is None or owner.is_me(held.organizer_email)
    return mine and not received and not series.is_orphan


def _invited(event: Component, owner: Owner, known: Mapping[str, Attendee] | None = None) -> dict[str, Attendee]:
    """The attendees beside the user, by address, each once; after those who are `known`."""
    found = dict(known or {})
    for line in event.all("ATTENDEE"):
        name = printable(address_of(line)).casefold()
        if name and name not in found and not owner.is_me(name):
            found[name] = read_attendee(line)
    return found


def _everybody(series: Series, owner: Owner) -> tuple[Attendee, ...]:
    """The attendees of the series and of any of its occurrences."""
    found = _invited(series.master, owner)
    for event, _ in series.changed.values():
        found = _invited(event, owner, found)
    return tuple(found.values())


def _except(people: Mapping[str, Attendee], others: Mapping[str, Attendee]) -> tuple[Attendee, ...]:
    return tuple(attendee for name, attendee in people.items() if name not in others)


# ---- what differs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    """How a series or an occurrence differs from what attendees know of it."""

    told: bool
    """In something that all of them are to know."""
    moved: bool
    """In when it is."""
    placed: bool
    """In where it is."""
    cancelled: bool
    """It was not cancelled, and is."""

    @property
    def is_major(self) -> bool:
        return self.moved or self.placed or self.cancelled


def _difference(old: Details, new: Details, *, rule: bool) -> _Difference:
    moved = rule or (old.is_day, old.start, old.end) != (new.is_day, new.start, new.end)
    told = moved or any(getattr(old, name) != getattr(new, name) for name in _TOLD)
    return _Difference(
        told=told or (old.cancelled and not new.cancelled),
        moved=moved,
        placed=old.location != new.location,
        cancelled=new.cancelled and not old.cancelled,
    )


def _of_series(old: Series, new: Series) -> _Difference:
    rule = _rule(old) != _rule(new) or (new.recurs and old.anchor.zone != new.anchor.zone)
    restored = bool(old.deleted.keys() - new.deleted.keys())
    return _difference(old.details, new.details, rule=rule or restored)


def _rule(series: Series) -> list[tuple[str, str]]:
    return [(name, line.value) for name in _RULE for line in series.master.all(name)]


def _occurrence(series: Series, key: datetime) -> Details:
    if key in series.changed:
        return read_details(series.changed[key][0], series.zones)
    return series.at(key)


def _event_of(series: Series, key: datetime) -> Component:
    """The event that says who is invited to an occurrence."""
    return series.changed[key][0] if key in series.changed else series.master


def _is_as_before(old: Series, new: Series, key: datetime) -> bool:
    """Whether nobody touched what stands of an occurrence by itself: most of them, and looking closer is dear."""
    return key in old.changed and key in new.changed and old.changed[key][0] == new.changed[key][0]


# ---- SEQUENCE, and the answers that count no more


def _numbered(old: Series | None, new: Series, owner: Owner, *, resets: bool) -> Series:
    """The series with the numbers that its attendees are to see; `resets`: without answers to other times."""
    if old is None:
        first = new.master.with_text(_SEQUENCE, "0")
        return series_of(new.calendar.replaced(new.master, first), owner)
    difference = _of_series(old, new)
    known = _sequence(old.master)
    gone = _except(_invited(old.master, owner), _invited(new.master, owner))
    skipped = new.deleted.keys() - old.deleted.keys()
    raised = difference.is_major or gone or skipped or (difference.told and not _is_later(old.details, new.details))
    number = known + 1 if raised else known
    made = {id(new.master): _renumbered(new, new.master, number, moved=difference.moved and resets, owner=owner)}
    for key, (event, _) in new.changed.items():
        least = max(number, _sequence(_event_of(old, key)))
        if _is_as_before(old, new, key):
            made[id(event)] = _renumbered(new, event, least, moved=False, owner=owner)
            continue
        was, is_ = _occurrence(old, key), _occurrence(new, key)
        own = _difference(was, is_, rule=False)
        lost = _except(_invited(_event_of(old, key), owner), _invited(event, owner))
        rises = own.is_major or lost or (own.told and not _is_later(was, is_))
        bumped = least + 1 if number == known and rises else least
        made[id(event)] = _renumbered(new, event, bumped, moved=own.moved and resets, owner=owner)
    contents = tuple(made.get(id(held), held) for held in new.calendar.contents)
    return series_of(replace(new.calendar, contents=contents), owner)


def _is_later(old: Details, new: Details) -> bool:
    """Whether the moment of the change alone tells which is the newer one ([RFC 5546] 2.1.5)."""
    return old.stamp is not None and new.stamp is not None and new.stamp > old.stamp


def _renumbered(series: Series, event: Component, number: int, *, moved: bool, owner: Owner) -> Component:
    made = event.with_text(_SEQUENCE, str(min(number, _MAX_SEQUENCE)))
    if not moved:
        return made
    held = read_details(made, series.zones)
    return with_details(made, held, replace(held, attendees=_unanswered(held, owner)))


def _unanswered(held: Details, owner: Owner) -> tuple[Attendee, ...] | None:
    """Who accepted another time has not accepted this one ([RFC 5546] 3.2.2.1)."""
    cleared: dict[str, Any] = {"status": AttendeeStatus.NOT_RESPONDED, "proposed_start_time": None}
    return held.attendees and tuple(
        a if owner.is_me(a.email) or a.status in _WITHOUT_ANSWER else replace(a, **cleared, proposed_end_time=None)
        for a in held.attendees
    )


_WITHOUT_ANSWER: Final = frozenset({None, AttendeeStatus.UNKNOWN, AttendeeStatus.NOT_RESPONDED})


def _sequence(event: Component) -> int:
    found = _NUMBER.fullmatch((event.text(_SEQUENCE) or "").strip())
    return min(int(found[0]), _MAX_SEQUENCE) if found else 0


def _with_sequence(calendar: Component, event: Component, number: int) -> Component:
    return calendar.replaced(event, event.with_text(_SEQUENCE, str(min(number, _MAX_SEQUENCE))))


# ---- notices


def _notices(before: bytes | None, old: Series | None, kept: bytes, new: Series, owner: Owner) -> Iterator[Notice]:
    """What is to be sent; `kept` is `new` as octets."""
    now_invited = _invited(new.master, owner)
    if before is None or old is None:
        if not new.details.cancelled:
            yield from _request(kept, tuple(now_invited.values()))
            for key in sorted(new.changed):
                guests = _except(_invited(_event_of(new, key), owner), now_invited)
                yield from _request(kept, guests, new.moment_of(key, V16_1))
        return
    were_invited = _invited(old.master, owner)
    difference = _of_series(old, new)
    if new.details.cancelled:
        if difference.cancelled:
            everybody = {**{printable(a.email).casefold(): a for a in _everybody(old, owner)}, **now_invited}
            yield Notice(method="CANCEL", event=kept, to=tuple(everybody.values()))
        return
    gone = _except(were_invited, now_invited)
    if gone and not old.details.cancelled:
        event = _with_sequence(old.calendar, old.master, _sequence(new.master))
        yield Notice(method="CANCEL", event=dump(event), to=gone)
        yield from _still_invited(kept, new, were_invited.keys() - now_invited.keys(), owner)
    if difference.told:
        yield from _request(kept, tuple(now_invited.values()))
        settled = were_invited.keys() | now_invited.keys()
    else:
        yield from _request(kept, _except(now_invited, were_invited))
        settled = were_invited.keys() ^ now_invited.keys()
    yield from _of_occurrences(old, kept, new, owner, settled)


def _still_invited(kept: bytes, new: Series, gone: Collection[str], owner: Owner) -> Iterator[Notice]:
    """Single occurrences to which those are invited who are off the list of the series."""
    for key, (event, _) in sorted(new.changed.items(), key=lambda each: each[0]):
        guests = {name: who for name, who in _invited(event, owner).items() if name in gone}
        if guests and not read_details(event, new.zones).cancelled:
            yield from _request(kept, tuple(guests.values()), new.moment_of(key, V16_1))


def _request(event: bytes, to: tuple[Attendee, ...], instance: datetime | None = None) -> Iterator[Notice]:
    if to:
        yield Notice(method="REQUEST", event=event, to=to, instance=instance)


def _of_occurrences(old: Series, kept: bytes, new: Series, owner: Owner, settled: Collection[str]) -> Iterator[Notice]:
    """What is told of single occurrences. `settled`: who has been told of the whole series."""

    def invited(series: Series, key: datetime) -> dict[str, Attendee]:
        return {name: who for name, who in _invited(_event_of(series, key), owner).items() if name not in settled}

    for key in sorted(new.deleted.keys() - old.deleted.keys()):
        to = tuple(invited(old, key).values())
        event = _last_known(old, key, kept, new)
        if to and not _occurrence(old, key).cancelled:
            yield Notice(method="CANCEL", event=event, to=to, instance=new.moment_of(key, V16_1))
    for key in sorted((new.changed.keys() | old.changed.keys()) - new.deleted.keys() - old.deleted.keys()):
        if _is_as_before(old, new, key):
            continue
        was, is_ = _occurrence(old, key), _occurrence(new, key)
        difference, moment = _difference(was, is_, rule=False), new.moment_of(key, V16_1)
        before, after = invited(old, key), invited(new, key)
        if is_.cancelled:
            if difference.cancelled and (before or after):
                everybody = tuple({**before, **after}.values())
                yield Notice(method="CANCEL", event=kept, to=everybody, instance=moment)
            continue
        gone = _except(before, after)
        if gone:
            event = _last_known(old, key, kept, new)
            yield Notice(method="CANCEL", event=event, to=gone, instance=moment)
        yield from _request(kept, tuple(after.values()) if difference.told else _except(after, before), moment)


def _last_known(old: Series, key: datetime, kept: bytes, new: Series) -> bytes:
    """The event in which an occurrence is as its attendees know it, with the number of now."""
    if key not in old.changed:
        return kept
    event = old.changed[key][0]
    present = new.changed[key][0] if key in new.changed else new.master
    return dump(_with_sequence(old.calendar, event, max(_sequence(event) + 1, _sequence(present))))
