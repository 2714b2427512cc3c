"""What clients do beside the protocol documents, and this implementation lets pass: one named entry each.

Code that tolerates an oddity asks `tolerates` with its entry; the entry names a fixture (a path under `fixtures/`) or
None where a test says it in a few octets of its own. Each can be switched off, for some clients or all: a build of a
client that breaks may need it before the server has a new release.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

FORESEEN = "none on record"
"""The client of a tolerance that nobody was seen to need yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """A tolerated oddity: its name, the client that was seen doing it, what it does and how it is taken."""

    name: str
    client: str
    note: str
    fixture: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """For whom a quirk is let pass. Patterns are those of a shell, in any case, for DeviceType or User-Agent."""

    on: bool = True
    clients: tuple[str, ...] = ()
    """These clients alone; none: all."""
    except_clients: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    """At these protocol versions alone (`16.1`); none: all."""

    def holds_for(self, names: tuple[str, ...], version: str) -> bool:
        """Whether it is let pass of a client with these names; a version that is not known yet ("") fits all."""
        if not self.on or (version and self.versions and version not in self.versions):
            return False
        if self.clients and not _any_fits(self.clients, names):
            return False
        return not _any_fits(self.except_clients, names)


def _any_fits(patterns: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns for name in names if name)


NONE_REFUSED: Final[frozenset[str]] = frozenset()
_refused: ContextVar[frozenset[str]] = ContextVar("refused quirks", default=NONE_REFUSED)
"""Names of the quirks that the request at hand does not get. The code that reads a document is far from who knows the
client, and asks too seldom for a parameter through all of it."""


def tolerates(quirk: Quirk) -> bool:
    """Whether an oddity is let pass in the request at hand; outside of one it is."""
    return quirk.name not in _refused.get()


def refuse(names: frozenset[str]) -> None:
    """Tolerate these no more, in the present task alone."""
    _refused.set(names)


def refused_to(
    switches: Mapping[str, Switch], *, device_type: str = "", user_agent: str = "", version: str = ""
) -> frozenset[str]:
    """The names of the quirks that a client does not get. Before its request line is read the User-Agent decides."""
    names = (device_type, user_agent)
    return frozenset(name for name, switch in switches.items() if not switch.holds_for(names, version))


