"""The data types of Exchange ActiveSync: dates, time zones, base64, e-mail addresses.

Source: [MS-ASDTYPE] 2.3 to 2.7. The moment and all randomness come in as arguments. Ids of meetings and conversations
are in `protocol.identifiers`. What cannot be read raises ValueError (MS-ASDTYPE_R95: whoever reads the element decides
what that means).
"""

import base64
import binascii
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from protocol.errors import quote

_DASHED = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d\d:?\d\d)?",
    re.ASCII | re.IGNORECASE,
)
_COMPACT = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(?:(\d\d)(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII | re.IGNORECASE
)
_END_OF_DAY = 24


def parse_datetime(text: str) -> datetime:
    """Read a date in either form, dashed ([MS-ASDTYPE] 2.3) or compact (2.7.5), as an aware moment in UTC.

    Clients mix the forms, so both are read everywhere. Seconds and their fraction may be absent (MS-ASDTYPE_R10000);
    so may the time, which is then midnight; without "Z" or an offset the moment is UTC (MS-ASDTYPE_R15); 24:00 is the
    next midnight. Raises ValueError.
    """
    bare = text.strip()
    found = _DASHED.fullmatch(bare) or _COMPACT.fullmatch(bare)
    if found is None:
        raise ValueError(f"{quote(text)} is no date")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    microseconds = int((fraction or "0")[:6].ljust(6, "0"))
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    end_of_day = (hours, minutes, seconds, microseconds) == (_END_OF_DAY, 0, 0, 0)
    try:
        moment = datetime(
            int(year), int(month), int(day), 0 if end_of_day else hours, minutes, seconds, microseconds, UTC
        )
        return moment + timedelta(days=int(end_of_day)) - _offset(zone)
    except (ValueError, OverflowError):
        raise ValueError(f"{quote(text)} is no date") from None


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta()
    digits = zone[1:].replace(":", "")
    distance = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -distance if zone[0] == "-" else distance


def format_dashed(moment: datetime) -> str:
    """`moment` as `2026-12-03T13:18:00.000Z` (MS-ASDTYPE_R15), cut to milliseconds. `moment` must be aware."""
    utc = _in_utc(moment)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03}Z".rjust(24, "0")


def format_compact(moment: datetime) -> str:
    """`moment` as `20261203T131800Z` (MS-ASDTYPE_R12213), cut to seconds. `moment` must be aware."""
    return f"{_in_utc(moment):%Y%m%dT%H%M%SZ}".rjust(16, "0")


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC)


