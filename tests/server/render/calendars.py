"""What the tests of events share."""

from datetime import UTC, datetime
from typing import Any

from eas_server.render.calendar import Owner, apply_calendar, calendar_from
from eas_server.render.calendar.zones import city
from eas_server.render.contentlines import Component, parse
from protocol.items.calendar import Calendar
from protocol.versions import V14_1, ProtocolVersion

NOW = datetime(2026, 11, 20, 10, 7, 30, tzinfo=UTC)
OWNER = Owner(name="Alice", address="alice@example.com", time_zone="Europe/Berlin")


def blob(name: str) -> str:
    zone = city(name)
    assert zone is not None
    return zone.blob(2026).dump()


BERLIN = blob("Europe/Berlin")


def at(text: str) -> datetime:
    """A moment from its compact form; the seconds may be left out."""
    return datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M" if len(text) < 15 else "%Y%m%dT%H%M%S").replace(
        tzinfo=UTC
    )


START, END = at("20261203T1300"), at("20261203T1400")


def event(**values: Any) -> Calendar:
    """An event as a client of 14.1 sends it: an hour on a Thursday, 14:00 in Berlin."""
    given = {
        "time_zone": BERLIN,
        "start_time": START,
        "end_time": END,
        "subject": "Lunch",
        "uid": "u1",
        "dt_stamp": NOW,
    }
    return Calendar(**(given | values))


def stored(change: Calendar, version: ProtocolVersion = V14_1, held: bytes | None = None, **values: Any) -> bytes:
    given = {"now": NOW, "uid": "made", "owner": OWNER}
    return apply_calendar(held, change, version=version, **(given | values))


def shown(octets: bytes, version: ProtocolVersion = V14_1, **values: Any) -> Calendar:
    given = {"now": NOW, "owner": OWNER}
    return calendar_from(octets, version=version, **(given | values))


def master(octets: bytes) -> Component:
    return parse(octets).components("VEVENT")[0]


def line(octets: bytes, name: str) -> str | None:
    """The value of a line of the series as it stands, or None."""
    found = master(octets).first(name)
    return None if found is None else found.value


def ics(*lines: str) -> bytes:
    """An event as another program writes it."""
    inner = ["BEGIN:VEVENT", "UID:dav", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *inner, "END:VCALENDAR", ""]).encode()
