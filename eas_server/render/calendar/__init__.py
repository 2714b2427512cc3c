"""Events: iCalendar and the Calendar class of the protocol into each other ([MS-ASCAL])."""

from eas_server.render.calendar.free_busy import free_busy, together
from eas_server.render.calendar.from_client import apply_calendar, delete_occurrence
from eas_server.render.calendar.occurrences import FAR_FUTURE, Occurrence, filter_instant, occurrences, only_occurrence
from eas_server.render.calendar.series import Owner
from eas_server.render.calendar.to_client import calendar_from, client_uid
from eas_server.render.calendar.words import client_uid_word, file_of, search_text, uid_word

__all__ = [
    "FAR_FUTURE",
    "Occurrence",
    "Owner",
    "apply_calendar",
    "calendar_from",
    "client_uid",
    "client_uid_word",
    "delete_occurrence",
    "file_of",
    "filter_instant",
    "free_busy",
    "occurrences",
    "only_occurrence",
    "search_text",
    "together",
    "uid_word",
]
