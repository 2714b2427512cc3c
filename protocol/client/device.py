"""One device of one user: what it sends, and what it remembers."""

import gzip
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, TypeVar
from urllib.parse import quote as percent_encode
from xml.sax.saxutils import escape

from protocol import schema, wbxml
from protocol.client.answers import Answer, by_name, read_answer, read_discovery
from protocol.client.commands import Command
from protocol.commands import (
    folder_create,
    folder_delete,
    folder_sync,
    folder_update,
    provision,
    send_mail,
    settings,
    smart_forward,
    smart_reply,
    sync,
)
from protocol.commands.compose_mail import PRESENT, mime_octets
from protocol.elements import Opaque
from protocol.headers import (
    ACCEPT_ENCODING,
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    MESSAGE,
    USER_AGENT,
    WBXML,
)
from protocol.http import PATH, CommandLine, build_base64_query, build_plain_query, plain_headers
from protocol.versions import V14_0, V14_1, V16_1, ProtocolVersion

Q = TypeVar("Q")
R = TypeVar("R")

INITIAL_KEY: Final = "0"
DISCOVERY_PATH: Final = "/autodiscover/autodiscover.xml"
_SCHEMA: Final = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync"
_DISCOVERY: Final = (
    '<?xml version="1.0" encoding="utf-8"?>'
    f'<Autodiscover xmlns="{_SCHEMA}/requestschema/2006"><Request><EMailAddress>{{address}}</EMailAddress>'
    f"<AcceptableResponseSchema>{_SCHEMA}/responseschema/2006</AcceptableResponseSchema></Request></Autodiscover>"
)
_BASE64_SAFE: Final = "=/"
_OK: Final = 200


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

    def ask_for_policy(self, information: settings.DeviceDetails | None = None) -> provision.Request:
        """The first phase of provisioning, [MS-ASPROV] 3.1.5.1; the information goes into it from 14.1 on."""
        policy = provision.RequestPolicy(policy_type=provision.POLICY_TYPE)
        details = settings.DeviceInformation(details=information) if information and self.version >= V14_1 else None
        return provision.Request(device_information=details, policies=(policy,))

    def acknowledge_policy(self, how: provision.Compliance = provision.Compliance.FULL) -> provision.Request:
        """The second phase: under the temporary key of the first."""
        policy = provision.RequestPolicy(
            policy_type=provision.POLICY_TYPE, policy_key=str(self.policy_key or 0), status=how
        )
        return provision.Request(policies=(policy,))

    # --- answers

    def read_options(self, status: int, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Answer[None]:
        """Read the answer to `options`."""
        return Answer(http_status=status, headers=by_name(headers), body=body)

    def read_discovery(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Answer[str]:
        """Read the answer to `discover`: the URL of the server."""
        return read_discovery(status, headers, body)

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
            case provision.Response(policies=(provision.ResponsePolicy(policy_key=str(key)), *_)) if key.isdecimal():
                self.policy_key = int(key)


_Composed = send_mail.Request | smart_reply.Request | smart_forward.Request


def compose(mime: bytes, client_id: str, *, save: bool = True) -> send_mail.Request:
    """SendMail of a message; `client_id` names it for the server (MS-ASCMD_R953)."""
    return send_mail.Request(client_id=client_id, save_in_sent_items=PRESENT if save else None, mime=Opaque(mime))
