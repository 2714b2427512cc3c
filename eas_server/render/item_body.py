"""The text of contacts, notes, tasks and events: kept as plain text beside HTML, sent as Body ([MS-ASAIRS] 2.2.2.9).

vCard and iCalendar have plain texts (NOTE, DESCRIPTION). HTML that a device sends is kept in a second property. It
counts as long as it says what the plain text says: a DAV client that changes the one does not know of the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eas_server.render import text
from eas_server.render.contentlines import Component, Property, clean, escape
from eas_server.render.pim import InvalidItem
from protocol.elements import Inline
from protocol.items.airsyncbase import Body, BodyPreference, BodyType

HTML_OF_EVENTS: Final = "X-ALT-DESC"
"""Holds the HTML beside DESCRIPTION; other products write and read it too."""
HTML_OF_CONTACTS: Final = "X-EAS-NOTE-HTML"
"""Holds the HTML beside NOTE."""
_FORMAT: Final = ("FMTTYPE", ("text/html",))


@dataclass(frozen=True, slots=True)
class ItemText:
    """The text of an item; line ends are LF."""

    plain: str = ""
    html: str | None = None
    """None: the text is plain by nature."""


NO_TEXT: Final = ItemText()


# ---- to clients


def text_body(held: ItemText, preferences: Sequence[BodyPreference] = ()) -> Body:
    """The Body that a client gets, by the rules of mail (`body.choose_body`).

    The type that the text has by itself comes first (MS-ASAIRS_R77). A preference with AllOrNone that the text does not
    fit gives way to the one that returns most (R80); if none is left, the first is answered without data (R376). RTF
    and MIME are not offered. An item without text has an empty Body: an absent one would leave what a client holds.
    """
    offers = [
        _offer(held, p.type, p.truncation_size, all_or_none=bool(p.all_or_none), preview=p.preview)
        for p in preferences
        if p.type in {BodyType.PLAIN, BodyType.HTML}
    ]
    native = BodyType.PLAIN if held.html is None else BodyType.HTML
    offers.sort(key=lambda body: body.type is not native)
    if not offers:
        return _offer(held, native, None, all_or_none=False, preview=None)
    if offers[0].data is not None:
        return offers[0]
    fitting = [body for body in offers if isinstance(body.data, str)]
    return max(fitting, key=lambda body: len(str(body.data))) if fitting else offers[0]


def _offer(held: ItemText, wanted: BodyType, limit: int | None, *, all_or_none: bool, preview: int | None) -> Body:
    shown = _as_html(held) if wanted is BodyType.HTML else held.plain.replace("\n", "\r\n")
    size = text.utf8_size(shown)
    exceeds = limit is not None and size > limit
    data: str | None = shown
    if exceeds and limit is not None:
        cut = text.truncate_html if wanted is BodyType.HTML else text.truncate
        data = None if all_or_none else cut(shown, limit)
    shows_itself = bool(data) and wanted is BodyType.PLAIN  # MS-ASAIRS_R1001036
    return Body(
        type=wanted,
        estimated_data_size=size,
        truncated=exceeds,
        data=data,
        preview=None if preview is None or shows_itself else text.preview(held.plain, preview) or None,
    )


def _as_html(held: ItemText) -> str:
    if held.html is not None:
        return held.html
    return text.html_from_plain(held.plain) if held.plain else ""


# ---- from clients


def sent_text(body: Body | None) -> ItemText | None:
    """The text of a client's Body; None where it says nothing: no Body, or one without Data (MS-ASCMD_R878).

    Raises InvalidItem for RTF and MIME, which nothing here can show to others.
    """
    if body is None or body.data is None:
        return None
    if body.type not in {BodyType.PLAIN, BodyType.HTML}:
        raise InvalidItem(f"a body of type {body.type.name}")
    data = clean(_unread(body.data))
    if body.type is BodyType.PLAIN or not data:
        return ItemText(data)
    return ItemText(text.plain_from_html(data), data)


def _unread(data: str | Inline) -> str:
    if isinstance(data, str):
        return data
    if not isinstance(data.octets, (bytes, bytearray, memoryview)):
        raise InvalidItem("a body that is not in memory")
    return bytes(data.octets).decode("utf-8", "replace")


# ---- in vCard and iCalendar


def held_text(component: Component, plain_name: str, html_name: str) -> ItemText:
    """The text of a component. HTML that says other words than the plain text is out of date and not given."""
    plain = component.text(plain_name) or ""
    kept = component.first(html_name)
    if kept is None or (kept.param("FMTTYPE") or "text/html").lower() != "text/html":
        return ItemText(plain)
    html = kept.text
    if text.plain_from_html(html).split() != plain.split():
        return ItemText(plain)
    return ItemText(plain, html)


def with_text(component: Component, plain_name: str, html_name: str, new: ItemText) -> Component:
    """The component with another text."""
    component = component.with_text(plain_name, new.plain or None)
    if new.html is None:
        return component.without_property(html_name)
    held = component.first(html_name)
    if held is not None and held.text == new.html:
        return component
    return component.with_property(Property(html_name, escape(new.html), (_FORMAT,)))
