"""Recurrence rules against the examples of RFC 5545 3.8.5.3, and rules that are meant to hurt."""

from datetime import UTC, datetime
from itertools import islice

import pytest

from eas_server.render.calendar.rules import MAX_STEPS, expand, parse_rule


def at(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC).replace(tzinfo=None)


def days(rule: str, start: str, count: int = 12) -> list[str]:
    read = parse_rule(rule)
    assert read is not None
    until = at(f"{read.until[:8]}T235959") if read.until else None
    return [f"{clock:%Y%m%d}" for clock in islice(expand(read, at(start), until=until), count)]


START = "19970902T090000"


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        ("FREQ=DAILY;COUNT=3", START, "0902 0903 0904"),
        ("FREQ=DAILY;INTERVAL=10;COUNT=5", START, "0902 0912 0922 1002 1012"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", START, "0902 0916 0930 1014"),
        ("FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", START, "0902 0904 0909 0911 0916 0918"),
        ("FREQ=MONTHLY;COUNT=4;BYDAY=1FR", "19970905T090000", "0905 1003 1107 1205"),
        ("FREQ=MONTHLY;INTERVAL=2;COUNT=4;BYDAY=1SU,-1SU", "19970907T090000", "0907 0928 1102 1130"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=-2MO", "19970922T090000", "0922 1020 1117"),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", "19970928T090000", "0928 1029 1128 1229"),
        ("FREQ=MONTHLY;COUNT=4;BYMONTHDAY=2,15", START, "0902 0915 1002 1015"),
        ("FREQ=MONTHLY;COUNT=4;BYMONTHDAY=1,-1", "19970930T090000", "0930 1001 1031 1101"),
        ("FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", START, "0902 0909 0916 0923 0930 1104"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "19970904T090000", "0904 1007 1106"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "19970929T090000", "0929 1030 1127 1230"),
        ("FREQ=DAILY;BYMONTH=9;BYDAY=TU;COUNT=3", START, "0902 0909 0916"),
        ("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3", "19971031T090000", "1031 1231 0131"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=2", START, "0213 0313"),
    ],
)
def test_examples(rule: str, start: str, expected: str) -> None:
    wanted = expected.split()
    assert [day[4:] for day in days(rule, start, len(wanted))] == wanted


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        ("FREQ=YEARLY;COUNT=4;BYMONTH=6,7", "19970610T090000", "19970610 19970710 19980610 19980710"),
        (
            "FREQ=YEARLY;INTERVAL=3;COUNT=4;BYYEARDAY=1,100,200",
            "19970101T090000",
            "19970101 19970410 19970719 20000101",
        ),
        ("FREQ=YEARLY;BYDAY=20MO", "19970519T090000", "19970519 19980518 19990517"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "19970512T090000", "19970512 19980511 19990517"),
        ("FREQ=YEARLY;BYWEEKNO=20", "19970512T090000", "19970512 19980511 19990517"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "19970313T090000", "19970313 19970320 19970327 19980305"),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "19961105T090000", "19961105 20001107"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "19960229T090000", "19960229 20000229 20040229"),
        ("FREQ=YEARLY;BYMONTHDAY=-1;BYMONTH=2", "19960229T090000", "19960229 19970228 19980228"),
        ("FREQ=YEARLY", "19960229T090000", "19960229 20000229"),
        ("FREQ=YEARLY;BYYEARDAY=-1", "19971231T090000", "19971231 19981231"),
    ],
)
def test_yearly_examples(rule: str, start: str, expected: str) -> None:
    wanted = expected.split()
    assert days(rule, start, len(wanted)) == wanted


def test_the_week_begins_where_the_rule_says() -> None:
    assert days("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "19970805T090000") == [
        "19970805",
        "19970810",
        "19970819",
        "19970824",
    ]
    assert days("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "19970805T090000") == [
        "19970805",
        "19970817",
        "19970819",
        "19970831",
    ]


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "FREQ=HOURLY",
        "FREQ=DAILY;BYHOUR=9",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=1;UNTIL=20270101",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=YEARLY;BYYEARDAY=" + ",".join(["1"] * 500),
        "FREQ=YEARLY;BYDAY=" + ",".join(["MO"] * 500),
        "FREQ=YEARLY;WKST=X",
        "FREQ=DAILY;COUNT=99999999999999999999999",
    ],
)
def test_rules_that_are_not_read(rule: str) -> None:
    assert parse_rule(rule) is None


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=DAILY;INTERVAL=999999999",
        "FREQ=WEEKLY;INTERVAL=999999999;BYDAY=MO",
        "FREQ=MONTHLY;INTERVAL=999999999",
        "FREQ=YEARLY;INTERVAL=999999999;COUNT=999999999",
        "FREQ=DAILY;COUNT=999999999",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
    ],
)
def test_no_rule_goes_on_for_ever(rule: str) -> None:
    read = parse_rule(rule)
    assert read is not None
    assert sum(1 for _ in expand(read, at(START))) <= MAX_STEPS


def test_an_expansion_begins_where_it_looks() -> None:
    read = parse_rule("FREQ=DAILY;INTERVAL=3")
    assert read is not None
    late = next(expand(read, at(START), after=at("29970901T000000")))
    assert 0 <= (late - at("29970901T000000")).days < 3
    assert (late - at(START)).days % 3 == 0
