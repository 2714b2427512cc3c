"""The query line of Exchange ActiveSync in both forms, and the names of the commands.

Source: [MS-ASHTTP] 2.2.1.1.1. Nothing here reads or writes a socket. A query that cannot be read raises
MalformedRequest, which is HTTP 400 in any version (MS-ASHTTP_R188). Headers are in `protocol.headers`.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntFlag, StrEnum
from urllib.parse import quote as percent_encode
from urllib.parse import unquote_to_bytes

from protocol import quirks
from protocol.errors import MalformedRequest, quote
from protocol.headers import (
    ACCEPT_MULTIPART,
    CONTROLS,
    MESSAGE,
    MULTIPART,
    POLICY_KEY,
    PROTOCOL_VERSION,
    WBXML,
    Credentials,
    RequestHeaders,
    options_headers,
    parse_basic,
    parse_headers,
    resync_headers,
)
from protocol.status import CommonStatus
from protocol.versions import V2_5, V12_1, V16_1, ProtocolVersion

__all__ = [
    "MESSAGE",
    "MULTIPART",
    "PATH",
    "WBXML",
    "CommandLine",
    "CommandName",
    "Credentials",
    "Options",
    "RequestHeaders",
    "build_base64_query",
    "build_plain_query",
    "is_device_id",
    "options_headers",
    "parse_basic",
    "parse_headers",
    "parse_query",
    "plain_headers",
    "resync_headers",
]

PATH = "/Microsoft-Server-ActiveSync"
"""The path of every command, MS-ASHTTP_R15 and R237."""

QUERY_LIMIT = 8192
"""The most characters of a query that are read; a command line that the documents allow stays far below."""
DEVICE_ID_LIMIT = 32
"""The most characters of a DeviceId, MS-ASHTTP_R98."""
DEFAULT_LOCALE = 0x0409
"""What a client sends that knows no locale: English (United States), [MS-LCID]."""

_POLICY_KEY_SIZE = 4
_LOCALE_SIZE = 2
_COUNT_LIMIT = 255
_PRINTABLE = re.compile(rb"[\x21-\x7e]+")
_PLAIN_DEVICE_ID = re.compile(r"[A-Za-z0-9._-]+")
_STANDARD_ALPHABET = bytes.maketrans(b" -_", b"++/")
_SAFE = "@:.,;-_~"


class CommandName(StrEnum):
    """The commands by the names of the Cmd parameter, [MS-ASHTTP] 2.2.1.1.1.1.2."""

    SYNC = "Sync"
    SEND_MAIL = "SendMail"
    SMART_FORWARD = "SmartForward"
    SMART_REPLY = "SmartReply"
    GET_ATTACHMENT = "GetAttachment"
    GET_HIERARCHY = "GetHierarchy"
    CREATE_COLLECTION = "CreateCollection"
    DELETE_COLLECTION = "DeleteCollection"
    MOVE_COLLECTION = "MoveCollection"
    FOLDER_SYNC = "FolderSync"
    FOLDER_CREATE = "FolderCreate"
    FOLDER_DELETE = "FolderDelete"
    FOLDER_UPDATE = "FolderUpdate"
    MOVE_ITEMS = "MoveItems"
    GET_ITEM_ESTIMATE = "GetItemEstimate"
    MEETING_RESPONSE = "MeetingResponse"
    SEARCH = "Search"
    SETTINGS = "Settings"
    PING = "Ping"
    ITEM_OPERATIONS = "ItemOperations"
    PROVISION = "Provision"
    RESOLVE_RECIPIENTS = "ResolveRecipients"
    VALIDATE_CERT = "ValidateCert"
    FIND = "Find"

    @property
    def code(self) -> int:
        """The command code of the base64 form."""
        return _CODES[self]

    def supported_at(self, version: ProtocolVersion) -> bool:
        """Whether `version` has the command, [MS-ASCMD] 2.2.1."""
        first, last = _VERSIONS.get(self, (V2_5, V16_1))
        return first <= version <= last


_CODES: Mapping[CommandName, int] = {name: code for code, name in enumerate(CommandName)}
"""The enumeration is in the order of the codes, which run from 0 to 23 without a gap."""
_BY_CODE: Mapping[int, CommandName] = {code: name for name, code in _CODES.items()}
_BY_NAME: Mapping[str, CommandName] = {name.lower(): name for name in CommandName}
_VERSIONS: Mapping[CommandName, tuple[ProtocolVersion, ProtocolVersion]] = {
    CommandName.GET_ATTACHMENT: (V2_5, V12_1),  # MS-ASCMD_R6021
    CommandName.GET_HIERARCHY: (V2_5, V12_1),  # MS-ASCMD_R6049
    CommandName.CREATE_COLLECTION: (V2_5, V2_5),
    CommandName.DELETE_COLLECTION: (V2_5, V2_5),
    CommandName.MOVE_COLLECTION: (V2_5, V2_5),
    CommandName.FIND: (V16_1, V16_1),  # MS-ASCMD_R10032018, R10032019
}
"""The first and last version of the commands that not all versions have."""


class Options(IntFlag):
    """The Options byte of the base64 form, [MS-ASHTTP] 2.2.1.1.1.1.3."""

    SAVE_IN_SENT = 0x01
    ACCEPT_MULTIPART = 0x02


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """What the query of a POST says, the same for both forms ([MS-ASHTTP] 2.2.1.1.1).

    `command` is the canonical name of a known command (so it equals its CommandName) or the unknown name as it came;
    an unknown code of the base64 form is given in decimal digits. `version`, `policy_key` and `locale` (an MS-LCID)
    are None where the query does not say; see `with_headers`. `user` is None where absent: it need not be the name
    that signed in. Parameters of commands are None where absent.
    """

    command: str
    user: str | None = None
    device_id: str = ""
    device_type: str = ""
    version: ProtocolVersion | None = None
    policy_key: int | None = None
    locale: int | None = None
    attachment_name: str | None = None
    collection_id: str | None = None
    collection_name: str | None = None
    item_id: str | None = None
    long_id: str | None = None
    parent_id: str | None = None
    occurrence: str | None = None
    save_in_sent: bool = False
    accept_multipart: bool = False

    @property
    def known(self) -> CommandName | None:
        """The command, or None for one that the protocol documents do not name."""
        return _BY_NAME.get(self.command.lower())

    @property
    def device_problem(self) -> CommonStatus | None:
        """Status 108 or 109 where the device id or type is missing or invalid, [MS-ASCMD] 2.2.2."""
        if not is_device_id(self.device_id):
            return CommonStatus.DEVICE_ID_MISSING_OR_INVALID
        return None if self.device_type else CommonStatus.DEVICE_TYPE_MISSING_OR_INVALID

    def with_headers(self, headers: RequestHeaders) -> "CommandLine":
        """This line with what only the headers say: version, policy key, multipart.

        Where both say it, the query holds: its fields take the headers' place (MS-ASHTTP_R150, R162, R409).
        """
        return replace(
            self,
            version=headers.version if self.version is None else self.version,
            policy_key=headers.policy_key if self.policy_key is None else self.policy_key,
            accept_multipart=self.accept_multipart or headers.accept_multipart,
        )


def is_device_id(text: str) -> bool:
    """Whether `text` can be a DeviceId: 1 to 32 characters, none of them special (MS-ASHTTP_R98, R102).

    Dot, hyphen and underscore are let through beside letters and digits: quirk DEVICE_ID_PUNCTUATION.
    """
    if len(text) > DEVICE_ID_LIMIT or _PLAIN_DEVICE_ID.fullmatch(text) is None:
        return False
    return text.isalnum() or quirks.tolerates(quirks.DEVICE_ID_PUNCTUATION)


_TEXT_PARAMETERS: Mapping[int, str] = {
    0: "attachment_name",
    1: "collection_id",
    2: "collection_name",
    3: "item_id",
    4: "long_id",
    5: "parent_id",
    6: "occurrence",
    8: "user",
}
_OPTIONS_TAG = 7
"""The tags of the base64 form, [MS-ASHTTP] 2.2.1.1.1.1.3; 2 and 5 are of its older revisions."""

_PLAIN_SPELLING: Mapping[str, str] = {
    "attachment_name": "AttachmentName",
    "collection_id": "CollectionId",
    "collection_name": "CollectionName",
    "item_id": "ItemId",
    "long_id": "LongId",
    "parent_id": "ParentId",
    "occurrence": "Occurrence",
}
"""The parameters of single commands in the plain form, [MS-ASHTTP] 2.2.1.1.1.2.5."""
_PLAIN_NAMES: Mapping[str, str] = {
    "cmd": "command",
    "user": "user",
    "deviceid": "device_id",
    "devicetype": "device_type",
    "saveinsent": "save_in_sent",
    **{spelling.lower(): name for name, spelling in _PLAIN_SPELLING.items()},
}


def parse_query(raw_query: bytes | str) -> CommandLine:
    """Read the query of a request line (what follows the "?"), plain or base64. Raises MalformedRequest."""
    octets = raw_query if isinstance(raw_query, bytes) else raw_query.encode("utf-8", "replace")
    if not octets:
        raise _malformed("empty")
    if len(octets) > QUERY_LIMIT:
        raise _malformed(f"longer than {QUERY_LIMIT} octets")
    # base64 has "=" at its end only, and never "&"
    if b"&" in octets or b"=" in re.sub(rb"(=|%3D)+$", b"", octets, flags=re.IGNORECASE):
        return _parse_plain(octets)
    return _parse_base64(octets)


def _parse_plain(octets: bytes) -> CommandLine:
    found: dict[str, str] = {}
    for pair in octets.split(b"&"):
        name, _, value = pair.partition(b"=")
        known = _PLAIN_NAMES.get(name.decode("latin-1").lower())
        if known is None:
            continue
        # "+" is itself here: the grammar (MS-ASHTTP_R98) is not that of HTML forms, and a user may be bob+list
        text = _text(unquote_to_bytes(value), known)
        if found.setdefault(known, text) != text:
            raise _malformed(f"{known} is there twice, with different values")
    command = found.get("command")
    if not command:
        raise _malformed("no Cmd")
    if not found.get("user") and not quirks.tolerates(quirks.QUERY_WITHOUT_USER):
        raise _malformed("no User")
    saves = found.get("save_in_sent", "F").upper() == "T"  # MS-ASHTTP_R121, R122
    return _assemble(found, command=command, options=Options.SAVE_IN_SENT if saves else Options(0))


def _parse_base64(octets: bytes) -> CommandLine:
    reader = _Reader(_unbase64(unquote_to_bytes(octets)))
    version = _version(reader.byte("protocol version"))
    code = reader.byte("command code")
    locale = int.from_bytes(reader.take(_LOCALE_SIZE, "locale"), "little")
    found = {"device_id": _device_id(reader.counted("device id"))}
    key = reader.counted("policy key")
    if len(key) not in (0, _POLICY_KEY_SIZE):  # MS-ASHTTP_R38
        raise _malformed(f"a policy key of {len(key)} octets")
    found["device_type"] = _text(reader.counted("device type"), "device type")
    options = Options(0)
    while not reader.at_end:
        tag = reader.byte("tag of a parameter")
        value = reader.counted("parameter")
        if tag == _OPTIONS_TAG:
            options = _options(value)
        elif (name := _TEXT_PARAMETERS.get(tag)) is not None:
            text = _text(value, name)
            if found.setdefault(name, text) != text:
                raise _malformed(f"{name} is there twice, with different values")
    return _assemble(
        found,
        command=_BY_CODE.get(code, str(code)),
        options=options,
        version=version,
        policy_key=int.from_bytes(key, "little") if key else None,
        locale=locale,
    )


def _assemble(
    found: Mapping[str, str],
    *,
    command: str,
    options: Options,
    version: ProtocolVersion | None = None,
    policy_key: int | None = None,
    locale: int | None = None,
) -> CommandLine:
    def given(name: str) -> str | None:
        return found.get(name) or None  # a value has at least one character, MS-ASHTTP_R98

    return CommandLine(
        command=_BY_NAME.get(command.lower(), command),
        user=given("user"),
        device_id=found.get("device_id", ""),
        device_type=found.get("device_type", ""),
        version=version,
        policy_key=policy_key,
        locale=locale,
        attachment_name=given("attachment_name"),
        collection_id=given("collection_id"),
        collection_name=given("collection_name"),
        item_id=given("item_id"),
        long_id=given("long_id"),
        parent_id=given("parent_id"),
        occurrence=given("occurrence"),
        save_in_sent=Options.SAVE_IN_SENT in options,
        accept_multipart=Options.ACCEPT_MULTIPART in options,
    )


class _Reader:
    """Takes fields off the front of the octets of the base64 form."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._octets)

    def take(self, count: int, what: str) -> bytes:
        taken = self._octets[self._at : self._at + count]
        if len(taken) < count:
            raise _malformed(f"ends within the {what}")
        self._at += count
        return taken

    def byte(self, what: str) -> int:
        return self.take(1, what)[0]

    def counted(self, what: str) -> bytes:
        return self.take(self.byte(f"length of the {what}"), what)


