"""Dates, time zones, addresses and ids, [MS-ASDTYPE], [MS-ASEMAIL] 2.2.2.37, [MS-ASCON] 2.2.2.4."""

import base64
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from protocol.datatypes import (
    ConversationIndex,
    Mailbox,
    SystemTime,
    TimeZone,
    conversation_id,
    decode_base64,
    encode_base64,
    filetime,
    format_compact,
    format_dashed,
    format_mailboxes,
    from_filetime,
    global_obj_id,
    is_address,
    parse_datetime,
    parse_mailboxes,
    uid_of_global_obj_id,
)

NOON = datetime(2026, 12, 3, 13, 18, tzinfo=UTC)
ONE_HOUR = timedelta(hours=1)


class TestDates:
    @pytest.mark.requirement("MS-ASDTYPE_R15", "MS-ASDTYPE_R16", "MS-ASDTYPE_R17")
    def test_dashed(self):
        assert format_dashed(datetime(2000, 12, 25, 8, 35, tzinfo=UTC)) == "2000-12-25T08:35:00.000Z"
        assert format_dashed(NOON + timedelta(microseconds=123999)) == "2026-12-03T13:18:00.123Z"
        assert format_dashed(NOON.astimezone(timezone(ONE_HOUR))) == "2026-12-03T13:18:00.000Z"
        assert format_dashed(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00.000Z"

    @pytest.mark.requirement("MS-ASDTYPE_R12211", "MS-ASDTYPE_R12213")
    def test_compact(self):
        assert format_compact(NOON) == "20261203T131800Z"
        assert format_compact(datetime(1, 1, 1, tzinfo=UTC)) == "00010101T000000Z"

    @pytest.mark.requirement("MS-ASDTYPE_R15", "MS-ASDTYPE_R10000", "MS-ASDTYPE_R12213")
    @pytest.mark.parametrize(
        "text",
        [
            "2026-12-03T13:18:00.000Z",
            "2026-12-03T13:18:00Z",
            "2026-12-03T13:18Z",
            "2026-12-03T13:18:00.0000000Z",
            "2026-12-03t13:18:00z",
            "2026-12-03 13:18:00",
            "2026-12-03T14:18:00+01:00",
            "2026-12-03T08:18:00.000-0500",
            "20261203T131800Z",
            "20261203T1318Z",
            "20261203T131800.000Z",
            "20261203T131800",
            "20261203T141800+0100",
            "\n 20261203T131800Z ",
        ],
    )
    def test_reading(self, text):
        assert parse_datetime(text) == NOON
        assert parse_datetime(text).tzinfo is UTC

    def test_what_is_left_out(self):
        assert parse_datetime("2026-12-03") == parse_datetime("20261203") == datetime(2026, 12, 3, tzinfo=UTC)
        assert parse_datetime("2026-12-03T13:18:00.5Z").microsecond == 500000

    @pytest.mark.requirement("MS-ASDTYPE_R15")
    def test_hour_24_is_midnight(self):
        assert parse_datetime("2026-12-31T24:00:00.000Z") == datetime(2027, 1, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "yesterday",
            "2026",
            "2026-13-01",
            "2026-02-30T00:00:00Z",
            "2026-12-03T25:00:00Z",
            "2026-12-03T24:00:01Z",
            "2026-12-03T13:60:00Z",
            "2026-12-03T13:18:60Z",
            "2026-12-03T13:18:00Zjunk",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T24:00:00Z",
            "2026-1-1",
            "2026-W01-1",
            "２０２６1203T131800Z",
        ],
    )
    def test_no_dates(self, text):
        with pytest.raises(ValueError, match="is no date"):
            parse_datetime(text)

    @pytest.mark.parametrize("write", [format_dashed, format_compact, filetime])
    def test_a_moment_needs_a_zone(self, write):
        with pytest.raises(ValueError, match="time zone"):
            write(datetime(2026, 12, 3))  # noqa: DTZ001 -- that is the point