EMPTY_SUPPORTED = Quirk(
    name="EMPTY_SUPPORTED",
    client="LG mail",
    note="The first Sync has an empty Supported element. It counts as absent: nothing is ghosted.",
)
EMPTY_PICTURE = Quirk(
    name="EMPTY_PICTURE",
    client="iOS Contacts",
    note="Every change of a contact has an empty Picture element. Of these devices it does not delete the photo.",
)
EMPTY_PICTURE_DEVICES = frozenset({"iPhone", "iPad", "iPod"})
"""The DeviceTypes of EMPTY_PICTURE."""
ANSWER_IN_CALENDAR = Quirk(
    name="ANSWER_IN_CALENDAR",
    client="Outlook for Windows and iOS",
    note="MeetingResponse names the calendar item at 12.1 and 14.0, which have it for requests in mail alone "
    "(MS-ASCMD_R7509, R7510). These clients are answered as at 14.1.",
)
ANSWER_IN_CALENDAR_DEVICES = ("WindowsOutlook", "iPhone", "iPad", "iPod")
"""How the DeviceTypes of ANSWER_IN_CALENDAR begin."""
BASE64_QUERY_DEVICE_ID_ASCII = Quirk(
    name="BASE64_QUERY_DEVICE_ID_ASCII",
    client="Nine",
    note="The device id of the base64 query is text, not a GUID. It is taken as it is, so that the plain form names "
    "the same device; only octets that are not printable become hexadecimal.",
)
BASE64_QUERY_ALPHABET = Quirk(
    name="BASE64_QUERY_ALPHABET",
    client=FORESEEN,
    note="The base64 query comes percent-encoded, without padding, in the URL-safe alphabet, or with spaces for plus "
    "signs. All are read.",
)
DEVICE_ID_PUNCTUATION = Quirk(
    name="DEVICE_ID_PUNCTUATION",
    client=FORESEEN,
    note="The device id has dots, hyphens or underscores, which the grammar (MS-ASHTTP_R98) lacks. They pass.",
)
QUERY_WITHOUT_USER = Quirk(
    name="QUERY_WITHOUT_USER",
    client=FORESEEN,
    note="The plain query has no User. The name that signed in counts anyhow.",
)
LATIN1_CREDENTIALS = Quirk(
    name="LATIN1_CREDENTIALS",
    client="Outlook for Windows",
    note="Basic credentials are in ISO-8859-1. They are tried in UTF-8 first, then so.",
)
UNKNOWN_PAGE_SKIPPED = Quirk(
    name="UNKNOWN_PAGE_SKIPPED",
    client="Hotmail and Outlook.com",
    note="WBXML has elements of a code page that no document names (0xFE). They are skipped with what they hold.",
)
VALIDATE_DEVICE_ID = Quirk(
    name="VALIDATE_DEVICE_ID",
    client="Android mail of old",
    note="While the account is set up the device id is `validate`. Such a device is answered but not remembered.",
)
PING_BEFORE_SYNC = Quirk(
    name="PING_BEFORE_SYNC",
    client="iOS Mail",
    note="Ping names folders that were never synchronized. They are watched for nothing, silently.",
)
CERTIFICATE_OUTSIDE_CONTAINER = Quirk(
    name="CERTIFICATE_OUTSIDE_CONTAINER",
    client="go-activesync",
    note="ValidateCert has Certificate right under its root, as OPAQUE octets of DER. It counts as in Certificates.",
    fixture="wbxml/ValidateCert/request_bare.wbxml",
)
INVALID_TIME_ZONE = Quirk(
    name="INVALID_TIME_ZONE",
    client="iOS Calendar",
    note="The TimeZone blob has the wrong size, or is no base64. What is there is read; the rest is zero: UTC.",
)
MIXED_DATE_FORMS = Quirk(
    name="MIXED_DATE_FORMS",
    client=FORESEEN,
    note="A date comes in the compact form where the dashed one belongs, or vice versa. Both are read anywhere.",
)
FIND_AT_14_1 = Quirk(
    name="FIND_AT_14_1",
    client="iOS Mail",
    note="Find comes at 14.1, which does not have it (MS-ASCMD_R10032017). It is answered as at 16.1.",
    fixture="wbxml/Find/request.wbxml",
)
DRAFTS_FLOOD = Quirk(
    name="DRAFTS_FLOOD",
    client="Gmail for Android (FullDraftsUpSync)",
    note="One Sync changes every draft there is, hundreds of them, though 200 commands are the limit (MS-ASCMD_R5658). "
    "So many Changes in the Drafts folder are carried out; more are refused as ever.",
    fixture="wbxml/Sync/request_drafts_flood.wbxml",
)
DRAFTS_FLOOD_LIMIT: Final = 2000
"""Changes of drafts in one request that DRAFTS_FLOOD lets pass."""

QUIRKS: Mapping[str, Quirk] = {
    quirk.name: quirk
    for quirk in (
        EMPTY_SUPPORTED,
        EMPTY_PICTURE,
        ANSWER_IN_CALENDAR,
        BASE64_QUERY_DEVICE_ID_ASCII,
        BASE64_QUERY_ALPHABET,
        DEVICE_ID_PUNCTUATION,
        QUERY_WITHOUT_USER,
        LATIN1_CREDENTIALS,
        UNKNOWN_PAGE_SKIPPED,
        VALIDATE_DEVICE_ID,
        PING_BEFORE_SYNC,
        CERTIFICATE_OUTSIDE_CONTAINER,
        INVALID_TIME_ZONE,
        MIXED_DATE_FORMS,
        FIND_AT_14_1,
        DRAFTS_FLOOD,
    )
}
"""All quirks by name."""
