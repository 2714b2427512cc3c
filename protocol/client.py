"""The client half, sans-IO: it builds requests, reads answers, and keeps what a device has to remember between them.

    client = Client(user="alice@example.com", password="…", device_id="lab1", device_type="Lab", version=V16_1)
    request = client.request(PING, ping.Request(heartbeat_interval=480, folders=...))   # -> HttpRequest: send it
    answer = client.read(PING, status, headers, body)                                   # -> Answer[ping.Response]

Each command stands in one table of this module with the types of its request and response. Whatever an answer is,
`read` gives an Answer: HTTP errors, common Status values and octets that cannot be read are values of it, for a
dialogue is interested in them. Keys advance when an answer is read: one that was never given to `read` was lost.
Nothing here knows a socket, a clock or randomness; a ClientId is the caller's to make.
"""

import gzip
import zlib
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote as percent_encode
from xml.parsers import expat
from xml.sax.saxutils import escape

from protocol import multipart, schema, wbxml
from protocol.commands import (
    folder_create,
    folder_delete,
    folder_sync,
    folder_update,
    get_item_estimate,
    ping,
    resolve_recipients,
    send_mail,
    smart_forward,
    smart_reply,
    sync,
)
from protocol.commands.compose_mail import PRESENT, mime_octets
from protocol.elements import Element, Opaque
from protocol.errors import MalformedRequest
from protocol.headers import (
    ACCEPT_ENCODING,
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    LOCATION,
    MESSAGE,
    MULTIPART,
    PROTOCOL_COMMANDS,
    PROTOCOL_VERSIONS,
    RESYNC,
    USER_AGENT,
    WBXML,
    WBXML_SHORT,
)
from protocol.http import PATH, CommandLine, CommandName, build_base64_query, build_plain_query, plain_headers
from protocol.status import CommonStatus
from protocol.versions import V14_0, V16_1, ProtocolVersion

Q = TypeVar("Q")
R = TypeVar("R")

INFLATED_LIMIT: Final = 256 * 1024 * 1024
"""The most octets that a compressed answer may grow to."""
INITIAL_KEY: Final = "0"
DISCOVERY_PATH: Final = "/autodiscover/autodiscover.xml"
_SCHEMA: Final = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync"
_DISCOVERY: Final = (
    '<?xml version="1.0" encoding="utf-8"?>'
    f'<Autodiscover xmlns="{_SCHEMA}/requestschema/2006"><Request><EMailAddress>{{address}}</EMailAddress>'
    f"<AcceptableResponseSchema>{_SCHEMA}/responseschema/2006</AcceptableResponseSchema></Request></Autodiscover>"
)
_OK: Final = 200
_NEEDS_PROVISIONING: Final = 449
_GZIP: Final = 31
"""The window bits that tell zlib to read gzip."""
_BASE64_SAFE: Final = "=/"
_PROVISIONING: Final = frozenset(
    (
        CommonStatus.LEGACY_DEVICE_ON_STRICT_POLICY,
        CommonStatus.DEVICE_NOT_PROVISIONED,
        CommonStatus.POLICY_REFRESH,
        CommonStatus.INVALID_POLICY_KEY,
    )
)


@dataclass(frozen=True, slots=True)
class Command(Generic[Q, R]):
    """A command with the types of its request and of its response."""

    name: CommandName
    request: type[Q]
    response: type[R]


SYNC = Command(CommandName.SYNC, sync.Request, sync.Response)
PING = Command(CommandName.PING, ping.Request, ping.Response)
GET_ITEM_ESTIMATE = Command(CommandName.GET_ITEM_ESTIMATE, get_item_estimate.Request, get_item_estimate.Response)
FOLDER_SYNC = Command(CommandName.FOLDER_SYNC, folder_sync.Request, folder_sync.Response)
FOLDER_CREATE = Command(CommandName.FOLDER_CREATE, folder_create.Request, folder_create.Response)
FOLDER_DELETE = Command(CommandName.FOLDER_DELETE, folder_delete.Request, folder_delete.Response)
FOLDER_UPDATE = Command(CommandName.FOLDER_UPDATE, folder_update.Request, folder_update.Response)
SEND_MAIL = Command(CommandName.SEND_MAIL, send_mail.Request, send_mail.Response)
SMART_REPLY = Command(CommandName.SMART_REPLY, smart_reply.Request, smart_reply.Response)
SMART_FORWARD = Command(CommandName.SMART_FORWARD, smart_forward.Request, smart_forward.Response)
RESOLVE_RECIPIENTS = Command(CommandName.RESOLVE_RECIPIENTS, resolve_recipients.Request, resolve_recipients.Response)