class TestBase64:
    def test_both_ways(self):
        assert encode_base64(b"\xff\xfe") == "//4="
        assert decode_base64(" //\r\n4= ") == b"\xff\xfe"

    @pytest.mark.parametrize("text", ["//4", "_-8=", "//4=x", "é", "a"])
    def test_strict(self, text):
        with pytest.raises(ValueError, match="no base64"):
            decode_base64(text)


PACIFIC = TimeZone(
    bias=480,
    standard_name="Pacific Standard Time",
    standard_date=SystemTime(month=11, day=1, hour=2),
    daylight_name="Pacific Daylight Time",
    daylight_date=SystemTime(month=3, day=2, hour=2),
    daylight_bias=-60,
)
BERLIN = TimeZone(
    bias=-60,
    standard_date=SystemTime(month=10, day=5, hour=3),
    daylight_date=SystemTime(month=3, day=5, hour=2),
    daylight_bias=-60,
)
SYDNEY = TimeZone(
    bias=-600,
    standard_date=SystemTime(month=4, day=1, hour=3),
    daylight_date=SystemTime(month=10, day=1, hour=2),
    daylight_bias=-60,
)


class TestTimeZone:
    @pytest.mark.requirement(
        "MS-ASDTYPE_R104",
        "MS-ASDTYPE_R106",
        "MS-ASDTYPE_R107",
        "MS-ASDTYPE_R109",
        "MS-ASDTYPE_R110",
        "MS-ASDTYPE_R112",
        "MS-ASDTYPE_R114",
        "MS-ASDTYPE_R116",
        "MS-ASDTYPE_R117",
        "MS-ASDTYPE_R119",
        "MS-ASDTYPE_R121",
    )
    def test_the_octets(self):
        octets = base64.b64decode(PACIFIC.dump(), validate=True)
        assert len(octets) == 172
        assert octets[:4] == struct.pack("<i", 480)
        assert octets[4:68] == "Pacific Standard Time".encode("utf-16-le").ljust(64, b"\0")
        assert octets[68:84] == struct.pack("<8H", 0, 11, 0, 1, 2, 0, 0, 0)
        assert octets[84:88] == struct.pack("<i", 0)
        assert octets[88:152] == "Pacific Daylight Time".encode("utf-16-le").ljust(64, b"\0")
        assert octets[152:168] == struct.pack("<8H", 0, 3, 0, 2, 2, 0, 0, 0)
        assert octets[168:] == struct.pack("<i", -60)
        assert TimeZone.parse(PACIFIC.dump()) == TimeZone.read(PACIFIC.dump()) == PACIFIC

    def test_names_fill_32_units_at_most(self):
        assert TimeZone.parse(TimeZone(standard_name="x" * 40).dump()).standard_name == "x" * 32
        assert TimeZone.parse(TimeZone(standard_name="x" * 31 + "\U0001f600").dump()).standard_name == "x" * 31

    def test_a_blob_that_is_none_is_still_usable(self):
        octets = decode_base64(PACIFIC.dump())
        short = TimeZone.read(encode_base64(octets[:90]))
        assert (short.bias, short.standard_date, short.valid) == (480, PACIFIC.standard_date, False)
        long = TimeZone.read(encode_base64(octets + b"junk"))
        assert long == PACIFIC
        assert not long.valid
        assert TimeZone.read("no base64!") == TimeZone()
        assert len(decode_base64(short.dump())) == 172
        assert TimeZone.read("").utc_offset(NOON) == timedelta()

    @pytest.mark.parametrize("text", ["", "AAAA", "!", encode_base64(bytes(173))])
    def test_strict(self, text):
        with pytest.raises(ValueError, match=r"TimeZone|base64"):
            TimeZone.parse(text)

    @pytest.mark.parametrize("zone", [TimeZone(bias=2**31), TimeZone(standard_date=SystemTime(month=70000))])
    def test_numbers_that_do_not_fit(self, zone):
        with pytest.raises(ValueError, match="no TimeZone"):
            zone.dump()

    @pytest.mark.requirement(
        "MS-ASDTYPE_R105", "MS-ASDTYPE_R111", "MS-ASDTYPE_R113", "MS-ASDTYPE_R118", "MS-ASDTYPE_R120"
    )
    @pytest.mark.parametrize(
        ("zone", "name"),
        [(PACIFIC, "America/Los_Angeles"), (BERLIN, "Europe/Berlin"), (SYDNEY, "Australia/Sydney")],
    )
    def test_offsets_agree_with_the_real_clocks(self, zone, name):
        real = ZoneInfo(name)
        moment = datetime(2025, 1, 1, 0, 30, tzinfo=UTC)
        while moment.year < 2027:
            assert zone.utc_offset(moment) == moment.astimezone(real).utcoffset(), moment
            moment += timedelta(hours=7)
        for month, day in ((3, 9), (3, 30), (4, 5), (10, 4), (10, 26), (11, 2)):
            for hour in range(-24, 48):
                moment = datetime(2025, month, day, tzinfo=UTC) + timedelta(hours=hour)
                assert zone.utc_offset(moment) == moment.astimezone(real).utcoffset(), moment

    @pytest.mark.requirement("MS-ASDTYPE_R68", "MS-ASDTYPE_R75", "MS-ASDTYPE_R76")
    def test_the_weekly_call_of_the_documents(self):
        pacific = TimeZone(
            bias=480,
            daylight_bias=-60,
            daylight_date=SystemTime(month=4, day=1, hour=2),
            standard_date=SystemTime(month=10, day=5, hour=2),
        )
        before, after = datetime(2003, 4, 4, 18, tzinfo=UTC), datetime(2003, 4, 11, 17, tzinfo=UTC)
        assert (before + pacific.utc_offset(before)).hour == (after + pacific.utc_offset(after)).hour == 10
        arizona = TimeZone(bias=420)
        assert (before + arizona.utc_offset(before)).hour == 11
        assert (after + arizona.utc_offset(after)).hour == 10

    def test_changes_that_are_no_dates_are_no_changes(self):
        for change in (
            SystemTime(month=13, day=1),
            SystemTime(month=3, day=0),
            SystemTime(month=3, day=6),
            SystemTime(month=3, day=1, hour=24),
            SystemTime(month=3, day=1, day_of_week=7),
            SystemTime(year=2026, month=2, day=30),
        ):
            assert change.occurrence(2026) is None
        assert (
            TimeZone(bias=0, daylight_bias=-60, standard_date=SystemTime(month=10, day=5)).utc_offset(NOON)
            == timedelta()
        )

    def test_no_offset_is_a_day_or_more(self):
        assert TimeZone(bias=1440).utc_offset(NOON) == TimeZone(bias=2**31 - 1).utc_offset(NOON) == timedelta()
        assert TimeZone(bias=-60, daylight_bias=-(2**31)).utc_offset(NOON) == ONE_HOUR
        assert BERLIN.utc_offset(datetime(9999, 7, 1, tzinfo=UTC)) == ONE_HOUR

    def test_changes_of_one_year(self):
        change = SystemTime(year=2003, month=4, day=6, hour=2)
        assert change.occurrence(2003) == datetime(2003, 4, 6, 2)  # noqa: DTZ001 -- local
        assert change.occurrence(2004) is None


