"""The copy of a meeting that the organizer cancels: it stays until the user removes it, and blocks no time."""

from dataclasses import replace
from typing import Final

from eas_server.render.calendar.details import Details, read_details, with_details
from eas_server.render.calendar.occurrence_edit import occurrence_of
from eas_server.render.calendar.series import Series
from eas_server.render.calendar.times import Zones
from eas_server.render.contentlines import Component, dump
from eas_server.render.meetings.invited import STAMP, Reader, age_of, key_of, own_line, sequence_of, speaks_for
from eas_server.render.meetings.itip import MeetingMessage
from protocol.datatypes import format_compact
from protocol.items.calendar import MeetingStatus
from protocol.items.email import BusyStatus

CANCELED: Final = "Canceled: "
"""Stands before the subject, as in the mail."""


def cancel(held: Series, message: MeetingMessage, reader: Reader) -> bytes | None:
    """The user's item after a cancellation.

    None: nothing changes, since the mail is older than what is held, is not from its organizer, or is about others.
    """
    if not speaks_for(held.master.first("ORGANIZER"), reader.senders) or _is_about_others(held, message, reader):
        return None
    if message.is_of_occurrences and not held.is_orphan:
        done = _without_occurrences(held, message)
    elif sequence_of(message.main) < sequence_of(held.master):
        return None
    else:
        done = held.calendar
        for event in (held.master, *held.overrides):
            done = done.replaced(event, _cancelled(event, read_details(event, held.zones), message.main))
    return None if dump(done) == dump(held.calendar) else dump(done)


def _is_about_others(held: Series, message: MeetingMessage, reader: Reader) -> bool:
    """Who leaves the user out of the list cancels the meeting for those who are in it."""
    named = message.main.first("ATTENDEE") is not None and own_line(message.main, reader.owner) is None
    return named and own_line(held.master, reader.owner) is not None


def _without_occurrences(held: Series, message: MeetingMessage) -> Component:
    done = held.calendar
    zones = Zones(message.calendar, held.zones.default)
    for event in message.occurrences:
        key = key_of(event, zones, held)
        if key is None or key in held.deleted or not held.is_occurrence(key):
            continue
        own = occurrence_of(held, key)
        if sequence_of(event) < sequence_of(own):
            continue
        new = _cancelled(own, read_details(own, held.zones), event)
        done = done.replaced(own, new) if key in held.changed else done.with_added(new)
    return done


def _cancelled(event: Component, held: Details, said: Component) -> Component:
    if held.cancelled:
        return event
    subject = held.subject or ""
    new = replace(
        held,
        cancelled=True,
        subject=subject if subject.startswith(CANCELED) else CANCELED + subject,
        busy=BusyStatus.FREE,
        reminder=None,
        meeting_status=MeetingStatus.CANCELLED_RECEIVED,
    )
    sequence, stamp = max(age_of(event), age_of(said))
    event = event.with_text("SEQUENCE", str(sequence)).with_text(STAMP, format_compact(stamp))
    return with_details(event, held, new)
