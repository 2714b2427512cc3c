"""Oof in Settings: what is set is told again, in each form and at each version; what is wrong has its Status."""

from datetime import UTC, datetime
from typing import Any

import pytest

from eas_server.commands import settings
from eas_server.commands.out_of_office import MAX_REPLY
from eas_server.model.preferences import AutomaticReply, OofState, OutOfOffice
from eas_server.model.settings import Answered, MailSettings, Settings
from protocol.codepages import tag
from protocol.commands.oof import CurrentSettings, NewSettings, OofMessage, Wanted
from protocol.commands.settings import Oof, OofAnswer, Request, Status, UserInformation
from protocol.elements import Element
from protocol.schema import EMPTY, dump
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.server.commands.support import ALICE, NOW, Bench

START = datetime(2026, 12, 20, 8, 0, tzinfo=UTC)
END = datetime(2027, 1, 4, 7, 30, tzinfo=UTC)
MESSAGES = (
    OofMessage(internal=EMPTY, enabled="1", reply_message="Away.\nAlice", body_type="Text"),
    OofMessage(known=EMPTY, enabled="1", reply_message="<p>Away &amp; gone</p>", body_type="HTML"),
    OofMessage(unknown=EMPTY, enabled="0"),
)


async def ask(bench: Bench, *, new: Any = None, form: str | None = None) -> OofAnswer:
    """A Set, a Get or both, through the wire."""
    asked = Oof(
        get=None if form is None else dump(Wanted(body_type=form)),
        set=new if new is None or isinstance(new, Element) else dump(new),
    )
    response = await bench.run_tree(settings.COMMAND, dump(Request(properties=(asked,)), bench.version))
    assert response.status == Status.SUCCESS
    (answer,) = response.answers
    assert isinstance(answer, OofAnswer)
    return answer


async def kept(bench: Bench) -> OutOfOffice:
    """What the server has."""
    found: OutOfOffice = await bench.preferences.preference(ALICE.user, OutOfOffice)
    return found


def texts(element: Element) -> list[tuple[str, str]]:
    """Names and texts of all elements, in order."""
    return [(each.tag.name, "" if each.children else each.text) for each in element.walk()]


