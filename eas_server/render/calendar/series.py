"""An event as it is stored: a VCALENDAR with a VEVENT and, of a series, one more for each occurrence that differs.

Occurrences are named by the clock time at which the series would have them, in the zone of the series: their key.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from eas_server.render.calendar.details import Details, read_details
from eas_server.render.calendar.recurrence import KEPT, Anchor, read_recurrence, until_clock
from eas_server.render.calendar.rules import Rule, expand, parse_rule
from eas_server.render.calendar.times import Time, Zones, day_form, day_of, read_time, read_times
from eas_server.render.calendar.zones import UTC_ZONE, Zone, city
from eas_server.render.contentlines import Component, MalformedLines, Property, parse
from eas_server.render.pim import InvalidItem
from protocol.items.calendar import Recurrence
from protocol.versions import V16_0, ProtocolVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose calendar it is, and what this user prefers."""

    name: str = ""
    address: str = ""
    """Stands as the organizer of what the user creates (MS-ASCAL_R2169)."""
    aliases: frozenset[str] = frozenset()
    """Further addresses that mean the user."""
    time_zone: str = "UTC"
    """The IANA name of the zone of events that name none."""
    first_day_of_week: int = 1
    """0: Sunday (MS-ASCAL_R52524)."""

    @property
    def zone(self) -> Zone:
        return city(self.time_zone) or UTC_ZONE

    def is_me(self, address: str) -> bool:
        wanted = address.strip().casefold()
        return bool(wanted) and wanted in {a.strip().casefold() for a in (self.address, *self.aliases)}


@dataclass(frozen=True)
class Series:
    """A calendar object that was read."""

    calendar: Component
    zones: Zones
    master: Component
    overrides: tuple[Component, ...] = field(default=())

    @cached_property
    def details(self) -> Details:
        return read_details(self.master, self.zones)

    @cached_property
    def anchor(self) -> Anchor:
        held = self.details
        return Anchor(held.zone.local(held.start), held.zone, held.is_day)

    @cached_property
    def recurrence(self) -> Recurrence | None:
        """How it recurs; None: it does not, or as no Recurrence can say."""
        return read_recurrence(self.master.first("RRULE"), self.master.first(KEPT), self.anchor)

    @cached_property
    def rule(self) -> Rule | None:
        line = self.master.first("RRULE")
        return None if line is None else parse_rule(line.value)

    @property
    def recurs(self) -> bool:
        return any(self.master.first(name) is not None for name in ("RRULE", "RDATE"))

    @cached_property
    def until(self) -> datetime | None:
        """The last clock time that the rule lets through; None: it has no UNTIL."""
        rule = self.rule
        return None if rule is None or rule.until is None else until_clock(rule.until, self.anchor)

    @property
    def is_endless(self) -> bool:
        """Whether the series goes on for ever, as far as anybody here can say."""
        if self.master.first("RRULE") is None:
            return False
        rule = self.rule
        return rule is None or bool(rule.scale) or (rule.count is None and self.until is None)

    @property
    def is_orphan(self) -> bool:
        """Whether it is one occurrence of a series that is not here (MS-ASAIRS_R1176)."""
        return self.master.first("RECURRENCE-ID") is not None

    # ---- keys

    def key(self, time: Time) -> datetime:
        """The key of the occurrence at a time."""
        if time.is_day and self.anchor.is_day:
            return time.clock
        return self.key_of(time.moment)

    def key_of(self, moment: datetime, version: ProtocolVersion | None = None) -> datetime:
        """The key of the occurrence that a client names by a moment (ExceptionStartTime, InstanceId)."""
        if not self.anchor.is_day:
            return self.anchor.zone.local(moment)
        if version is not None and version >= V16_0 and moment == day_form(moment):
            return moment.replace(tzinfo=None)
        return day_of(moment, self.anchor.zone)

    def moment_of(self, key: datetime, version: ProtocolVersion) -> datetime:
        """The moment that names an occurrence for clients of a version."""
        return day_form(key) if self.anchor.is_day and version >= V16_0 else self.anchor.zone.utc(key)

    # ---- occurrences

    @cached_property
    def deleted(self) -> Mapping[datetime, Time]:
        """The keys of the occurrences that EXDATE takes away, each with its time."""
        times = (t for line in self.master.all("EXDATE") for t in read_times(line, self.zones, self.anchor.zone))
        return {self.key(time): time for time in times}

    @cached_property
    def changed(self) -> Mapping[datetime, tuple[Component, Time]]:
        """The occurrences that differ, by key."""
        found = {}
        for event in self.overrides:
            time = read_time(event.first("RECURRENCE-ID"), self.zones, self.anchor.zone)
            if time is not None:
                found[self.key(time)] = event, time
        return found

    def all_keys(self, *, after: datetime | None = None) -> Iterator[datetime]:
        """The keys of all occurrences that the rule and RDATE give, in order; deleted ones too."""
        start = self.anchor.clock
        extra = {self.key(t) for line in self.master.all("RDATE") for t in self._times(line)}
        rule = self.rule
        if rule is None or rule.scale:
            keys = extra | {start}
            yield from sorted(key for key in keys if after is None or key >= after)
            return
        waiting = sorted((key for key in extra if after is None or key >= after), reverse=True)
        for key in expand(rule, start, after=after, until=self.until):
            while waiting and waiting[-1] <= key:
                early = waiting.pop()
                if early != key:
                    yield early
            yield key
        yield from reversed(waiting)

    def _times(self, line: Property) -> list[Time]:
        return read_times(line, self.zones, self.anchor.zone)

    def is_occurrence(self, key: datetime) -> bool:
        """Whether the series has an occurrence there; taken for granted where the rule is beyond us."""
        if key in self.changed:
            return True
        line = self.master.first("RRULE")
        if line is not None and (self.rule is None or self.rule.scale):
            return True
        return next(self.all_keys(after=key), None) == key

    def at(self, key: datetime) -> Details:
        """What the series says of the occurrence with a key. Raises InvalidItem for one that ends after all years."""
        held = self.details
        start = held.zone.utc(key)
        try:
            if not held.is_day:
                return replace(held, start=start, end=start + held.span)
            days = held.zone.local(held.end) - self.anchor.clock
            return replace(held, start=start, end=held.zone.utc(key + days))
        except OverflowError:
            raise InvalidItem("an occurrence beyond the last year") from None


def read_series(octets: bytes, owner: Owner) -> Series:
    """Read a calendar object. Raises InvalidItem for one without an event, or that is none."""
    try:
        calendar = parse(octets)
    except MalformedLines as error:
        raise InvalidItem(str(error)) from None
    return series_of(calendar, owner)


def series_of(calendar: Component, owner: Owner) -> Series:
    """The series in a VCALENDAR. Raises InvalidItem for one without an event."""
    events = calendar.components("VEVENT")
    masters = [event for event in events if event.first("RECURRENCE-ID") is None] or list(events)
    if not masters:
        raise InvalidItem("no event")
    master = masters[0]
    overrides = tuple(e for e in events if e is not master and e.first("RECURRENCE-ID") is not None)
    return Series(calendar, Zones(calendar, owner.zone), master, overrides)
