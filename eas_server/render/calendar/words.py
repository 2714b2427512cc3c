"""What an event is found by, and its files by number."""

import hashlib

from eas_server.render.calendar.attachments import file_with, place_in_series, read_attachments
from eas_server.render.calendar.details import CLIENT_UID
from eas_server.render.calendar.series import Owner, series_of
from eas_server.render.contentlines import clean, parse
from eas_server.render.objects import categories_of, main_component

_COMPONENT = "VEVENT"


def search_text(octets: bytes) -> str:
    """The words of an event for full-text search: subject, place, text, categories, and those that stand for its
    UID and its ClientUid. Raises MalformedLines.
    """
    event = main_component(parse(octets), _COMPONENT)
    texts = (event.text(name) or "" for name in ("SUMMARY", "LOCATION", "DESCRIPTION"))
    client_uid = event.text(CLIENT_UID)
    names = (uid_word(event.text("UID") or ""), *([client_uid_word(client_uid)] if client_uid else []))
    return "\n".join((*texts, *categories_of(event), *names))


def uid_word(uid: str) -> str:
    """A word that only the events with a UID have, and that nobody searches for by chance."""
    return f"uid{hashlib.sha256(clean(uid).strip().encode('utf-8', 'replace')).hexdigest()[:40]}"


def client_uid_word(client_uid: str) -> str:
    """The same for the ClientUid that an event was created with (MS-ASCAL_R2062)."""
    return f"clientuid{hashlib.sha256(clean(client_uid).encode('utf-8', 'replace')).hexdigest()[:40]}"


def file_of(octets: bytes, number: int) -> tuple[str, bytes] | None:
    """The content type and the octets of a file of the event, or of one of its occurrences; None where there is none of
    that number, or none that can be read. Raises MalformedLines.
    """
    calendar = parse(octets)
    try:
        key, own = place_in_series(number)
        event = main_component(calendar, _COMPONENT) if key is None else series_of(calendar, Owner()).changed[key][0]
        file = file_with(read_attachments(event), own)
        return file.content_type, file.octets()
    except (ValueError, LookupError):
        return None