@pytest.mark.requirement("MS-ASCMD_R3504", "MS-ASCMD_R3505", "MS-ASCMD_R3521", "MS-ASCMD_R3522", "MS-ASCMD_R3117")
@pytest.mark.requirement("MS-ASCMD_R3503", "MS-ASCMD_R826", "MS-ASCMD_R1748", "MS-ASCMD_R2000", "MS-ASCMD_R4392")
@pytest.mark.requirement("MS-ASCMD_R822", "MS-ASCMD_R823", "MS-ASCMD_R821", "MS-ASCMD_R3496", "MS-ASCMD_R3939")
@pytest.mark.requirement("MS-ASCMD_R3509", "MS-ASCMD_R486", "MS-ASCMD_R1992")
@pytest.mark.requirement("MS-ASCMD_R6870", "MS-ASCMD_R6871", "MS-ASCMD_R6872", "MS-ASCMD_R6873", "MS-ASCMD_R6873101701")
@pytest.mark.requirement("MS-ASCMD_R6510", "MS-ASCMD_R6511", "MS-ASCMD_R6512", "MS-ASCMD_R6513", "MS-ASCMD_R6513100801")
@pytest.mark.requirement("MS-ASCMD_R6522", "MS-ASCMD_R6523", "MS-ASCMD_R6524", "MS-ASCMD_R6525", "MS-ASCMD_R6525100801")
@pytest.mark.requirement("MS-ASCMD_R7210", "MS-ASCMD_R7211", "MS-ASCMD_R7212", "MS-ASCMD_R7213", "MS-ASCMD_R7213101801")
@pytest.mark.requirement("MS-ASCMD_R6177", "MS-ASCMD_R6178", "MS-ASCMD_R6179", "MS-ASCMD_R6180", "MS-ASCMD_R6180100701")
@pytest.mark.requirement("MS-ASCMD_R6181", "MS-ASCMD_R6182", "MS-ASCMD_R6183", "MS-ASCMD_R6184", "MS-ASCMD_R6184100701")
@pytest.mark.requirement("MS-ASCMD_R6197", "MS-ASCMD_R6198", "MS-ASCMD_R6199", "MS-ASCMD_R6200", "MS-ASCMD_R6200100701")
@pytest.mark.requirement("MS-ASCMD_R781", "MS-ASCMD_R791", "MS-ASCMD_R800", "MS-ASCMD_R816", "MS-ASCMD_R3513")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_what_is_set_is_told_in_the_form_asked_for(version: ProtocolVersion) -> None:
    bench = Bench(version=version)
    new = NewSettings(oof_state=2, start_time=START, end_time=END, messages=MESSAGES)
    assert await ask(bench, new=new) == OofAnswer(status=Status.SUCCESS)
    answer = await ask(bench, form="Text")
    assert texts(dump(answer, version)) == [
        ("Oof", ""),
        ("Status", "1"),
        ("Get", ""),
        ("OofState", "2"),
        ("StartTime", "2026-12-20T08:00:00.000Z"),
        ("EndTime", "2027-01-04T07:30:00.000Z"),
        ("OofMessage", ""),
        ("AppliesToInternal", ""),
        ("Enabled", "1"),
        ("ReplyMessage", "Away.\nAlice"),
        ("BodyType", "Text"),
        ("OofMessage", ""),
        ("AppliesToExternalKnown", ""),
        ("Enabled", "1"),
        ("ReplyMessage", "Away & gone"),
        ("BodyType", "Text"),
        ("OofMessage", ""),
        ("AppliesToExternalUnknown", ""),
        ("Enabled", "0"),
        ("BodyType", "Text"),
    ]
    rich = (await ask(bench, form="HTML")).get
    assert rich is not None
    assert "Away.<br>\r\nAlice" in (rich.messages[0].reply_message or "")
    assert rich.messages[1].reply_message == "<p>Away &amp; gone</p>"
    assert {message.body_type for message in rich.messages} == {"HTML"}


async def test_who_never_set_anything_is_not_out_of_office() -> None:
    answer = await ask(Bench(), form="TEXT")  # as some clients write it
    assert answer.get == CurrentSettings(
        oof_state=0,
        messages=tuple(
            OofMessage(**{who: EMPTY}, enabled="0", body_type="Text") for who in ("internal", "known", "unknown")
        ),
    )


@pytest.mark.requirement("MS-ASCMD_R469", "MS-ASCMD_R479")
async def test_a_set_is_carried_out_before_a_get() -> None:
    answer = await ask(Bench(), new=NewSettings(oof_state=1), form="Text")
    assert answer.get is not None
    assert answer.get.oof_state == 1


async def test_what_a_set_does_not_name_stays() -> None:
    bench = Bench()
    await ask(bench, new=NewSettings(oof_state=2, start_time=START, end_time=END, messages=MESSAGES))
    only = OofMessage(internal=EMPTY, enabled="0")
    await ask(bench, new=NewSettings(messages=(only,)))
    found = await kept(bench)
    assert (found.state, found.start, found.end) == (OofState.TIME_BASED, START, END)
    assert found.internal == AutomaticReply(enabled=False, text="Away.\nAlice")
    assert found.known == AutomaticReply(enabled=True, text="<p>Away &amp; gone</p>", html=True)
    await ask(bench, new=NewSettings(messages=(OofMessage(internal=EMPTY, reply_message="", body_type="Text"),)))
    assert (await kept(bench)).internal == AutomaticReply()


