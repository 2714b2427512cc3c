"""What meeting mail says to people: subjects, when and where."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from eas_server.render import text
from eas_server.render.calendar.details import Details, shown_place
from eas_server.render.contentlines import Component
from eas_server.render.item_body import ItemText
from eas_server.render.meetings.letter import Person, printable
from protocol.items.calendar import AttendeeStatus

NOTIFICATION: Final = "Meeting Forward Notification: "
FORWARDED: Final = "FW: "
_ANSWERS: Final = {
    AttendeeStatus.ACCEPTED: "Accepted: ",
    AttendeeStatus.DECLINED: "Declined: ",
    AttendeeStatus.TENTATIVE: "Tentative: ",
}
_CANCELED: Final = "Canceled: "
_PROPOSED: Final = "New Time Proposed: "
_FREQUENCIES: Final = {"DAILY": "daily", "WEEKLY": "weekly", "MONTHLY": "monthly", "YEARLY": "yearly"}
_SHOWN_FORWARDEES: Final = 100
_LINE: Final = "*~*~*~*~*~*~*~*~*~*"
"""Stands between when and where and the text, in the mail of other products too."""


def subject_of(method: str, subject: str, answer: AttendeeStatus | None = None) -> str:
    """The subject of a mail about a meeting."""
    if method == "CANCEL":
        return subject if subject.startswith(_CANCELED) else _CANCELED + subject
    if method == "COUNTER":
        return _PROPOSED + subject
    return _ANSWERS.get(answer, "") + subject if answer is not None else subject


def text_of(event: Component, details: Details) -> ItemText:
    """What an invitation says: when and where, and the text of the event."""
    plain = details_text(event, details, subject=False)
    if details.text.html is None:
        return ItemText(plain)
    head = text.html_from_plain("\n".join(_head(event, details)))
    return ItemText(plain, f"{head}\n<hr>\n{details.text.html}")


def on_top(own: ItemText, below: ItemText) -> ItemText:
    """Somebody's own words above a text; in HTML where either is."""
    if not own.plain.strip() and not own.html:
        return below
    plain = f"{own.plain.rstrip()}\n\n{below.plain}"
    if own.html is None and below.html is None:
        return ItemText(plain)
    parts = [part.html if part.html is not None else text.html_from_plain(part.plain) for part in (own, below)]
    return ItemText(plain, "\n<br>\n".join(parts))


def details_text(event: Component, details: Details, *, subject: bool = True) -> str:
    """An event in words."""
    lines = [f"Subject: {printable(details.subject or '')}"] if subject else []
    lines += _head(event, details)
    own = details.text.plain.strip()
    return "\n".join([*lines, *(["", _LINE, "", own] if own else []), ""])


def _head(event: Component, details: Details) -> list[str]:
    lines = [f"When: {when(details)}{_repeats(event)}"]
    if details.location is not None:
        lines.append(f"Where: {printable(shown_place(details.location))}")
    return lines


def _repeats(event: Component) -> str:
    rule = event.first("RRULE")
    parts = dict(part.partition("=")[::2] for part in rule.value.upper().split(";")) if rule is not None else {}
    frequency = _FREQUENCIES.get(parts.get("FREQ", ""))
    return f"; repeats {frequency}" if frequency else "; repeats" if rule is not None else ""


def when(details: Details) -> str:
    """`Monday, 23 November 2026, 13:00 - 14:00 (Europe/Berlin)`."""
    start, end = details.zone.local(details.start), details.zone.local(details.end)
    if details.is_day:
        last = max(start, end - timedelta(days=1))
        return _day(start) if last == start else f"{_day(start)} - {_day(last)}"
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{_day(end)}, {end:%H:%M}"
    return f"{_day(start)}, {start:%H:%M} - {until} ({details.zone.name})"


def _day(clock: datetime) -> str:
    return f"{clock:%A}, {clock.day} {clock:%B} {clock.year}"


def forwarded_text(forwarder: Person, forwardees: Iterable[Person], event: Component, details: Details) -> str:
    """What the organizer is told when somebody forwards the meeting."""
    named = [printable(f"{p.name} <{p.address}>" if p.name else p.address) for p in forwardees]
    more = len(named) - _SHOWN_FORWARDEES
    lines = [
        f"{forwarder.name or forwarder.address} has forwarded your meeting request to others.",
        "",
        *_head(event, details),
        "",
        "Recipients:",
        *named[:_SHOWN_FORWARDEES],
        *([f"and {more} more"] if more > 0 else []),
        "",
    ]
    return "\n".join([f"Subject: {printable(details.subject or '')}", *lines])