class TestAddresses:
    @pytest.mark.requirement("MS-ASDTYPE_R100")
    @pytest.mark.parametrize(
        ("text", "good"),
        [
            ("alice@example.com", True),
            ('"alice example"@example.com', True),
            ("alice", False),
            ("alice@", False),
            ("@example.com", False),
            ("alice@b@c", False),
            ("alice@example.com\r\nBcc: x", False),
            ("Alice <alice@example.com>", False),
        ],
    )
    def test_addresses(self, text, good):
        assert is_address(text) is good

    @pytest.mark.requirement("MS-ASEMAIL_R787", "MS-ASEMAIL_R331", "MS-ASEMAIL_R711")
    def test_lists(self):
        both = [Mailbox("Alice Example", "alice@example.com"), Mailbox("", "bob@example.com")]
        assert format_mailboxes(both) == '"Alice Example" <alice@example.com>, bob@example.com'
        assert format_mailboxes(both, "; ") == '"Alice Example" <alice@example.com>; bob@example.com'
        assert parse_mailboxes(format_mailboxes(both)) == parse_mailboxes(format_mailboxes(both, ";")) == both

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", []),
            (" , ;; ", []),
            ("alice, team", [("", "alice"), ("", "team")]),
            ('"Example, Alice" <alice@example.com>', [("Example, Alice", "alice@example.com")]),
            ('"a \\"b\\" <c>" <alice@example.com>', [('a "b" <c>', "alice@example.com")]),
            ("Alice <alice@example.com", [("Alice", "alice@example.com")]),
            ('"Alice" alice@example.com', [("", 'Alice" alice@example.com')]),
            ("<alice@example.com>;<bob@example.com>", [("", "alice@example.com"), ("", "bob@example.com")]),
            ('"open <alice@example.com>', [("open", "alice@example.com")]),
        ],
    )
    def test_reading(self, text, expected):
        assert parse_mailboxes(text) == [Mailbox(*item) for item in expected]

    def test_no_header_is_split(self):
        assert str(Mailbox("a\r\nBcc: x", "b@example.com\n")) == '"a Bcc: x" <b@example.com>'
        assert str(Mailbox("Alice", "")) == '"Alice"'


