"""Meeting mail as octets: header lines, parts, the iTIP objects by [RFC 5545] and [RFC 5546]."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas_server.render import calendar
from eas_server.render.calendar import Owner
from eas_server.render.contentlines import Component, parse
from eas_server.render.item_body import ItemText
from eas_server.render.meetings import compose, outgoing
from eas_server.render.meetings.compose import Letter, Person
from eas_server.render.pim import InvalidItem
from protocol.items.airsyncbase import Body, BodyType, Location
from protocol.items.calendar import (
    Attendee,
    AttendeeStatus,
    BusyStatus,
    Calendar,
    Recurrence,
    RecurrenceType,
    Sensitivity,
)
from protocol.versions import V16_1

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
START = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
ALICE = Owner(name="Alice", address="alice@example.com", time_zone="Europe/Berlin")
BOB = Person(address="bob@example.com", name="Bob")
LETTER = Letter(
    sender=Person(address="alice@example.com", name="Alice"), to=(BOB,), now=NOW, message_id="<1@example.com>"
)
WEEKLY = Recurrence(type=RecurrenceType.WEEKLY, interval=1, day_of_week=4, occurrences=5)
HEADER = {"From", "To", "Subject", "Date", "Message-ID", "Content-Class", "MIME-Version", "Content-Type"}


def event(**changes: object) -> bytes:
    values: dict[str, object] = {
        "subject": "Stand-up",
        "start_time": START,
        "end_time": START + timedelta(hours=1),
        "attendees": (Attendee(email="bob@example.com", name="Bob"),),
    }
    made = Calendar(**{**values, **changes})  # type: ignore[arg-type]
    return calendar.apply_calendar(None, made, version=V16_1, now=NOW, uid="u1", owner=ALICE)


def changed(stored: bytes, change: Calendar, instance: datetime | None = None) -> bytes:
    return calendar.apply_calendar(stored, change, version=V16_1, now=NOW, uid="", owner=ALICE, instance_id=instance)


def read(octets: bytes) -> EmailMessage:
    message = message_from_bytes(octets, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def itip(octets: bytes) -> Component:
    part = next(p for p in read(octets).walk() if p.get_content_type() == "text/calendar")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert max(map(len, content.split(b"\r\n"))) <= 75
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")
    found = parse(content)
    assert str(part.get_param("method")) == found.text("METHOD")
    assert str(part.get_param("charset")) == "utf-8"
    assert found.text("VERSION") == "2.0"
    assert found.text("PRODID")
    return found


def only_event(octets: bytes) -> Component:
    (found,) = itip(octets).components("VEVENT")
    for name in ("UID", "DTSTAMP", "DTSTART", "SEQUENCE", "ORGANIZER"):
        assert len(found.all(name)) == 1, name
    return found


# ---- the mail


def test_the_parts_stand_in_the_order_of_their_worth() -> None:
    html = Body(type=BodyType.HTML, data="<p>Bring <b>cake</b></p>")
    message = read(compose.request(event(body=html), LETTER))
    assert message.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html", "text/calendar"]
    plain, rich, _ = message.iter_parts()
    assert "When: Tuesday, 1 December 2026, 10:00 - 11:00 (Europe/Berlin)" in plain.get_content()
    assert "Bring cake" in plain.get_content()
    assert "<b>cake</b>" in rich.get_content()
    assert set(message.keys()) == HEADER


def test_every_octet_can_go_through_any_server() -> None:
    octets = compose.request(event(subject="Übung 日本", location=Location(display_name="Säle " * 100)), LETTER)
    assert octets.isascii()
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r")
    assert read(octets)["Subject"] == "Übung 日本"
    assert only_event(octets).text("SUMMARY") == "Übung 日本"
    plain = next(p for p in read(compose.request(event(), LETTER)).walk() if p.get_content_type() == "text/calendar")
    assert plain["Content-Transfer-Encoding"] == "7bit"


def test_no_address_makes_a_line_too_long() -> None:
    long = Person(address="x" * 2000 + "@example.com", name="y" * 2000)
    octets = compose.request(event(), replace(LETTER, to=(BOB, long)))
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert read(octets)["To"] == "Bob <bob@example.com>"
    assert read(compose.request(event(), replace(LETTER, to=(long,))))["To"] == "undisclosed-recipients:;"


def test_the_same_arguments_give_the_same_octets() -> None:
    assert compose.request(event(), LETTER) == compose.request(event(), LETTER)
    assert compose.request(event(), LETTER) != compose.request(event(), replace(LETTER, message_id="<2@example.com>"))


TEXTS = st.text(max_size=60)
NASTY = st.one_of(TEXTS, st.sampled_from(["a\r\nBcc: x@y.example", "\n\n", "=?utf-8?q?a?=", "--=_", "\x00", "\ud800"]))


@settings(max_examples=60, deadline=None)
@given(subject=NASTY, name=NASTY, address=NASTY, text=NASTY, place=NASTY)
def test_whatever_the_texts_are_the_mail_holds(subject: str, name: str, address: str, text: str, place: str) -> None:
    guests = (Attendee(email="bob@example.com", name=name), Attendee(email=address, name=name))
    stored = event(
        subject=subject,
        attendees=guests,
        location=Location(display_name=place),
        body=Body(type=BodyType.PLAIN, data=text),
    )
    to = (BOB, Person(address=address, name=name))
    letter = replace(LETTER, to=to, sender=Person(address="alice@example.com", name=name))
    forwarded = [Person(address=address, name=name)]
    for octets in (
        compose.request(stored, letter),
        compose.cancel(stored, letter, attendees=forwarded),
        compose.forward(stored, letter, added=forwarded, on_top=ItemText(text)),
        compose.reply(stored, replace(letter, text=ItemText(text)), attendee=to[1], answer=AttendeeStatus.ACCEPTED),
    ):
        assert set(read(octets).keys()) <= HEADER
        assert octets.isascii()
        assert only_event(octets).text("UID") == "u1"
    note = read(compose.forward_notification(stored, letter, forwardees=forwarded))
    assert set(note.keys()) <= HEADER | {compose.MESSAGE_CLASS, "Auto-Submitted", "Content-Transfer-Encoding"}


# ---- iTIP


def test_a_series_takes_its_zone_and_its_occurrences_along() -> None:
    second = START + timedelta(days=7)
    stored = changed(event(recurrence=WEEKLY), Calendar(subject="Other"), second)
    found = itip(compose.request(stored, LETTER))
    assert [zone.text("TZID") for zone in found.components("VTIMEZONE")] == ["Europe/Berlin"]
    master, other = found.components("VEVENT")
    assert master.first("RRULE") is not None
    assert (other.text("RECURRENCE-ID"), other.text("SUMMARY")) == ("20261208T100000", "Other")


@pytest.mark.parametrize(
    ("instance", "shown"),
    [
        (datetime(2026, 12, 8, tzinfo=UTC), "20261208"),
        (datetime(2026, 12, 7, 23, tzinfo=UTC), "20261208"),  # midnight there, as 14.1 names it
    ],
)
def test_an_occurrence_of_whole_days(instance: datetime, shown: str) -> None:
    day = datetime(2026, 12, 1, tzinfo=UTC)
    stored = event(start_time=day, end_time=day + timedelta(days=1), all_day_event=True, recurrence=WEEKLY)
    zoned = stored if instance.hour == 0 else stored.replace(b"BEGIN:VEVENT\r\n", b"BEGIN:VEVENT\r\n" + _BERLIN)
    found = only_event(compose.cancel(zoned, LETTER, instance=instance))
    line = found.first("RECURRENCE-ID")
    assert line is not None
    assert (line.param("VALUE"), line.value, found.text("DTSTART")) == ("DATE", shown, shown)
    assert found.text("DTEND") == "20261209"


_BERLIN = b"X-EAS-TIMEZONE;TZID=Europe/Berlin:AAAA\r\n"


def test_an_answer_has_one_attendee_and_a_comment() -> None:
    letter = replace(LETTER, sender=BOB, to=(LETTER.sender,), text=ItemText("Late,\nsorry"))
    octets = compose.reply(event(), letter, attendee=BOB, answer=AttendeeStatus.TENTATIVE)
    found = only_event(octets)
    (line,) = found.all("ATTENDEE")
    assert (line.value, line.param("PARTSTAT")) == ("mailto:bob@example.com", "TENTATIVE")
    assert found.text("COMMENT") == "Late,\nsorry"
    assert itip(octets).text("METHOD") == "REPLY"
    assert read(octets)["Subject"] == "Tentative: Stand-up"
    assert found.first("DESCRIPTION") is None


def test_an_answer_must_be_one() -> None:
    with pytest.raises(ValueError, match="NOT_RESPONDED"):
        compose.reply(event(), LETTER, attendee=BOB, answer=AttendeeStatus.NOT_RESPONDED)


def test_a_proposal_has_the_times_proposed_and_those_of_now() -> None:
    other = START + timedelta(hours=3)
    octets = compose.counter(event(), LETTER, attendee=BOB, start=other, end=other + timedelta(hours=2))
    found = only_event(octets)
    assert itip(octets).text("METHOD") == "COUNTER"
    assert (found.text("DTSTART"), found.text("DTEND")) == ("20261201T130000", "20261201T150000")
    assert found.text("X-MS-OLK-ORIGINALSTART") == "20261201T090000Z"
    assert read(octets)["Subject"] == "New Time Proposed: Stand-up"


def test_what_is_the_users_own_is_not_told() -> None:
    stored = event(
        categories=("Secret",),
        busy_status=BusyStatus.OUT_OF_OFFICE,
        sensitivity=Sensitivity.PERSONAL,
        client_uid="C1",
    )
    stored = stored.replace(b"END:VEVENT", b"X-OTHER:secret\r\nCOMMENT:secret\r\nEND:VEVENT")
    octets = compose.request(stored, LETTER)
    found = only_event(octets)
    told = b"".join(line.value.encode() for line in found.properties)
    assert b"ecret" not in told
    assert found.text("CLASS") == "PRIVATE"
    assert found.text("X-MICROSOFT-CDO-INTENDEDSTATUS") == "OOF"
    assert found.first("X-MICROSOFT-CDO-BUSYSTATUS") is None


def test_an_occurrence_that_is_none() -> None:
    stored = event(recurrence=WEEKLY)
    with pytest.raises(InvalidItem):
        compose.request(stored, LETTER, instance=START + timedelta(days=1))
    with pytest.raises(InvalidItem):
        compose.request(event(), LETTER, instance=START)
    with pytest.raises(InvalidItem):
        compose.request(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", LETTER)
    assert compose.has_occurrence(stored, START) is True
    assert compose.has_occurrence(stored, START + timedelta(days=1)) is False
    assert compose.has_occurrence(event(), START) is None


# ---- what is to be told


CHANGES = st.one_of(
    st.builds(Calendar, subject=st.sampled_from(["A", "B"])),
    st.builds(Calendar, reminder=st.integers(1, 3)),
    st.builds(Calendar, location=st.builds(Location, display_name=st.sampled_from(["X", "Y"]))),
    st.builds(
        Calendar,
        start_time=st.sampled_from([START - timedelta(hours=1), START]),
        end_time=st.just(START + timedelta(hours=1)),
    ),
    st.builds(
        Calendar,
        attendees=st.lists(st.sampled_from(["bob", "carol", "dan"]), unique=True, max_size=3).map(
            lambda names: tuple(Attendee(email=f"{name}@example.com", name=name) for name in names)
        ),
    ),
)
INSTANCES = st.one_of(st.none(), st.sampled_from([START + timedelta(days=7 * n) for n in range(3)]))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(CHANGES, INSTANCES, st.booleans()), max_size=6))
def test_who_follows_the_mail_knows_what_the_organizer_has(
    steps: list[tuple[Calendar, datetime | None, bool]],
) -> None:
    """Attendees who carry out what they are told are invited exactly to what they are invited to, by SEQUENCE."""
    guests: dict[str, Guest] = {}
    outcome = outgoing.changed(None, event(recurrence=WEEKLY), ALICE)
    follow(guests, outcome)
    for change, instance, delete in steps:
        stored = outcome.event
        assert stored is not None
        try:
            if delete and instance is not None:
                after = calendar.delete_occurrence(stored, instance, version=V16_1, now=NOW, owner=ALICE)
            else:
                after = changed(stored, change, instance)
        except InvalidItem:
            continue
        outcome = outgoing.changed(stored, after, ALICE)
        follow(guests, outcome)
        assert outgoing.changed(outcome.event, outcome.event or b"", ALICE).notices == ()
    final = outcome.event
    assert final is not None
    for key in KEYS:
        assert {name for name, guest in guests.items() if guest.attends(key)} == invited(final, key), key


KEYS = ("20261201T100000", "20261208T100000", "20261215T100000", "20261222T100000")
"""Occurrences of WEEKLY, as its zone names them; those of other rules are no part of this."""


def people(told: Component) -> set[str]:
    return {line.value.removeprefix("mailto:") for line in told.all("ATTENDEE")}


def deleted(series: Component) -> set[str]:
    return {part for line in series.all("EXDATE") for part in line.value.split(",")}


def invited(stored: bytes, key: str) -> set[str]:
    """Who is invited to an occurrence."""
    series, *others = parse(stored).components("VEVENT")
    if key in deleted(series) or (series.text("DTSTART") or "")[-6:] != key[-6:]:
        return set()
    return people(next((each for each in others if each.text("RECURRENCE-ID") == key), series))


@dataclass
class Guest:
    """What an attendee knows: the series, and the occurrences that are told of by themselves."""

    series: Component | None = None
    occurrences: dict[str, bool] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def attends(self, key: str) -> bool:
        if key in self.occurrences:
            return self.occurrences[key]
        held = self.series
        return held is not None and key not in deleted(held) and (held.text("DTSTART") or "")[-6:] == key[-6:]

    def take(self, method: str, told: Component, address: str) -> None:
        key, number = told.text("RECURRENCE-ID") or "", int(told.text("SEQUENCE") or "0")
        assert number >= self.numbers.get(key, 0), (key, address)
        self.numbers[key] = number
        if key:
            self.occurrences[key] = method == "REQUEST" and address in people(told)
        else:
            self.series = told if method == "REQUEST" else None
            self.occurrences.clear()


def follow(guests: dict[str, Guest], outcome: outgoing.Outcome) -> None:
    """Each attendee takes in what is sent; numbers never go back."""
    for notice in outcome.notices:
        if notice.method == "CANCEL":
            named = [Person(address=a.email) for a in notice.to]
            octets = compose.cancel(notice.event, LETTER, instance=notice.instance, attendees=named)
        else:
            octets = compose.request(notice.event, LETTER, instance=notice.instance)
        for told in itip(octets).components("VEVENT"):
            for guest in notice.to:
                guests.setdefault(guest.email, Guest()).take(notice.method, told, guest.email)


# ---- anything at all

ODD = [
    *(b"DTSTART:99990101T000000Z", b"DTSTART:16010101T000000Z", b"DTSTART;TZID=Nowhere:20261201T090000"),
    *(b"DTEND:19700101", b"DURATION:P10000W", b"RRULE:FREQ=SECONDLY", b"RRULE:FREQ=DAILY;COUNT=99999999", b"RRULE:X"),
    *(b"RECURRENCE-ID:20261208", b"RECURRENCE-ID;RANGE=THISANDFUTURE:20261208T100000", b"EXDATE:garbage"),
    *(b"SEQUENCE:-1", b"SEQUENCE:99999999999999", b"SEQUENCE:2147483647", b"ATTENDEE:", b"ORGANIZER:"),
    *(b"ATTENDEE;CN=\xff:mailto:\xff\xfe", b"RDATE;VALUE=PERIOD:20261201T090000Z/PT1H", b"EXDATE;VALUE=DATE:20261201"),
    *(b"X-EAS-TIMEZONE;TZID=Europe/Berlin:AAAA", b"SUMMARY:\x00\x01\\n", b"STATUS:CANCELLED", b"BEGIN:VEVENT"),
    *(b"END:VEVENT", b"BEGIN:VALARM", b"END:VALARM", b'DTSTART;X-EAS-UTC="x":20261201T090000Z'),
]
EDITS = st.lists(st.tuples(st.integers(1, 60), st.sampled_from([None, *ODD])), max_size=4)
MOMENTS = st.sampled_from([START, SECOND := START + timedelta(days=7), datetime(9998, 12, 31, tzinfo=UTC)])


def edited(stored: bytes, edits: list[tuple[int, bytes | None]]) -> bytes:
    """An event with lines taken out, or put in."""
    lines = stored.split(b"\r\n")
    for at, line in edits:
        lines[at % len(lines) : at % len(lines) + (line is None)] = [] if line is None else [line]
    return b"\r\n".join(lines)


@settings(max_examples=60, deadline=None)
@given(before=EDITS, after=EDITS, moment=MOMENTS)
def test_whatever_an_event_holds_it_is_told_or_refused(
    before: list[tuple[int, bytes | None]], after: list[tuple[int, bytes | None]], moment: datetime
) -> None:
    base = changed(event(recurrence=WEEKLY, reminder=5), Calendar(subject="Other"), SECOND)
    old, new = edited(base, before), edited(base, after)
    decisions: tuple[Callable[[], outgoing.Outcome], ...] = (
        lambda: outgoing.changed(old, new, ALICE),
        lambda: outgoing.changed(None, new, ALICE),
        lambda: outgoing.deleted(new, ALICE, NOW),
    )
    for decide in decisions:
        with suppress(InvalidItem):
            follow({}, decide())
    mails: tuple[Callable[[], bytes], ...] = (
        lambda: compose.forward(new, LETTER, added=[BOB]),
        lambda: compose.forward(new, LETTER, instance=moment),
        lambda: compose.cancel(new, LETTER, instance=moment),
        lambda: compose.reply(new, LETTER, attendee=BOB, answer=AttendeeStatus.ACCEPTED, instance=moment),
        lambda: compose.forward_notification(new, LETTER, forwardees=[BOB], instance=moment),
    )
    for write in mails:
        with suppress(InvalidItem):
            assert write().isascii()
