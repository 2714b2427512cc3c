"""What SendMail, SmartReply and SmartForward have in common, namespace ComposeMail ([MS-ASCMD] 2.2.1.17, 19, 20).

Their answers on success are empty (MS-ASCMD_R463, R568, R605); on failure they carry a common Status (R4381, R4409).
Up to 12.1 these requests are the MIME itself, and the query line has what the elements say here (R7540, R5530).
"""

from typing import Final, TypeAlias

from protocol.elements import Buffer, Inline, Opaque, size_of
from protocol.schema import el, element

PRESENT: Final = ""
"""The value of an empty tag element: it is told by being there, whatever it may hold (MS-ASCMD_R3781, R3874)."""

MAX_CLIENT_ID: Final = 40
"""MS-ASCMD_R952."""
MAX_ID: Final = 64
"""FolderId and ItemId: MS-ASCMD_R3092, R3204."""
MAX_LONG_ID: Final = 256
"""MS-ASCMD_R3244."""

Mime: TypeAlias = Opaque | Inline | str
"""The message; opaque by MS-ASCMD_R3345, and taken as an inline string too."""


def mime_octets(mime: Mime) -> memoryview:
    """The octets of a Mime element, without a copy where they came as OPAQUE."""
    if isinstance(mime, str):
        return memoryview(mime.encode("utf-8", "surrogateescape"))
    if isinstance(mime.octets, Buffer):
        return memoryview(mime.octets)
    raise TypeError(f"{size_of(mime.octets)} octets that are not in memory")


@element("ComposeMail:Source")
class Source:
    """The message that is answered or forwarded, [MS-ASCMD] 2.2.3.173.

    Either LongId, or ItemId with the FolderId where it is not in the Inbox (MS-ASCMD_R3203, R3243). InstanceId, a
    dashed dateTime, names one occurrence of a recurring meeting; it is kept as text, for a bad one has a Status of
    its own (R541, R578).
    """

    folder_id: str | None = el("ComposeMail:FolderId", default=None, max_length=MAX_ID)
    item_id: str | None = el("ComposeMail:ItemId", default=None, max_length=MAX_ID)
    long_id: str | None = el("ComposeMail:LongId", default=None, max_length=MAX_LONG_ID)
    instance_id: str | None = el("ComposeMail:InstanceId", default=None)