def _malformed(reason: str) -> MalformedRequest:
    return MalformedRequest("", f"the query: {reason}")


def _unbase64(octets: bytes) -> bytes:
    # a raw "+" reaches us as a space through some proxies, and some writers use the URL-safe alphabet or no padding
    plain = octets.translate(_STANDARD_ALPHABET).rstrip(b"=")
    if not quirks.tolerates(quirks.BASE64_QUERY_ALPHABET) and plain + b"=" * (-len(plain) % 4) != octets:
        raise _malformed("not the base64 of the standard alphabet, with its padding")
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        raise _malformed("neither plain text nor base64") from None


def _version(code: int) -> ProtocolVersion:
    try:
        return ProtocolVersion(code)
    except ValueError:
        raise _malformed(f"protocol version {code} is unknown") from None


def _device_id(octets: bytes) -> str:
    """A string stays as it is, so that both forms name one device alike (MS-ASHTTP_R16); a GUID becomes hex (R34)."""
    ascii_only = quirks.tolerates(quirks.BASE64_QUERY_DEVICE_ID_ASCII) and _PRINTABLE.fullmatch(octets) is not None
    if octets and not ascii_only:
        return octets.hex().upper()
    return octets.decode("ascii")


def _options(value: bytes) -> Options:
    if len(value) > 1:
        raise _malformed("Options of more than one octet")
    return Options(value[0] & (Options.SAVE_IN_SENT | Options.ACCEPT_MULTIPART)) if value else Options(0)


