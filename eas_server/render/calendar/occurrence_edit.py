"""Changes of single occurrences: overrides (VEVENT with RECURRENCE-ID) and deletions (EXDATE) of one series.

All changes of a request are gathered and written at once, so that many exceptions cost no more than each of them.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from eas_server.render.calendar.attachments import place_in_series
from eas_server.render.calendar.changes import Request, merged_exception
from eas_server.render.calendar.details import read_details, with_details
from eas_server.render.calendar.recurrence import KEPT
from eas_server.render.calendar.series import Series
from eas_server.render.calendar.times import read_times, write_time
from eas_server.render.contentlines import Component, Property
from protocol.items.calendar import ExceptionItem

LINES_OF_SERIES: Final = ("RRULE", KEPT, "EXDATE", "RDATE", "EXRULE")
"""What says of a series when it takes place, and has no place in an occurrence."""


def occurrence_of(series: Series, key: datetime) -> Component:
    """The occurrence with a key as an event of its own, whether it differs from the series or not."""
    if key in series.changed:
        return series.changed[key][0]
    anchor = series.anchor
    name = write_time("RECURRENCE-ID", anchor.zone.utc(key), anchor.zone, is_day=anchor.is_day)
    bare = series.master.without(lambda c: isinstance(c, Property) and c.name.upper() in LINES_OF_SERIES)
    # a blob that no event has: the times of the series are not those of the occurrence
    return with_details(bare.with_added(name), replace(series.details, blob=""), series.at(key))


def restored(series: Series, key: datetime) -> Component:
    """The master of the series with an occurrence that was deleted."""
    master = series.master
    for line in master.all("EXDATE"):
        parts = line.value.split(",")
        times = read_times(line, series.zones, series.anchor.zone)
        if len(parts) != len(times):
            continue
        kept = [part for part, time in zip(parts, times, strict=True) if series.key(time) != key]
        if len(kept) < len(parts):
            master = master.replaced(line, *([line.with_value(",".join(kept))] if kept else []))
    return master


class OccurrenceEdit:
    """What becomes of the occurrences of a series."""

    def __init__(self, series: Series, request: Request) -> None:
        self._series = series
        self._request = request
        self._overrides = {key: event for key, (event, _) in series.changed.items()}
        self._deleted: dict[datetime, Property | None] = dict.fromkeys(series.deleted)
        """The line of what is deleted anew; None for what was deleted before."""

    def apply(self, item: ExceptionItem, moment: datetime) -> None:
        """Change, delete or restore the occurrence that a client names by a moment. Raises InvalidItem."""
        key = self._series.key_of(moment, self._request.version)
        if item.deleted:
            self._overrides.pop(key, None)
            if key not in self._deleted:
                self._deleted[key] = self._name("EXDATE", key, moment)
        else:
            self._deleted.pop(key, None)
            self._overrides[key] = self._changed(item, key, moment)

    def _changed(self, item: ExceptionItem, key: datetime, moment: datetime) -> Component:
        series, request = self._series, self._request
        event = self._overrides.get(key)
        expected = series.at(key)
        if event is None:
            new = merged_exception(None, expected, item, self._for_files(key, inherits=True))
            name = self._name("RECURRENCE-ID", key, moment)
            bare = series.master.without(lambda c: isinstance(c, Property) and c.name.upper() in LINES_OF_SERIES)
            # a blob that no event has: the times of the series are not those of the occurrence
            return with_details(bare.with_added(name), replace(series.details, blob=""), new)
        own = read_details(event, series.zones)
        base = own
        if not request.is_new:  # what is absent is as in the series, but for the body (MS-ASCMD_R878)
            attendees = expected.attendees if request.has("ResponseRequested") else own.attendees  # MS-ASCAL_R2023
            base = replace(expected, text=own.text, attendees=attendees, stamp=own.stamp, attachments=own.attachments)
        inherits = own.attachments == series.details.attachments
        return with_details(event, own, merged_exception(own, base, item, self._for_files(key, inherits=inherits)))

    def _for_files(self, key: datetime, *, inherits: bool) -> Request:
        """The request, with the numbers of files as the occurrence counts them; `inherits`: those of the series too."""
        request = self._request

        def number_of(reference: str) -> int | None:
            number = request.file_number(reference)
            if number is None:
                return None
            try:
                whose, own = place_in_series(number)
            except ValueError:
                return None
            return own if whose == key or (whose is None and inherits) else None

        return replace(request, file_number=number_of)

    def _name(self, name: str, key: datetime, moment: datetime) -> Property:
        """The line that names an occurrence."""
        zone, is_day = self._series.anchor.zone, self._series.anchor.is_day
        day_without_zone = is_day and self._request.is_new
        return write_time(name, zone.utc(key) if day_without_zone else moment, zone, is_day=is_day)

    def calendar(self) -> Component:
        """The calendar object after all changes."""
        series = self._series
        keys = {id(event): key for key, (event, _) in series.changed.items()}
        master = self._master()
        contents: list[Property | Component] = []
        for held in series.calendar.contents:
            key = keys.get(id(held))
            if key is None:
                contents.append(master if held is series.master else held)
            elif key in self._overrides:
                contents.append(self._overrides[key])
        fresh = [event for key, event in self._overrides.items() if key not in series.changed]
        return replace(series.calendar, contents=(*contents, *fresh))

    def _master(self) -> Component:
        series, master = self._series, self._series.master
        restored = series.deleted.keys() - self._deleted.keys()
        for line in master.all("EXDATE") if restored else ():
            parts = line.value.split(",")
            times = read_times(line, series.zones, series.anchor.zone)
            if len(parts) != len(times):
                continue
            kept = [part for part, time in zip(parts, times, strict=True) if series.key(time) not in restored]
            if len(kept) < len(parts):
                master = master.replaced(line, *([line.with_value(",".join(kept))] if kept else []))
        lines = [line for line in self._deleted.values() if line is not None]
        return master.with_added(*lines) if lines else master
