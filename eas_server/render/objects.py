"""Calendar objects around one component: a VTODO or a VJOURNAL in its VCALENDAR (RFC 5545 3.4, 3.6)."""

from datetime import UTC, datetime
from typing import Final

from eas_server.render.contentlines import Component, MalformedLines, Property, escape, join_texts
from protocol.datatypes import format_compact, parse_datetime

PRODUCT: Final = "-//eas-server//EN"
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


def calendar_of(name: str, uid: str, now: datetime) -> Component:
    """A new VCALENDAR around a new component."""
    made = (
        Property("UID", escape(uid)),
        Property("DTSTAMP", format_compact(now)),
        Property("CREATED", format_compact(now)),
    )
    return Component("VCALENDAR", (Property("VERSION", "2.0"), Property("PRODID", PRODUCT), Component(name, made)))


def main_component(calendar: Component, name: str) -> Component:
    """The component that a calendar object is about: of several, the one that is no exception of a series.

    Raises MalformedLines where there is none.
    """
    found = calendar.components(name)
    if not found:
        raise MalformedLines(f"no {name}")
    return next((component for component in found if component.first("RECURRENCE-ID") is None), found[0])


def stamped(component: Component, now: datetime) -> Component:
    """The component, changed at `now`."""
    moment = format_compact(now)
    return component.with_text("DTSTAMP", moment).with_text("LAST-MODIFIED", moment)


def moment_of(line: Property | None) -> datetime | None:
    """The moment of a line in UTC; None where there is none, or none that can be read."""
    if line is None:
        return None
    try:
        return parse_datetime(line.value)
    except ValueError:
        return None


def modified(component: Component) -> datetime:
    """When a component was last changed: LAST-MODIFIED, or what comes next to it."""
    found = (moment_of(component.first(name)) for name in ("LAST-MODIFIED", "DTSTAMP", "CREATED"))
    return next((moment for moment in found if moment is not None), _NEVER)


def categories_of(component: Component) -> tuple[str, ...]:
    """The categories of all lines, each once."""
    return tuple(dict.fromkeys(text for held in component.all("CATEGORIES") for text in held.texts if text))


def with_categories(component: Component, categories: tuple[str, ...] | None) -> Component:
    """The component with these categories on one line."""
    if not categories:
        return component.without_property("CATEGORIES")
    return component.with_property(Property("CATEGORIES", join_texts(categories)))