CLASS_ID = "040000008200E00074C5B7101A82E008"
OUTLOOK_UID = CLASS_ID + "00000000" + "D0C5B21A6C6ADC01" + "00" * 8 + "10000000" + "AB" * 16


class TestGlobalObjId:
    @pytest.mark.requirement(
        "MS-ASEMAIL_R22", "MS-ASEMAIL_R23", "MS-ASEMAIL_R26", "MS-ASEMAIL_R28", "MS-ASEMAIL_R20000"
    )
    def test_an_outlook_id_is_its_own_hex_without_the_instance(self):
        octets = bytearray.fromhex(OUTLOOK_UID)
        octets[16:20] = bytes((0x07, 0xEA, 12, 3))
        assert uid_of_global_obj_id(encode_base64(octets)) == OUTLOOK_UID
        assert global_obj_id(OUTLOOK_UID) == encode_base64(bytes.fromhex(OUTLOOK_UID))
        assert global_obj_id(OUTLOOK_UID.lower(), instance=date(2026, 12, 3)) == encode_base64(octets)

    @pytest.mark.requirement(
        "MS-ASEMAIL_R29",
        "MS-ASEMAIL_R30",
        "MS-ASEMAIL_R121",
        "MS-ASEMAIL_R20001",
        "MS-ASEMAIL_R20016",
        "MS-ASEMAIL_R20018",
        "MS-ASEMAIL_R20019",
    )
    def test_a_vcal_id_holds_its_uid(self):
        uid = "6f8a-1@example.com"
        octets = decode_base64(global_obj_id(uid, instance=date(2004, 2, 29)))
        assert octets[:16] == bytes.fromhex(CLASS_ID)
        assert octets[16:20] == bytes((0x07, 0xD4, 2, 29))
        assert octets[20:36] == bytes(16)
        assert octets[36:40] == struct.pack("<I", len(uid) + 13)
        assert octets[40:] == b"vCal-Uid\1\0\0\0" + uid.encode() + b"\0"
        assert uid_of_global_obj_id(encode_base64(octets)) == uid

    @pytest.mark.requirement("MS-ASEMAIL_R1009", "MS-ASEMAIL_R27")
    @pytest.mark.parametrize("count", [12, 1000])
    def test_a_count_that_cannot_be_makes_it_an_outlook_id(self, count):
        octets = bytes.fromhex(CLASS_ID) + bytes(20) + struct.pack("<I", count) + b"vCal-Uid\1\0\0\0uid\0"
        assert uid_of_global_obj_id(encode_base64(octets)) == octets.hex().upper()
        assert uid_of_global_obj_id(encode_base64(octets[:52])) == octets[:52].hex().upper()
        assert uid_of_global_obj_id("AAEC") == "000102"

    @pytest.mark.parametrize("text", ["", "x"])
    def test_garbage(self, text):
        with pytest.raises(ValueError, match=r"GlobalObjId|base64"):
            uid_of_global_obj_id(text)


