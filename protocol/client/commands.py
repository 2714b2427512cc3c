"""The commands with the types of their requests and responses: one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from protocol.commands import (
    folder_create,
    folder_delete,
    folder_sync,
    folder_update,
    get_item_estimate,
    item_operations,
    meeting_response,
    move_items,
    ping,
    provision,
    resolve_recipients,
    search,
    send_mail,
    settings,
    smart_forward,
    smart_reply,
    sync,
    validate_cert,
)
from protocol.http import CommandName

Q = TypeVar("Q")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Command(Generic[Q, R]):
    """A command with the types of its request and of its response."""

    name: CommandName
    request: type[Q]
    response: type[R]


FOLDER_CREATE = Command(CommandName.FOLDER_CREATE, folder_create.Request, folder_create.Response)
FOLDER_DELETE = Command(CommandName.FOLDER_DELETE, folder_delete.Request, folder_delete.Response)
FOLDER_SYNC = Command(CommandName.FOLDER_SYNC, folder_sync.Request, folder_sync.Response)
FOLDER_UPDATE = Command(CommandName.FOLDER_UPDATE, folder_update.Request, folder_update.Response)
GET_ITEM_ESTIMATE = Command(CommandName.GET_ITEM_ESTIMATE, get_item_estimate.Request, get_item_estimate.Response)
ITEM_OPERATIONS = Command(CommandName.ITEM_OPERATIONS, item_operations.Request, item_operations.Response)
MEETING_RESPONSE = Command(CommandName.MEETING_RESPONSE, meeting_response.Request, meeting_response.Response)
MOVE_ITEMS = Command(CommandName.MOVE_ITEMS, move_items.Request, move_items.Response)
PING = Command(CommandName.PING, ping.Request, ping.Response)
PROVISION = Command(CommandName.PROVISION, provision.Request, provision.Response)
RESOLVE_RECIPIENTS = Command(CommandName.RESOLVE_RECIPIENTS, resolve_recipients.Request, resolve_recipients.Response)
SEARCH = Command(CommandName.SEARCH, search.Request, search.Response)
SEND_MAIL = Command(CommandName.SEND_MAIL, send_mail.Request, send_mail.Response)
SETTINGS = Command(CommandName.SETTINGS, settings.Request, settings.Response)
SMART_FORWARD = Command(CommandName.SMART_FORWARD, smart_forward.Request, smart_forward.Response)
SMART_REPLY = Command(CommandName.SMART_REPLY, smart_reply.Request, smart_reply.Response)
SYNC = Command(CommandName.SYNC, sync.Request, sync.Response)
VALIDATE_CERT = Command(CommandName.VALIDATE_CERT, validate_cert.Request, validate_cert.Response)

_ALL: tuple[Command[Any, Any], ...] = (
    FOLDER_CREATE,
    FOLDER_DELETE,
    FOLDER_SYNC,
    FOLDER_UPDATE,
    GET_ITEM_ESTIMATE,
    ITEM_OPERATIONS,
    MEETING_RESPONSE,
    MOVE_ITEMS,
    PING,
    PROVISION,
    RESOLVE_RECIPIENTS,
    SEARCH,
    SEND_MAIL,
    SETTINGS,
    SMART_FORWARD,
    SMART_REPLY,
    SYNC,
    VALIDATE_CERT,
)
COMMANDS: Mapping[CommandName, Command[Any, Any]] = {command.name: command for command in _ALL}
"""Every command that the client can speak."""