@pytest.mark.requirement("MS-ASCMD_R3535", "MS-ASCMD_R7544")
@pytest.mark.parametrize("state", [None, 0, 1])
async def test_times_are_kept_for_the_time_based_state_alone(state: int | None) -> None:
    bench = Bench()
    answer = await ask(bench, new=NewSettings(oof_state=state, start_time=START, end_time=END))
    assert answer.status == Status.SUCCESS
    assert (await kept(bench)).start is None
    told = (await ask(bench, form="Text")).get
    assert told is not None
    assert (told.start_time, told.end_time) == (None, None)


async def test_times_come_again_with_their_state() -> None:
    bench = Bench()
    await ask(bench, new=NewSettings(oof_state=2, start_time=START, end_time=END))
    await ask(bench, new=NewSettings(oof_state=0))
    told = (await ask(bench, form="Text")).get
    assert told is not None
    assert told.start_time is None
    await ask(bench, new=NewSettings(oof_state=2))
    told = (await ask(bench, form="Text")).get
    assert told is not None
    assert (told.start_time, told.end_time) == (START, END)


def raw(*children: tuple[str, str], messages: int = 0) -> Element:
    """A Set of these elements."""
    made = [Element(tag(f"Settings:{name}"), text or None) for name, text in children]
    many = [dump(OofMessage(internal=EMPTY, enabled="1")) for _ in range(messages)]
    return Element(tag("Settings:Set"), [*made, *many])


def one(**fields: Any) -> NewSettings:
    """A Set of one message."""
    return NewSettings(messages=(OofMessage(**fields),))


@pytest.mark.requirement("MS-ASCMD_R4391", "MS-ASCMD_R5702", "MS-ASCMD_R5385")
@pytest.mark.requirement("MS-ASCMD_R4393", "MS-ASCMD_R5845", "MS-ASCMD_R5582", "MS-ASCMD_R5583", "MS-ASCMD_R4390")
@pytest.mark.requirement("MS-ASCMD_R3992", "MS-ASCMD_R5827", "MS-ASCMD_R2272", "MS-ASCMD_R5681", "MS-ASCMD_R484")
@pytest.mark.parametrize("version", [SUPPORTED[0], SUPPORTED[-1]], ids=str)
@pytest.mark.parametrize(
    ("new", "status"),
    [
        (NewSettings(oof_state=2, start_time=START), Status.PROTOCOL_ERROR),
        (NewSettings(oof_state=2, end_time=END), Status.PROTOCOL_ERROR),
        (NewSettings(oof_state=2, start_time=END, end_time=START), Status.CONFLICTING_ARGUMENTS),
        (NewSettings(oof_state=2, start_time=START, end_time=START), Status.CONFLICTING_ARGUMENTS),
        (NewSettings(oof_state=2), Status.INVALID_ARGUMENTS),
        (NewSettings(oof_state=3), Status.INVALID_ARGUMENTS),
        (NewSettings(oof_state=-1), Status.INVALID_ARGUMENTS),
        (raw(("OofState", "x")), Status.PROTOCOL_ERROR),
        (raw(("OofState", "1"), ("OofState", "0")), Status.PROTOCOL_ERROR),
        (raw(("OofState", "9" * 5000)), Status.PROTOCOL_ERROR),
        (raw(("StartTime", "soon"), ("EndTime", "later")), Status.PROTOCOL_ERROR),
        (raw(messages=2), Status.CONFLICTING_ARGUMENTS),
        (raw(messages=2000), Status.CONFLICTING_ARGUMENTS),
        (one(enabled="1"), Status.INVALID_ARGUMENTS),
        (one(internal=EMPTY, known=EMPTY, enabled="1"), Status.CONFLICTING_ARGUMENTS),
        (one(internal=EMPTY, enabled="2"), Status.INVALID_ARGUMENTS),
        (one(internal=EMPTY, enabled=""), Status.INVALID_ARGUMENTS),
        (one(internal=EMPTY, reply_message="x"), Status.PROTOCOL_ERROR),
        (one(internal=EMPTY, reply_message="x", body_type="RTF"), Status.INVALID_ARGUMENTS),
        (one(internal=EMPTY, reply_message="x" * (MAX_REPLY + 1), body_type="Text"), Status.INVALID_ARGUMENTS),
    ],
    ids=lambda value: None if isinstance(value, Status) else "",
)
async def test_what_is_wrong_changes_nothing(new: Any, status: Status, version: ProtocolVersion) -> None:
    bench = Bench(version=version)
    await ask(bench, new=NewSettings(oof_state=1, messages=MESSAGES))
    before = await kept(bench)
    assert await ask(bench, new=new) == OofAnswer(status=status)
    assert await kept(bench) == before


