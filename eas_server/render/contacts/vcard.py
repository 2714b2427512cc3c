"""A contact out of its vCard, and the vCard after a device's change ([MS-ASCNTC] 2.2.2, RFC 6350, RFC 2426).

A vCard of any version is read. A change is written in the version that the vCard has, a new one in 3.0, which every
client of CardDAV reads. Only lines whose value changed are written anew; what vCard has no property for stands in
X-EAS- properties.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final

from eas_server.render import item_body
from eas_server.render.contacts import places as where
from eas_server.render.contacts import values
from eas_server.render.contacts.places import Places
from eas_server.render.contentlines import Component, Params, Property, dump, escape, join_texts, parse
from eas_server.render.item_body import HTML_OF_CONTACTS
from eas_server.render.merging import merged
from eas_server.render.objects import categories_of, with_categories
from eas_server.render.pim import InvalidItem
from protocol.datatypes import format_compact
from protocol.elements import Tag
from protocol.items.airsyncbase import BodyPreference
from protocol.items.contacts import MAX_CATEGORIES, MAX_CHILDREN, MAX_PICTURE, Contact
from protocol.versions import ProtocolVersion

_FN_THEN: Final = "X-EAS-FN"
"""On X-EAS-FILE-AS: the FN of that time. When another product gives the contact another name, FileAs follows."""
_NAMES: Final = ("first_name", "middle_name", "last_name", "suffix")
_INSTEAD: Final = ("company_name", "file_as", "nick_name", "email1_address")
"""What a contact without a name is shown under."""
_SHOWN: Final = (*_NAMES, "company_name")
_NOTHING: Final = (None, "", (), b"")
_KEPT: Final = frozenset({"picture"})
_DATES: Final = frozenset({"birthday", "anniversary"})
_PARTS_OF_N: Final = 5
_PARTS_OF_ADR: Final = 7
_BASE64_GROUP: Final = 3
_MAX_OCTETS: Final = MAX_PICTURE // 4 * _BASE64_GROUP
_SEARCHED: Final = frozenset(
    {"NOTE", "FN", "N", "NICKNAME", "ORG", "TITLE", "EMAIL", "TEL", "ADR", "IMPP", "CATEGORIES"}
)


# ---- reading


def contact_from(octets: bytes, preferences: Sequence[BodyPreference] = ()) -> Contact:
    """The contact that a vCard holds, with its body as the client prefers it. Raises MalformedLines."""
    card = parse(octets)
    return _contact(card, where.places(card), preferences)


def search_text(octets: bytes) -> str:
    """The words of a vCard for full-text search: names, addresses, numbers, notes. Raises MalformedLines."""
    card = parse(octets)
    return "\n".join(p.text.replace(";", " ") for p in card.properties if p.name.upper() in _SEARCHED and p.value)


def _contact(card: Component, places: Places, preferences: Sequence[BodyPreference] = ()) -> Contact:
    found: dict[str, Any] = {}
    for place, held in places.taken.items():
        if place in _READ:
            found[place] = _READ[place](held)
        elif place in _FIELDS:
            found[place] = held.text or None
    parts = {owner: places.taken[owner].parts for owner in _OWNERS if owner in places.taken}
    for field, (owner, index) in where.PARTS.items():
        if owner in parts and index < len(parts[owner]):
            found[field] = parts[owner][index] or None
    found["categories"] = categories_of(card)[:MAX_CATEGORIES]
    _name(card, places, found)
    text = item_body.held_text(card, "NOTE", HTML_OF_CONTACTS)
    return Contact(
        **{field: value for field, value in found.items() if value not in _NOTHING},
        body=item_body.text_body(text, preferences),
    )


def _name(card: Component, places: Places, found: dict[str, Any]) -> None:
    """FileAs, and the parts of a name that is given whole only."""
    shown = card.text("FN") or ""
    filed = places.taken.get("file_as")
    if filed is not None and filed.param(_FN_THEN) not in {None, shown}:
        found["file_as"] = None
    default = _shown(found)
    found["file_as"] = found.get("file_as") or shown or default
    if shown != default and not any(found.get(name) for name in _SHOWN):
        found["first_name"], _, found["last_name"] = shown.rpartition(" ")


def _texts(held: Property) -> tuple[str, ...]:
    return held.texts[:MAX_CHILDREN]


def _phone(held: Property) -> str:
    text = held.text
    return text[4:] if text[:4].lower() == "tel:" and (held.param("VALUE") or "").lower() == "uri" else text


def _number(held: Property) -> int | None:
    return int(held.value) if held.value.isdecimal() and len(held.value) < len("4294967295") else None


_READ: Final[dict[str, Callable[[Property], Any]]] = {
    "birthday": values.date_of,
    "anniversary": values.date_of,
    "picture": values.picture_of,
    "children": _texts,
    "weighted_rank": _number,
    "nick_name": lambda held: ", ".join(held.texts),
}
_FIELDS: Final = frozenset(f.name for f in fields(Contact))
_OWNERS: Final = tuple(dict.fromkeys(owner for owner, _ in where.PARTS.values()))


_READ.update({field: _phone for field, (name, _) in where.NEW.items() if name == "TEL"})


# ---- writing


def apply_contact(
    stored: bytes | None,
    change: Contact,
    *,
    version: ProtocolVersion,
    now: datetime,
    uid: str,
    supported: frozenset[Tag] | None = None,
    empty_picture_keeps: bool = False,
) -> bytes:
    """The vCard after a client's change; `stored` is None for an Add, `uid` counts then only.

    Absent properties are deleted but for the body and the picture (MS-ASCMD_R878, R879) and for the ghosted ones:
    `supported` has the tags that the client named, None where it sent no Supported. `empty_picture_keeps` is for
    clients that send an empty Picture with every change. Where nothing changes, the octets stay the same. Raises
    InvalidItem, and MalformedLines where `stored` is no vCard.
    """
    _check(change)
    if empty_picture_keeps and change.picture == b"":
        change = replace(change, picture=None)
    card = parse(stored) if stored is not None else _blank(uid)
    places = where.places(card)
    current = _contact(card, places)
    wanted = merged(current, change, version=version, supported=supported, kept=_KEPT)
    changed = _with_places(card, places, current, wanted)
    if wanted.categories != current.categories:
        changed = with_categories(changed, wanted.categories)
    changed = _with_names(changed, current, wanted, filed_by_client=bool(change.file_as))
    text = item_body.sent_text(change.body)
    if text is not None and text != item_body.held_text(card, "NOTE", HTML_OF_CONTACTS):
        changed = item_body.with_text(changed, "NOTE", HTML_OF_CONTACTS, text)
    if stored is not None and changed is card:
        return stored
    return dump(changed.with_text("REV", format_compact(now)))


def _check(change: Contact) -> None:
    if change.picture is not None and len(change.picture) > _MAX_OCTETS:
        raise InvalidItem("the Picture is too large")  # MS-ASCNTC_R384
    if len(change.categories or ()) > MAX_CATEGORIES:
        raise InvalidItem("more categories than a contact can have")
    if len(change.children or ()) > MAX_CHILDREN:
        raise InvalidItem("more children than a contact can have")


def _blank(uid: str) -> Component:
    return Component("VCARD", (Property("VERSION", "3.0"), Property("UID", escape(uid)), Property("N", ";;;;")))


def _with_places(card: Component, places: Places, current: Contact, wanted: Contact) -> Component:
    """The vCard with the lines set in which `current` and `wanted` differ."""
    differing = [f.name for f in fields(Contact) if getattr(wanted, f.name) != getattr(current, f.name)]
    owners = dict.fromkeys(where.PARTS[field][0] for field in differing if field in where.PARTS)
    lines = [field for field in differing if field in where.NEW or (field in where.SINGLE and field != "file_as")]
    if not owners and not lines:
        return card
    modern = (card.text("VERSION") or "").strip().startswith("4")
    taken = dict(places.taken)
    new: dict[str, Property | None] = {owner: _parted(owner, taken.get(owner), wanted) for owner in owners}
    for field in lines:
        value = getattr(wanted, field)
        new[field] = None if value is None else _line(field, value, taken.get(field), modern=modern)
    for place, line in new.items():
        card = _with_line(card, taken.pop(place, None), line)
        if line is not None:
            taken[place] = line
    return where.settle(card, Places(taken, places.hidden))


def _with_line(card: Component, held: Property | None, line: Property | None) -> Component:
    """One line set, added or taken away. Others of its name, which were not seen, do not come into sight for it."""
    if held is None:
        return card if line is None else card.with_added(line)
    if line is not None:
        return card.replaced(held, line)
    card = card.replaced(held)
    if held.name.upper() in where.SINGLE_NAMES:
        for other in card.all(held.name):
            card = card.replaced(other, other.with_param(where.SLOT, "0"))
    return card


def _parted(owner: str, held: Property | None, wanted: Contact) -> Property | None:
    """A structured value with the parts of `wanted`; None where nothing is left of it."""
    name, params = where.NEW.get(owner, (owner, ()))
    least = {"N": _PARTS_OF_N, "ORG": 0}.get(owner, _PARTS_OF_ADR)
    line = held or Property(name, "", params)
    for field, (place, index) in where.PARTS.items():
        if place == owner:
            parts = line.parts
            now = parts[index] if index < len(parts) else ""
            value = getattr(wanted, field) or ""
            if value != now:
                line = values.with_part(line, index, value, least=least)
    return None if owner != "N" and values.is_blank(line) else line


def _line(field: str, value: Any, held: Property | None, *, modern: bool) -> Property:  # noqa: ANN401 - of any field
    """The line for a value; parameters and group stay as `held` has them."""
    if field == "picture":
        return values.picture(value, uri=modern, group=held.group if held is not None else "")
    name, params = where.NEW.get(field) or (where.SINGLE[field][0], ())
    if field in _DATES:
        name = "X-ANNIVERSARY" if field == "anniversary" and not modern else name
        return values.with_date(held or Property(name, ""), value, basic=modern)
    if field == "children":
        return Property(name, join_texts(value))
    line = held or Property(name, "", _slotted(field, params))
    if name == "IMPP":
        uri = values.is_uri(value)
        return Property("IMPP" if uri else "X-EAS-IM", values.as_uri(value), line.params, line.group)
    if field == "web_page":
        return line.with_value(values.as_uri(value))
    return line.with_param("VALUE").with_text(str(value)) if line.param("VALUE") else line.with_text(str(value))


def _slotted(field: str, params: Params) -> Params:
    """The parameters of a new line: from the second place on it says which it is."""
    number = where.FAMILIES.get(field, (field,)).index(field) + 1
    return params if number == 1 else (*params, (where.SLOT, (str(number),)))


# ---- FN and FileAs


def _with_names(card: Component, current: Contact, wanted: Contact, *, filed_by_client: bool) -> Component:
    """FN follows the names; FileAs is kept where it says something else."""
    shown = card.text("FN")
    before, after = ([getattr(contact, name) for name in _SHOWN] for contact in (current, wanted))
    if before != after or not shown or not any(before):
        shown = _shown({name: getattr(wanted, name) for name in _FIELDS})
        card = card.with_text("FN", shown)
    held = card.first("X-EAS-FILE-AS")
    if wanted.file_as is None:
        return card if held is None else card.without_property("X-EAS-FILE-AS")
    own = held is not None and current.file_as == held.text
    if not (own or filed_by_client):
        return card
    if wanted.file_as == shown and any(getattr(wanted, name) for name in _SHOWN):
        return card if held is None else card.without_property("X-EAS-FILE-AS")
    if held is not None and held.text == wanted.file_as and held.param(_FN_THEN) == shown:
        return card
    return card.with_property(Property("X-EAS-FILE-AS", escape(wanted.file_as), ((_FN_THEN, (shown,)),)))


def _shown(found: Mapping[str, Any]) -> str:
    """The name that a contact is shown under where nobody gave one."""
    whole = " ".join(found[name] for name in _NAMES if found.get(name))
    return whole or next((found[name] for name in _INSTEAD if found.get(name)), "")