_ALL: tuple[Command[Any, Any], ...] = (
    SYNC,
    PING,
    GET_ITEM_ESTIMATE,
    FOLDER_SYNC,
    FOLDER_CREATE,
    FOLDER_DELETE,
    FOLDER_UPDATE,
    SEND_MAIL,
    SMART_REPLY,
    SMART_FORWARD,
    RESOLVE_RECIPIENTS,
)
COMMANDS: Mapping[CommandName, Command[Any, Any]] = {command.name: command for command in _ALL}
"""Every command that this module can speak."""


class QueryForm(Enum):
    """The two forms of the query line, [MS-ASHTTP] 2.2.1.1.1."""

    PLAIN = auto()
    BASE64 = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """What goes out. `path` and `query` are percent-encoded already."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def target(self) -> str:
        """The request target: path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a server says it speaks ([MS-ASHTTP] 2.2.4.1.2); versions that are not known here are left out."""

    versions: tuple[ProtocolVersion, ...]
    commands: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[R]):
    """What came back."""

    http_status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name in lower case."""
    body: bytes = b""
    """Inflated where it came compressed."""
    document: Element | None = None
    """The tree of a WBXML answer, also where it has not the shape of the response."""
    response: R | None = None
    """None for an empty answer, an HTTP error, and what cannot be read."""
    parts: tuple[bytes, ...] = ()
    """The parts of a multipart answer behind the document: index 0 is what `Part` calls 1."""
    fault: str = ""
    """Why an answer that should have been readable is not."""

    @property
    def ok(self) -> bool:
        """HTTP 200, and readable or empty; the Status inside is another matter."""
        return self.http_status == _OK and not self.fault

    @property
    def status(self) -> int | None:
        """The Status of the whole response; None where it has none."""
        found = getattr(self.response, "status", None)
        return None if found is None else int(found)

    @property
    def needs_provisioning(self) -> bool:
        """The server wants a Provision first: HTTP 449, or one of the Status values that say so from 14.0 on."""
        return self.http_status == _NEEDS_PROVISIONING or self.status in _PROVISIONING

    @property
    def location(self) -> str | None:
        """The URL that HTTP 451 names (MS-ASHTTP_R224)."""
        return self.headers.get(LOCATION.lower())

    @property
    def offer(self) -> Offer | None:
        """The versions and commands that the answer names, as OPTIONS and FolderSync with key 0 do."""
        versions = self.headers.get(RESYNC.lower()) or self.headers.get(PROTOCOL_VERSIONS.lower())
        if versions is None:
            return None
        names = self.headers.get(PROTOCOL_COMMANDS.lower(), "").split(",")
        return Offer(
            versions=tuple(v for v in ProtocolVersion if str(v) in {name.strip() for name in versions.split(",")}),
            commands=frozenset(name.strip() for name in names if name.strip()),
        )

    def take(self) -> R:
        """The response. Raises Unexpected where there is none."""
        if self.response is None or self.http_status != _OK:
            raise Unexpected(self)
        return self.response

    def describe(self) -> str:
        """One line for a person."""
        told = f"HTTP {self.http_status}"
        if self.status is not None:
            told += f", Status {self.status}"
        return f"{told}, {self.fault}" if self.fault else told


class Unexpected(Exception):
    """An answer that is not the one the caller counted on."""

    def __init__(self, answer: Answer[Any]) -> None:
        super().__init__(answer.describe())
        self.answer = answer


