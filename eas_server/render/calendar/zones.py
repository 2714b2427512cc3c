"""Time zones: the TimeZone blob of the protocol, the IANA data, and VTIMEZONE, into each other.

A blob knows the rules of one year ([MS-ASDTYPE] 2.7.4), the IANA data their history. A blob whose rules are those of
a city becomes that city; any other becomes a zone of its own, whose VTIMEZONE has the rules of the blob.
"""

import calendar
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zlib import crc32
from zoneinfo import ZoneInfo

from eas_server.render.calendar.zone_names import WINDOWS
from eas_server.render.contentlines import Component, Property
from protocol.datatypes import NO_CHANGE, SystemTime, TimeZone

REFERENCE_YEARS: Final = (2026, 2027)
"""The years in which a blob and a city must change their clocks at the same moments."""
_EPOCH_YEAR: Final = 1970
_MINUTE: Final = timedelta(minutes=1)
_HALF_MINUTE: Final = timedelta(seconds=30)
_SAMPLE: Final = timedelta(days=7)
_MINUTES_A_DAY: Final = 24 * 60
_MAX_NAME: Final = 32
"""UTF-16 units of a name in the blob."""
_LAST_WEEK: Final = 5
_DAYS: Final = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone: of the IANA data (`info`) or of rules alone."""

    name: str
    """The TZID: an IANA name where there is one."""
    rules: TimeZone
    info: ZoneInfo | None = None

    @property
    def is_utc(self) -> bool:
        return self.name == "UTC"

    def local(self, moment: datetime) -> datetime:
        """The naive time that clocks show at an aware moment."""
        if self.info is not None:
            return moment.astimezone(self.info).replace(tzinfo=None, fold=0)
        return (moment + self.rules.utc_offset(moment)).replace(tzinfo=None)

    def utc(self, clock: datetime) -> datetime:
        """The moment at which clocks show `clock`: the first of two; one that is skipped as before (RFC 5545 3.3.5)."""
        if self.info is not None:
            return clock.replace(tzinfo=self.info, fold=0).astimezone(UTC)
        rules = self.rules
        offsets = {timedelta(minutes=-(rules.bias + b)) for b in (rules.standard_bias, rules.daylight_bias)}
        aware = clock.replace(tzinfo=UTC)
        for offset in sorted(offsets, reverse=True):
            if rules.utc_offset(aware - offset) == offset:
                return aware - offset
        return aware - rules.utc_offset(aware - timedelta(days=1))

    def blob(self, year: int) -> TimeZone:
        """The blob of the rules of `year`."""
        return self.rules if self.info is None else _rules_of(self.name, year)


UTC_ZONE: Final = Zone("UTC", TimeZone(), ZoneInfo("UTC"))

_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_TAIL: Final = re.compile(r"[A-Z][A-Za-z]+(?:/[A-Za-z0-9_+-]+){1,2}$")
_UTC_NAMES: Final = {"UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu", "Z", "Universal", "Etc/Universal"}


@lru_cache(maxsize=2048)
def city(name: str) -> Zone | None:
    """The zone that a TZID or the name in a blob stands for: an IANA name, one behind a prefix, or a Windows name."""
    if name in _UTC_NAMES:
        return UTC_ZONE
    tail = _TAIL.search(name)
    for key in (WINDOWS.get(name), name, tail and tail[0]):
        if key and _KEY.fullmatch(key):
            try:
                info = ZoneInfo(key)
            except (KeyError, ValueError, OSError):
                continue
            return UTC_ZONE if key in _UTC_NAMES else Zone(key, TimeZone(), info)
    return None


# ---- when clocks change


_Change = tuple[datetime, timedelta]
"""A moment, and how far ahead of UTC clocks are from then on."""


def _changes(info: ZoneInfo, year: int) -> list[_Change]:
    """When the clocks of a city change in a year."""
    at, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    found: list[_Change] = []
    while at < end:
        after = min(at + _SAMPLE, end)
        low, high = at, after
        if _offset(info, low) != _offset(info, high):
            while high - low > _MINUTE:
                middle = low + (high - low) // 2
                low, high = (middle, high) if _offset(info, middle) == _offset(info, low) else (low, middle)
            moment = (high + _HALF_MINUTE).replace(second=0, microsecond=0)
            found.append((_minute(moment, info), _offset(info, after)))
        at = after
    return found


def _minute(near: datetime, info: ZoneInfo) -> datetime:
    """The full minute, near this one, from which on the other offset counts."""
    before = _offset(info, near - 2 * _MINUTE)
    return next(m for m in (near - _MINUTE, near, near + _MINUTE) if _offset(info, m) != before)


def _offset(info: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(info).utcoffset() or timedelta()


def _blob_changes(rules: TimeZone, year: int) -> list[_Change]:
    begins, ends = rules.daylight_date.occurrence(year), rules.standard_date.occurrence(year)
    if begins is None or ends is None or rules.standard_bias == rules.daylight_bias:
        return []
    standard, daylight = (timedelta(minutes=rules.bias + b) for b in (rules.standard_bias, rules.daylight_bias))
    changes = [(begins + standard, -daylight), (ends + daylight, -standard)]
    # Windows has 23:59:59.999 for midnight
    return sorted(((m + _HALF_MINUTE).replace(second=0, tzinfo=UTC), offset) for m, offset in changes)


_Signature = tuple[timedelta, tuple[_Change, ...]]
"""The offset with which the reference years begin, and the changes in them."""


@lru_cache(maxsize=2048)
def _city_signature(name: str) -> _Signature | None:
    zone = city(name)
    if zone is None or zone.info is None:
        return None
    start = _offset(zone.info, datetime(REFERENCE_YEARS[0], 1, 1, tzinfo=UTC))
    return start, tuple(change for year in REFERENCE_YEARS for change in _changes(zone.info, year))


def _blob_signature(rules: TimeZone) -> _Signature:
    changes = tuple(change for year in REFERENCE_YEARS for change in _blob_changes(rules, year))
    standard = timedelta(minutes=-(rules.bias + rules.standard_bias))
    return (changes[1][1] if changes else standard), changes


@lru_cache(maxsize=1)
def _cities_by_signature() -> dict[_Signature, str]:
    found: dict[_Signature, str] = {}
    for name in WINDOWS.values():
        signature = _city_signature(name)
        if signature is not None:
            found.setdefault(signature, name)
    return found


def zone_of_blob(rules: TimeZone, prefer: str = "", years: Iterable[int] = REFERENCE_YEARS) -> Zone:
    """The zone of a blob: the city it names if its rules fit, else `prefer` if they fit, else one whose rules do.

    `years`: the blob of the city it names may be that of one of these years.
    """
    if abs(rules.bias + rules.standard_bias) >= _MINUTES_A_DAY:
        return UTC_ZONE
    signature = _blob_signature(rules)
    for name in (rules.standard_name, prefer):
        named = city(name) if name else None
        if named is not None and (
            _city_signature(named.name) == signature or any(_same_clock(named.blob(year), rules) for year in years)
        ):
            return named
    found = _cities_by_signature().get(signature)
    known = city(found) if found is not None else None
    return known if known is not None else Zone(_own_name(rules), rules)


def _same_clock(one: TimeZone, other: TimeZone) -> bool:
    return replace(one, standard_name="", daylight_name="") == replace(other, standard_name="", daylight_name="")


def _own_name(rules: TimeZone) -> str:
    anonymous = replace(rules, standard_name="", daylight_name="", valid=True)
    return f"EAS-{crc32(repr(anonymous).encode()):08x}"


# ---- the blob of a city


@lru_cache(maxsize=4096)
def _rules_of(name: str, year: int) -> TimeZone:
    zone = city(name)
    if zone is None or zone.info is None:
        return TimeZone()
    names = name[:_MAX_NAME]
    changes = _changes(zone.info, year)
    offsets = [offset for _, offset in changes]
    if len(changes) != 2 or offsets[0] == offsets[1]:  # noqa: PLR2004 -- forth and back
        now = offsets[-1] if offsets else _offset(zone.info, datetime(year, 7, 1, tzinfo=UTC))
        return TimeZone(bias=-_minutes(now), standard_name=names, daylight_name=names)
    to_daylight, to_standard = sorted(changes, key=lambda change: change[1], reverse=True)
    standard, daylight = to_standard[1], to_daylight[1]
    return TimeZone(
        bias=-_minutes(standard),
        standard_name=names,
        daylight_name=names,
        standard_date=_system_time(zone.info, year, to_standard[0] + daylight, winter=True),
        daylight_date=_system_time(zone.info, year, to_daylight[0] + standard, winter=False),
        daylight_bias=-_minutes(daylight - standard),
    )


def _minutes(span: timedelta) -> int:
    return span // _MINUTE


def _system_time(info: ZoneInfo, year: int, clock: datetime, *, winter: bool) -> SystemTime:
    """A change, by the clock before it, as the rule that fits the years after it best."""
    nth = (clock.day - 1) // 7 + 1
    rule = SystemTime(0, clock.month, clock.isoweekday() % 7, min(nth, 4), clock.hour, clock.minute)
    last = clock.day + 7 > calendar.monthrange(clock.year, clock.month)[1]
    if nth == _LAST_WEEK or (last and _is_last(info, year, rule, winter=winter)):
        return rule._replace(day=_LAST_WEEK)
    return rule


def _is_last(info: ZoneInfo, year: int, rule: SystemTime, *, winter: bool) -> bool:
    """Whether the last such weekday, rather than the fourth, is what the next years have."""
    last = rule._replace(day=_LAST_WEEK)
    for ahead in range(year + 1, year + 7):
        fourth_at, last_at = rule.occurrence(ahead), last.occurrence(ahead)
        if fourth_at == last_at:
            continue
        for moment, offset in _changes(info, ahead):
            before = _offset(info, moment - _MINUTE)
            clock = (moment + before).replace(tzinfo=None)
            if (offset < before) is winter and clock in (fourth_at, last_at):
                return clock == last_at
    return True


# ---- VTIMEZONE


def vtimezone(zone: Zone, year: int) -> Component:
    """The VTIMEZONE of a zone, with the rules of `year`."""
    rules = zone.blob(year)
    standard, daylight = (timedelta(minutes=-(rules.bias + b)) for b in (rules.standard_bias, rules.daylight_bias))
    parts = [Property("TZID", zone.name)]
    if not _blob_changes(rules, rules.standard_date.year or _EPOCH_YEAR):
        return Component("VTIMEZONE", (*parts, _observance("STANDARD", NO_CHANGE, standard, standard)))
    return Component(
        "VTIMEZONE",
        (
            *parts,
            _observance("STANDARD", rules.standard_date, daylight, standard),
            _observance("DAYLIGHT", rules.daylight_date, standard, daylight),
        ),
    )


def _observance(kind: str, rule: SystemTime, before: timedelta, after: timedelta) -> Component:
    start = rule.occurrence(rule.year or _EPOCH_YEAR) or datetime(_EPOCH_YEAR, 1, 1)  # noqa: DTZ001 -- local
    lines = [
        Property("DTSTART", f"{start:%Y%m%dT%H%M%S}"),
        Property("TZOFFSETFROM", _offset_text(before)),
        Property("TZOFFSETTO", _offset_text(after)),
    ]
    if rule.month and not rule.year:
        nth = "-1" if rule.day == _LAST_WEEK else str(rule.day)
        lines.append(Property("RRULE", f"FREQ=YEARLY;BYMONTH={rule.month};BYDAY={nth}{_DAYS[rule.day_of_week]}"))
    return Component(kind, tuple(lines))


def _offset_text(offset: timedelta) -> str:
    minutes = _minutes(offset)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)")
_CLOCK: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)")
_WEEKDAY: Final = re.compile(r"([+-]?\d)?(SU|MO|TU|WE|TH|FR|SA)")


def zone_of_vtimezone(component: Component) -> Zone | None:
    """The zone of a VTIMEZONE, as it is now; None where nothing can be made of it."""
    name = component.text("TZID") or ""
    open_: dict[str, tuple[str, timedelta, SystemTime | None]] = {}
    latest: tuple[str, timedelta] | None = None
    for kind in ("STANDARD", "DAYLIGHT"):
        for start, after, rule in _observances(component.components(kind)):
            if rule is not None and start >= open_.get(kind, ("",))[0]:
                open_[kind] = start, after, rule
            if latest is None or start >= latest[0]:
                latest = start, after
    if not name or latest is None:
        return None
    if len(open_) == 2:  # noqa: PLR2004 -- forth and back, for ever
        (_, standard, ends), (_, daylight, begins) = open_["STANDARD"], open_["DAYLIGHT"]
        rules = TimeZone(
            bias=-_minutes(standard),
            standard_date=ends or NO_CHANGE,
            daylight_date=begins or NO_CHANGE,
            daylight_bias=-_minutes(daylight - standard),
        )
        return Zone(name, rules)
    return Zone(name, TimeZone(bias=-_minutes(latest[1])))


def _observances(components: Iterable[Component]) -> Iterator[tuple[str, timedelta, SystemTime | None]]:
    """When each begins, its offset, and the rule of one that has no end."""
    for component in components:
        clock = _CLOCK.match(component.text("DTSTART") or "")
        sign = _OFFSET.match(component.text("TZOFFSETTO") or "")
        if clock is None or sign is None:
            continue
        offset = timedelta(hours=int(sign[2]), minutes=int(sign[3]))
        if offset >= timedelta(days=1):
            continue
        rule = component.text("RRULE") or ""
        yearly = None if "UNTIL" in rule.upper() else _yearly(rule.upper(), clock)
        yield clock[0], -offset if sign[1] == "-" else offset, yearly


def _yearly(rule: str, clock: re.Match[str]) -> SystemTime | None:
    parts = dict(part.partition("=")[::2] for part in rule.split(";"))
    day = _WEEKDAY.fullmatch(parts.get("BYDAY", ""))
    month = parts.get("BYMONTH", clock[2])
    if parts.get("FREQ") != "YEARLY" or day is None or not (month.isascii() and month.isdecimal() and len(month) <= 2):  # noqa: PLR2004 -- digits
        return None
    first = parts.get("BYMONTHDAY", "").split(",")[0]
    nth = int(day[1]) if day[1] else (int(first) - 1) // 7 + 1 if first.isascii() and first.isdecimal() else 0
    if nth < 0:
        nth = _LAST_WEEK
    if not (1 <= nth <= _LAST_WEEK and 1 <= int(month) <= 12):  # noqa: PLR2004 -- months
        return None
    return SystemTime(0, int(month), _DAYS.index(day[2]), nth, int(clock[4]), int(clock[5]), int(clock[6]))
