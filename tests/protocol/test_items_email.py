"""The elements of messages against the schemas and the version statements of the documents."""

import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from protocol.codepages import tag
from protocol.elements import Element, Inline
from protocol.errors import MalformedXml
from protocol.items import email
from protocol.items.airsyncbase import (
    AddAttachment,
    Attachment,
    Attachments,
    Body,
    BodyPart,
    BodyPartPreference,
    BodyPartStatus,
    BodyPreference,
    BodyType,
    DeleteAttachment,
    Location,
    Method,
)
from protocol.items.email import Email, Flag, FlagStatus, Importance, LastVerb, MeetingRequest, Recurrence
from protocol.schema import EMPTY, dump, load, tag_of
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.schemas import assert_valid

DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "spec" / "requirements"
MOMENT = datetime(2026, 12, 3, 13, 18, tzinfo=UTC)

ATTACHMENT = Attachment(
    display_name="a.pdf",
    file_reference="1:2:0",
    method=Method.NORMAL,
    estimated_data_size=3,
    content_id="x@example.com",
    content_location="a.pdf",
    is_inline=False,
    um_att_duration=1,
    um_att_order=1,
)
FLAG = Flag(
    subject="Call",
    status=FlagStatus.COMPLETE,
    flag_type="Flag for follow up",
    date_completed=MOMENT,
    complete_time=MOMENT,
    start_date=MOMENT,
    due_date=MOMENT,
    utc_start_date=MOMENT,
    utc_due_date=MOMENT,
    reminder_set=True,
    reminder_time=MOMENT,
    ordinal_date=MOMENT,
    sub_ordinal_date="5",
)
MEETING = MeetingRequest(
    all_day_event=False,
    start_time=MOMENT,
    dt_stamp=MOMENT,
    end_time=MOMENT,
    instance_type=email.InstanceType.MASTER,
    location_text="Room 1",
    location=Location(display_name="Room 1", latitude="52.5"),
    organizer="alice@example.com",
    recurrence_id=MOMENT,
    reminder=900,
    response_requested=True,
    recurrences=(
        Recurrence(
            type=1,
            interval=1,
            until="20270101T000000Z",
            occurrences=3,
            week_of_month=1,
            day_of_month=1,
            day_of_week=2,
            month_of_year=1,
            calendar_type=0,
            is_leap_month=False,
            first_day_of_week=1,
        ),
    ),
    sensitivity=0,
    busy_status=email.BusyStatus.BUSY,
    time_zone="AAAA",
    global_obj_id="AAAA",
    disallow_new_time_proposal=False,
    meeting_message_type=email.MeetingMessageType.INITIAL_REQUEST,
    uid="1",
    proposed_start_time=MOMENT,
    proposed_end_time=MOMENT,
)
FULL = Email(
    to="bob@example.com",
    cc="carol@example.com",
    sender='"Alice" <alice@example.com>',
    subject="Subject",
    reply_to="alice@example.com",
    date_received=MOMENT,
    display_to="Bob",
    thread_topic="Subject",
    importance=Importance.HIGH,
    read=True,
    attachments=Attachments(changes=(ATTACHMENT,)),
    body=Body(type=BodyType.HTML, estimated_data_size=9, truncated=True, data="<p>", preview="text"),
    message_class="IPM.Note",
    internet_cpid="65001",
    flag=FLAG,
    content_class=email.CONTENT_CLASS,
    native_body_type=2,
    um_caller_id="+491234",
    um_user_notes="notes",
    conversation_id=b"0123456789abcdef",
    conversation_index=b"01234",
    last_verb_executed=LastVerb.FORWARD,
    last_verb_execution_time=MOMENT,
    received_as_bcc=True,
    sending_agent="carol@example.com",
    categories=("red", "blue"),
    body_part=BodyPart(
        status=BodyPartStatus.SUCCESS, type=BodyType.HTML, estimated_data_size=3, data="<p>", preview="x"
    ),
    account_id="1",
    bcc="dave@example.com",
    is_draft=False,
)


def sync_response(application_data: Element) -> Element:
    """A Sync response with one Add."""
    add = Element(tag("AirSync:Add"), [Element(tag("AirSync:ServerId"), "1:1"), application_data])
    collection = Element(
        tag("AirSync:Collection"),
        [
            Element(tag("AirSync:SyncKey"), "2"),
            Element(tag("AirSync:CollectionId"), "1"),
            Element(tag("AirSync:Status"), "1"),
            Element(tag("AirSync:Commands"), [add]),
        ],
    )
    return Element(tag("AirSync:Sync"), [Element(tag("AirSync:Collections"), [collection])])


@pytest.mark.parametrize("version", SUPPORTED, ids=str)
def test_a_message_with_everything_is_valid(version: ProtocolVersion) -> None:
    assert_valid(sync_response(dump(FULL, version)), "Sync")


@pytest.mark.parametrize("version", SUPPORTED, ids=str)
def test_a_meeting_request_is_valid(version: ProtocolVersion) -> None:
    root = dump(replace(FULL, meeting_request=MEETING), version)
    assert_valid(sync_response(root), "Sync")
    (meeting,) = [child for child in root.children if child.tag.name == "MeetingRequest"]
    names = {str(child.tag) for child in meeting.children}
    new = {"AirSyncBase:Location", "Calendar:UID"}
    old = {"Email:Location", "Email:GlobalObjId"}
    assert names & (new | old) == (new if version >= V16_0 else old)


@pytest.mark.parametrize("version", SUPPORTED, ids=str)
def test_an_empty_flag_and_no_categories_are_valid(version: ProtocolVersion) -> None:
    assert_valid(sync_response(dump(Email(flag=Flag(), categories=(), read=False), version)), "Sync")


