"""Time zones: blobs, cities and VTIMEZONE into each other."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.render.calendar.zone_names import WINDOWS
from eas_server.render.calendar.zones import UTC_ZONE, Zone, city, vtimezone, zone_of_blob, zone_of_vtimezone
from eas_server.render.contentlines import Component, dump, parse
from protocol.datatypes import SystemTime, TimeZone

WESTERN_EUROPE = TimeZone(
    bias=-60,
    standard_name="W. Europe Standard Time",
    standard_date=SystemTime(0, 10, 0, 5, 3),
    daylight_name="W. Europe Daylight Time",
    daylight_date=SystemTime(0, 3, 0, 5, 2),
    daylight_bias=-60,
)


def known(name: str) -> Zone:
    found = city(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", sorted({*WINDOWS.values(), "Europe/Vienna", "America/Toronto", "Antarctica/Troll"}))
def test_the_blob_of_a_city_is_that_city_again(name: str) -> None:
    zone = known(name)
    for year in (2020, 2026):
        blob = TimeZone.parse(zone.blob(year).dump())
        assert zone_of_blob(blob, years=(year,)) == zone


@pytest.mark.requirement("MS-ASDTYPE_R104", "MS-ASDTYPE_R111", "MS-ASDTYPE_R118", "MS-ASDTYPE_R120")
def test_the_blob_of_berlin() -> None:
    blob = known("Europe/Berlin").blob(2026)
    assert (blob.bias, blob.standard_bias, blob.daylight_bias) == (-60, 0, -60)
    assert blob.standard_date == SystemTime(0, 10, 0, 5, 3)
    assert blob.daylight_date == SystemTime(0, 3, 0, 5, 2)


@pytest.mark.parametrize(
    ("name", "standard", "daylight"),
    [
        ("America/New_York", SystemTime(0, 11, 0, 1, 2), SystemTime(0, 3, 0, 2, 2)),
        ("Australia/Sydney", SystemTime(0, 4, 0, 1, 3), SystemTime(0, 10, 0, 1, 2)),
        ("Europe/Dublin", SystemTime(0, 10, 0, 5, 2), SystemTime(0, 3, 0, 5, 1)),
    ],
)
def test_the_rules_of_other_cities(name: str, standard: SystemTime, daylight: SystemTime) -> None:
    blob = known(name).blob(2026)
    assert (blob.standard_date, blob.daylight_date) == (standard, daylight)


def test_a_city_is_found_by_name_by_preference_or_by_rules() -> None:
    anonymous = TimeZone(
        bias=-60,
        standard_date=WESTERN_EUROPE.standard_date,
        daylight_date=WESTERN_EUROPE.daylight_date,
        daylight_bias=-60,
    )
    assert zone_of_blob(WESTERN_EUROPE).name == "Europe/Berlin"
    assert zone_of_blob(anonymous).name == "Europe/Berlin"
    assert zone_of_blob(anonymous, prefer="Europe/Rome").name == "Europe/Rome"
    assert zone_of_blob(anonymous, prefer="America/New_York").name == "Europe/Berlin"
    assert zone_of_blob(TimeZone()) == UTC_ZONE
    assert zone_of_blob(TimeZone(bias=100_000)) == UTC_ZONE


def test_a_name_with_other_rules_does_not_count() -> None:
    odd = TimeZone(bias=-75, standard_name="Europe/Berlin")
    zone = zone_of_blob(odd)
    assert zone.info is None
    assert zone.name.startswith("EAS-")
    assert zone.local(datetime(2026, 7, 1, 12, tzinfo=UTC)) == datetime(2026, 7, 1, 13, 15, tzinfo=UTC).replace(
        tzinfo=None
    )


def test_midnight_as_windows_writes_it() -> None:
    cairo = known("Africa/Cairo").blob(2026)
    assert cairo.standard_date == SystemTime(0, 10, 5, 5, 0)
    windows = replace(cairo, standard_name="", standard_date=SystemTime(0, 10, 4, 5, 23, 59, 59, 999))
    assert zone_of_blob(windows).name == "Africa/Cairo"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"),
        ("/citadel.org/20210210_1/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("Etc/UTC", "UTC"),
        ("Z", "UTC"),
    ],
)
def test_names_of_zones(text: str, name: str) -> None:
    assert known(text).name == name


@pytest.mark.parametrize("text", ["", "Nowhere", "../../etc/passwd", "/etc/passwd", "a\0b", "Europe", "x" * 5000])
def test_names_of_no_zone(text: str) -> None:
    assert city(text) is None


def test_every_windows_name_has_its_city() -> None:
    assert [name for name, place in WINDOWS.items() if city(place) is None] == []


def test_clock_times_that_are_there_twice_or_never() -> None:
    for zone in (known("Europe/Berlin"), Zone("x", WESTERN_EUROPE)):
        twice = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        assert zone.local(twice) == zone.local(twice + timedelta(hours=1))
        assert zone.utc(zone.local(twice)) == twice
        never = datetime(2026, 3, 29, 2, 30, tzinfo=UTC).replace(tzinfo=None)
        assert zone.utc(never) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney"])
def test_vtimezone_says_what_the_blob_says(name: str) -> None:
    written = vtimezone(known(name), 2026)
    read = zone_of_vtimezone(parse(dump(written)))
    assert read is not None
    assert read.name == name
    assert zone_of_blob(read.rules).blob(2026).standard_date == known(name).blob(2026).standard_date
    for day in range(0, 700, 5):
        moment = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
        assert read.local(moment) == known(name).local(moment)


def test_vtimezone_of_others() -> None:
    read = zone_of_vtimezone(
        parse(
            b"BEGIN:VTIMEZONE\r\nTZID:Mine\r\n"
            b"BEGIN:STANDARD\r\nDTSTART:19961027T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n"
            b"RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\n"
            b"BEGIN:STANDARD\r\nDTSTART:19800928T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n"
            b"RRULE:FREQ=YEARLY;UNTIL=19950924T010000Z;BYMONTH=9;BYDAY=-1SU\r\nEND:STANDARD\r\n"
            b"BEGIN:DAYLIGHT\r\nDTSTART:19810329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
            b"RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=SU;BYMONTHDAY=25,26,27,28,29,30,31\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
        )
    )
    assert read is not None
    assert read.rules.standard_date == SystemTime(0, 10, 0, 5, 3)
    assert read.rules.daylight_date == SystemTime(0, 3, 0, 4, 2)
    ended = zone_of_vtimezone(
        parse(
            b"BEGIN:VTIMEZONE\r\nTZID:Moscow of old\r\n"
            b"BEGIN:STANDARD\r\nDTSTART:20141026T020000\r\nTZOFFSETFROM:+0400\r\nTZOFFSETTO:+0300\r\nEND:STANDARD\r\n"
            b"BEGIN:DAYLIGHT\r\nDTSTART:20110327T020000\r\nTZOFFSETFROM:+0300\r\nTZOFFSETTO:+0400\r\nEND:DAYLIGHT\r\n"
            b"END:VTIMEZONE\r\n"
        )
    )
    assert ended is not None
    assert ended.rules == TimeZone(bias=-180)
    assert zone_of_vtimezone(Component("VTIMEZONE")) is None


def test_an_absolute_date_is_one_change() -> None:
    rules = TimeZone(
        bias=0,
        standard_date=SystemTime(2026, 10, 0, 25, 1),
        daylight_date=SystemTime(2026, 3, 0, 29, 1),
        daylight_bias=-60,
    )
    text = dump(vtimezone(zone_of_blob(rules), 2026)).decode()
    assert "DTSTART:20261025T010000" in text
    assert "RRULE" not in text
