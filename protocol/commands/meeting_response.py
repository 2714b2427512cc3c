"""MeetingResponse, [MS-ASCMD] 2.2.1.11.

What is wrong with one Request is told in its Result, and does not keep the others from being answered: so the values
are read as they come, and judged by the server.
"""

from datetime import datetime
from enum import IntEnum

from protocol.items.airsyncbase import Body
from protocol.schema import COMPACT, el, element

MAX_ID = 64
"""Characters of CollectionId, RequestId and CalendarId (MS-ASCMD_R996, R3808, R828)."""
MAX_LONG_ID = 256
MAX_REQUESTS = 100
"""Request elements of one command (MS-ASCMD_R5649)."""


class UserResponse(IntEnum):
    """[MS-ASCMD] 2.2.3.194."""

    ACCEPTED = 1
    TENTATIVE = 2
    DECLINED = 3


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.9, Status (MeetingResponse)."""

    SUCCESS = 1
    INVALID_MEETING_REQUEST = 2
    MAILBOX_ERROR = 3
    SERVER_ERROR = 4


@element("MeetingResponse:SendResponse")
class SendResponse:
    """The mail to the organizer, [MS-ASCMD] 2.2.3.163: from 16.0 on; the proposed times from 16.1 on, in UTC."""

    body: Body | None = el(default=None)
    proposed_start_time: datetime | None = el("MeetingResponse:ProposedStartTime", default=None, form=COMPACT)
    proposed_end_time: datetime | None = el("MeetingResponse:ProposedEndTime", default=None, form=COMPACT)


@element("MeetingResponse:Request")
class Answer:
    """The user's answer to one meeting request, [MS-ASCMD] 2.2.3.150.2.

    Either CollectionId with RequestId, or LongId (MS-ASCMD_R7031). `instance_id` names an occurrence in the dashed form
    of dates (R3194), from 14.1 on.
    """

    user_response: int | None = el("MeetingResponse:UserResponse", default=None)
    collection_id: str | None = el("MeetingResponse:CollectionId", default=None)
    request_id: str | None = el("MeetingResponse:RequestId", default=None)
    long_id: str | None = el("Search:LongId", default=None)
    instance_id: str | None = el("MeetingResponse:InstanceId", default=None)
    send_response: SendResponse | None = el(default=None)


@element("MeetingResponse:MeetingResponse")
class Request:
    """The request; at least one Request in it (MS-ASCMD_R2462)."""

    answers: tuple[Answer, ...] = el(default=())


@element("MeetingResponse:Result")
class Result:
    """What became of one answer, [MS-ASCMD] 2.2.3.155.2. `status` may be a common one.

    `request_id` stands there only if it did in the request (MS-ASCMD_R5374).
    """

    request_id: str | None = el("MeetingResponse:RequestId", default=None)
    status: int = el("MeetingResponse:Status")
    calendar_id: str | None = el("MeetingResponse:CalendarId", default=None)
    instance_id: str | None = el("MeetingResponse:InstanceId", default=None)


@element("MeetingResponse:MeetingResponse")
class Response:
    """The response: the results in the order of the request."""

    results: tuple[Result, ...] = el(default=())

    @property
    def status(self) -> int | None:
        """The Status of a request that failed as a whole: it stands in a Result that names none (MS-ASCMD_R4792)."""
        alone = len(self.results) == 1 and self.results[0].request_id is None and self.results[0].calendar_id is None
        return self.results[0].status if alone else None
