"""Whether a message is what a term of a KQL query asks for: pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Final

from eas_server.model.mail import Item
from protocol.kql import Term

_SIGNS: Final = re.compile(r"[\W_]+")
_YES: Final = frozenset({"true", "yes", "1"})
_NO: Final = frozenset({"false", "no", "0"})
_IMPORTANCE: Final = {"low": 0, "normal": 1, "medium": 1, "high": 2}
_ACTIVE_FLAG: Final = 2
_DAY: Final = timedelta(days=1)


def matches(term: Term, item: Item, now: datetime) -> bool:
    """Whether the term holds; it has a property, and not `body`: those are for the store's index."""
    return _holds(term, item, now) is not term.negated


def _holds(term: Term, item: Item, now: datetime) -> bool:
    if term.property in ("received", "sent", "date"):
        return _is_of(term, item.index.date if term.property == "sent" else item.received, now)
    if term.operator not in (":", "=", "<>"):
        return False
    return _equals(term, item) is not (term.operator == "<>")


def _equals(term: Term, item: Item) -> bool:
    index = item.index
    attached = any(not attachment.inline for attachment in index.attachments)
    match term.property:
        case "hasattachment" | "hasattachments":
            return _says(term, attached)
        case "isread" | "read":
            return _says(term, item.state.read)
        case "isflagged":
            return _says(term, item.state.flag is not None and item.state.flag.status == _ACTIVE_FLAG)
        case "importance":
            return _IMPORTANCE.get(term.text.casefold()) == index.importance
        case "kind":
            return term.text.casefold() == "email"
        case _:
            return _in_text(term.text, _TEXTS[term.property](item))


_TEXTS: Final[Mapping[str, Callable[[Item], str]]] = {
    "subject": lambda item: item.index.subject,
    "from": lambda item: item.index.sender,
    "to": lambda item: item.index.to,
    "cc": lambda item: item.index.cc,
    "bcc": lambda item: item.index.bcc,
    "recipients": lambda item: " ".join((item.index.to, item.index.cc, item.index.bcc)),
    "participants": lambda item: " ".join((item.index.sender, item.index.to, item.index.cc, item.index.bcc)),
    "attachment": lambda item: " ".join(attachment.name for attachment in item.index.attachments),
    "attachmentnames": lambda item: " ".join(attachment.name for attachment in item.index.attachments),
    "category": lambda item: " ".join(item.state.categories),
}


def _says(term: Term, fact: bool) -> bool:
    wanted = term.text.casefold()
    return wanted in (_YES if fact else _NO)


def _in_text(wanted: str, text: str) -> bool:
    """Whether the words of `wanted` stand in `text` one after another; the last one may go on."""
    words = _normal(wanted)
    if not words:
        return False
    # scripts without spaces have no beginnings of words to go by
    return f" {words}" in f" {_normal(text)}" if words.isascii() else words in _normal(text)


def _normal(text: str) -> str:
    """Without case, accents and punctuation, a blank between words."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return _SIGNS.sub(" ", "".join(sign for sign in folded if not unicodedata.combining(sign))).strip()


def _is_of(term: Term, moment: datetime | None, now: datetime) -> bool:
    """Whether `moment` is on the day, or between the days, that the term names, or before or after it; in UTC."""
    first, dots, last = term.text.partition("..")
    begin, end = _day(first, now), _day(last if dots else first, now)
    if moment is None or begin is None or end is None:
        return False
    end += _DAY
    match term.operator:
        case ">":
            return moment >= end
        case ">=":
            return moment >= begin
        case "<":
            return moment < begin
        case "<=":
            return moment < end
        case "<>":
            return not begin <= moment < end
        case _:
            return begin <= moment < end


def _day(text: str, now: datetime) -> datetime | None:
    """The beginning of a day, `2026-11-23`, `today` or `yesterday`; a time behind it is not looked at."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"today": today, "yesterday": today - _DAY}.get(text.casefold())
    if named is not None:
        return named
    try:
        day = datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return day if day.year < MAXYEAR else None  # there is a day after it
