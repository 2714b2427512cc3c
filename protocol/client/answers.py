"""What comes back, as values: HTTP errors, common Status values and octets that cannot be read are among them."""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar
from xml.parsers import expat

from protocol import multipart, schema, wbxml
from protocol.client.commands import Command
from protocol.elements import Element
from protocol.errors import MalformedRequest
from protocol.headers import (
    CONTENT_ENCODING,
    CONTENT_TYPE,
    LOCATION,
    MULTIPART,
    PROTOCOL_COMMANDS,
    PROTOCOL_VERSIONS,
    RESYNC,
    WBXML,
    WBXML_SHORT,
)
from protocol.status import CommonStatus
from protocol.versions import ProtocolVersion

Q = TypeVar("Q")
R = TypeVar("R")

INFLATED_LIMIT: Final = 256 * 1024 * 1024
"""The most octets that a compressed answer may grow to."""
_OK: Final = 200
_NEEDS_PROVISIONING: Final = 449
_GZIP: Final = 31
"""The window bits that tell zlib to read gzip."""
_PROVISIONING: Final = frozenset(
    (
        CommonStatus.LEGACY_DEVICE_ON_STRICT_POLICY,
        CommonStatus.DEVICE_NOT_PROVISIONED,
        CommonStatus.POLICY_REFRESH,
        CommonStatus.INVALID_POLICY_KEY,
    )
)


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

    def __init__(self, answer: Answer[Any], reason: str = "") -> None:
        told = answer.describe()
        super().__init__(f"{told}: {reason}" if reason else told)
        self.answer = answer


def read_answer(command: Command[Q, R], status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Answer[R]:
    """Read an answer to `command`; never raises for what a server sends."""
    found = by_name(headers)
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


def by_name(headers: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Headers by their names in lower case."""
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


def read_discovery(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Answer[str]:
    """Read an answer of Autodiscover: the URL of the server."""
    found = by_name(headers)
    try:
        body = _inflated(body, found.get(CONTENT_ENCODING.lower(), ""))
        url = _discovered(body) if status == _OK else None
    except MalformedRequest as error:
        return Answer(http_status=status, headers=found, body=body, fault=str(error))
    return Answer(http_status=status, headers=found, body=body, response=url)


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
