"""The elements that item classes share: bodies, attachments, locations ([MS-ASAIRS] 2.2.2)."""

from enum import IntEnum

from protocol.elements import Inline
from protocol.schema import DOUBLE, OPAQUE, el, element
from protocol.versions import V14_1

MAX_UNSIGNED = 4_294_967_295
"""The largest TruncationSize (MS-ASAIRS_R293, R299)."""
MAX_PREVIEW = 255
"""The largest number of characters of a Preview that can be asked for (MS-ASAIRS_R261, R266)."""


class BodyType(IntEnum):
    """[MS-ASAIRS] 2.2.2.41, Type."""

    PLAIN = 1
    HTML = 2
    RTF = 3
    MIME = 4


class BodyPartStatus(IntEnum):
    """[MS-ASAIRS] 2.2.2.37, Status."""

    SUCCESS = 1
    TOO_LARGE = 176


class Method(IntEnum):
    """[MS-ASAIRS] 2.2.2.31, Method; 2 to 4 are reserved."""

    NORMAL = 1
    EMBEDDED_MESSAGE = 5
    OLE = 6


@element("AirSyncBase:BodyPreference", ordered=True)
class BodyPreference:
    """In what form a client wants bodies, [MS-ASAIRS] 2.2.2.12.

    14.0 has the Preview of a Body, but no way to ask for it (MS-ASAIRS_R1274); one that asks all the same gets it.
    """

    type: BodyType = el("AirSyncBase:Type")
    truncation_size: int | None = el("AirSyncBase:TruncationSize", default=None, minimum=0, maximum=MAX_UNSIGNED)
    all_or_none: bool | None = el("AirSyncBase:AllOrNone", default=None)
    preview: int | None = el("AirSyncBase:Preview", default=None, minimum=0, maximum=MAX_PREVIEW, since=V14_1)


@element("AirSyncBase:BodyPartPreference", ordered=True)
class BodyPartPreference:
    """In what form a client wants the part of a message that is new in its conversation, [MS-ASAIRS] 2.2.2.11."""

    type: BodyType = el("AirSyncBase:Type")
    truncation_size: int | None = el("AirSyncBase:TruncationSize", default=None, minimum=0, maximum=MAX_UNSIGNED)
    all_or_none: bool | None = el("AirSyncBase:AllOrNone", default=None)
    preview: int | None = el("AirSyncBase:Preview", default=None, minimum=0, maximum=MAX_PREVIEW)


@element("AirSyncBase:Body", ordered=True)
class Body:
    """A body, [MS-ASAIRS] 2.2.2.9.

    The statements and the schema disagree on the order of Preview and Part (MS-ASAIRS_R112); this is the schema's.
    `data` of a MIME body is Inline: the octets as they are, never decoded. `part` stands in multipart responses
    instead of `data` ([MS-ASCMD] 2.2.3.130; MS-ASAIRS_R176, R244, R405).
    """

    type: BodyType = el("AirSyncBase:Type")
    estimated_data_size: int | None = el("AirSyncBase:EstimatedDataSize", default=None, minimum=0)
    truncated: bool | None = el("AirSyncBase:Truncated", default=None)
    data: str | Inline | None = el("AirSyncBase:Data", default=None)
    preview: str | None = el("AirSyncBase:Preview", default=None)
    part: int | None = el("ItemOperations:Part", default=None)


@element("AirSyncBase:BodyPart")
class BodyPart:
    """A message part, [MS-ASAIRS] 2.2.2.10."""

    status: BodyPartStatus = el("AirSyncBase:Status")
    type: BodyType = el("AirSyncBase:Type")
    estimated_data_size: int = el("AirSyncBase:EstimatedDataSize", minimum=0)
    truncated: bool | None = el("AirSyncBase:Truncated", default=None)
    data: str | Inline | None = el("AirSyncBase:Data", default=None)
    preview: str | None = el("AirSyncBase:Preview", default=None)


@element("AirSyncBase:Attachment")
class Attachment:
    """What is told of an attachment, [MS-ASAIRS] 2.2.2.7.

    `client_id` and `file_reference` alone answer an attachment that a client added (16.0 and later). Method and
    EstimatedDataSize are required where an item is described (MS-ASAIRS_R92, R93).
    """

    display_name: str | None = el("AirSyncBase:DisplayName", default=None)
    file_reference: str = el("AirSyncBase:FileReference")
    client_id: str | None = el("AirSyncBase:ClientId", default=None)
    method: Method | None = el("AirSyncBase:Method", default=None)
    estimated_data_size: int | None = el("AirSyncBase:EstimatedDataSize", default=None, minimum=0)
    content_id: str | None = el("AirSyncBase:ContentId", default=None)
    content_location: str | None = el("AirSyncBase:ContentLocation", default=None)
    is_inline: bool | None = el("AirSyncBase:IsInline", default=None)
    um_att_duration: int | None = el("Email2:UmAttDuration", default=None)
    um_att_order: int | None = el("Email2:UmAttOrder", default=None)


@element("AirSyncBase:Add")
class AddAttachment:
    """An attachment that a client adds to a draft or an appointment, [MS-ASAIRS] 2.2.2.2."""

    client_id: str = el("AirSyncBase:ClientId")
    method: Method = el("AirSyncBase:Method")
    content_type: str | None = el("AirSyncBase:ContentType", default=None)
    content: bytes = el("AirSyncBase:Content", form=OPAQUE)
    display_name: str = el("AirSyncBase:DisplayName")
    content_id: str | None = el("AirSyncBase:ContentId", default=None)
    content_location: str | None = el("AirSyncBase:ContentLocation", default=None)
    is_inline: bool | None = el("AirSyncBase:IsInline", default=None)


@element("AirSyncBase:Delete")
class DeleteAttachment:
    """An attachment that a client removes, [MS-ASAIRS] 2.2.2.21."""

    file_reference: str = el("AirSyncBase:FileReference")


@element("AirSyncBase:Attachments")
class Attachments:
    """The attachments of an item, [MS-ASAIRS] 2.2.2.8: Attachment from the server, Add and Delete from clients."""

    changes: tuple[Attachment | AddAttachment | DeleteAttachment, ...] = el(default=())


@element("AirSyncBase:Location")
class Location:
    """Where something takes place, [MS-ASAIRS] 2.2.2.28. Coordinates are decimal fractions, as text."""

    display_name: str | None = el("AirSyncBase:DisplayName", default=None)
    annotation: str | None = el("AirSyncBase:Annotation", default=None)
    street: str | None = el("AirSyncBase:Street", default=None)
    city: str | None = el("AirSyncBase:City", default=None)
    state: str | None = el("AirSyncBase:State", default=None)
    country: str | None = el("AirSyncBase:Country", default=None)
    postal_code: str | None = el("AirSyncBase:PostalCode", default=None)
    latitude: str | None = el("AirSyncBase:Latitude", default=None, form=DOUBLE)
    longitude: str | None = el("AirSyncBase:Longitude", default=None, form=DOUBLE)
    accuracy: str | None = el("AirSyncBase:Accuracy", default=None, form=DOUBLE)
    altitude: str | None = el("AirSyncBase:Altitude", default=None, form=DOUBLE)
    altitude_accuracy: str | None = el("AirSyncBase:AltitudeAccuracy", default=None, form=DOUBLE)
    location_uri: str | None = el("AirSyncBase:LocationUri", default=None)