class Client:
    """One device of one user: builds its requests and remembers its keys.

    `sync_keys` (by CollectionId), `hierarchy_key`, `policy_key` and `version` are the caller's to read and to set.
    `policy_key` None sends no key at all (it is then a device that never provisioned).
    `compress` sends bodies compressed and takes compressed ones.
    """

    def __init__(
        self,
        *,
        user: str,
        password: str,
        device_id: str,
        device_type: str,
        version: ProtocolVersion = V16_1,
        query: QueryForm = QueryForm.PLAIN,
        policy_key: int | None = 0,
        user_agent: str = "",
        compress: bool = False,
    ) -> None:
        self.user = user
        self.authorization = "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")
        self.device_id = device_id
        self.device_type = device_type
        self.version = version
        self.query = query
        self.policy_key = policy_key
        self.user_agent = user_agent
        self.compress = compress
        self.hierarchy_key = INITIAL_KEY
        self.sync_keys: dict[str, str] = {}

    # --- requests

    def options(self) -> HttpRequest:
        """Ask which versions and commands the server has; `read_options` gives the Answer with the Offer."""
        return HttpRequest(method="OPTIONS", path=PATH, headers=tuple(self._common_headers()))

    def discover(self, address: str) -> HttpRequest:
        """Ask where the server of a mail address is, [MS-ASCMD] 2.2.1.1; `read_discovery` gives the Answer."""
        headers = [*self._common_headers(), (CONTENT_TYPE, "text/xml; charset=utf-8")]
        body = _DISCOVERY.format(address=escape(address)).encode()
        return HttpRequest(method="POST", path=DISCOVERY_PATH, headers=tuple(headers), body=body)

    def request(self, command: Command[Q, R], request: Q | None = None, *, multiparts: bool = False) -> HttpRequest:
        """The HTTP request for a typed one; None: with an empty body. `multiparts`: the answer may be multipart."""
        line = replace(self.line(command.name), accept_multipart=multiparts)
        if request is None:
            return self.raw(line, b"")
        if self.version < V14_0 and isinstance(request, _Composed):
            return self._message(line, request)
        return self.raw(line, wbxml.encode(schema.dump(request, self.version)).join())

    def line(self, command: str) -> CommandLine:
        """The command line of a request of this device."""
        return CommandLine(
            command=command,
            user=self.user,
            device_id=self.device_id,
            device_type=self.device_type,
            version=self.version,
            policy_key=self.policy_key,
        )

    def raw(self, line: CommandLine, body: bytes, content_type: str = WBXML) -> HttpRequest:
        """A request with a command line and a body of the caller's."""
        headers = self._common_headers()
        if self.query is QueryForm.BASE64:
            query = percent_encode(build_base64_query(line), safe=_BASE64_SAFE)
        else:
            query = build_plain_query(line)
            headers += plain_headers(line)
        if body:
            headers.append((CONTENT_TYPE, content_type))
            if self.compress:
                body = gzip.compress(body, mtime=0)
                headers.append((CONTENT_ENCODING, "gzip"))
        return HttpRequest(method="POST", path=PATH, query=query, headers=tuple(headers), body=body)

    def _message(self, line: CommandLine, request: "_Composed") -> HttpRequest:
        """A message as it goes up to 12.1: the MIME as body, the rest in the query line (MS-ASCMD_R7540, R5530)."""
        source = None if isinstance(request, send_mail.Request) else request.source
        told = replace(
            line,
            save_in_sent=request.save_in_sent_items is not None,
            collection_id=source.folder_id if source else None,
            item_id=source.item_id if source else None,
            long_id=source.long_id if source else None,
        )
        return self.raw(told, b"" if request.mime is None else bytes(mime_octets(request.mime)), MESSAGE)

    def _common_headers(self) -> list[tuple[str, str]]:
        headers = [(AUTHORIZATION, self.authorization)]
        if self.user_agent:
            headers.append((USER_AGENT, self.user_agent))
        if self.compress:
            headers.append((ACCEPT_ENCODING, "gzip"))
        return headers

    # --- typed requests that depend on what the device remembers

    def collection(
        self,
        collection_id: str,
        *commands: "sync.Add | sync.Change | sync.Delete | sync.Fetch",
        options: Sequence[sync.Options] = (),
        window_size: int | None = None,
        get_changes: bool | None = None,
        deletes_as_moves: bool | None = None,
        item_class: str | None = None,
    ) -> sync.Collection:
        """A collection for Sync under the key that the device holds. `item_class` goes at 12.1 only."""
        return sync.Collection(
            item_class=item_class,
            sync_key=self.sync_keys.get(collection_id, INITIAL_KEY),
            collection_id=collection_id,
            deletes_as_moves=deletes_as_moves,
            get_changes=get_changes,
            window_size=window_size,
            options=tuple(options),
            commands=sync.ClientCommands(commands=commands) if commands else None,
        )

    # --- answers

    def read_options(self, status: int, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Answer[None]:
        """Read the answer to `options`."""
        return Answer(http_status=status, headers=_by_name(headers), body=body)

    def read_discovery(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Answer[str]:
        """Read the answer to `discover`: the URL of the server."""
        found = _by_name(headers)
        try:
            body = _inflated(body, found.get(CONTENT_ENCODING.lower(), ""))
            url = _discovered(body) if status == _OK else None
        except MalformedRequest as error:
            return Answer(http_status=status, headers=found, body=body, fault=str(error))
        return Answer(http_status=status, headers=found, body=body, response=url)

    def read(self, command: Command[Q, R], status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Answer[R]:
        """Read an answer, and remember the keys that it gives."""
        answer = read_answer(command, status, headers, body)
        if answer.http_status == _OK and answer.response is not None:
            self._remember(answer.response)
        return answer

    def _remember(self, response: object) -> None:
        """Take over the keys of an answer: they come with success alone."""
        match response:
            case sync.Response(collections=sync.CollectionsResponse(collections=collections)):
                for collection in collections:
                    if collection.status == sync.Status.SUCCESS and collection.sync_key is not None:
                        self.sync_keys[collection.collection_id] = collection.sync_key
            case (
                folder_sync.Response(sync_key=str(key))
                | folder_create.Response(sync_key=str(key))
                | folder_delete.Response(sync_key=str(key))
                | folder_update.Response(sync_key=str(key))
            ):
                self.hierarchy_key = key


_Composed = send_mail.Request | smart_reply.Request | smart_forward.Request


def compose(mime: bytes, client_id: str, *, save: bool = True) -> send_mail.Request:
    """SendMail of a message; `client_id` names it for the server (MS-ASCMD_R953)."""
    return send_mail.Request(client_id=client_id, save_in_sent_items=PRESENT if save else None, mime=Opaque(mime))


def read_answer(command: Command[Q, R], status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Answer[R]:
    """Read an answer to `command`; never raises for what a server sends."""
    found = _by_name(headers)
    fault, document, response = "", None, None
    parts: tuple[bytes, ...] = ()
    try:
        body = _inflated(body, found.get(CONTENT_ENCODING.lower(), ""))
        document, parts = _document(body, found.get(CONTENT_TYPE.lower(), ""))
        if document is not None:
            response = schema.load(command.response, document)
        elif body and status == _OK:
            fault = f"a body of type {found.get(CONTENT_TYPE.lower(), '')!r}"
    except MalformedRequest as error:
        fault = str(error)
    return Answer(
        http_status=status,
        headers=found,
        body=body,
        document=document,
        response=response,
        parts=parts,
        fault=fault,
    )


def _by_name(headers: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers}


def _inflated(body: bytes, encoding: str) -> bytes:
    if encoding.lower() not in ("gzip", "x-gzip") or not body:
        return body
    reader = zlib.decompressobj(_GZIP)
    try:
        inflated = reader.decompress(body, INFLATED_LIMIT)
    except zlib.error as error:
        raise MalformedRequest("", f"the compressed answer: {error}") from None
    if reader.unconsumed_tail or not reader.eof:
        raise MalformedRequest("", "the compressed answer is cut, or too large")
    return inflated


def _document(body: bytes, content_type: str) -> tuple[Element | None, tuple[bytes, ...]]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in (WBXML, WBXML_SHORT) and body:
        return wbxml.decode(body), ()
    if kind == MULTIPART:
        first, *others = multipart.parse(body)
        return wbxml.decode(first), tuple(bytes(part) for part in others)
    return None, ()


def _discovered(body: bytes) -> str:
    """The Url of the server of type MobileSync. Raises MalformedRequest where there is none."""
    server: dict[str, str] = {}
    found: list[str] = []
    text: list[str] = []

    def start(_: str, __: Mapping[str, str]) -> None:
        text.clear()

    def end(name: str) -> None:
        name = name.rpartition(" ")[2]
        server[name] = "".join(text).strip()
        if name == "Server":
            if server.get("Type") == "MobileSync" and server.get("Url"):
                found.append(server["Url"])
            server.clear()

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text.append
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise MalformedRequest("", f"the Autodiscover answer: {error}") from None
    if not found:
        raise MalformedRequest("", "the Autodiscover answer names no server")
    return found[0]
