"""ResolveRecipients, [MS-ASCMD] 2.2.1.15."""

from datetime import datetime
from enum import IntEnum

from protocol.schema import OPAQUE, el, element

MAX_TO = 256
"""Characters of a `To` (MS-ASCMD_R4611, R5873)."""
MAX_LIMIT = 9999
"""Of MaxCertificates and MaxAmbiguousRecipients (MS-ASCMD_R3253, R3248)."""
MAX_PICTURE = 102_400
"""The highest MaxSize, in octets (MS-ASCMD_R5349)."""


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.12, as a child of ResolveRecipients."""

    SUCCESS = 1
    PROTOCOL_ERROR = 5
    SERVER_ERROR = 6


class ResponseStatus(IntEnum):
    """The same, as a child of Response."""

    RESOLVED = 1
    AMBIGUOUS = 2
    """All suggestions are there."""
    AMBIGUOUS_PARTIAL = 3
    """Some of the suggestions; RecipientCount tells how many there are."""
    UNRESOLVED = 4


class CertificatesStatus(IntEnum):
    """The same, as a child of Certificates."""

    SUCCESS = 1
    NONE_VALID = 7
    LIMIT_REACHED = 8


class AvailabilityStatus(IntEnum):
    """The same, as a child of Availability."""

    SUCCESS = 1
    TOO_MANY_RECIPIENTS = 160
    GROUP_TOO_LARGE = 161
    TEMPORARY_FAILURE = 162
    FAILURE = 163


class PictureStatus(IntEnum):
    """The same, as a child of Picture; Search has the same values (MS-ASCMD_R4308 to R4313)."""

    SUCCESS = 1
    NO_PICTURE = 173
    TOO_LARGE = 174
    LIMIT_REACHED = 175


class CertificateRetrieval(IntEnum):
    """[MS-ASCMD] 2.2.3.22."""

    NONE = 1
    FULL = 2
    MINI = 3


class RecipientType(IntEnum):
    """[MS-ASCMD] 2.2.3.186.5, Type (ResolveRecipients)."""

    DIRECTORY = 1
    CONTACT = 2


@element("ResolveRecipients:Availability")
class AvailabilityOptions:
    """[MS-ASCMD] 2.2.3.16, request. Without `end` it is seven days after `start` (MS-ASCMD_R2265)."""

    start: datetime = el("ResolveRecipients:StartTime")
    end: datetime | None = el("ResolveRecipients:EndTime", default=None)


@element("ResolveRecipients:Picture")
class PictureOptions:
    """[MS-ASCMD] 2.2.3.135.2, request. `max_size` in octets of one photo, `max_pictures` for each `To`."""

    max_size: int | None = el("ResolveRecipients:MaxSize", default=None, minimum=0, maximum=MAX_PICTURE)
    max_pictures: int | None = el("ResolveRecipients:MaxPictures", default=None, minimum=0)


@element("ResolveRecipients:Options")
class Options:
    """[MS-ASCMD] 2.2.3.125.4."""

    certificate_retrieval: CertificateRetrieval = el(
        "ResolveRecipients:CertificateRetrieval", default=CertificateRetrieval.NONE
    )
    max_certificates: int | None = el("ResolveRecipients:MaxCertificates", default=None, minimum=0, maximum=MAX_LIMIT)
    max_ambiguous_recipients: int | None = el(
        "ResolveRecipients:MaxAmbiguousRecipients", default=None, minimum=0, maximum=MAX_LIMIT
    )
    availability: AvailabilityOptions | None = el(default=None)
    picture: PictureOptions | None = el(default=None)


@element("ResolveRecipients:ResolveRecipients")
class Request:
    """The request; `to` has to have one member at least. Absent Options say the same as empty ones."""

    to: tuple[str, ...] = el("ResolveRecipients:To", default=(), max_length=MAX_TO)
    options: Options = el(default=Options())


@element("ResolveRecipients:Availability")
class Availability:
    """[MS-ASCMD] 2.2.3.16, response; MergedFreeBusy with Status 1 only (MS-ASCMD_R3339)."""

    status: AvailabilityStatus = el("ResolveRecipients:Status")
    merged_free_busy: str | None = el("ResolveRecipients:MergedFreeBusy", default=None)


@element("ResolveRecipients:Certificates")
class Certificates:
    """[MS-ASCMD] 2.2.3.23.1; the certificates are DER."""

    status: CertificatesStatus = el("ResolveRecipients:Status")
    certificate_count: int | None = el("ResolveRecipients:CertificateCount", default=None)
    recipient_count: int | None = el("ResolveRecipients:RecipientCount", default=None)
    certificates: tuple[bytes, ...] = el("ResolveRecipients:Certificate", default=())
    mini_certificate: bytes | None = el("ResolveRecipients:MiniCertificate", default=None)


@element("ResolveRecipients:Picture")
class Picture:
    """[MS-ASCMD] 2.2.3.135.2, response."""

    status: PictureStatus = el("ResolveRecipients:Status")
    data: bytes | None = el("ResolveRecipients:Data", default=None, form=OPAQUE)


@element("ResolveRecipients:Recipient")
class Recipient:
    """[MS-ASCMD] 2.2.3.145."""

    type: RecipientType = el("ResolveRecipients:Type")
    display_name: str = el("ResolveRecipients:DisplayName")
    email_address: str = el("ResolveRecipients:EmailAddress")
    availability: Availability | None = el(default=None)
    certificates: Certificates | None = el(default=None)
    picture: Picture | None = el(default=None)


@element("ResolveRecipients:Response")
class ToResponse:
    """The answer to one `To`, [MS-ASCMD] 2.2.3.153.6."""

    to: str = el("ResolveRecipients:To")
    status: ResponseStatus = el("ResolveRecipients:Status")
    recipient_count: int | None = el("ResolveRecipients:RecipientCount", default=None)
    recipients: tuple[Recipient, ...] = el(default=())


@element("ResolveRecipients:ResolveRecipients")
class Response:
    """The response: one ToResponse for each `To`, in its order (MS-ASCMD_R4620). `status` may be a common one."""

    status: int = el("ResolveRecipients:Status")
    responses: tuple[ToResponse, ...] = el(default=())
