"""Contacts, notes and tasks: what a device sends comes back, and what others wrote survives it."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from eas_server.render import tasks as task_render
from eas_server.render.contacts.vcard import apply_contact, contact_from
from eas_server.render.contentlines import dump, parse
from eas_server.render.merging import TAGS
from eas_server.render.notes import apply_note, note_from
from protocol.items.airsyncbase import Body, BodyType
from protocol.items.contacts import Contact
from protocol.items.notes import Note
from protocol.items.tasks import Recurrence, RecurrenceType, Sensitivity, Task
from protocol.versions import V14_1, V16_1

NOW = datetime(2026, 12, 3, 13, 18, tzinfo=UTC)
FEW = settings(max_examples=40, deadline=None)

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn"]) | st.sampled_from("\n\t;,:\\\"'^=-"), min_size=1, max_size=40
).filter(lambda text: "\ufffe" not in text)
LABELS = st.lists(TEXT, min_size=1, max_size=4, unique=True).map(tuple)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(-8 * 10**9, 60 * 10**9).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
BODIES = TEXT.map(lambda text: Body(type=BodyType.PLAIN, data=text.replace("\n", "\r\n")))
_OF_FIELD: dict[str, st.SearchStrategy[Any]] = {
    "birthday": MOMENTS,
    "anniversary": MOMENTS,
    "weighted_rank": st.integers(0, 10**8),
    "picture": st.binary(min_size=1, max_size=80),
    "categories": LABELS,
    "children": LABELS,
    "body": BODIES,
}
CONTACTS = st.fixed_dictionaries({}, optional={f.name: _OF_FIELD.get(f.name, TEXT) for f in fields(Contact)}).map(
    lambda values: Contact(**values)
)


def plain(item: Any) -> Any:
    """An item with its text in place of its body."""
    return replace(item, body=None), "" if item.body is None else item.body.data


def change(stored: bytes | None, new: Contact, **options: Any) -> bytes:
    return apply_contact(stored, new, version=V14_1, now=NOW, uid="u", **options)


@FEW
@given(CONTACTS)
def test_a_contact_comes_back(sent: Contact) -> None:
    stored = change(None, sent)
    back = contact_from(stored)
    assert plain(replace(back, file_as=sent.file_as or back.file_as)) == plain(replace(sent, file_as=back.file_as))
    assert back.file_as == (sent.file_as or back.file_as)
    assert dump(parse(stored)) == stored
    assert change(stored, sent) == stored or sent.file_as is None


@FEW
@given(CONTACTS, CONTACTS)
def test_a_second_contact_takes_the_place_of_the_first(first: Contact, second: Contact) -> None:
    stored = change(change(None, first), second)
    back = contact_from(stored)
    expected = replace(second, picture=second.picture or first.picture, body=second.body or first.body)
    assert plain(replace(back, file_as=None)) == plain(replace(expected, file_as=None))
    assert second.file_as in {None, back.file_as}


@FEW
@given(CONTACTS, CONTACTS, st.sets(st.sampled_from(sorted(TAGS[Contact]))))
def test_ghosted_properties_survive(first: Contact, second: Contact, named: set[str]) -> None:
    supported = frozenset(TAGS[Contact][name] for name in named)
    back = contact_from(change(change(None, first), second, supported=supported))
    for name in TAGS[Contact]:
        sent, held = getattr(second, name), getattr(first, name)
        if name != "file_as":
            kept = name not in named or name == "picture"
            assert getattr(back, name) == (sent if sent is not None else held if kept else None), name


FOREIGN_LINES = st.lists(
    st.sampled_from(
        [
            b"EMAIL;TYPE=work:a@example.com",
            b"item1.EMAIL;PREF=1:b@example.com",
            b"TEL;HOME;VOICE:1",
            b"TEL:2",
            b"TEL;TYPE=cell,work:3",
            b"tel;type=home,fax:4",
            b"TEL;TYPE=x-evolution-radio:5",
            b"ADR;TYPE=home:box;ext;street,door;city;st;12;DE",
            b'ADR;TYPE=dom;LABEL="a, b":;;;Ulm;;;',
            b"ORG:One\\, Inc.;Dept;Team",
            b"TITLE:Chief\r\n  of all",
            b"URL:https://example.com/?a=1,2;3",
            b"NICKNAME:a,b",
            b"X-SPOUSE:S",
            b"X-EVOLUTION-SPOUSE:T",
            b"CATEGORIES:a,b\\,c",
            b"CATEGORIES:d",
            b"IMPP:xmpp:a@example.com",
            b"BDAY:1980-02-30",
            b"BDAY;VALUE=date:1980-02-28",
            b"PHOTO;VALUE=uri:https://example.com/p",
            b'X-ODD;a=b;c="d;e":raw\\q;x',
            b"no line",
            b"NOTE:x\\ny",
        ]
    ),
    max_size=14,
)


@FEW
@given(FOREIGN_LINES, st.sampled_from(sorted(TAGS[Contact])), st.data())
def test_one_field_of_a_foreign_card_changes(lines: list[bytes], name: str, data: st.DataObject) -> None:
    stored = b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:Smith;Bob;;;\r\nFN:Bob Smith\r\n" + b"\r\n".join(
        [*lines, b"END:VCARD\r\n"]
    )
    held = contact_from(stored)
    assert change(stored, held) == stored
    value = data.draw(_OF_FIELD.get(name, TEXT) | st.none())
    sent = replace(held, **{name: value})
    changed = change(stored, sent)
    back = contact_from(changed)
    expected = sent if name not in {"picture", "file_as"} or value is not None else held
    assert replace(back, file_as=None) == replace(expected, file_as=None)
    before, after = (set(dump(parse(octets)).split(b"\r\n")) for octets in (stored, changed))
    touched = [line for line in before - after if not line.startswith((b"FN:", b"N:", b" "))]
    kind = {touched_line.partition(b":")[0].partition(b";")[0].upper() for touched_line in touched}
    assert len(kind) <= 1, "lines of other properties have changed"


@FEW
@given(st.none() | TEXT, st.none() | LABELS, st.none() | BODIES)
def test_a_note_comes_back(subject: str | None, labels: tuple[str, ...] | None, body: Body | None) -> None:
    sent = Note(subject=subject, categories=labels, body=body)
    stored = apply_note(None, sent, version=V16_1, now=NOW, uid="u")
    expected = replace(sent, message_class="IPM.StickyNote", last_modified_date=NOW)
    assert plain(note_from(stored)) == plain(expected)


@st.composite
def recurrences(draw: st.DrawFn) -> Recurrence:
    kind = draw(st.sampled_from(RecurrenceType))
    nth = kind in {RecurrenceType.MONTHLY_NTH, RecurrenceType.YEARLY_NTH}
    by_day = kind in {RecurrenceType.MONTHLY, RecurrenceType.YEARLY}
    end = draw(st.none() | st.integers(1, 255) | MOMENTS)
    return Recurrence(
        type=kind,
        start=draw(MOMENTS),
        interval=draw(st.integers(1, 999)),
        occurrences=end if isinstance(end, int) else None,
        until=end if isinstance(end, datetime) else None,
        day_of_week=draw(st.integers(1, 127)) if nth or kind is RecurrenceType.WEEKLY else None,
        day_of_month=draw(st.integers(1, 31)) if by_day else None,
        week_of_month=draw(st.integers(1, 5)) if nth else None,
        month_of_year=draw(st.integers(1, 12)) if kind > RecurrenceType.MONTHLY_NTH else None,
        calendar_type=draw(st.sampled_from([0, 1, 6, 15])) if nth or by_day else None,
        regenerate=draw(st.booleans()),
        dead_occur=draw(st.sampled_from([0, 1, 255])),
        first_day_of_week=draw(st.integers(0, 6)) if kind is RecurrenceType.WEEKLY else None,
    )


DAYS = MOMENTS.map(lambda moment: moment.replace(hour=0, minute=0, second=0))
PAIRS = st.none() | st.tuples(MOMENTS | DAYS, st.integers(-14, 14).map(lambda hours: timedelta(hours=hours)))


@FEW
@given(PAIRS, PAIRS, st.none() | recurrences(), st.none() | MOMENTS, st.none() | MOMENTS, st.sampled_from(Sensitivity))
def test_a_task_comes_back(
    start: tuple[datetime, timedelta] | None,
    due: tuple[datetime, timedelta] | None,
    recurrence: Recurrence | None,
    completed: datetime | None,
    reminder: datetime | None,
    sensitivity: Sensitivity,
) -> None:
    sent = Task(
        importance=1,
        start_date=start and start[0],
        utc_start_date=start and start[0] - start[1],
        due_date=due and due[0],
        utc_due_date=due and due[0] - due[1],
        recurrence=recurrence,
        complete=completed is not None,
        date_completed=completed,
        sensitivity=sensitivity,
        reminder_set=reminder is not None,
        reminder_time=reminder,
    )
    stored = task_render.apply_task(None, sent, version=V16_1, now=NOW, uid="u")
    assert plain(task_render.task_from(stored)) == plain(replace(sent, body=Body(type=BodyType.PLAIN, data="")))
    assert task_render.apply_task(stored, sent, version=V16_1, now=NOW, uid="u") == stored