@pytest.mark.requirement("MS-ASCMD_R824", "MS-ASCMD_R815")
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (None, Status.PROTOCOL_ERROR),
        ([Element(tag("Settings:BodyType"))], Status.INVALID_ARGUMENTS),
        ([Element(tag("Settings:BodyType"), "RTF")], Status.INVALID_ARGUMENTS),
        ([Element(tag("Settings:BodyType"), "Text")] * 2, Status.PROTOCOL_ERROR),
    ],
    ids=["none", "empty", "unknown", "two"],
)
async def test_a_get_names_a_form(content: Any, status: Status) -> None:
    asked = Oof(get=Element(tag("Settings:Get"), content))
    response = await Bench().run(settings.COMMAND, Request(properties=(asked,)))
    assert response.answers == (OofAnswer(status=status),)


@pytest.mark.requirement("MS-ASCMD_R484", "MS-ASCMD_R482", "MS-ASCMD_R481")
async def test_an_empty_oof_is_wrong_and_the_others_are_answered() -> None:
    asked = Request(properties=(Oof(), UserInformation(get=Element(tag("Settings:Get")))))
    response = await Bench().run(settings.COMMAND, asked)
    assert response.status == Status.SUCCESS
    assert [answer.status for answer in response.answers] == [Status.PROTOCOL_ERROR, Status.SUCCESS]


async def test_what_cannot_be_sent_back_is_not_kept() -> None:
    bench = Bench()
    new = one(internal=EMPTY, reply_message="a\x01b\x0b", body_type="Text")
    asked = Oof(set=dump(new))
    await bench.run(settings.COMMAND, Request(properties=(asked,)))
    assert (await kept(bench)).internal.text == "ab"


async def test_a_period_begins_with_each_change() -> None:
    bench = Bench()
    new = NewSettings(oof_state=1, messages=MESSAGES)
    await ask(bench, new=new)
    assert (await kept(bench)).since == NOW
    bench.now = END
    await ask(bench, new=new)
    assert (await kept(bench)).since == NOW
    await ask(bench, new=NewSettings(oof_state=0))
    assert (await kept(bench)).since == END


@pytest.mark.requirement("MS-ASCMD_R3523", "MS-ASCMD_R3524", "MS-ASCMD_R3525", "MS-ASCMD_R4394")
@pytest.mark.parametrize(("answered", "kept_for"), [("internal", 1), ("contacts", 2), ("everybody", 3)])
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_what_the_administrator_does_not_allow_is_passed_over(
    answered: str, kept_for: int, version: ProtocolVersion
) -> None:
    allowed = Settings(mail=MailSettings(automatic_replies=Answered(answered)))
    bench = Bench(version=version, settings=allowed)
    every = tuple(
        OofMessage(**{who: EMPTY}, enabled="1", reply_message=who, body_type="Text")
        for who in ("internal", "known", "unknown")
    )
    answer = await ask(bench, new=NewSettings(oof_state=1, messages=every), form="Text")
    assert answer.status == Status.SUCCESS
    assert answer.get is not None
    assert [message.enabled for message in answer.get.messages] == ["1"] * kept_for + ["0"] * (3 - kept_for)
    assert [message.reply_message for message in answer.get.messages[kept_for:]] == [None] * (3 - kept_for)
    found = await kept(bench)
    assert [found.internal.enabled, found.known.enabled, found.unknown.enabled].count(True) == kept_for