class TestConversations:
    @pytest.mark.requirement("MS-ASCON_R90", "MS-ASCON_R97", "MS-ASCON_R308", "MS-ASCON_R309")
    def test_the_header_is_five_octets_of_the_filetime(self):
        ticks = filetime(NOON)
        assert ticks == 116444736000000000 + int(NOON.timestamp()) * 10**7
        assert from_filetime(ticks) == NOON
        index = ConversationIndex.begin(NOON)
        assert index.octets == ticks.to_bytes(8, "big")[1:6]
        assert timedelta() <= NOON - index.began < timedelta(milliseconds=7)

    @pytest.mark.requirement("MS-ASCON_R86", "MS-ASCON_R87", "MS-ASCON_R91", "MS-ASCON_R92")
    def test_each_reply_adds_five_octets(self):
        later = NOON + timedelta(days=2)
        index = ConversationIndex.begin(NOON).reply(later, random=0x7F).reply(later + timedelta(days=900), random=1)
        assert len(index.octets) == 15
        assert index.octets[9] == 0xF0
        assert index.octets[10] & 0x80
        assert not index.octets[5] & 0x80
        near, far = index.replied
        assert abs(near - later) < timedelta(milliseconds=40)
        assert abs(far - later - timedelta(days=900)) < timedelta(seconds=1)
        assert ConversationIndex.parse(index.octets) == index

    def test_a_reply_from_a_slow_clock_is_at_the_beginning(self):
        index = ConversationIndex.begin(NOON).reply(NOON - ONE_HOUR, random=0)
        assert index.octets[5:] == bytes(5)

    def test_thread_index(self):
        guid = bytes(range(16))
        index = ConversationIndex.begin(NOON).reply(NOON + ONE_HOUR, random=3)
        octets = index.to_thread_index(guid)
        assert len(octets) == 22 + 5
        assert octets[0] == 1
        assert octets[6:22] == guid
        assert ConversationIndex.from_thread_index(octets) == (index, guid)
        with pytest.raises(ValueError, match="ConversationId"):
            index.to_thread_index(b"short")

    def test_a_real_thread_index(self):
        # made by Outlook's rule: 0x01, then octets 2 to 6 of the FILETIME 0x01CA4E3D22A1B000
        octets = bytes.fromhex("01CA4E3D22A1" + "11" * 16)
        index, guid = ConversationIndex.from_thread_index(octets)
        assert guid == b"\x11" * 16
        assert index.began == from_filetime(0x01CA4E3D22A10000)

    @pytest.mark.parametrize("octets", [b"", b"\1" * 21, b"\2" * 22, b"\1" * 24])
    def test_no_thread_index(self, octets):
        with pytest.raises(ValueError, match=r"Thread-Index|ConversationIndex"):
            ConversationIndex.from_thread_index(octets)

    @pytest.mark.parametrize("octets", [b"", b"1234", b"123456"])
    def test_no_index(self, octets):
        with pytest.raises(ValueError, match="ConversationIndex"):
            ConversationIndex.parse(octets)

    def test_a_filetime_beyond_the_calendar(self):
        with pytest.raises(ValueError, match="FILETIME"):
            from_filetime(2**64)

    def test_an_id_for_those_that_have_none(self):
        assert len(conversation_id("<1@example.com>")) == 16
        assert conversation_id("<1@example.com>") == conversation_id("<1@example.com>") != conversation_id("other")