def test_what_was_written_is_read() -> None:
    message = replace(FULL, meeting_request=MEETING, send=EMPTY)
    read = load(Email, dump(message, V16_1))
    assert read.meeting_request is not None
    assert read.meeting_request == replace(MEETING, location_text=None, global_obj_id=None)
    assert replace(read, meeting_request=MEETING) == message


def test_absent_and_empty_differ() -> None:
    assert load(Email, Element(tag("AirSync:ApplicationData"))) == Email()
    read = load(Email, dump(Email(categories=(), subject="", flag=Flag()), V14_1))
    assert (read.categories, read.subject, read.flag, read.read) == ((), "", Flag(), None)


def test_attachments_that_clients_add_and_remove() -> None:
    changes = Attachments(
        changes=(
            AddAttachment(client_id="1", method=Method.NORMAL, content=b"\x00\xff", display_name="a"),
            DeleteAttachment(file_reference="r"),
        )
    )
    assert load(Attachments, dump(changes, V16_0)) == changes


def test_the_order_of_a_body() -> None:
    body = Body(type=BodyType.MIME, estimated_data_size=1, truncated=False, data=Inline(b"\xff"), preview="p", part=1)
    names = [child.tag.name for child in dump(body, V14_1).children]
    assert names == ["Type", "EstimatedDataSize", "Truncated", "Data", "Preview", "Part"]


@pytest.mark.requirement("MS-ASAIRS_R150", "MS-ASAIRS_R138", "MS-ASAIRS_R261", "MS-ASAIRS_R266", "MS-ASAIRS_R299")
@pytest.mark.parametrize("cls", [BodyPreference, BodyPartPreference])
def test_preferences(cls: type[BodyPreference]) -> None:
    whole = cls(type=BodyType.HTML, truncation_size=4_294_967_295, all_or_none=True, preview=255)
    root = dump(whole, V14_1)
    assert [child.tag.name for child in root.children] == ["Type", "TruncationSize", "AllOrNone", "Preview"]
    assert load(cls, root) == whole
    for name, value in (("Preview", "256"), ("TruncationSize", "4294967296"), ("AllOrNone", "2"), ("Type", "5")):
        bad = Element(tag_of(cls), [Element(tag("AirSyncBase:Type"), "1"), Element(tag(f"AirSyncBase:{name}"), value)])
        with pytest.raises(MalformedXml, match=name):
            load(cls, bad)


@pytest.mark.requirement("MS-ASEMAIL_R643", "MS-ASEMAIL_R757")
def test_values_outside_of_the_types_are_malformed() -> None:
    for child in (
        Element(tag("Email:Read"), "maybe"),
        Element(tag("Email:Flag"), [Element(tag("Email:Status"), "3")]),
        Element(tag("Email:Importance"), "3"),
    ):
        with pytest.raises(MalformedXml, match="/ApplicationData/"):
            load(Email, Element(tag("AirSync:ApplicationData"), [child]))


# ---- what the documents say of versions

_STATEMENT = re.compile(
    r"\[In ([A-Za-z0-9]+)(?: ?\([A-Za-z ]+\))?\] "
    r"Protocol version (1[246]\.\d) (supports|does not support|doens't support) this"
)
DEVIATIONS = {("EndTime", V12_1), ("EndTime", V14_0)}
"""See MeetingRequest."""


@cache
def stated() -> dict[tuple[str, ProtocolVersion], bool]:
    """Which versions have an element of the Email class, by its name."""
    found: dict[tuple[str, ProtocolVersion], bool] = {}
    for line in (DOCUMENTS / "MS-ASEMAIL.tsv").read_text(encoding="utf-8").splitlines():
        if match := _STATEMENT.search(line.split("\t")[-1]):
            found[match[1], ProtocolVersion.parse(match[2])] = match[3] == "supports"
    return found


@pytest.mark.skipif(not DOCUMENTS.exists(), reason="the protocol documents are not here")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
@pytest.mark.parametrize("value", [FULL, FLAG, MEETING, MEETING.recurrences[0]], ids=lambda v: type(v).__name__)
def test_versions_are_as_the_documents_state(value: object, version: ProtocolVersion) -> None:
    written = {child.tag.name for child in dump(value, version).children}
    everything = set().union(*({child.tag.name for child in dump(value, v).children} for v in SUPPORTED))
    for name in everything - {"Location", "UID", "ProposedStartTime", "ProposedEndTime"}:
        if (name, version) in stated() and (name, version) not in DEVIATIONS:
            assert (name in written) == stated()[name, version], (name, version)


def test_full_is_full() -> None:
    """The tests above see every field."""
    left = {"meeting_request", "rights_management_license", "send"}
    assert {field.name for field in fields(Email) if getattr(FULL, field.name) is None} == left
    assert {field.name for field in fields(MeetingRequest) if getattr(MEETING, field.name) is None} == {"forwardees"}


@pytest.mark.parametrize(
    "inner",
    [
        Element(tag("Email:Categories"), [Element(tag("Email:Category"), "x" * 256)]),
        Element(tag("Email:Flag"), [Element(tag("Email:FlagType"), "x" * 256)]),
        Element(tag("Email:Flag"), [Element(tag("Tasks:Subject"), "x" * 4097)]),
    ],
    ids=lambda element: element.children[0].tag.name,
)
def test_endless_words_are_refused(inner: Element) -> None:
    """A server keeps them beside the message, where each listing reads them."""
    with pytest.raises(MalformedXml, match="longer than"):
        load(Email, Element(tag("AirSync:ApplicationData"), [inner]))
