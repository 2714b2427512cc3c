"""The headers of Exchange ActiveSync: those of a request, those that answer OPTIONS, and Basic credentials.

Source: [MS-ASHTTP] 2.2.1.1.2, 2.2.2.1.2 and 2.2.4.1.2. A header that cannot be read raises MalformedRequest.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from protocol import quirks
from protocol.errors import MalformedRequest, quote
from protocol.versions import ProtocolVersion

WBXML = "application/vnd.ms-sync.wbxml"
WBXML_SHORT = "application/vnd.ms-sync"
MULTIPART = "application/vnd.ms-sync.multipart"
MESSAGE = "message/rfc822"

PROTOCOL_VERSION = "MS-ASProtocolVersion"
PROTOCOL_VERSIONS = "MS-ASProtocolVersions"
PROTOCOL_COMMANDS = "MS-ASProtocolCommands"
SERVER_VERSION = "MS-Server-ActiveSync"
ACCEPT_MULTIPART = "MS-ASAcceptMultiPart"
POLICY_KEY = "X-MS-PolicyKey"
RESYNC = "X-MS-RP"
LOCATION = "X-MS-Location"
USER_AGENT = "User-Agent"
CONTENT_TYPE = "Content-Type"
CONTENT_ENCODING = "Content-Encoding"
ACCEPT_ENCODING = "Accept-Encoding"
ACCEPT_LANGUAGE = "Accept-Language"
AUTHORIZATION = "Authorization"
ALLOW = "Allow"
PUBLIC = "Public"
METHODS = "OPTIONS,POST"
"""The methods that the path answers ([MS-ASHTTP] 2.1): the value of Allow and Public."""

AUTHORIZATION_LIMIT = 8192
"""The most characters of an Authorization header that are read."""
UNREADABLE_POLICY_KEY = -1
"""Stands for an X-MS-PolicyKey that is no number: no key that a server gave, so the client is told to provision."""

CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
"""The characters that no value of a query or header may have: they would split headers and lines of a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeaders:
    """The headers of a request that EAS knows, [MS-ASHTTP] 2.2.1.1.2; text is "" where a header is absent."""

    version: ProtocolVersion | None = None
    policy_key: int | None = None
    """As sent, 0 included; UNREADABLE_POLICY_KEY for what is no number; None for no header."""
    accept_multipart: bool = False
    user_agent: str = ""
    content_type: str = ""
    """The media type alone: lower case, without parameters."""
    content_encoding: str = ""
    """Lower case: `gzip`."""
    accept_encoding: str = ""
    accept_language: str = ""
    authorization: str = field(default="", repr=False)
    """As sent, its octets read as ISO-8859-1: for `parse_basic`."""

    @property
    def is_wbxml(self) -> bool:
        """Whether the body claims to be WBXML (MS-ASHTTP_R143, R438)."""
        return self.content_type in (WBXML, WBXML_SHORT)

    @property
    def accepts_gzip(self) -> bool:
        """Whether the client takes a gzip-encoded answer."""
        for item in self.accept_encoding.lower().split(","):
            coding, *parameters = (part.strip() for part in item.split(";"))
            if coding in ("gzip", "x-gzip", "*"):
                return not any(_ZERO_QUALITY.fullmatch(parameter) for parameter in parameters)
        return False


