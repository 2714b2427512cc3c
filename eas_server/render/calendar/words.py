"""What an event is found by, and its files by number."""

from eas_server.render.calendar.attachments import read_attachments
from eas_server.render.contentlines import parse
from eas_server.render.objects import categories_of, main_component

_COMPONENT = "VEVENT"


def search_text(octets: bytes) -> str:
    """The words of an event for full-text search: subject, place, text, categories. Raises MalformedLines."""
    event = main_component(parse(octets), _COMPONENT)
    texts = (event.text(name) or "" for name in ("SUMMARY", "LOCATION", "DESCRIPTION"))
    return "\n".join((*texts, *categories_of(event)))


def file_of(octets: bytes, number: int) -> tuple[str, bytes] | None:
    """The content type and the octets of a file of the event; None where it has none of that number, or none that can
    be read. Raises MalformedLines.
    """
    files = read_attachments(main_component(parse(octets), _COMPONENT))
    if not 0 <= number < len(files):
        return None
    try:
        return files[number].content_type, files[number].octets()
    except ValueError:
        return None
