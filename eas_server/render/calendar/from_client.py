"""A client's changes of events: Add, Change of a series or of one occurrence, Delete of an occurrence.

Up to 14.1 what is absent is deleted, but for the body, the exceptions and what is ghosted (MS-ASCMD_R876 to R881,
R5911); from 16.0 on it stays as it is (R6236). An empty element takes a value away. Lines that say nothing of what
changed stay as they are.
"""

from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final

from eas_server.render.calendar.changes import FileNumber, Request, merged_series
from eas_server.render.calendar.details import CLIENT_UID, Details, read_details, with_details
from eas_server.render.calendar.occurrence_edit import LINES_OF_SERIES, OccurrenceEdit
from eas_server.render.calendar.recurrence import KEPT, normal, rule_lines
from eas_server.render.calendar.series import Owner, Series, read_series, series_of
from eas_server.render.calendar.times import checked, day_form, with_zones
from eas_server.render.contentlines import Component, Property, clean, dump
from eas_server.render.pim import InvalidItem
from protocol.datatypes import format_compact
from protocol.elements import Tag
from protocol.items.calendar import MAX_EXCEPTIONS, MAX_UID, Calendar, ExceptionItem, Recurrence
from protocol.versions import ProtocolVersion

PRODUCT: Final = "-//eas-server//EN"
_OWN_TIMES: Final = {"is_day", "start", "end", "zone", "blob", "stamp", "attachments"}
"""What an occurrence does not inherit when its series changes."""
_INHERITED: Final = tuple(f.name for f in fields(Details) if f.name not in _OWN_TIMES)
_LATE_FIELDS: Final = {
    "calendar_type": "CalendarType",
    "is_leap_month": "IsLeapMonth",
    "first_day_of_week": "FirstDayOfWeek",
}
"""Fields of Recurrence that not all versions have."""


def _no_number(reference: str) -> int | None:
    return int(reference) if reference.isascii() and reference.isdecimal() else None


def apply_calendar(
    stored: bytes | None,
    change: Calendar,
    *,
    version: ProtocolVersion,
    now: datetime,
    uid: str,
    instance_id: datetime | None = None,
    supported: frozenset[Tag] | None = None,
    owner: Owner = Owner(),  # noqa: B008 -- frozen
    file_number: FileNumber = _no_number,
) -> bytes:
    """The event after a client's Add (`stored` None) or Change.

    `uid`: of a new event whose client names none. `instance_id`: the occurrence that a client of 16.0 or later changes
    (MS-ASCMD_R6238). `supported`: the elements of the collection's Supported, None where it had none. `file_number`:
    see attachments.changed. A change that changes nothing gives `stored` again. Raises InvalidItem (Sync Status 6).
    """
    request = Request(version=version, now=now, owner=owner, supported=supported, file_number=file_number)
    if stored is None:
        return dump(_created(change, uid, request))
    series = read_series(stored, owner)
    if instance_id is None:
        done = _change_series(series, change, request)
    else:
        done = _change_occurrence(series, _as_exception(change), checked(instance_id), request)
    return stored if dump(done) == dump(series.calendar) else dump(_touched(done, series, request))


def delete_occurrence(
    stored: bytes,
    instance_id: datetime,
    *,
    version: ProtocolVersion,
    now: datetime,
    owner: Owner = Owner(),  # noqa: B008 -- frozen
) -> bytes:
    """The event without one of its occurrences (MS-ASCMD_R6420). Raises InvalidItem for one that it does not have."""
    request = Request(version=version, now=now, owner=owner, supported=None, file_number=_no_number)
    series = read_series(stored, owner)
    done = _change_occurrence(series, ExceptionItem(deleted=True), checked(instance_id), request)
    return stored if dump(done) == dump(series.calendar) else dump(_touched(done, series, request))


def _touched(done: Component, before: Series, request: Request) -> Component:
    """With the moment of the change at the events that changed."""
    known = {id(event) for event in (before.master, *before.overrides)}
    for event in done.components("VEVENT"):
        if id(event) not in known:
            done = done.replaced(event, event.with_text("LAST-MODIFIED", format_compact(request.now)))
    return done


def _created(change: Calendar, uid: str, request: Request) -> Component:
    sent_uid = "" if request.is_new else clean(change.uid or "").strip()  # MS-ASCAL_R2221; iOS ends some with NUL
    stamp = format_compact(request.now)
    event = Component("VEVENT", (Property("UID", ""), Property("CREATED", stamp), Property("LAST-MODIFIED", stamp)))
    event = event.with_text("UID", (sent_uid or uid)[:MAX_UID])
    if request.is_new and change.client_uid:
        event = event.with_text(CLIENT_UID, clean(change.client_uid))
    new = merged_series(None, change, request)
    event = with_details(event, None, new)
    calendar = Component("VCALENDAR", (Property("VERSION", "2.0"), Property("PRODID", PRODUCT), event))
    series = series_of(with_zones(calendar, [new.zone], new.start.year), request.owner)
    series, _ = _with_recurrence(series, None, change.recurrence, request)
    return _with_exceptions(series, change, request)


# ---- the series


