"""Automatic replies go out as they were set by Settings, once per sender and period, and never to machines."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.commands import out_of_office, settings
from eas_server.commands.kept_items import Writing, new_item, written
from eas_server.model.blob import read
from eas_server.model.directory import DirectoryEntry
from eas_server.model.mail import FolderType, ItemClass, MessageIndex
from eas_server.model.preferences import AutomaticReply, ConversationRule, ConversationRules
from eas_server.model.settings import Answered
from eas_server.render.meetings.letter import Person
from eas_server.render.mime import index_message
from eas_server.render.out_of_office import Envelope, automatic_reply, is_answerable, is_personal, normal
from protocol.commands.oof import NewSettings, OofMessage
from protocol.commands.settings import Oof, Request
from protocol.items.contacts import Contact
from protocol.schema import EMPTY, dump
from protocol.versions import SUPPORTED, V16_1, ProtocolVersion
from tests.server.commands.support import NOW
from tests.server.delivery.house import House, house, mail, user

DAY = timedelta(days=1)
INTERNAL = OofMessage(internal=EMPTY, enabled="1", reply_message="Away until Monday.", body_type="Text")
KNOWN = OofMessage(known=EMPTY, enabled="1", reply_message="Away, dear friend.", body_type="Text")
UNKNOWN = OofMessage(unknown=EMPTY, enabled="1", reply_message="<p>Away, <b>stranger</b>.</p>", body_type="HTML")
ON = NewSettings(oof_state=1, messages=(INTERNAL, KNOWN, UNKNOWN))
DORA = "dora@elsewhere.test"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


async def sets(home: House, new: NewSettings, name: str = "alice", version: ProtocolVersion = V16_1) -> None:
    """Settings of a device."""
    bench = await home.bench(name, version=version)
    response = await bench.run(settings.COMMAND, Request(properties=(Oof(set=dump(new, version)),)))
    assert [answer.status for answer in response.answers] == [1]


async def replies(home: House, name: str) -> list[email.message.EmailMessage]:
    """The automatic replies in an inbox."""
    found = [await read(item.content) for item in await home.items(name)]
    parsed = [email.message_from_bytes(octets, policy=email.policy.default) for octets in found]
    return [one for one in parsed if one["Auto-Submitted"] == "auto-replied"]  # type: ignore[misc]


@pytest.mark.requirement("MS-ASCMD_R5866", "MS-ASCMD_R801", "MS-ASCMD_R802", "MS-ASCMD_R803")
@pytest.mark.requirement("MS-ASCMD_R804", "MS-ASCMD_R805", "MS-ASCMD_R3530")
@pytest.mark.requirement("MS-ASCMD_R3532", "MS-ASCMD_R3498", "MS-ASCMD_R3500", "MS-ASCMD_R2251", "MS-ASCMD_R3514")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_somebody_inside_is_answered(home: House, version: ProtocolVersion) -> None:
    await sets(home, ON, version=version)
    await home.send(await home.bench("bob"), mail("lunch", References="<0@elsewhere.test>"))
    (reply,) = await replies(home, "bob")
    assert reply["Subject"] == "Automatic reply: lunch"
    assert reply["To"] == "bob@example.com"
    assert reply["From"].addresses[0].addr_spec == "alice@example.com"
    assert reply["In-Reply-To"] == "<lunch@elsewhere.test>"
    assert reply["References"] == "<0@elsewhere.test> <lunch@elsewhere.test>"
    assert reply["Return-Path"] == "<>"
    assert reply.get_content().strip() == "Away until Monday."


@pytest.mark.requirement("MS-ASCMD_R3531", "MS-ASCMD_R2252")
async def test_nobody_is_answered_who_need_not_be(home: House) -> None:
    bench = await home.bench("bob")
    await home.send(bench, mail("one"))
    await sets(home, ON)
    await sets(home, NewSettings(oof_state=0))
    await home.send(bench, mail("two"))
    await sets(home, NewSettings(oof_state=1, messages=(OofMessage(internal=EMPTY, enabled="0"),)))
    await home.send(bench, mail("three"))
    assert await replies(home, "bob") == []


async def test_an_audience_without_a_message_is_not_answered(home: House) -> None:
    silent = OofMessage(internal=EMPTY, enabled="1", reply_message=" ", body_type="Text")
    await sets(home, NewSettings(oof_state=1, messages=(silent,)))
    await home.send(await home.bench("bob"), mail("one"))
    assert await replies(home, "bob") == []


async def test_each_sender_is_answered_once_a_period(home: House) -> None:
    await sets(home, ON)
    bob = await home.bench("bob")
    for subject in ("one", "two"):
        await home.send(bob, mail(subject))
        home.clock.moment += 30 * DAY
    await home.send(await home.bench("carol"), mail("three", sender="carol@example.com"))
    assert len(await replies(home, "bob")) == len(await replies(home, "carol")) == 1
    await sets(home, ON)  # nothing new: the period goes on
    await home.send(bob, mail("four"))
    assert len(await replies(home, "bob")) == 1
    await sets(home, NewSettings(messages=(replace(INTERNAL, reply_message="Away until Tuesday."),)))
    await home.send(bob, mail("five"))
    assert len(await replies(home, "bob")) == 2


@pytest.mark.requirement("MS-ASCMD_R3533", "MS-ASCMD_R3499", "MS-ASCMD_R3938")
async def test_a_time_has_a_beginning_and_an_end(home: House) -> None:
    timed = replace(ON, oof_state=2, start_time=NOW + DAY, end_time=NOW + 2 * DAY)
    await sets(home, timed)
    bob = await home.bench("bob")
    await home.send(bob, mail("early"))
    assert await replies(home, "bob") == []
    home.clock.moment = NOW + DAY
    await home.send(bob, mail("in time"))
    assert len(await replies(home, "bob")) == 1
    home.clock.moment = NOW + 2 * DAY
    await home.send(await home.bench("carol"), mail("late", sender="carol@example.com"))
    assert await replies(home, "carol") == []


@pytest.mark.requirement("MS-ASCMD_R3515", "MS-ASCMD_R3516", "MS-ASCMD_R783", "MS-ASCMD_R793")
@pytest.mark.requirement("MS-ASCMD_R782", "MS-ASCMD_R792", "MS-ASCMD_R5867", "MS-ASCMD_R785")
@pytest.mark.requirement("MS-ASCMD_R786", "MS-ASCMD_R787", "MS-ASCMD_R794", "MS-ASCMD_R795")
@pytest.mark.requirement("MS-ASCMD_R796")
async def test_people_outside_are_told_apart_by_the_contacts(home: House) -> None:
    await sets(home, ON)
    bench = await home.bench()
    how = Writing(version=V16_1, now=NOW, uid="1", account=bench.account, device_type="", supported=None)
    contact = Contact(first_name="Dora", email2_address='"Dora" <DORA@Elsewhere.test>')
    contacts = next(f.id for f in await home.store.folders.folders(user("alice")) if f.type is FolderType.CONTACTS)
    octets = written(ItemClass.CONTACTS, None, dump(contact), how)
    await home.store.mail.add(user("alice"), contacts, new_item(ItemClass.CONTACTS, octets))
    await home.comes(mail("hi", sender=DORA), DORA, "alice@example.com")
    await home.comes(mail("ho", sender="ora@elsewhere.test"), "ora@elsewhere.test", "alice@example.com")
    (first, to_dora, known), (second, to_ora, unknown) = await home.outgoing()
    assert (first, to_dora, second, to_ora) == ("", (DORA,), "", ("ora@elsewhere.test",))
    assert b"Away, dear friend." in known
    parsed = email.message_from_bytes(unknown, policy=email.policy.default)
    assert parsed.get_content_type() == "multipart/alternative"
    assert [part.get_content().strip() for part in parsed.iter_parts()] == [  # type: ignore[attr-defined]
        "Away, stranger.",
        "<p>Away, <b>stranger</b>.</p>",
    ]


async def test_people_outside_are_not_told_what_is_for_those_inside(home: House) -> None:
    await sets(home, replace(ON, messages=(INTERNAL,)))
    await home.comes(mail("hi", sender=DORA), DORA, "alice@example.com")
    assert await home.outgoing() == []


@pytest.mark.parametrize(("answered", "count"), [("internal", 0), ("contacts", 0), ("everybody", 1)])
async def test_the_administrator_says_who_outside_is_answered(home: House, answered: str, count: int) -> None:
    await sets(home, ON)
    home.answered = Answered(answered)
    await home.comes(mail("hi", sender=DORA), DORA, "alice@example.com")
    assert len(await home.outgoing()) == count


async def test_two_who_are_away_answer_each_other_once(home: House) -> None:
    await sets(home, ON)
    await sets(home, ON, "bob")
    await home.send(await home.bench("bob"), mail("to alice"))
    assert await home.subjects("bob") == ["Automatic reply: to alice"]
    assert await home.subjects("alice") == ["to alice"]
    await home.send(await home.bench("alice"), mail("to bob", sender="alice@example.com", to="bob@example.com"))
    assert await home.subjects("alice") == ["Automatic reply: to bob", "to alice"]
    assert await home.subjects("bob") == ["Automatic reply: to alice", "to bob"]


AUTOMATIC = [
    {"Auto_Submitted": "auto-generated"},
    {"Auto_Submitted": "auto-replied (vacation)"},
    {"Precedence": "bulk"},
    {"Precedence": "List"},
    {"Precedence": "junk"},
    {"List_Id": "<team.elsewhere.test>"},
    {"List_Unsubscribe": "<https://elsewhere.test>"},
    {"X_Auto_Response_Suppress": "DR, OOF"},
    {"X_Auto_Response_Suppress": "All"},
    {"X_Spam_Flag": "YES"},
    {"X_Spam_Status": "Yes, score=9"},
    {"Content_Type": "multipart/report; boundary=x"},
    {"Return_Path": "<>"},
    {"X_Loop": "x"},
]


@pytest.mark.parametrize("fields", AUTOMATIC, ids=lambda fields: "".join(f"{k} {v}" for k, v in fields.items()))
async def test_machines_and_lists_are_not_answered(home: House, fields: dict[str, str]) -> None:
    await sets(home, ON)
    await home.comes(mail("hi", sender=DORA, **fields), DORA, "alice@example.com")
    assert await home.outgoing() == []


async def test_what_people_write_is_answered(home: House) -> None:
    await sets(home, ON)
    fields = {"Auto_Submitted": "no", "X_Spam_Status": "No, score=0", "X_Auto_Response_Suppress": "None"}
    await home.comes(mail("hi", sender=DORA, Precedence="normal", **fields), DORA, "alice@example.com")
    assert len(await home.outgoing()) == 1


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "MAILER-DAEMON@elsewhere.test",
        "owner-things@elsewhere.test",
        "things-request@elsewhere.test",
        "things-bounces+alice=example.com@elsewhere.test",
        "bounce-123@elsewhere.test",
        "noreply@elsewhere.test",
        "no-reply+1@elsewhere.test",
        "notifications.do_not_reply@elsewhere.test",
        "alice@example.com",
        "team@example.com",
        "not an address",
    ],
)
async def test_senders_that_nobody_reads(home: House, sender: str) -> None:
    await sets(home, ON)
    await home.comes(mail("hi", sender=DORA), sender, "alice@example.com")
    assert await home.outgoing() == []
    assert await home.subjects("alice") == ["hi"]
    assert await home.subjects("bob") == []


async def test_a_writer_that_nobody_reads(home: House) -> None:
    await sets(home, ON)
    await home.comes(mail("hi", sender="NoReply <noreply@elsewhere.test>"), DORA, "alice@example.com")
    await home.comes(mail("ho", sender="alice@example.com"), DORA, "alice@example.com")
    assert await home.outgoing() == []


async def test_a_user_who_is_not_named_does_not_answer(home: House) -> None:
    await sets(home, ON)
    await home.comes(mail("to the team", sender=DORA, to="team@example.com"), DORA, "team@example.com")
    await home.comes(mail("hidden", sender=DORA, to="undisclosed-recipients:;"), DORA, "alice@example.com")
    assert await home.outgoing() == []
    await home.comes(
        mail("copy", sender=DORA, to="x@y.test", Cc="Alice <ALICE@example.com>"), DORA, "alice@example.com"
    )
    assert len(await home.outgoing()) == 1


async def test_each_recipient_answers_alone(home: House) -> None:
    await sets(home, ON)
    await sets(home, ON, "bob")
    both = mail("both", sender="carol@example.com", to="alice@example.com, bob@example.com, carol@example.com")
    await home.send(await home.bench("carol"), both)
    assert await home.subjects("carol") == ["Automatic reply: both", "Automatic reply: both", "both"]


async def test_a_hostile_header_makes_no_lines_of_its_own(home: House) -> None:
    await sets(home, ON)
    subject = "=?utf-8?q?x=0D=0ABcc:_carol=40example.com?= " + "é" * 300
    references = " ".join(f"<{n}{'x' * 80}@elsewhere.test>" for n in range(500))
    await home.send(await home.bench("bob"), mail(subject, References=references))
    (reply,) = await replies(home, "bob")
    assert reply["Bcc"] is None
    assert reply["Subject"].startswith("Automatic reply: x Bcc: carol@example.com é")
    (found,) = [item for item in await home.items("bob") if item.index.subject.startswith("Automatic")]
    assert max(map(len, (await read(found.content)).split(b"\r\n"))) <= 998


def test_the_form_of_a_message_is_the_one_asked_for() -> None:
    kept = out_of_office.changed(out_of_office.OutOfOffice(), ON)
    plain = [message.reply_message for message in out_of_office.told(kept, html=False).messages]
    assert plain == ["Away until Monday.", "Away, dear friend.", "Away, stranger."]
    rich = [message.reply_message or "" for message in out_of_office.told(kept, html=True).messages]
    assert rich[2] == "<p>Away, <b>stranger</b>.</p>"
    assert "<body>Away until Monday.</body>" in rich[0]


@pytest.mark.parametrize(("folder", "count"), [(FolderType.DELETED_ITEMS, 0), (FolderType.SENT_ITEMS, 1)])
async def test_a_conversation_that_is_thrown_away_is_not_answered(home: House, folder: FolderType, count: int) -> None:
    await sets(home, ON)
    octets = mail("on and on", sender=DORA)
    index, _ = index_message(octets)
    where = next(f.id for f in await home.store.folders.folders(user("alice")) if f.type is folder)
    rules = ConversationRules(rules=(ConversationRule(conversation_id=index.conversation_id, folder=where),))
    await home.store.preferences.change_preference(user("alice"), ConversationRules, lambda _: rules)
    await home.comes(octets, DORA, "alice@example.com")
    assert len(await home.outgoing()) == count


async def test_mails_at_once_are_answered_once(home: House) -> None:
    await sets(home, ON)
    letters = [mail(f"m{n}", sender=DORA) for n in range(5)]
    await asyncio.gather(*(home.comes(octets, DORA, "alice@example.com") for octets in letters))
    assert len(await home.outgoing()) == 1


async def test_a_sender_without_room_is_not_answered(home: House) -> None:
    await sets(home, ON)
    await home.store.admin.set_quota(user("bob"), 100)
    await home.send(await home.bench("bob"), mail("full"), save=False)
    assert await home.subjects("alice") == ["full"]
    assert await home.subjects("bob") == []


async def test_whom_a_message_did_not_reach_answers_nothing(home: House) -> None:
    await sets(home, ON)
    await home.store.admin.set_quota(user("alice"), 100)
    octets = mail("big", sender="carol@example.com", to="alice@example.com, bob@example.com")
    await home.send(await home.bench("carol"), octets)
    assert not [subject for subject in await home.subjects("carol") if subject.startswith("Automatic")]


async def test_the_answer_comes_from_the_address_that_was_written_to(home: House) -> None:
    entry = DirectoryEntry(
        key="", display_name="Dave \u2603 Doe", email="dave@example.com", addresses=("d.doe@example.com",)
    )
    await home.store.admin.add_user("dave@example.com", None, entry)
    await sets(home, ON, "dave")
    await home.comes(mail("hi", sender=DORA, to="D.Doe@Example.com"), DORA, "D.Doe@Example.com")
    ((_, _, octets),) = await home.outgoing()
    (sender,) = email.message_from_bytes(octets, policy=email.policy.default)["From"].addresses
    assert (sender.display_name, sender.addr_spec.lower()) == ("Dave \u2603 Doe", "d.doe@example.com")


FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "to",
            "cc",
            "from",
            "sender",
            "auto-submitted",
            "precedence",
            "x-spam-flag",
            "x-auto-response-suppress",
            "content-type",
            "return-path",
            "list-id",
            "subject",
        ]
    ),
    st.lists(st.binary(max_size=60) | st.sampled_from([b"alice@example.com", b"no", b"<>", b"yes"]), max_size=3),
)


@given(fields=FIELDS, sender=st.text(max_size=60) | st.emails())
def test_any_header_is_judged(fields: dict[str, list[bytes]], sender: str) -> None:
    judged = is_personal(fields, {"alice@example.com"})
    assert judged in {True, False}
    if judged:
        assert "list-id" not in fields
    if is_answerable(sender):
        assert normal(sender).count("@") == 1


@given(text=st.text(max_size=400), subject=st.text(max_size=400), html=st.booleans())
def test_any_reply_is_a_mail(text: str, subject: str, html: bool) -> None:
    envelope = Envelope(
        sender=Person(address="alice@example.com", name=subject), to=DORA, now=NOW, message_id="<1@x.y>"
    )
    index = MessageIndex(size=1, subject=subject, message_id="<2@x.y>", references=("<\u00e9@x>", "<3@x.y>"))
    octets = automatic_reply(AutomaticReply(enabled=True, text=text, html=html), index, envelope)
    assert octets.isascii()
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert b"\n" not in octets.replace(b"\r\n", b"")
    found, _ = index_message(octets)
    assert (found.message_id, found.in_reply_to, found.broken) == ("<1@x.y>", "<2@x.y>", "")
    assert found.subject.startswith("Automatic reply:")
