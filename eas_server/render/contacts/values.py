"""Single values of a vCard: dates, pictures, addresses of the web; parts of structured values."""

import base64
import binascii
import re
from datetime import UTC, datetime, time
from typing import Final

from eas_server.render.contentlines import Params, Property, escape, split_value, unescape
from protocol.items.contacts import MAX_PICTURE

TIME: Final = "X-EAS-TIME"
"""The time that a device sent with a date, where it is not NOON."""
NOON: Final = time(11, 59)
"""The time of a birthday: of no meaning, and the same date in most time zones (MS-ASCNTC_R999)."""
NO_YEAR: Final = 1604
"""The year of a birthday whose year nobody knows; phones write and hide it."""
_DATE: Final = re.compile(r"(?:(\d{4})|--)-?(\d\d)-?(\d\d)(?:[T ].*)?", re.ASCII)
_CLOCK: Final = "%H%M%S"


def date_of(held: Property) -> datetime | None:
    """A date as the moment that devices get; None for what is none (a free text, a year)."""
    found = _DATE.fullmatch(held.value.strip())
    if found is None:
        return None
    clock = NOON
    if (sent := held.param(TIME)) is not None:
        try:
            clock = datetime.strptime(sent, _CLOCK).replace(tzinfo=UTC).time()
        except ValueError:
            clock = NOON
    try:
        return datetime(
            int(found[1] or NO_YEAR), int(found[2]), int(found[3]), clock.hour, clock.minute, clock.second, 0, UTC
        )
    except ValueError:
        return None


def with_date(held: Property, moment: datetime, *, basic: bool) -> Property:
    """A property with the date of `moment`; `basic`: as vCard 4.0 writes it. Of the time only seconds are kept."""
    moment = moment.astimezone(UTC)
    value = f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
    clock = moment.time().replace(microsecond=0)
    kept = tuple(p for p in held.params if p[0].upper() not in {TIME, "VALUE", "X-APPLE-OMIT-YEAR"})
    params: Params = kept if clock == NOON else (*kept, (TIME, (clock.strftime(_CLOCK),)))
    return Property(held.name, value.replace("-", "") if basic else value, params, held.group)


_DATA_URI: Final = re.compile(r"data:[^,;]*(?:;[^,;]*)*;base64,", re.IGNORECASE)


def picture_of(held: Property) -> bytes | None:
    """The picture that a vCard holds itself and devices can take; None for an address, and beyond MAX_PICTURE."""
    text = held.value
    prefix = _DATA_URI.match(unescape(text[:200]))
    if prefix is not None:
        text = unescape(text)[prefix.end() :]
    elif (held.param("ENCODING") or "").upper() not in {"B", "BASE64"}:
        return None
    text = text.translate(_NO_SPACE)
    if not text or len(text) > MAX_PICTURE:
        return None
    try:
        return binascii.a2b_base64(text) or None
    except binascii.Error:
        return None


_NO_SPACE: Final = {ord(" "): None, ord("\t"): None}
_MAGIC: Final = ((b"\xff\xd8", "JPEG"), (b"\x89PNG", "PNG"), (b"GIF8", "GIF"), (b"BM", "BMP"))


def picture(octets: bytes, *, uri: bool, group: str = "") -> Property:
    """A PHOTO; `uri`: as vCard 4.0 writes it."""
    kind = next((name for magic, name in _MAGIC if octets.startswith(magic)), "JPEG")
    encoded = base64.b64encode(octets).decode("ascii")
    if uri:
        return Property("PHOTO", f"data:image/{kind.lower()};base64,{encoded}", (), group)
    return Property("PHOTO", encoded, (("ENCODING", ("b",)), ("TYPE", (kind,))), group)


_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")


def is_uri(text: str) -> bool:
    """Whether a text can stand where a URI belongs."""
    return _URI.fullmatch(text) is not None


def as_uri(text: str) -> str:
    """A text as the value of a URI property: as it is where that is read back the same."""
    return text if is_uri(text) and unescape(text) == text else escape(text)


def with_part(held: Property, index: int, text: str | None, *, least: int = 0) -> Property:
    """A structured value with another part, the others as they are; `least`: so many parts are written."""
    parts = split_value(held.decoded, ";") if held.value else []
    parts += [""] * (max(index + 1, least) - len(parts))
    parts[index] = escape(text or "")
    while len(parts) > max(least, 1) and not parts[-1]:
        del parts[-1]
    changed = held.with_value(";".join(parts))
    return changed.with_param("LABEL") if changed.param("LABEL") is not None else changed


def is_blank(held: Property) -> bool:
    """Whether a structured value says nothing."""
    return not held.value.strip(";")