def parse_headers(headers: Iterable[tuple[bytes, bytes]]) -> RequestHeaders:
    """Read the headers of a request from pairs of name and value, names in any case. Raises MalformedRequest.

    A header that is there twice must say the same both times, save the Accept headers, whose lists are joined.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        if name not in _KNOWN_HEADERS:
            continue
        if CONTROLS.search(value.replace("\t", " ")):
            raise MalformedRequest("", f"a control character in the header {name}")
        if name in found and name in _LISTS:
            found[name] += f", {value}"
        elif found.setdefault(name, value) != value:
            raise MalformedRequest("", f"the header {name} is there twice, with different values")
    return RequestHeaders(
        version=_header_version(found.get(PROTOCOL_VERSION.lower(), "")),
        policy_key=_policy_key(found.get(POLICY_KEY.lower(), "")),
        accept_multipart=found.get(ACCEPT_MULTIPART.lower(), "").upper() == "T",  # MS-ASHTTP_R154, R440
        user_agent=found.get(USER_AGENT.lower(), ""),
        content_type=found.get(CONTENT_TYPE.lower(), "").partition(";")[0].strip().lower(),
        content_encoding=found.get(CONTENT_ENCODING.lower(), "").lower(),
        accept_encoding=found.get(ACCEPT_ENCODING.lower(), ""),
        accept_language=found.get(ACCEPT_LANGUAGE.lower(), ""),
        authorization=found.get(AUTHORIZATION.lower(), ""),
    )


_LISTS = frozenset((ACCEPT_ENCODING.lower(), ACCEPT_LANGUAGE.lower()))
_KNOWN_HEADERS = _LISTS | {
    name.lower()
    for name in (
        PROTOCOL_VERSION,
        POLICY_KEY,
        ACCEPT_MULTIPART,
        USER_AGENT,
        CONTENT_TYPE,
        CONTENT_ENCODING,
        AUTHORIZATION,
    )
}
_ZERO_QUALITY = re.compile(r"q\s*=\s*0(\.0*)?")
_POLICY_KEY_DIGITS = re.compile(r"[0-9]{1,20}")


def _header_version(text: str) -> ProtocolVersion | None:
    if not text:
        return None
    try:
        return ProtocolVersion.parse(text)
    except ValueError:
        raise MalformedRequest("", f"{PROTOCOL_VERSION}: {quote(text)} is unknown") from None


def _policy_key(text: str) -> int | None:
    if not text:
        return None
    return int(text) if _POLICY_KEY_DIGITS.fullmatch(text) else UNREADABLE_POLICY_KEY


def header_value(text: str) -> str:
    """`text`, if it can be the value of a header: raises ValueError for control characters and what is not ASCII."""
    if CONTROLS.search(text) or not text.isascii():
        raise ValueError(f"{quote(text)} cannot be the value of a header")
    return text


def options_headers(
    versions: Iterable[ProtocolVersion], commands: Iterable[str], *, server: str | None = None
) -> list[tuple[str, str]]:
    """The headers that answer OPTIONS (MS-ASHTTP_R1107).

    `server` is the version that the server calls itself (MS-ASHTTP_R222); without it the newest protocol version.
    Raises ValueError for names that no header can carry.
    """
    spoken = sorted(versions)
    return [
        (SERVER_VERSION, header_value(server if server is not None else str(spoken[-1]))),
        (PROTOCOL_VERSIONS, _versions(spoken)),
        (PROTOCOL_COMMANDS, header_value(",".join(commands))),
        (ALLOW, METHODS),
        (PUBLIC, METHODS),
    ]


def resync_headers(versions: Iterable[ProtocolVersion], commands: Iterable[str]) -> list[tuple[str, str]]:
    """The headers of an answer that (re)starts the synchronization state (MS-ASHTTP_R1104, R1105)."""
    spoken = _versions(sorted(versions))
    return [(RESYNC, spoken), (PROTOCOL_VERSIONS, spoken), (PROTOCOL_COMMANDS, header_value(",".join(commands)))]


def _versions(versions: Sequence[ProtocolVersion]) -> str:
    return ",".join(str(version) for version in versions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """One reading of Basic credentials.

    `login` is the name as sent; `user` and `domain` are its parts: `user`, `user@domain`, `DOMAIN\\user`. A name
    with both (`DOMAIN\\user@domain`) has the domain after the "@". `domain` is "" where none is given.
    """

    login: str
    user: str
    domain: str
    password: str = field(repr=False)


def parse_basic(header: str | bytes) -> list[Credentials]:
    """Read an Authorization header of the Basic scheme (MS-ASHTTP_R139): the readings to try, likeliest first.

    UTF-8 comes first, then ISO-8859-1 (quirk LATIN1_CREDENTIALS), unless both read the same. Raises MalformedRequest.
    """
    text = header.decode("latin-1") if isinstance(header, bytes) else header
    scheme, _, encoded = text.strip().partition(" ")
    if scheme.lower() != "basic" or len(encoded) > AUTHORIZATION_LIMIT:
        raise _bad_credentials()
    bare = encoded.strip().rstrip("=")
    try:
        octets = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        raise _bad_credentials() from None
    readings = []
    for encoding in ("utf-8", "latin-1") if quirks.tolerates(quirks.LATIN1_CREDENTIALS) else ("utf-8",):
        try:
            readings.append(octets.decode(encoding))
        except UnicodeDecodeError:
            continue
    if not readings:
        raise _bad_credentials()
    return [_credentials(reading) for reading in dict.fromkeys(readings)]


def _bad_credentials() -> MalformedRequest:
    return MalformedRequest("", "the Authorization header: no Basic credentials")  # never quotes: it holds a password


def _credentials(reading: str) -> Credentials:
    login, colon, password = reading.partition(":")
    before, _, name = login.rpartition("\\")
    user, at, domain = name.rpartition("@")
    if not at:
        user, domain = name, before
    if not colon or not user or CONTROLS.search(reading):
        raise _bad_credentials()
    return Credentials(login=login, user=user, domain=domain, password=password)
