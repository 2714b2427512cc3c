"""The data types of Exchange ActiveSync: dates, time zones, base64, addresses, ids of meetings and conversations.

Source: [MS-ASDTYPE] 2.3 to 2.7, [MS-ASEMAIL] 2.2.2.37, [MS-ASCON] 2.2.2.4. The moment and all randomness come in as
arguments. What cannot be read raises ValueError (MS-ASDTYPE_R95: whoever reads the element decides
what that means).
"""

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta
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


def is_dashed(text: str) -> bool:
    """Whether a date is in the dashed form and not in the compact one."""
    return text[4:5] == "-"


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
_MINUTES_A_DAY = 24 * 60
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
        """How far local time is ahead of UTC at the aware `moment`: less than a day.

        Zero where the biases make a day or more, which no clock on earth is off.
        """
        utc = _in_utc(moment)
        standard, daylight = self.bias + self.standard_bias, self.bias + self.daylight_bias
        if abs(standard) >= _MINUTES_A_DAY:
            return timedelta()
        is_daylight = abs(daylight) < _MINUTES_A_DAY and self._is_daylight(utc)
        return timedelta(minutes=-(daylight if is_daylight else standard))

    def _is_daylight(self, utc: datetime) -> bool:
        if not MINYEAR < utc.year < MAXYEAR:  # local time must stay within the calendar
            return False
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


_CLASS_ID = bytes.fromhex("040000008200E00074C5B7101A82E008")
_INSTANCE = slice(16, 20)
_COUNT = slice(36, 40)
_VCAL_MARK = b"vCal-Uid\1\0\0\0"
_VCAL_AT = 40
_VCAL_UID_AT = _VCAL_AT + len(_VCAL_MARK)
_VCAL_LEAST = _VCAL_UID_AT + 1
_OUTLOOK_UID = re.compile(r"(?:[0-9A-Fa-f]{2}){40,}")


def uid_of_global_obj_id(text: str) -> str:
    """The UID of the calendar item that a GlobalObjId (base64) names, [MS-ASEMAIL] 3.1.4.7.

    That is the UID inside a vCal id (R29, R30), else the octets of the id in hexadecimal, the date of the instance
    cleared (R28). Raises ValueError.
    """
    octets = decode_base64(text)
    if not octets:
        raise ValueError("an empty GlobalObjId")
    count = int.from_bytes(octets[_COUNT], "little")
    overhead = len(_VCAL_MARK) + 1
    if (
        len(octets) >= _VCAL_LEAST  # MS-ASEMAIL_R1009
        and octets[_VCAL_AT:].startswith(_VCAL_MARK[:8])  # MS-ASEMAIL_R26
        and overhead <= count <= len(octets) - _VCAL_AT  # MS-ASEMAIL_R27
    ):
        return octets[_VCAL_UID_AT : _VCAL_UID_AT + count - overhead].decode("utf-8", "replace")
    instance = octets[_INSTANCE]
    return (octets[: _INSTANCE.start] + bytes(len(instance)) + octets[_INSTANCE.stop :]).hex().upper()


def global_obj_id(uid: str, *, instance: date | None = None) -> str:
    """The GlobalObjId, in base64, of the calendar item with `uid` ([MS-ASEMAIL] 2.2.2.37): the inverse of the above.

    `instance` is the day of one occurrence of a series.
    """
    day = instance.year.to_bytes(2, "big") + bytes((instance.month, instance.day)) if instance else bytes(4)
    if _OUTLOOK_UID.fullmatch(uid) and bytes.fromhex(uid).startswith(_CLASS_ID):
        octets = bytes.fromhex(uid)
        return encode_base64(octets[: _INSTANCE.start] + day + octets[_INSTANCE.stop :])
    content = _VCAL_MARK + uid.encode("utf-8", "replace") + b"\0"
    now_and_reserved = bytes(_COUNT.start - _INSTANCE.stop)
    return encode_base64(_CLASS_ID + day + now_and_reserved + len(content).to_bytes(4, "little") + content)


_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_TICKS = 10
"""FILETIME ticks, of 100 nanoseconds, in a microsecond."""
CONVERSATION_ID_SIZE = 16
_STAMP_SIZE = 5
_THREAD_HEADER_SIZE = 1 + _STAMP_SIZE + CONVERSATION_ID_SIZE
_EPOCH_MARK = 0x01
"""The first octet of every FILETIME from 1829 to 2057, and of PidTagConversationIndex."""
_STAMP_SHIFT = 16
"""The bits of a FILETIME that the header leaves out at its low end."""
_NEAR = 1 << 49
_NEAR_SHIFT, _FAR_SHIFT = 18, 23
_DELTA_BITS = 31
_RANDOM_BITS = 4


def filetime(moment: datetime) -> int:
    """The aware `moment` as a FILETIME: ticks of 100 nanoseconds since 1601."""
    return (_in_utc(moment) - _FILETIME_EPOCH) // timedelta(microseconds=1) * _TICKS