def _text(octets: bytes, name: str) -> str:
    """A value as text: UTF-8 (MS-ASHTTP_R127), else ISO-8859-1. Control characters stop here."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    if CONTROLS.search(text):
        raise _malformed(f"a control character in {name}: {quote(text)}")
    return text


def build_plain_query(line: CommandLine) -> str:
    """The plain form of `line`; version, policy key and multipart go into headers, see `plain_headers`."""
    pairs = [("Cmd", line.command), ("User", line.user), ("DeviceId", line.device_id), ("DeviceType", line.device_type)]
    pairs += [(_PLAIN_SPELLING[name], getattr(line, name)) for name in _PLAIN_SPELLING]
    pairs += [("SaveInSent", "T" if line.save_in_sent else None)]
    return "&".join(f"{name}={percent_encode(value, safe=_SAFE)}" for name, value in pairs if value)


def build_base64_query(line: CommandLine) -> str:
    """The base64 form of `line`, not percent-encoded.

    Raises ValueError where the form cannot carry it: no version, an unknown command, a value of over 255 octets.
    """
    if line.version is None or line.known is None:
        raise ValueError("the base64 form needs a protocol version and a known command")
    locale = DEFAULT_LOCALE if line.locale is None else line.locale
    key = b"" if line.policy_key is None else _unsigned(line.policy_key, _POLICY_KEY_SIZE)
    fields = [
        bytes((line.version, line.known.code)),
        _unsigned(locale, _LOCALE_SIZE),
        _counted(line.device_id.encode("ascii")),
        _counted(key),
        _counted(line.device_type.encode()),
    ]
    for tag, name in _TEXT_PARAMETERS.items():
        if value := getattr(line, name):
            fields.append(bytes((tag,)) + _counted(value.encode()))
    options = line.save_in_sent * Options.SAVE_IN_SENT | line.accept_multipart * Options.ACCEPT_MULTIPART
    if options:
        fields.append(bytes((_OPTIONS_TAG, 1, options)))
    return base64.b64encode(b"".join(fields)).decode("ascii")


def _unsigned(number: int, size: int) -> bytes:
    try:
        return number.to_bytes(size, "little")
    except OverflowError:
        raise ValueError(f"{number} is no unsigned integer of {size} octets") from None


def _counted(octets: bytes) -> bytes:
    if len(octets) > _COUNT_LIMIT:
        raise ValueError(f"{len(octets)} octets do not fit into a field of the base64 form")
    return bytes((len(octets),)) + octets


def plain_headers(line: CommandLine) -> list[tuple[str, str]]:
    """The headers that say what the plain query of `line` cannot."""
    headers = []
    if line.version is not None:
        headers.append((PROTOCOL_VERSION, str(line.version)))
    if line.policy_key is not None:
        headers.append((POLICY_KEY, str(line.policy_key)))
    if line.accept_multipart:
        headers.append((ACCEPT_MULTIPART, "T"))
    return headers
