"""The properties of a message, whole and changed, and the flags of clients."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.model.ids import Revision
from eas_server.model.mail import Changed, Flag, ItemState, Verb
from eas_server.render.email import (
    InvalidFlag,
    email_properties,
    flag_element,
    flag_from_client,
    only_state_changed,
    state_properties,
)
from protocol.elements import Element, Opaque
from protocol.items import email
from protocol.items.airsyncbase import Attachment, Body, BodyType, Method
from protocol.items.email import Email, FlagStatus
from protocol.schema import dump
from protocol.versions import V12_1, V14_0, V14_1, V16_1, ProtocolVersion
from tests.server.render import corpus

BODY = Body(type=BodyType.PLAIN, estimated_data_size=1, truncated=False, data="x")
START = datetime(2026, 3, 4, 9, tzinfo=UTC)


def properties(name: str, state: ItemState | None = None, **more) -> Email:
    item = corpus.item(corpus.message(name), state=state)
    return email_properties(item, BODY, file_reference=lambda number: f"ref-{number}", **more)


def element(name: str, version: ProtocolVersion, state: ItemState | None = None) -> Element:
    return dump(properties(name, state), version)


def names(root: Element) -> list[str]:
    return [child.tag.name for child in root.children]


def test_all_that_a_message_says() -> None:
    found = properties("reply")
    assert found.sender == '"Bob Example" <bob@example.com>'
    assert found.sending_agent == '"Carol" <carol@example.com>'
    assert found.subject == "RE: Plain"
    assert found.thread_topic == "Plain"
    assert found.importance == 2
    assert found.date_received == corpus.RECEIVED
    assert found.internet_cpid == "65001"
    assert found.native_body_type == 1


@pytest.mark.requirement("MS-ASEMAIL_R342", "MS-ASEMAIL_R496", "MS-ASEMAIL_R343", "MS-ASEMAIL_R350")
@pytest.mark.parametrize("name", corpus.NAMES)
def test_what_every_message_has(name: str) -> None:
    root = element(name, V14_1)
    assert {"InternetCPID", "ConversationId", "ConversationIndex", "Body", "DateReceived"} <= set(names(root))
    content_class = next(child for child in root.children if child.tag.name == "ContentClass")
    kind = "calendarmessage" if name == "invitation" else "message"
    assert content_class.text == f"urn:content-classes:{kind}"


@pytest.mark.requirement("MS-ASEMAIL_R345", "MS-ASEMAIL_R354", "MS-ASEMAIL_R348")
def test_conversations_go_opaquely() -> None:
    for child in element("plain", V14_0).children:
        if child.tag.name.startswith("Conversation"):
            assert isinstance(child.content, Opaque)


def test_what_older_versions_do_not_have() -> None:
    state = ItemState(categories=("red",), verb=Verb.FORWARD, verb_time=START)
    newer = {"ConversationId", "ConversationIndex", "Categories", "LastVerbExecuted", "LastVerbExecutionTime", "Sender"}
    assert newer.isdisjoint(names(element("reply", V12_1, state)))
    assert newer <= set(names(element("reply", V14_0, state)))


@pytest.mark.requirement("MS-ASEMAIL_R437", "MS-ASEMAIL_R318")
def test_no_flag_and_no_categories_are_empty_elements() -> None:
    root = element("plain", V16_1)
    for name in ("Flag", "Categories"):
        (child,) = [child for child in root.children if child.tag.name == name]
        assert child.content is None


@pytest.mark.requirement("MS-ASEMAIL_R649", "MS-ASEMAIL_R1065", "MS-ASEMAIL_R519")
def test_what_is_left_out_when_it_says_nothing() -> None:
    absent = {"ReceivedAsBcc", "Sender", "LastVerbExecuted", "LastVerbExecutionTime", "Cc", "ReplyTo", "Attachments"}
    assert absent.isdisjoint(names(element("plain", V16_1)))
    item = corpus.item(corpus.message("plain"))
    hidden = replace(item, index=replace(item.index, received_as_bcc=True))
    assert email_properties(hidden, BODY, file_reference=str).received_as_bcc is True


@pytest.mark.requirement("MS-ASAIRS_R91", "MS-ASAIRS_R92", "MS-ASAIRS_R93", "MS-ASAIRS_R100299")
def test_attachments() -> None:
    found = properties("html-inline-image").attachments
    assert found is not None
    assert found.changes == (
        Attachment(
            display_name="pixel.png",
            file_reference="ref-0",
            method=Method.NORMAL,
            estimated_data_size=70,
            content_id="pixel@example.com",
            is_inline=True,
        ),
    )


@pytest.mark.requirement("MS-ASAIRS_R236")
def test_encrypted_messages_have_no_native_type() -> None:
    assert properties("encrypted-cbc").native_body_type is None


class TestChanges:
    HELD = Revision(5)

    def change(self, *, read: int = 5, flag: int = 5, categories: int = 5, content: int = 1) -> Email:
        changed = Changed(
            content=Revision(content),
            read=Revision(read),
            flag=Revision(flag),
            categories=Revision(categories),
            verb=Revision(0),
        )
        item = corpus.item(corpus.message("plain"), state=ItemState(read=True), changed=changed)
        assert only_state_changed(item, self.HELD) == (content <= 5)
        return state_properties(item, self.HELD)

    @pytest.mark.requirement("MS-ASEMAIL_R81", "MS-ASEMAIL_R93")
    def test_nothing(self) -> None:
        assert self.change() == Email()

    @pytest.mark.requirement("MS-ASEMAIL_R10604", "MS-ASEMAIL_R96")
    def test_one_alone(self) -> None:
        assert self.change(read=6) == Email(read=True)
        assert self.change(categories=6) == Email(categories=())
        assert self.change(flag=6) == Email(flag=email.Flag())

    @pytest.mark.requirement("MS-ASEMAIL_R10600", "MS-ASEMAIL_R10608", "MS-ASEMAIL_R10612")
    def test_several(self) -> None:
        assert self.change(flag=6, categories=6) == Email(flag=email.Flag(), categories=())
        assert self.change(read=6, categories=6) == Email(read=True, categories=())
        assert self.change(read=6, flag=6) == Email(read=True, flag=email.Flag())

    @pytest.mark.requirement("MS-ASEMAIL_R94", "MS-ASEMAIL_R98")
    def test_other_properties_take_the_full_item(self) -> None:
        self.change(content=6)

    @pytest.mark.requirement("MS-ASEMAIL_R319", "MS-ASEMAIL_R320")
    def test_removed_categories_are_an_empty_element(self) -> None:
        assert names(dump(self.change(categories=6), V14_1)) == ["Categories"]
        assert names(dump(self.change(read=6), V14_1)) == ["Read"]


class TestFlags:
    FULL = email.Flag(
        subject="Call",
        status=FlagStatus.ACTIVE,
        flag_type="Flag for follow up",
        start_date=START,
        due_date=START + timedelta(days=1),
        utc_start_date=START,
        utc_due_date=START + timedelta(days=1),
        reminder_set=True,
        reminder_time=START,
        ordinal_date=START,
        sub_ordinal_date="5555555",
    )

    def test_what_a_client_sets_it_gets(self) -> None:
        assert flag_element(flag_from_client(self.FULL)) == self.FULL

    @pytest.mark.requirement("MS-ASEMAIL_R88", "MS-ASEMAIL_R8800", "MS-ASEMAIL_R754")
    def test_clearing(self) -> None:
        assert flag_from_client(email.Flag()) is None
        assert flag_from_client(replace(self.FULL, status=FlagStatus.CLEARED)) is None

    @pytest.mark.requirement("MS-ASEMAIL_R86", "MS-ASEMAIL_R92", "MS-ASEMAIL_R359")
    def test_completing_needs_its_times(self) -> None:
        done = email.Flag(status=FlagStatus.COMPLETE, complete_time=START, date_completed=START)
        assert flag_from_client(done) == Flag(status=1, completed=START, date_completed=START)
        for missing in ("complete_time", "date_completed"):
            with pytest.raises(InvalidFlag):
                flag_from_client(replace(done, **{missing: None}))
        with pytest.raises(InvalidFlag):
            flag_from_client(email.Flag(status=FlagStatus.ACTIVE, date_completed=START))

    @pytest.mark.requirement("MS-ASEMAIL_R408", "MS-ASEMAIL_R1068", "MS-ASEMAIL_R409")
    @pytest.mark.parametrize("missing", ["start_date", "due_date", "utc_start_date", "utc_due_date"])
    def test_dates_belong_together(self, missing: str) -> None:
        with pytest.raises(InvalidFlag):
            flag_from_client(replace(self.FULL, **{missing: None}))

    @pytest.mark.requirement("MS-ASEMAIL_R406", "MS-ASEMAIL_R407", "MS-ASEMAIL_R850", "MS-ASEMAIL_R851")
    def test_due_is_not_before_start(self) -> None:
        for due in ("due_date", "utc_due_date"):
            with pytest.raises(InvalidFlag):
                flag_from_client(replace(self.FULL, **{due: START - timedelta(days=1)}))

    @pytest.mark.requirement("MS-ASEMAIL_R701", "MS-ASEMAIL_R702")
    def test_a_reminder_has_a_time(self) -> None:
        with pytest.raises(InvalidFlag):
            flag_from_client(replace(self.FULL, reminder_time=None))

    def test_a_flag_has_a_status(self) -> None:
        with pytest.raises(InvalidFlag):
            flag_from_client(email.Flag(flag_type="Flag for follow up"))
