"""Organizer and attendees: ORGANIZER and ATTENDEE lines, and the Attendee elements ([MS-ASCAL] 2.2.2.3)."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from eas_server.render.contentlines import Component, Property, clean
from protocol.datatypes import format_compact, parse_datetime
from protocol.items.calendar import Attendee, AttendeeStatus, AttendeeType

_T = TypeVar("_T")
_MAILTO: Final = "mailto:"
_STATUS: Final = "X-EAS-STATUS"
"""Beside NEEDS-ACTION: 0, since a status that is unknown is not one of "not responded"."""
_PROPOSED: Final = ("X-EAS-PROPOSED-START", "X-EAS-PROPOSED-END")
ORGANIZER_OF_NONE: Final = "X-EAS-ORGANIZER"
"""The organizer of an event that nobody is invited to: ORGANIZER would make a meeting of it."""

_STATUS_OF: Final = {
    "TENTATIVE": AttendeeStatus.TENTATIVE,
    "ACCEPTED": AttendeeStatus.ACCEPTED,
    "DECLINED": AttendeeStatus.DECLINED,
    "NEEDS-ACTION": AttendeeStatus.NOT_RESPONDED,
}
_PARTSTAT_OF: Final = {status: name for name, status in _STATUS_OF.items()}
_ROLES: Final = {AttendeeType.REQUIRED: "REQ-PARTICIPANT", AttendeeType.OPTIONAL: "OPT-PARTICIPANT"}
_OPTIONAL_ROLES: Final = {"OPT-PARTICIPANT", "NON-PARTICIPANT"}


def address_of(line: Property) -> str:
    """The address of a line, without its scheme."""
    value = clean(line.value.strip())
    return value[len(_MAILTO) :] if value[: len(_MAILTO)].lower() == _MAILTO else value


def name_of(line: Property) -> str:
    return clean(line.param("CN") or "")


def same_address(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


# ---- attendees


def read_attendee(line: Property) -> Attendee:
    return Attendee(
        email=address_of(line),
        name=name_of(line),
        status=_read_status(line),
        type=_read_type(line),
        proposed_start_time=_read_moment(line, _PROPOSED[0]),
        proposed_end_time=_read_moment(line, _PROPOSED[1]),
    )


def _read_status(line: Property) -> AttendeeStatus:
    status = _STATUS_OF.get((line.param("PARTSTAT") or "").upper(), AttendeeStatus.UNKNOWN)
    unknown = status is AttendeeStatus.NOT_RESPONDED and line.param(_STATUS) == "0"
    return AttendeeStatus.UNKNOWN if unknown else status


def _read_type(line: Property) -> AttendeeType:
    if (line.param("CUTYPE") or "").upper() in {"RESOURCE", "ROOM"}:
        return AttendeeType.RESOURCE
    role = (line.param("ROLE") or "").upper()
    return AttendeeType.OPTIONAL if role in _OPTIONAL_ROLES else AttendeeType.REQUIRED


def _read_moment(line: Property, name: str) -> datetime | None:
    text = line.param(name)
    if text is None:
        return None
    try:
        return parse_datetime(text)
    except ValueError:
        return None


def merged_attendees(sent: Sequence[Attendee], held: Sequence[Attendee]) -> tuple[Attendee, ...]:
    """What a client sent, with what it left out, or may not say, as it was: answers do not get lost by an edit."""
    left = _by_address(held, lambda attendee: attendee.email)
    found = []
    for attendee in sent:
        email, name = clean(attendee.email).strip(), clean(attendee.name)
        before = _taken(left, email) or Attendee(email=email)
        found.append(
            Attendee(
                email=email,
                name=name,
                status=attendee.status if attendee.status is not None else before.status or AttendeeStatus.UNKNOWN,
                type=attendee.type or before.type or AttendeeType.REQUIRED,
                proposed_start_time=before.proposed_start_time,
                proposed_end_time=before.proposed_end_time,
            )
        )
    return tuple(found)


def with_attendees(event: Component, attendees: Sequence[Attendee]) -> Component:
    """The event with these attendees: lines of those who were there before keep what else they say."""
    left = _by_address(event.all("ATTENDEE"), address_of)
    lines: list[Property] = []
    for attendee in attendees:
        line = _taken(left, attendee.email) or Property("ATTENDEE", f"{_MAILTO}{attendee.email}")
        lines.append(_written(line, attendee))
    return event.without_property("ATTENDEE").with_added(*lines)


def _by_address(held: Sequence[_T], address: Callable[[_T], str]) -> dict[str, deque[_T]]:
    """What is there of each address, in order; a list of thousands is gone through once."""
    found: dict[str, deque[_T]] = {}
    for one in held:
        found.setdefault(address(one).strip().casefold(), deque()).append(one)
    return found


def _taken(left: dict[str, deque[_T]], address: str) -> _T | None:
    """The first one of an address that is left, which it then is no more."""
    waiting = left.get(address.strip().casefold())
    return waiting.popleft() if waiting else None


def _written(line: Property, attendee: Attendee) -> Property:
    """The line that says what the attendee says; the very line, where it does."""
    if read_attendee(line) == attendee:
        return line
    if attendee.name != name_of(line):
        line = line.with_param("CN", *([attendee.name] if attendee.name else []))
    if attendee.status is not None and attendee.status is not _read_status(line):
        unknown = attendee.status is AttendeeStatus.UNKNOWN
        line = line.with_param("PARTSTAT", _PARTSTAT_OF.get(attendee.status, "NEEDS-ACTION"))
        line = line.with_param(_STATUS, *(["0"] if unknown else []))
    if attendee.type is not None and attendee.type is not _read_type(line):
        resource = attendee.type is AttendeeType.RESOURCE
        line = line.with_param("CUTYPE", *(["RESOURCE"] if resource else []))
        line = line.with_param("ROLE", "NON-PARTICIPANT" if resource else _ROLES[attendee.type])
    for name, moment in zip(_PROPOSED, (attendee.proposed_start_time, attendee.proposed_end_time), strict=True):
        line = line.with_param(name, *([format_compact(moment)] if moment is not None else []))
    return line


def answered(
    line: Property, status: AttendeeStatus, start: datetime | None = None, end: datetime | None = None
) -> Property:
    """The line of an attendee who has answered, and proposed other times if they are given."""
    said = replace(read_attendee(line), status=status, proposed_start_time=start, proposed_end_time=end)
    return _written(line, said)


# ---- the organizer


def read_organizer(line: Property | None) -> tuple[str | None, str | None]:
    """Name and address of the organizer; None for what nobody said."""
    if line is None:
        return None, None
    return line.param("CN") and name_of(line), address_of(line) or None


def with_organizer(event: Component, name: str | None, address: str | None, *, is_meeting: bool) -> Component:
    """The event with this organizer, in the line that says what kind of event it is."""
    held = event.first("ORGANIZER") or event.first(ORGANIZER_OF_NONE)
    event = event.without_property("ORGANIZER").without_property(ORGANIZER_OF_NONE)
    if not name and not address:
        return event
    kind = "ORGANIZER" if is_meeting and address else ORGANIZER_OF_NONE
    if held is None or not same_address(address_of(held), address or ""):
        held = Property(kind, f"{_MAILTO}{address or ''}")
    if kind != held.name.upper():
        held = Property(kind, held.value, held.params, held.group)
    if (name or "") != name_of(held):
        held = held.with_param("CN", *([name] if name else []))
    return event.with_added(held)