def from_filetime(ticks: int) -> datetime:
    """The moment of a FILETIME, cut to microseconds. Raises ValueError beyond the year 9999."""
    try:
        return _FILETIME_EPOCH + timedelta(microseconds=ticks // _TICKS)
    except OverflowError:
        raise ValueError(f"{ticks} is no FILETIME") from None


@dataclass(frozen=True, slots=True)
class ConversationIndex:
    """The value of email2:ConversationIndex, [MS-ASCON] 2.2.2.4: when a conversation began, and its replies.

    `header` is five octets of the FILETIME of the beginning (its second to sixth, big-endian: MS-ASCON_R309);
    `levels` has five octets for each reply or forwarding. The Thread-Index header of a message holds the same with the
    id of the conversation in between: `from_thread_index`.
    """

    header: bytes
    levels: tuple[bytes, ...] = ()

    @classmethod
    def begin(cls, moment: datetime) -> "ConversationIndex":
        """The index of the first message of a conversation, sent at `moment` (1829 to 2057: else the years wrap)."""
        return cls((filetime(moment) >> _STAMP_SHIFT & (1 << 8 * _STAMP_SIZE) - 1).to_bytes(_STAMP_SIZE, "big"))

    @classmethod
    def parse(cls, octets: bytes) -> "ConversationIndex":
        """Read the value of the element. Raises ValueError unless it is a row of one or more five-octet fields."""
        if not octets or len(octets) % _STAMP_SIZE:
            raise ValueError(f"a ConversationIndex of {len(octets)} octets")
        fields = [octets[at : at + _STAMP_SIZE] for at in range(0, len(octets), _STAMP_SIZE)]
        return cls(fields[0], tuple(fields[1:]))

    @classmethod
    def from_thread_index(cls, octets: bytes) -> tuple["ConversationIndex", bytes]:
        """Read a Thread-Index (base64 decoded; PidTagConversationIndex): the index, and the ConversationId.

        Raises ValueError.
        """
        if len(octets) < _THREAD_HEADER_SIZE or octets[0] != _EPOCH_MARK:
            raise ValueError("no Thread-Index")
        index = cls.parse(octets[1 : 1 + _STAMP_SIZE] + octets[_THREAD_HEADER_SIZE:])
        return index, octets[1 + _STAMP_SIZE : _THREAD_HEADER_SIZE]

    def to_thread_index(self, conversation_id: bytes) -> bytes:
        """The octets of the Thread-Index header, to be written in base64. `conversation_id` has 16 octets."""
        if len(conversation_id) != CONVERSATION_ID_SIZE:
            raise ValueError(f"a ConversationId of {len(conversation_id)} octets")
        return bytes((_EPOCH_MARK,)) + self.header + conversation_id + b"".join(self.levels)

    @property
    def octets(self) -> bytes:
        """The value of the element."""
        return self.header + b"".join(self.levels)

    @property
    def began(self) -> datetime:
        """When the conversation began, to 6.6 milliseconds."""
        return from_filetime(self._ticks)

    @property
    def replied(self) -> tuple[datetime, ...]:
        """When each reply was made: to 26 milliseconds within 21 months of the beginning, to 0.9 seconds later."""
        times = []
        for level in self.levels:
            delta = int.from_bytes(level[:4], "big")
            is_far = delta >> _DELTA_BITS
            ticks = (delta & (1 << _DELTA_BITS) - 1) << (_FAR_SHIFT if is_far else _NEAR_SHIFT)
            times.append(from_filetime(self._ticks + ticks))
        return tuple(times)

    def reply(self, moment: datetime, *, random: int) -> "ConversationIndex":
        """The index of an answer to (or forwarding of) this message, sent at `moment` (MS-ASCON_R86).

        `random` is any number; its low 4 bits keep answers apart that are made at one time.
        """
        distance = max(0, filetime(moment) - self._ticks)
        is_far = distance >= _NEAR
        delta = distance >> (_FAR_SHIFT if is_far else _NEAR_SHIFT) & (1 << _DELTA_BITS) - 1
        word = (is_far << _DELTA_BITS | delta).to_bytes(4, "big")
        tail = (random & (1 << _RANDOM_BITS) - 1) << _RANDOM_BITS  # the low half, the level, is always 0
        return ConversationIndex(self.header, (*self.levels, word + bytes((tail,))))

    @property
    def _ticks(self) -> int:
        return (_EPOCH_MARK << 8 * _STAMP_SIZE | int.from_bytes(self.header, "big")) << _STAMP_SHIFT


def conversation_id(seed: str) -> bytes:
    """A ConversationId (16 octets) for a conversation that has none, the same for the same seed.

    The seed is what its messages share: the Message-ID at its root, or the topic.
    """
    return hashlib.sha256(seed.encode("utf-8", "surrogateescape")).digest()[:CONVERSATION_ID_SIZE]