def encode_base64(octets: bytes | bytearray | memoryview) -> str:
    """`octets` in standard base64, on one line."""
    return base64.b64encode(octets).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Read standard base64, strictly save for white space between the characters. Raises ValueError."""
    try:
        return base64.b64decode("".join(text.split()).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("no base64") from None


class SystemTime(NamedTuple):
    """A SYSTEMTIME as TimeZone uses it: the moment of a change, by the local clock before it.

    With `year` 0 the change comes back every year: on the `day`-th (5: the last) weekday `day_of_week` (0: Sunday) of
    `month`. `month` 0 says that there is no change.
    """

    year: int = 0
    month: int = 0
    day_of_week: int = 0
    day: int = 0
    hour: int = 0
    minute: int = 0
    second: int = 0
    milliseconds: int = 0

    def occurrence(self, year: int) -> datetime | None:
        """The change in `year` as a naive local time; None where there is none, or the values make no date."""
        if not self.month or self.year not in (0, year):
            return None
        try:
            clock = datetime(year, self.month, 1, self.hour, self.minute, self.second, tzinfo=None)  # noqa: DTZ001 -- local
            if self.year:
                return clock.replace(day=self.day)
            if not 1 <= self.day <= _LAST_WEEK or self.day_of_week >= _WEEK:
                return None
            first = (self.day_of_week - clock.isoweekday()) % _WEEK
            found = clock + timedelta(days=first + _WEEK * (self.day - 1))
            return found if found.month == self.month else found - timedelta(days=_WEEK)
        except (ValueError, OverflowError):
            return None


NO_CHANGE = SystemTime()
_WEEK = 7
_LAST_WEEK = 5
_NAME_SIZE = 64
_BLOB = struct.Struct(f"<i{_NAME_SIZE}s8Hi{_NAME_SIZE}s8Hi")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeZone:
    """The TimeZone structure, [MS-ASDTYPE] 2.7.4. Biases are in minutes; UTC is local time plus bias.

    `standard_date` is when daylight saving time ends, `daylight_date` when it begins.
    """

    bias: int = 0
    standard_name: str = ""
    standard_date: SystemTime = NO_CHANGE
    standard_bias: int = 0
    daylight_name: str = ""
    daylight_date: SystemTime = NO_CHANGE
    daylight_bias: int = 0
    valid: bool = field(default=True, compare=False)
    """Whether the blob was one; see `read`."""

    @classmethod
    def parse(cls, text: str) -> "TimeZone":
        """Read the base64 form. Raises ValueError unless it holds exactly the 172 octets."""
        octets = decode_base64(text)
        if len(octets) != _BLOB.size:
            raise ValueError(f"a TimeZone of {len(octets)} octets")
        return cls._unpack(octets, valid=True)

    @classmethod
    def read(cls, text: str) -> "TimeZone":
        """Read the base64 form whatever it is: never raises (quirk INVALID_TIME_ZONE).

        A blob that is cut short counts as filled with zeros, one that is too long as cut, and what is no base64 as
        UTC; `valid` is then False, and `dump` gives a blob that other clients can read.
        """
        try:
            octets = decode_base64(text)
        except ValueError:
            return cls(valid=False)
        size = _BLOB.size
        return cls._unpack(octets[:size].ljust(size, b"\0"), valid=len(octets) == size)

    @classmethod
    def _unpack(cls, octets: bytes, *, valid: bool) -> "TimeZone":
        values = _BLOB.unpack(octets)
        return cls(
            bias=values[0],
            standard_name=_read_name(values[1]),
            standard_date=SystemTime(*values[2:10]),
            standard_bias=values[10],
            daylight_name=_read_name(values[11]),
            daylight_date=SystemTime(*values[12:20]),
            daylight_bias=values[20],
            valid=valid,
        )

    def dump(self) -> str:
        """The base64 form (MS-ASDTYPE_R121).

        Names are cut to 32 UTF-16 units. Raises ValueError for numbers that do not fit.
        """
        try:
            octets = _BLOB.pack(
                self.bias,
                _write_name(self.standard_name),
                *self.standard_date,
                self.standard_bias,
                _write_name(self.daylight_name),
                *self.daylight_date,
                self.daylight_bias,
            )
        except struct.error as error:
            raise ValueError(f"no TimeZone: {error}") from None
        return encode_base64(octets)

    def utc_offset(self, moment: datetime) -> timedelta:
        """How far local time is ahead of UTC at the aware `moment`."""
        bias = self.bias + (self.daylight_bias if self._is_daylight(_in_utc(moment)) else self.standard_bias)
        return timedelta(minutes=-bias)

    def _is_daylight(self, utc: datetime) -> bool:
        standard = utc.replace(tzinfo=None) - timedelta(minutes=self.bias + self.standard_bias)
        begins, ends = self.daylight_date.occurrence(standard.year), self.standard_date.occurrence(standard.year)
        if begins is None or ends is None:
            return False
        ends_standard = ends + timedelta(minutes=self.daylight_bias - self.standard_bias)
        if begins < ends_standard:
            return begins <= standard < ends_standard
        return not ends_standard <= standard < begins  # the southern half of the world


def _read_name(octets: bytes) -> str:
    return octets.decode("utf-16-le", "replace").partition("\0")[0]


def _write_name(name: str) -> bytes:
    octets = name.encode("utf-16-le", "replace")[:_NAME_SIZE]
    return octets.decode("utf-16-le", "ignore").encode("utf-16-le")  # not half of a surrogate pair


class Mailbox(NamedTuple):
    """An e-mail address with the name it is shown under ("" for none)."""

    name: str
    address: str

    def __str__(self) -> str:
        """The form of the To, Cc and From elements: `"Alice Example" <alice@example.com>`."""
        name = _CONTROL_RUNS.sub(" ", self.name).strip()
        address = _CONTROL_RUNS.sub("", self.address)
        if not name:
            return address
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{address}>' if address else f'"{escaped}"'


_CONTROL_RUNS = re.compile(r"[\x00-\x1f\x7f]+")
_ESCAPED = re.compile(r"\\(.)")
_ITEM = re.compile(r'(?:[^",;<\\]|\\.|"(?:[^"\\]|\\.)*"?|<[^>]*>?)+')
_QUOTED = re.compile(r'\s*"(?:[^"\\]|\\.)*"')
_ADDRESS = re.compile(r"[^\s@<>,;:\"()]+@[^\s@<>,;:\"()]+|\"[^\"\r\n]+\"@[^\s@<>,;:\"()]+")


def is_address(text: str) -> bool:
    """Whether `text` has the form `local-part@domain` (MS-ASDTYPE_R100)."""
    return _ADDRESS.fullmatch(text) is not None


def format_mailboxes(mailboxes: Iterable[Mailbox], separator: str = ", ") -> str:
    """A list for To and Cc (MS-ASEMAIL_R787, R331: commas) or, with `separator` "; ", ReplyTo (R711)."""
    return separator.join(map(str, mailboxes))


def parse_mailboxes(text: str) -> list[Mailbox]:
    """Read a list of addresses, separated by commas or semicolons, tolerantly: never raises.

    What is no address is kept as one (names that the server is to resolve: `alice, team`); empty places are dropped.
    """
    found = []
    for item in _ITEM.findall(text):
        quoted = _QUOTED.match(item)
        head, tail = (quoted[0], item[quoted.end() :]) if quoted else ("", item)
        name, bracket, address = tail.rpartition("<")
        if bracket:
            mailbox = Mailbox(_unquoted(head + name), address.partition(">")[0].strip())
        else:
            mailbox = Mailbox("", _unquoted(item))
        if mailbox.address or mailbox.name:
            found.append(mailbox)
    return found


def _unquoted(text: str) -> str:
    bare = text.strip()
    if bare.startswith('"'):
        bare = bare[1:].removesuffix('"')
    return _ESCAPED.sub(r"\1", bare).strip()
