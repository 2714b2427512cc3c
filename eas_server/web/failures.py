"""What a client is told when a request fails: pure, from the failure, the command and the version to an answer.

Up to 12.1 a common failure is an HTTP status; from 14.0 on it is a Status in the command's own response, where the
command has one to say it in ([MS-ASCMD] 2.2.2, R7461 to R7463).
"""

from dataclasses import dataclass, replace

from eas_server.commands.context import Command, Reply
from eas_server.errors import CommandError, StoreFull, Unavailable
from protocol.errors import MalformedRequest, MalformedWbxml, MalformedXml
from protocol.status import CommonStatus, http_status_before_14
from protocol.versions import V14_0, ProtocolVersion
from protocol.wbxml import Segments

BAD_REQUEST = 400
INTERNAL = 500
UNAVAILABLE = 503

EXPECTED = (MalformedRequest, CommandError, Unavailable, StoreFull)
"""The failures that are no bugs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The request that failed."""

    command: Command
    version: ProtocolVersion
    policy_key_sent: bool
    empty: bool = False
    """It came without a body."""


def reply_to(error: Exception, asked: Asked, retry_after: int) -> Reply:
    """The answer to a request that ended in `error`; what is not EXPECTED is a fault of the server."""
    match error:
        case MalformedRequest():
            return _malformed(error, asked)
        case CommandError():
            return _command_error(error, asked, retry_after)
        case Unavailable():
            return common(CommonStatus.SERVER_ERROR_RETRY_LATER, asked, retry_after)
        case StoreFull():
            return common(CommonStatus.MAILBOX_QUOTA_EXCEEDED, asked)
        case _:
            return common(CommonStatus.SERVER_ERROR, asked)


def common(status: CommonStatus, asked: Asked, retry_after: int = 0) -> Reply:
    """The answer that says a common Status."""
    if asked.version >= V14_0 and status.since <= asked.version:
        response = asked.command.fail(status, asked.version)
        if response is not None:
            return Reply(response=response)
    http_status = http_status_before_14(status, command=asked.command.name, policy_key_sent=asked.policy_key_sent)
    return _http(http_status or INTERNAL, retry_after)


def text(status: int, reason: str, retry_after: int = 0) -> Reply:
    """An answer without a command: an HTTP status, and in plain text why."""
    reply = _http(status, retry_after)
    if not reason:
        return reply
    body = Segments(((reason + "\n").encode("utf-8", "replace"),))
    return replace(reply, body=body, content_type="text/plain; charset=utf-8")


def _http(status: int, retry_after: int) -> Reply:
    # MS-ASHTTP_R287: an estimate of when the server can do it
    headers = {"Retry-After": str(retry_after)} if status == UNAVAILABLE and retry_after else {}
    return Reply(status=status, headers=headers)


def _malformed(error: MalformedRequest, asked: Asked) -> Reply:
    if asked.empty:
        return common(CommonStatus.INVALID_CONTENT, asked)  # MS-ASCMD_R4812: missing where it must not be
    if isinstance(error, MalformedWbxml):
        return common(CommonStatus.INVALID_WBXML, asked)
    own = asked.command.refuse(error, asked.version)
    if own is not None:
        return Reply(response=own)
    return common(CommonStatus.INVALID_XML if isinstance(error, MalformedXml) else CommonStatus.INVALID_CONTENT, asked)


def _command_error(error: CommandError, asked: Asked, retry_after: int) -> Reply:
    try:
        status = CommonStatus(error.status)
    except ValueError:
        own = asked.command.fail(error.status, asked.version)
        if own is not None:
            return Reply(response=own)
        return _http(UNAVAILABLE if error.retry else INTERNAL, retry_after)
    return common(status, asked, retry_after if error.retry or status is CommonStatus.SERVER_ERROR_RETRY_LATER else 0)
