"""Meeting messages in any order, any number of times: calendars take them all, and the same twice does nothing."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from eas_server.render.calendar import calendar_from, filter_instant, occurrences, search_text
from eas_server.render.calendar.series import read_series
from eas_server.render.meetings import attend
from eas_server.render.meetings.answers import respond
from eas_server.render.meetings.invited import Reader
from eas_server.render.meetings.itip import MeetingMessage, text_part
from eas_server.render.meetings.itip import read as read_part
from eas_server.render.meetings.meeting_request import meeting_request
from eas_server.render.pim import InvalidItem
from eas_server.render.structure import Part
from protocol.items.calendar import MeetingStatus, ResponseType
from protocol.items.email import Email
from protocol.schema import dump
from protocol.versions import SUPPORTED
from tests.server.render.invitations import ALICE, BOB, PACIFIC, ics

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FROM_ALICE = Reader(owner=BOB, senders=("alice@example.com",), now=NOW)
FROM_MALLORY = Reader(owner=BOB, senders=("mallory@example.com",), now=NOW)
TO_ALICE = Reader(owner=ALICE, senders=("bob@example.com",), now=NOW)
ANSWERS = (ResponseType.ACCEPTED, ResponseType.TENTATIVE, ResponseType.DECLINED)

hours = st.integers(0, 23)
days = st.integers(1, 6)


@st.composite
def times(draw: st.DrawFn) -> tuple[str, str, str]:
    """DTSTART, DTEND, and the zones that they name."""
    day, hour, span = draw(days), draw(hours), draw(st.integers(0, 3))
    match draw(st.sampled_from(["utc", "zone", "unknown", "day", "floating", "none"])):
        case "utc":
            return f"DTSTART:202612{day:02}T{hour:02}0000Z", f"DURATION:PT{span}H", ""
        case "zone":
            zone = "TZID=Pacific Standard Time"
            return (
                f"DTSTART;{zone}:202612{day:02}T{hour:02}0000",
                f"DTEND;{zone}:202612{day + span:02}T{hour:02}3000",
                PACIFIC,
            )
        case "unknown":
            return f"DTSTART;TZID=Nowhere:202612{day:02}T{hour:02}0000", "", ""
        case "day":
            return f"DTSTART;VALUE=DATE:202612{day:02}", f"DTEND;VALUE=DATE:202612{day + span:02}", ""
        case "floating":
            return f"DTSTART:202612{day:02}T{hour:02}0000", f"DTEND:202612{day:02}T{hour:02}3000", ""
        case _:
            return "", "", ""


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """An iTIP object about one meeting."""
    start, end, zones = draw(times())
    more = [draw(st.sampled_from(["", "RRULE:FREQ=DAILY;COUNT=6", "RRULE:FREQ=DAILY;UNTIL=20261205T235959Z"]))]
    if draw(st.booleans()):
        form = draw(
            st.sampled_from([":202612{:02}T090000Z", ";VALUE=DATE:202612{:02}", ";TZID=Nowhere:202612{:02}T090000"])
        )
        more = ["RECURRENCE-ID" + form.format(draw(days))]
    more.append(draw(st.sampled_from(["", "EXDATE:20261202T090000Z", "STATUS:CANCELLED", "DESCRIPTION:Agenda"])))
    status = draw(st.sampled_from(["NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE"]))
    return ics(
        draw(st.sampled_from(["REQUEST", "REQUEST", "REQUEST", "CANCEL", "REPLY", "COUNTER"])),
        start=start,
        end=end,
        zones=zones,
        sequence=draw(st.sampled_from([None, 0, 1, 2])),
        stamp=draw(st.sampled_from([None, "20261123T100000Z", "20261123T110000Z"])),
        summary=draw(st.sampled_from(["Review", "Canceled: Review", "Other"])),
        organizer=draw(st.sampled_from([None, "ORGANIZER:mailto:alice@example.com"])),
        attendees=draw(st.sampled_from([(), (f"ATTENDEE;PARTSTAT={status}:mailto:bob@example.com",)])),
        more=[line for line in more if line],
    )


def message(octets: bytes) -> MeetingMessage:
    part = Part(0, 0, len(octets), {}, "text/calendar", {})
    found = read_part(octets, text_part(part))
    assert found is not None
    return found


def after(held: list[bytes], said: MeetingMessage, reader: Reader) -> list[bytes]:
    try:
        edits = attend.edits(held, said, reader)
    except InvalidItem:
        return held
    items: list[bytes | None] = list(held)
    for edit in edits:
        if edit.at is None:
            items.append(edit.octets)
        else:
            items[edit.at] = edit.octets
    return [item for item in items if item is not None]


def check(items: list[bytes]) -> None:
    """Every item can be shown, searched and looked at."""
    for item in items:
        search_text(item)
        filter_instant(item, owner=BOB)
        occurrences(item, NOW, NOW + timedelta(days=30), owner=BOB)
        for version in SUPPORTED:
            dump(calendar_from(item, version=version, now=NOW, owner=BOB), version)


@given(st.lists(messages(), min_size=1, max_size=6))
def test_a_calendar_takes_whatever_comes(octets: list[bytes]) -> None:
    held: list[bytes] = []
    for one in map(message, octets):
        before = held
        assert after(held, one, FROM_MALLORY)[: len(held)] == held
        held = after(held, one, FROM_ALICE)
        if one.method.value == "REQUEST" and one.main.first("DTSTAMP") is not None:
            assert after(held, one, FROM_ALICE) == held, (before, one)
        for version in SUPPORTED:
            found = meeting_request(one, owner=BOB, version=version, now=NOW, standing=attend.standing(held, one, BOB))
            dump(Email(meeting_request=found), version)
    check(held)


@given(st.lists(messages(), min_size=1, max_size=4), st.sampled_from(ANSWERS), st.integers(0, 6))
def test_what_is_held_can_be_answered(octets: list[bytes], answer: ResponseType, number: int) -> None:
    held: list[bytes] = []
    for one in octets:
        held = after(held, message(one), FROM_ALICE)
    answered = []
    for item in held:
        series = read_series(item, BOB)
        keys = list(series.all_keys())[:7] if series.recurs else []
        key = keys[number] if number < len(keys) else None
        try:
            answered.append(respond(series, answer, BOB, NOW, key=key))
        except InvalidItem:
            assert key in series.deleted
    check(answered)
    for one in octets:
        answered = after(answered, message(one), FROM_ALICE)
    check(answered)


@given(messages(), st.lists(messages(), max_size=5))
def test_the_organizer_takes_whatever_answers_come(first: bytes, octets: list[bytes]) -> None:
    try:
        series = read_series(first, ALICE)
        series.details  # noqa: B018 -- without a beginning it is no event
    except InvalidItem:
        return
    held = [first]
    for one in map(message, octets):
        again = after(held, one, TO_ALICE)
        if one.method.value in {"REPLY", "COUNTER"}:
            assert len(again) == 1
            assert after(again, one, TO_ALICE) == again
            held = again
    check(held)


@given(st.lists(messages(), min_size=1, max_size=5))
def test_a_cancelled_item_says_so(octets: list[bytes]) -> None:
    held: list[bytes] = []
    for one in octets:
        held = after(held, message(one), FROM_ALICE)
    gone = after(held, message(ics("CANCEL", sequence=9)), FROM_ALICE)
    for item in gone:
        shown = calendar_from(item, version=SUPPORTED[-1], now=NOW, owner=BOB)
        if shown.organizer_email == "alice@example.com":
            assert shown.meeting_status is MeetingStatus.CANCELLED_RECEIVED
