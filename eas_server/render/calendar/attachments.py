"""Files of an event (16.0 and later): ATTACH lines with their octets in them."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from eas_server.render.contentlines import Component, Property, clean
from eas_server.render.pim import InvalidItem
from protocol.items.airsyncbase import AddAttachment, Attachment, Attachments, DeleteAttachment, Method

_NAMES: Final = ("FILENAME", "X-FILENAME", "X-APPLE-FILENAME")
_CONTENT_ID: Final = "X-EAS-CONTENT-ID"
_CONTENT_LOCATION: Final = "X-EAS-CONTENT-LOCATION"
_INLINE: Final = "X-EAS-INLINE"
_METHOD: Final = "X-EAS-METHOD"
_NUMBER: Final = "X-EAS-NUMBER"
"""The number of a file that is not its place (any more): FileReferences must not come to name another file."""
_DEFAULT_TYPE: Final = "application/octet-stream"


_OCCURRENCE: Final = 1000
"""More than the files that an event has: what a number is above this tells the occurrence that has the file."""
_FIRST_DAY: Final = datetime.fromordinal(1)


def number_in_series(key: datetime, number: int) -> int:
    """The number, among all files of a series, of file `number` of the occurrence with that key."""
    return (1 + int((key - _FIRST_DAY).total_seconds())) * _OCCURRENCE + number


def place_in_series(number: int) -> tuple[datetime | None, int]:
    """The key of the occurrence that has the file of that number, and its number there; None: the series itself has it.

    Raises ValueError for a number that no file has.
    """
    seconds, own = divmod(number, _OCCURRENCE)
    if seconds == 0:
        return None, own
    try:
        return _FIRST_DAY + timedelta(seconds=seconds - 1), own
    except OverflowError:
        raise ValueError(f"no file has the number {number}") from None


@dataclass(frozen=True, slots=True)
class HeldAttachment:
    """A file of an event. `line` is its ATTACH line."""

    line: Property

    @property
    def name(self) -> str:
        return clean(next((name for key in _NAMES if (name := self.line.param(key))), "") or "attachment")

    @property
    def number(self) -> int | None:
        """The number that it keeps; None: its place among the files."""
        text = self.line.param(_NUMBER) or ""
        return int(text) if text.isascii() and text.isdecimal() and len(text) < len(str(_OCCURRENCE)) else None

    @property
    def content_type(self) -> str:
        return clean(self.line.param("FMTTYPE") or _DEFAULT_TYPE)

    @property
    def size(self) -> int:
        """The size in octets, without decoding them."""
        letters = self.line.value.strip()
        return len(letters) // 4 * 3 - (len(letters) - len(letters.rstrip("=")))

    def octets(self) -> bytes:
        """The file. Raises ValueError where the line holds none."""
        try:
            return base64.b64decode("".join(self.line.value.split()).encode("ascii", "replace"), validate=True)
        except binascii.Error:
            raise ValueError("no base64") from None


FileReference = Callable[[int], str]
"""Gives the FileReference of the file with that number in the event, counted from 0."""


def read_attachments(event: Component) -> tuple[HeldAttachment, ...]:
    """The files that an event carries itself; links to elsewhere are none."""
    lines = event.all("ATTACH")
    return tuple(HeldAttachment(line) for line in lines if (line.param("ENCODING") or "").upper() == "BASE64")


def _numbers(held: Sequence[HeldAttachment]) -> list[int]:
    return [place if file.number is None else file.number for place, file in enumerate(held)]


def file_with(held: Sequence[HeldAttachment], number: int) -> HeldAttachment:
    """The file of that number. Raises LookupError where there is none."""
    return dict(zip(_numbers(held), held, strict=True))[number]


def shown(held: Sequence[HeldAttachment], reference: FileReference) -> Attachments | None:
    """The Attachments element; None where there are none."""
    if not held:
        return None
    return Attachments(
        changes=tuple(_shown(file, reference(number)) for number, file in zip(_numbers(held), held, strict=True))
    )


def _shown(file: HeldAttachment, reference: str) -> Attachment:
    method = file.line.param(_METHOD)
    return Attachment(
        display_name=file.name,
        file_reference=reference,
        method=Method.EMBEDDED_MESSAGE if method == str(int(Method.EMBEDDED_MESSAGE)) else Method.NORMAL,
        estimated_data_size=file.size,
        content_id=file.line.param(_CONTENT_ID),
        content_location=file.line.param(_CONTENT_LOCATION),
        is_inline=True if file.line.param(_INLINE) == "1" else None,
    )


def changed(
    held: Sequence[HeldAttachment], change: Attachments | None, number_of: Callable[[str], int | None]
) -> tuple[HeldAttachment, ...]:
    """The files after a client's Add and Delete elements.

    `number_of` gives the number that a FileReference stands for, None for one that is not of this event (InvalidItem).
    """
    if change is None:
        return tuple(held)
    files = dict(zip(_numbers(held), held, strict=True))
    fresh = max(files, default=-1)
    for one in change.changes:
        if isinstance(one, AddAttachment):
            fresh += 1
            files[fresh] = HeldAttachment(_added(one))
        elif isinstance(one, DeleteAttachment):
            number = number_of(one.file_reference)
            if number is None or number not in files or files[number] not in held:
                raise InvalidItem("a file that the event does not have")
            del files[number]
    if fresh >= _OCCURRENCE:
        raise InvalidItem("more files than an event has")
    return tuple(_numbered(file, number, place) for place, (number, file) in enumerate(files.items()))


def _numbered(file: HeldAttachment, number: int, place: int) -> HeldAttachment:
    if number == (place if file.number is None else file.number):
        return file
    return HeldAttachment(file.line.with_param(_NUMBER, str(number)))


def _added(file: AddAttachment) -> Property:
    params: list[tuple[str, tuple[str, ...]]] = [
        ("VALUE", ("BINARY",)),
        ("ENCODING", ("BASE64",)),
        ("FMTTYPE", (file.content_type or _DEFAULT_TYPE,)),
        ("FILENAME", (file.display_name,)),
    ]
    more = (
        (_CONTENT_ID, file.content_id),
        (_CONTENT_LOCATION, file.content_location),
        (_INLINE, "1" if file.is_inline else None),
        (_METHOD, None if file.method is Method.NORMAL else str(int(file.method))),
    )
    params += [(name, (value,)) for name, value in more if value]
    return Property("ATTACH", base64.b64encode(file.content).decode("ascii"), tuple(params))


def with_attachments(event: Component, files: Sequence[HeldAttachment]) -> Component:
    """The event with these files, and no others."""
    wanted = {id(file.line) for file in files}
    held = {id(file.line) for file in read_attachments(event)}
    event = event.without(lambda c: id(c) in held - wanted)
    return event.with_added(*(file.line for file in files if id(file.line) not in held))
