"""A calendar and the meeting messages that come to it, without a server."""

from datetime import UTC, datetime, timedelta

from eas_server.render.calendar import Owner, calendar_from
from eas_server.render.calendar.series import Series, read_series
from eas_server.render.contentlines import Component
from eas_server.render.meetings import attend
from eas_server.render.meetings.answers import respond
from eas_server.render.meetings.invited import Reader
from protocol.items.calendar import (
    Calendar,
    ExceptionItem,
    ResponseType,
)
from protocol.versions import V16_1
from tests.server.render.invitations import BOB, ics, mail, read

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
START = datetime(2026, 12, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAILY = ("RRULE:FREQ=DAILY;COUNT=5",)
SECOND = "RECURRENCE-ID:20261202T090000Z"
FROM_ALICE = ("alice@example.com",)


def reader(owner: Owner = BOB, senders: tuple[str, ...] = FROM_ALICE) -> Reader:
    return Reader(owner=owner, senders=senders, now=NOW)


def brought_in(held: list[bytes], octets: bytes, who: Reader | None = None) -> list[bytes]:
    """The calendar after a meeting message (the iTIP object alone, or a mail)."""
    message = read(octets if octets[:5] == b"From:" else mail(octets, None))
    items: list[bytes | None] = list(held)
    for edit in attend.edits(held, message, who or reader()):
        if edit.at is None:
            items.append(edit.octets)
        else:
            items[edit.at] = edit.octets
    return [item for item in items if item is not None]


def invited(octets: bytes | None = None) -> bytes:
    (item,) = brought_in([], ics() if octets is None else octets)
    return item


def shown(octets: bytes, owner: Owner = BOB) -> Calendar:
    return calendar_from(octets, version=V16_1, now=NOW, owner=owner)


def series(octets: bytes, owner: Owner = BOB) -> Series:
    return read_series(octets, owner)


def master(octets: bytes) -> Component:
    return series(octets).master


def exceptions(octets: bytes, owner: Owner = BOB) -> tuple[ExceptionItem, ...]:
    return shown(octets, owner).exceptions or ()


def answered(item: bytes, how: ResponseType = ResponseType.ACCEPTED) -> bytes:
    return respond(series(item), how, BOB, NOW)
