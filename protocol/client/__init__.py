"""The client half, sans-IO: it builds requests, reads answers, and keeps what a device has to remember between them.

    client = Client(user="alice@example.com", password="…", device_id="lab1", device_type="Lab", version=V16_1)
    request = client.request(PING, ping.Request(heartbeat_interval=480, folders=...))   # -> HttpRequest: send it
    answer = client.read(PING, status, headers, body)                                   # -> Answer[ping.Response]

Each command stands in one table, `commands`, with the types of its request and response. Whatever an answer is,
`read` gives an Answer: HTTP errors, common Status values and octets that cannot be read are values of it, for a
dialogue is interested in them. Keys advance when an answer is read: one that was never given to `read` was lost.
Nothing here knows a socket, a clock or randomness; a ClientId is the caller's to make.
"""

from protocol.client.answers import Answer, Offer, Unexpected, read_answer, read_discovery
from protocol.client.commands import (
    COMMANDS,
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
    Command,
)
from protocol.client.device import DISCOVERY_PATH, INITIAL_KEY, Client, HttpRequest, QueryForm, compose

__all__ = [
    "COMMANDS",
    "DISCOVERY_PATH",
    "FOLDER_CREATE",
    "FOLDER_DELETE",
    "FOLDER_SYNC",
    "FOLDER_UPDATE",
    "GET_ITEM_ESTIMATE",
    "INITIAL_KEY",
    "ITEM_OPERATIONS",
    "MEETING_RESPONSE",
    "MOVE_ITEMS",
    "PING",
    "PROVISION",
    "RESOLVE_RECIPIENTS",
    "SEARCH",
    "SEND_MAIL",
    "SETTINGS",
    "SMART_FORWARD",
    "SMART_REPLY",
    "SYNC",
    "VALIDATE_CERT",
    "Answer",
    "Client",
    "Command",
    "HttpRequest",
    "Offer",
    "QueryForm",
    "Unexpected",
    "compose",
    "read_answer",
    "read_discovery",
]
