"""Autodiscover: where a client finds the server, [MS-ASCMD] 2.2.1.1, and the newer JSON form.

The XML form asks for credentials and tells a user about that user only. The JSON form has none to ask with, and tells
everybody the same, whatever address is given.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET
from xml.parsers import expat

from eas_server.model.directory import Account

REQUEST_SCHEMA: Final = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006"
RESPONSE_SCHEMA: Final = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
FRAME_SCHEMA: Final = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"

INVALID_REQUEST: Final = 600
"""MS-ASCMD_R2287."""
NO_PROVIDER: Final = 601
"""MS-ASCMD_R2288."""
PROTOCOL_ERROR: Final = 2
"""The Status of an answer that has a provider but no settings (MS-ASCMD_R4002)."""

MAX_REQUEST: Final = 64 * 1024
_MAX_DEPTH: Final = 16
_MAX_TEXT: Final = 1024
_SERVER_ID: Final = "1"
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asks."""

    email: str
    response_schema: str


class Invalid(Exception):
    """Not an Autodiscover request: ErrorCode 600."""


class _Reader:
    """Collects the leaves below Autodiscover/Request; refuses what a request never has."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.requests = 0
        self.leaves: dict[str, str] = {}

    def start(self, name: str, _: dict[str, str]) -> None:
        self.path.append(name.rpartition(" ")[2])
        if len(self.path) > _MAX_DEPTH:
            raise Invalid("nested too deep")
        if self.path == ["Autodiscover", "Request"]:
            self.requests += 1

    def end(self, _: str) -> None:
        self.path.pop()

    def text(self, text: str) -> None:
        if self.path[:2] == ["Autodiscover", "Request"]:
            name = self.path[-1]
            self.leaves[name] = (self.leaves.get(name, "") + text)[:_MAX_TEXT]

    def doctype(self, *_: object) -> None:
        # no DTD: no entities of its own, so none that grow and none from elsewhere
        raise Invalid("a DTD")


def parse(body: bytes) -> Request:
    """Read a request. Raises Invalid."""
    if not body or len(body) > MAX_REQUEST:
        raise Invalid("empty or too large")
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise Invalid(str(error)) from None
    email = reader.leaves.get("EMailAddress", "").strip()
    schema = reader.leaves.get("AcceptableResponseSchema", "").strip()
    if reader.requests != 1 or not email or not schema:  # MS-ASCMD_R3799
        raise Invalid("not one request with its address and schema")
    return Request(email=email, response_schema=schema)


def answer(body: bytes, account: Account, url: str, now: datetime) -> bytes:
    """The answer to a request of `account`; `url` is that of the endpoint."""
    try:
        request = parse(body)
    except Invalid:
        return _frame_error(INVALID_REQUEST, "Invalid Request", now)
    if request.response_schema.lower() != RESPONSE_SCHEMA.lower():
        return _frame_error(NO_PROVIDER, "Provider is not available", now)  # MS-ASCMD_R2286
    if not _is_own(request.email, account):
        return _action_error()
    return _settings(account, url)


def _is_own(email: str, account: Account) -> bool:
    """Whether an address is the account's: of others, and of nobody's, it learns nothing."""
    return email.lower() in {address.lower() for address in (*account.addresses, account.address, account.user)}


def _document(response_namespace: str) -> tuple[ET.Element, ET.Element]:
    # the namespaces stand as xmlns on the elements: some clients read no prefixes
    root = ET.Element("Autodiscover", {"xmlns": FRAME_SCHEMA})
    attributes = {} if response_namespace == FRAME_SCHEMA else {"xmlns": response_namespace}
    return root, ET.SubElement(root, "Response", attributes)


def _add(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
    element = ET.SubElement(parent, name)
    element.text = None if text is None else _NO_XML.sub("", text)
    return element


def _written(root: ET.Element) -> bytes:
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _settings(account: Account, url: str) -> bytes:
    root, response = _document(RESPONSE_SCHEMA)
    _add(response, "Culture", "en:us")
    user = _add(response, "User")
    _add(user, "DisplayName", account.display_name or account.address)
    _add(user, "EMailAddress", account.address)  # MS-ASCMD_R2228: the primary one
    server = _add(_add(_add(response, "Action"), "Settings"), "Server")
    _add(server, "Type", "MobileSync")
    _add(server, "Url", url)
    _add(server, "Name", url)  # MS-ASCMD_R3484
    return _written(root)


def _action_error() -> bytes:
    root, response = _document(RESPONSE_SCHEMA)
    _add(response, "Culture", "en:us")
    error = _add(_add(response, "Action"), "Error")
    _add(error, "Status", str(PROTOCOL_ERROR))
    _add(error, "Message", "The address is not one of the account that signed in")
    _add(error, "DebugData", "")
    return _written(root)


def _frame_error(code: int, message: str, now: datetime) -> bytes:
    root, response = _document(FRAME_SCHEMA)
    # MS-ASCMD_R5547: fractions to seven places
    error = ET.SubElement(response, "Error", {"Time": f"{now:%H:%M:%S.%f}0", "Id": _SERVER_ID})
    _add(error, "ErrorCode", str(code))
    _add(error, "Message", message)
    _add(error, "DebugData", "")
    return _written(root)


def answer_json(protocol: str, email: str, url: str) -> tuple[int, dict[str, str]]:
    """The HTTP status and the answer of the JSON form."""
    if not email or not protocol:
        missing = "Protocol" if email else "Email"
        message = f"The parameter '{missing}' is required."
        return 400, {"ErrorCode": "MandatoryParameterMissing", "ErrorMessage": message}
    if protocol.lower() != "activesync":
        message = "The given protocol is not known; this server offers ActiveSync."
        return 400, {"ErrorCode": "InvalidProtocol", "ErrorMessage": message}
    return 200, {"Protocol": "ActiveSync", "Url": url}
