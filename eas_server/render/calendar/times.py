"""Moments of an event: DTSTART and its like, with their zones, as the protocol's moments in UTC, and back.

iCalendar has clock times in zones and whole days. A moment that they cannot say (the second of two equal hours, a whole
day that does not begin at midnight) stands beside them in the parameter X-EAS-UTC, which counts while the rest of the
line says nearly the same.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from eas_server.render.calendar.zones import UTC_ZONE, Zone, city, vtimezone, zone_of_blob, zone_of_vtimezone
from eas_server.render.contentlines import Component, Property
from eas_server.render.pim import InvalidItem
from protocol.datatypes import TimeZone, format_compact, parse_datetime

FIRST_YEAR, LAST_YEAR = 1601, 4500
"""The years that clients and servers know (those of FILETIME, and of a recurrence without end)."""
DAY: Final = timedelta(days=1)
TIME_ZONE: Final = "X-EAS-TIMEZONE"
"""The TimeZone blob that a device sent; its TZID is the zone that it was taken for."""
_EXACT: Final = "X-EAS-UTC"
_NEAR: Final = timedelta(hours=50)
"""X-EAS-UTC farther off than this belongs to a time that somebody changed since."""
_VALUE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?", re.ASCII)
_LEAP_SECOND: Final = 60
_DURATION: Final = re.compile(
    r"([+-]?)P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?", re.ASCII
)


class Zones:
    """The zones that the times of one calendar object name."""

    def __init__(self, calendar: Component, default: Zone) -> None:
        self._calendar = calendar
        self._own: Mapping[str, Zone] | None = None
        self.default = default

    def find(self, name: str | None) -> Zone:
        """The zone of a TZID: the city, the VTIMEZONE of that name, or the default."""
        if not name:
            return self.default
        known = city(name)
        if known is not None:
            return known
        if self._own is None:
            read = [*map(zone_of_vtimezone, self._calendar.components("VTIMEZONE")), *self._of_blobs()]
            self._own = {zone.name: zone for zone in read if zone is not None}
        return self._own.get(name, self.default)

    def _of_blobs(self) -> list[Zone]:
        """The zones that only a device's blob tells all of."""
        lines = (event.first(TIME_ZONE) for event in self._calendar.components("VEVENT"))
        zones = [(line.param("TZID"), zone_of_blob(TimeZone.read(line.value))) for line in lines if line is not None]
        return [zone for name, zone in zones if zone.name == name]


@dataclass(frozen=True, slots=True)
class Time:
    """A time on a line: what clocks of `zone` show; of a whole day, midnight."""

    clock: datetime
    zone: Zone
    is_day: bool = False
    exact: datetime | None = field(default=None)

    @property
    def moment(self) -> datetime:
        """The moment in UTC."""
        return self.exact if self.exact is not None else self.zone.utc(self.clock)


def checked(moment: datetime) -> datetime:
    """A client's moment in full seconds. Raises InvalidItem beyond the years that everybody knows."""
    if not FIRST_YEAR < moment.year < LAST_YEAR:
        raise InvalidItem(f"the year {moment.year}")
    return moment.astimezone(UTC).replace(microsecond=0)


def read_value(text: str) -> tuple[datetime, bool, bool] | None:
    """A DATE or DATE-TIME: its clock time, whether it is a DATE, whether it is in UTC; None for anything else."""
    found = _VALUE.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        clock = datetime(year, month, day, hour, minute, min(second, _LEAP_SECOND - 1))  # noqa: DTZ001 -- local
    except ValueError:
        return None
    if not FIRST_YEAR < year < LAST_YEAR:
        return None
    return clock, found[4] is None, bool(found[7])


def read_time(line: Property | None, zones: Zones, day_zone: Zone) -> Time | None:
    """The time of a line; None where there is none, or none that can be read. `day_zone`: where whole days begin."""
    times = read_times(line, zones, day_zone)
    return times[0] if times else None


def read_times(line: Property | None, zones: Zones, day_zone: Zone) -> list[Time]:
    """All times of a line (EXDATE, RDATE); of a PERIOD, its start."""
    if line is None:
        return []
    found = []
    for part in line.value.split(","):
        read = read_value(part.partition("/")[0])
        if read is None:
            continue
        clock, is_day, is_utc = read
        zone = UTC_ZONE if is_utc else day_zone if is_day else zones.find(line.param("TZID"))
        exact = _exact(line)
        if exact is not None and abs(exact - clock.replace(tzinfo=UTC)) > _NEAR:
            exact = None
        found.append(Time(clock, zone, is_day, exact))
    return found


def _exact(line: Property) -> datetime | None:
    text = line.param(_EXACT)
    if text is None:
        return None
    try:
        return parse_datetime(text)
    except ValueError:
        return None


def write_time(name: str, moment: datetime, zone: Zone, *, is_day: bool) -> Property:
    """The line of a client's moment, as a clock time of `zone` or, if `is_day`, as a whole day there."""
    if is_day:
        clock = day_of(moment, zone)
        exact = zone.utc(clock) != moment
        return _line(name, f"{clock:%Y%m%d}", (("VALUE", ("DATE",)),), moment if exact else None)
    if zone.is_utc:
        return Property(name, format_compact(moment))
    clock = zone.local(moment)
    exact = zone.utc(clock) != moment
    return _line(name, f"{clock:%Y%m%dT%H%M%S}", (("TZID", (zone.name,)),), moment if exact else None)


def _line(name: str, value: str, params: tuple[tuple[str, tuple[str, ...]], ...], exact: datetime | None) -> Property:
    more = ((_EXACT, (format_compact(exact),)),) if exact is not None else ()
    return Property(name, value, params + more)


def day_of(moment: datetime, zone: Zone) -> datetime:
    """The midnight of the day that a moment stands for: of the zone, else of UTC, else of the nearest one."""
    clock = zone.local(moment)
    if not _is_midnight(clock):
        naive = moment.replace(tzinfo=None)
        clock = naive if _is_midnight(naive) else clock + DAY / 2
    return clock.replace(hour=0, minute=0, second=0)


def _is_midnight(clock: datetime) -> bool:
    return not (clock.hour or clock.minute or clock.second)


def day_form(clock: datetime) -> datetime:
    """A whole day as 16.0 and later write it: without a time (MS-ASCAL_R2005)."""
    return clock.replace(hour=0, minute=0, second=0, tzinfo=UTC)


def read_duration(text: str) -> timedelta | None:
    """A DURATION; None for anything else, and for what no calendar has room for."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()[1:]):
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    try:
        span = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return None
    return -span if found[1] == "-" else span


def with_zones(calendar: Component, used: list[Zone], year: int) -> Component:
    """The calendar with a VTIMEZONE for each zone that its times name, in front of its events."""
    held = {zone.text("TZID") for zone in calendar.components("VTIMEZONE")}
    fresh = {zone.name: zone for zone in used if not zone.is_utc and zone.name not in held}
    if not fresh:
        return calendar
    written = [vtimezone(zone, year) for zone in fresh.values()]
    first = next((at for at, c in enumerate(calendar.contents) if isinstance(c, Component)), len(calendar.contents))
    contents = (*calendar.contents[:first], *written, *calendar.contents[first:])
    return Component(calendar.name, contents, calendar.begin, calendar.end)