def _change_series(series: Series, change: Calendar, request: Request) -> Component:
    held = series.details
    new = merged_series(held, change, request)
    moved = (held.is_day, held.start, held.end) != (new.is_day, new.start, new.end)
    after = _with_master(series, with_details(series.master, held, new), request)
    after = replace_calendar(after, with_zones(after.calendar, [new.zone], request.now.year), request)
    after, changed = _with_recurrence(after, series.recurrence, change.recurrence, request)
    if request.is_new and (moved or changed):  # MS-ASCAL_R2114, R2180, R2202
        after = _without_exceptions(after, request)
    after = _inherited(after, held, new, request)
    return _with_exceptions(after, change, request)


def replace_calendar(series: Series, calendar: Component, request: Request) -> Series:
    return series if calendar is series.calendar else series_of(calendar, request.owner)


def _with_master(series: Series, event: Component, request: Request) -> Series:
    if event is series.master:
        return series
    return series_of(series.calendar.replaced(series.master, event), request.owner)


def _without_exceptions(series: Series, request: Request) -> Series:
    gone = {id(event) for event in series.overrides}
    calendar = series.calendar.without(lambda c: id(c) in gone) if gone else series.calendar
    series = replace_calendar(series, calendar, request)
    if series.master.first("EXDATE") is None:
        return series
    return _with_master(series, series.master.without_property("EXDATE"), request)


def _inherited(series: Series, held: Details, new: Details, request: Request) -> Series:
    """An occurrence that was as the series in something is so still when the series changes in that."""
    changed = [name for name in _INHERITED if getattr(held, name) != getattr(new, name)]
    calendar = series.calendar
    for event in series.overrides if changed else ():
        own = read_details(event, series.zones)
        values: dict[str, Any] = {
            name: getattr(new, name) for name in changed if getattr(own, name) == getattr(held, name)
        }
        if values:
            calendar = calendar.replaced(event, with_details(event, own, replace(own, **values)))
    return replace_calendar(series, calendar, request)


def _with_recurrence(
    series: Series, held: Recurrence | None, sent: Recurrence | None, request: Request
) -> tuple[Series, bool]:
    """With the recurrence of a change, and whether it is another one. `held`: the one before the change."""
    master = series.master
    if sent is None:
        beyond = held is None  # what no Recurrence can say, no client can have taken away
        if beyond or request.stays("Recurrence"):
            return series, False
    if sent is None or (sent == Recurrence() and request.is_new):  # MS-ASCAL_R2180002
        if not series.recurs:
            return series, False
        bare = master.without(lambda c: isinstance(c, Property) and c.name.upper() in LINES_OF_SERIES)
        return _without_exceptions(_with_master(series, bare, request), request), True
    value = _completed(sent, held, series, request)
    if value == held:
        return series, False
    bare = master.without_property("RRULE").without_property(KEPT)
    return _with_master(series, bare.with_added(*rule_lines(value, series.anchor)), request), True


def _completed(sent: Recurrence, held: Recurrence | None, series: Series, request: Request) -> Recurrence:
    """A client's Recurrence, with what its version cannot say, or need not, as it was."""
    anchor = series.anchor
    if sent.until is not None and request.is_new and anchor.is_day and sent.until == day_form(sent.until):
        sent = replace(sent, until=anchor.zone.utc(sent.until.replace(tzinfo=None)))
    if held is not None and request.is_new and sent.type is None:  # MS-ASCAL_R2180001
        said: dict[str, Any] = {f.name: v for f in fields(Recurrence) if (v := getattr(sent, f.name)) is not None}
        if "until" in said:
            held = replace(held, occurrences=None)
        sent = replace(held, **said)
    if held is not None and held.type is sent.type:
        kept: dict[str, Any] = {
            name: getattr(held, name)
            for name, element in _LATE_FIELDS.items()
            if getattr(sent, name) is None and (not request.has(element) or name == "first_day_of_week")
        }
        sent = replace(sent, **kept)
    return normal(sent, anchor, first_day_of_week=request.owner.first_day_of_week)


# ---- occurrences


def _as_exception(change: Calendar) -> ExceptionItem:
    """A change of one occurrence of 16.0 and later: the same elements as in Exception."""
    names = {f.name for f in fields(ExceptionItem)} & {f.name for f in fields(Calendar)}
    values: dict[str, Any] = {name: getattr(change, name) for name in names}
    return ExceptionItem(**values)


def _with_exceptions(series: Series, change: Calendar, request: Request) -> Component:
    """With the Exceptions of a change; those that it does not name stay (MS-ASCMD_R876, R877)."""
    if not change.exceptions or not series.recurs:
        return series.calendar
    if len(change.exceptions) > MAX_EXCEPTIONS:  # MS-ASCAL_R243
        raise InvalidItem(f"more than {MAX_EXCEPTIONS} exceptions")
    edit = OccurrenceEdit(series, request)
    for item in change.exceptions:
        moment = item.exception_start_time or item.instance_id
        if moment is None:  # MS-ASCAL_R246, R2098
            raise InvalidItem("an exception that names no occurrence")
        edit.apply(item, checked(moment))
    return edit.calendar()


def _change_occurrence(series: Series, item: ExceptionItem, moment: datetime, request: Request) -> Component:
    key = series.key_of(moment, request.version)
    if not series.recurs or not series.is_occurrence(key):
        raise InvalidItem("no occurrence of the series")
    if key in series.deleted and not item.deleted:
        raise InvalidItem("an occurrence that was deleted")
    if item.all_day_event is not None and (item.all_day_event is True) is not series.anchor.is_day:
        raise InvalidItem("a whole day among hours")  # MS-ASCAL_R2009
    edit = OccurrenceEdit(series, request)
    edit.apply(item, moment)
    return edit.calendar()
