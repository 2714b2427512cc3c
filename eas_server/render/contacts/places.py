"""Where in a vCard the properties of a contact stand.

The protocol has numbered and named places (Email1Address, Home2PhoneNumber), a vCard has any number of lines with
types. Lines take the places that their types name, in order; a telephone number without a type that is known takes the
next free one of the home and business numbers. What finds no place stays in the vCard, unseen by devices. Where an
order cannot say it (Email2Address without Email1Address), the parameter X-EAS-SLOT does: the number of the place, 0 for
none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from eas_server.render.contentlines import Component, Params, Property

SLOT: Final = "X-EAS-SLOT"

SINGLE: Final = {
    "job_title": ("TITLE",),
    "nick_name": ("NICKNAME",),
    "web_page": ("URL",),
    "spouse": ("X-SPOUSE", "X-EVOLUTION-SPOUSE"),
    "manager_name": ("X-MANAGER", "X-EVOLUTION-MANAGER"),
    "assistant_name": ("X-ASSISTANT", "X-EVOLUTION-ASSISTANT"),
    "yomi_first_name": ("X-PHONETIC-FIRST-NAME",),
    "yomi_last_name": ("X-PHONETIC-LAST-NAME",),
    "yomi_company_name": ("X-PHONETIC-ORG",),
    "office_location": ("X-EAS-OFFICE-LOCATION",),
    "customer_id": ("X-EAS-CUSTOMER-ID",),
    "government_id": ("X-EAS-GOVERNMENT-ID",),
    "account_name": ("X-EAS-ACCOUNT-NAME",),
    "mms": ("X-EAS-MMS",),
    "alias": ("X-EAS-ALIAS",),
    "weighted_rank": ("X-EAS-WEIGHTED-RANK",),
    "children": ("X-EAS-CHILDREN",),
    "file_as": ("X-EAS-FILE-AS",),
    "birthday": ("BDAY",),
    "anniversary": ("ANNIVERSARY", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY"),
    "picture": ("PHOTO",),
    "N": ("N",),
    "ORG": ("ORG",),
}
"""The names of properties that count once, the one that is written first; N and ORG have parts of their own."""

_PLACE_OF: Final = tuple((name, place) for place, names in SINGLE.items() for name in reversed(names))
SINGLE_NAMES: Final = frozenset(name for names in SINGLE.values() for name in names)

_HOME_ADDRESS, _BUSINESS_ADDRESS, _OTHER_ADDRESS = "home_address", "business_address", "other_address"

PARTS: Final = {
    "last_name": ("N", 0),
    "first_name": ("N", 1),
    "middle_name": ("N", 2),
    "title": ("N", 3),
    "suffix": ("N", 4),
    "company_name": ("ORG", 0),
    "department": ("ORG", 1),
    **{
        f"{owner}_{part}": (owner, index)
        for owner in (_HOME_ADDRESS, _BUSINESS_ADDRESS, _OTHER_ADDRESS)
        for part, index in (("street", 2), ("city", 3), ("state", 4), ("postal_code", 5), ("country", 6))
    },
}
"""By field: the place of a structured value, and the part of it."""

_EMAIL: Final = ("email1_address", "email2_address", "email3_address")
_IM: Final = ("im_address", "im_address2", "im_address3")
_HOME: Final = ("home_phone_number", "home2_phone_number")
_WORK: Final = ("business_phone_number", "business2_phone_number")
_UNTYPED: Final = (*_HOME, *_WORK)


def _type(*types: str) -> Params:
    return (("TYPE", types),)


NEW: Final[dict[str, tuple[str, Params]]] = {
    **dict.fromkeys(_EMAIL, ("EMAIL", _type("internet"))),
    **dict.fromkeys(_IM, ("IMPP", ())),
    **dict.fromkeys(_HOME, ("TEL", _type("home"))),
    **dict.fromkeys(_WORK, ("TEL", _type("work"))),
    "mobile_phone_number": ("TEL", _type("cell")),
    "pager_number": ("TEL", _type("pager")),
    "car_phone_number": ("TEL", _type("car")),
    "home_fax_number": ("TEL", _type("home", "fax")),
    "business_fax_number": ("TEL", _type("work", "fax")),
    "radio_phone_number": ("TEL", _type("x-eas-radio")),
    "assistant_phone_number": ("TEL", _type("x-eas-assistant")),
    "company_main_phone": ("TEL", _type("x-eas-company")),
    _HOME_ADDRESS: ("ADR", _type("home")),
    _BUSINESS_ADDRESS: ("ADR", _type("work")),
    _OTHER_ADDRESS: ("ADR", _type("other")),
}
"""The line that is made for a place that a vCard has none for."""

FAMILIES: Final = {place: family for family in (_EMAIL, _IM, _HOME, _WORK) for place in family}
"""The places that lines of the same types share, in their order."""

_TEL_TYPES: Final = (
    ("pager", ("pager_number",)),
    ("car", ("car_phone_number",)),
    ("cell", ("mobile_phone_number",)),
    ("iphone", ("mobile_phone_number",)),
    ("x-eas-radio", ("radio_phone_number",)),
    ("x-evolution-radio", ("radio_phone_number",)),
    ("x-eas-assistant", ("assistant_phone_number",)),
    ("x-evolution-assistant", ("assistant_phone_number",)),
    ("x-eas-company", ("company_main_phone",)),
    ("x-evolution-company", ("company_main_phone",)),
    ("home", _HOME),
    ("work", _WORK),
)


@dataclass(frozen=True, slots=True)
class Places:
    """Which line stands in which place."""

    taken: dict[str, Property]
    """By place: a field, or the owner of parts (N, ORG, home_address)."""
    hidden: tuple[Property, ...] = ()
    """Lines that could stand in a place and found none."""


def places(card: Component) -> Places:
    """The places of a vCard."""
    by_name: dict[str, list[Property]] = {}
    for held in card.contents:
        if isinstance(held, Property):
            by_name.setdefault(held.name.upper(), []).append(held)
    taken: dict[str, Property] = {}
    for name, place in _PLACE_OF:  # of the names of a place the best comes last
        for held in reversed(by_name.get(name, ())):
            if not held.params or held.param(SLOT) != "0":
                taken[place] = held
    if "anniversary" not in taken and "X-ABDATE" in by_name and (dated := _labelled(by_name)) is not None:
        taken["anniversary"] = dated
    hidden = _assign(taken, [p for name in ("EMAIL", "IMPP", "X-EAS-IM", "TEL", "ADR") for p in by_name.get(name, ())])
    return Places(taken, tuple(hidden))


def _labelled(by_name: dict[str, list[Property]]) -> Property | None:
    """The wedding day as Apple writes it: a date whose group has a label."""
    groups = {p.group.lower() for p in by_name.get("X-ABLABEL", ()) if "anniversary" in p.value.lower()}
    return next((p for p in by_name["X-ABDATE"] if p.group and p.group.lower() in groups), None)


def _assign(taken: dict[str, Property], lines: list[Property]) -> list[Property]:
    """Give each line its place; those without one are returned. Marked lines first, untyped ones last."""
    hidden: list[Property] = []
    later: list[tuple[Property, tuple[str, ...]]] = []
    untyped: list[tuple[Property, tuple[str, ...]]] = []
    for line in lines:
        family = _family(line)
        slot = line.param(SLOT) if line.params else None
        if slot is None:
            (untyped if family is _UNTYPED else later).append((line, family))
        elif slot.isdecimal() and 0 < int(slot[:2]) <= len(family) and family[int(slot[:2]) - 1] not in taken:
            taken[family[int(slot[:2]) - 1]] = line
        else:
            hidden.append(line)
    for line, family in (*later, *untyped):
        free = next((place for place in family if place not in taken), None)
        if free is None:
            hidden.append(line)
        else:
            taken[free] = line
    return hidden


def _family(line: Property) -> tuple[str, ...]:
    """The places that a line can take, by its name and types."""
    name, types = line.name.upper(), line.types if line.params else frozenset()
    if name == "EMAIL":
        return _EMAIL
    if name in {"IMPP", "X-EAS-IM"}:
        return _IM
    if name == "ADR":
        wanted = _HOME_ADDRESS if "home" in types else _BUSINESS_ADDRESS if "work" in types else _OTHER_ADDRESS
        return (wanted,)
    if "fax" in types:
        return ("home_fax_number",) if "home" in types else ("business_fax_number",)
    return next((family for kind, family in _TEL_TYPES if kind in types), _UNTYPED)


def settle(card: Component, wanted: Places) -> Component:
    """Mark lines until every one stands where `wanted` has it; lines that `wanted` does not have stay as they are.

    Without marks the lines behind a deleted one would move up, and a hidden one would come into sight: the next change
    of a device that does not know of it would delete it.
    """
    while True:
        meant = {id(line): place for place, line in wanted.taken.items()} | {id(line): None for line in wanted.hidden}
        found = places(card)
        actual = {id(line): place for place, line in found.taken.items()} | {id(line): None for line in found.hidden}
        moved = [line for line in _lines(card) if id(line) in meant and meant[id(line)] != actual[id(line)]]
        if not moved:
            return card
        for line in moved:
            place = meant[id(line)]
            slot = _family(line).index(place) + 1 if place is not None else 0
            marked = line.with_param(SLOT, str(slot))
            card = card.replaced(line, marked)
            wanted = Places(
                {p: marked if held is line else held for p, held in wanted.taken.items()},
                tuple(marked if held is line else held for held in wanted.hidden),
            )


def _lines(card: Component) -> Iterable[Property]:
    return (p for p in card.properties if p.name.upper() in {"EMAIL", "IMPP", "X-EAS-IM", "TEL", "ADR"})
