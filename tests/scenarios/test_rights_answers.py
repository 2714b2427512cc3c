"""Answers to protected messages ([MS-ASRM] 3.2.5.1), and taking a protection off: whole dialogues."""

from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from eas_server.lab.device import octets_of
from eas_server.model.mail import FolderType
from eas_server.render.rights import NOTICE, SEALED_NAME
from protocol.commands import item_operations
from protocol.items.email import Email
from protocol.schema import EMPTY
from protocol.status import CommonStatus
from protocol.versions import V14_1, V16_0, V16_1, ProtocolVersion
from tests.scenarios.guarded import (
    ATTACHED,
    BLIND,
    CONFIDENTIAL,
    KEPT,
    NO_RESTRICTION,
    OPEN,
    READS,
    REPLY_ALL,
    SILENT,
    WHOLE,
    Person,
    email_in,
    fetch_options,
    guarded_server,
    names_of,
    person,
    text_of,
)
from tests.scenarios.server import Server, World, fill

HAVING = (V14_1, V16_0, V16_1)
REFUSED = CommonStatus.IRM_OPERATION_NOT_PERMITTED
SECRET = "The secret is 42."
OWN = "What bob says."


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with rights management, for this module."""
    running = guarded_server(tmp_path_factory.mktemp("guarded"))
    running.open(partial(fill, worlds=50))
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log


@pytest.fixture
async def world(guarded: Server) -> AsyncIterator[World]:
    """People for one test."""
    made = guarded.world()
    yield made
    await made.close()


async def three(world: World, version: ProtocolVersion = V16_1) -> tuple[Person, Person, Person]:
    """Alice, bob and carol, who have read what there was."""
    people = [await person(world, name, version) for name in ("alice", "bob", "carol")]
    for each in people:
        await each.news()
    return people[0], people[1], people[2]


async def given(alice: Person, bob: Person, template: str, *, to: str = "bob", cc: str = "") -> str:
    """Alice sends bob a protected message: its ServerId."""
    assert await alice.send(alice.letter(to, cc=cc), template) is None
    return (await bob.newest())[0]


def own(bob: Person, to: str, cc: str = "") -> bytes:
    """What bob writes."""
    text = bob.letter(to, "RE: Plans", f"{OWN}\r\n", cc)
    head, _, _ = text.partition(b"MIME-Version")
    return head + b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + OWN.encode() + b"\r\n"


# ---- forwarding


@pytest.mark.requirement("MS-ASRM_R386", "MS-ASRM_R328", "MS-ASRM_R360", "MS-ASRM_R201", "MS-ASRM_R364")
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_what_may_not_be_forwarded(world: World, version: ProtocolVersion) -> None:
    alice, bob, carol = await three(world, version)
    server_id = await given(alice, bob, CONFIDENTIAL)
    for template in (CONFIDENTIAL, OPEN, NO_RESTRICTION):
        for whole in (False, True):
            assert await bob.forward(server_id, own(bob, "carol"), template, whole=whole) == REFUSED
    assert await carol.news() == {}


@pytest.mark.requirement("MS-ASRM_R218", "MS-ASRM_R219", "MS-ASRM_R194")
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_forwarded_without_a_template_it_is_sealed(world: World, version: ProtocolVersion) -> None:
    alice, bob, carol = await three(world, version)
    for template in (CONFIDENTIAL, OPEN):
        server_id = await given(alice, bob, template)
        assert await bob.forward(server_id, own(bob, "carol")) is None
        _, found = await carol.newest()
        assert found.rights_management_license is None
        assert OWN in text_of(found)
        assert NOTICE in text_of(found)
        assert SECRET not in text_of(found)
        assert names_of(found) == [SEALED_NAME]
        sealed = await carol.fetch(file_reference=found.attachments.changes[0].file_reference)
        assert sealed.status == item_operations.Status.SUCCESS


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_who_never_saw_it_can_answer_it_too(world: World, scheme: str) -> None:
    alice, _, carol = await three(world)
    bob = await person(world, "bob", V14_1, scheme=scheme, device_id="old")
    assert await alice.send(alice.letter("bob"), CONFIDENTIAL) is None
    server_id = next(iter(await bob.news(BLIND)))
    assert await bob.reply(server_id, own(bob, "alice,carol")) is None
    assert SECRET not in text_of((await alice.newest())[1])
    assert SECRET not in text_of((await carol.newest())[1])


@pytest.mark.requirement("MS-ASRM_R42", "MS-ASRM_R471")
async def test_with_replace_mime_nothing_is_added(world: World) -> None:
    alice, bob, carol = await three(world)
    server_id = await given(alice, bob, ATTACHED)
    for template in (None, ATTACHED, OPEN, NO_RESTRICTION):
        assert await bob.forward(server_id, own(bob, "carol"), template, whole=True) is None
        _, found = await carol.newest()
        assert text_of(found).strip() == OWN
        assert names_of(found) == []
        protected = found.rights_management_license
        assert (protected.template_id if protected else None) == (
            None if template in (None, NO_RESTRICTION) else template
        )


@pytest.mark.requirement("MS-ASRM_R261", "MS-ASRM_R265", "MS-ASRM_R359", "MS-ASRM_R384", "MS-ASRM_R62")
@pytest.mark.parametrize("template", [OPEN, KEPT])
async def test_under_the_same_template_it_is_quoted(world: World, template: str) -> None:
    alice, bob, carol = await three(world)
    server_id = await given(alice, bob, template)
    assert await bob.forward(server_id, own(bob, "carol"), template) is None
    _, found = await carol.newest()
    assert OWN in text_of(found)
    assert SECRET in text_of(found)
    assert names_of(found) == ["plan.pdf"]
    assert found.rights_management_license.template_id == template
    await bob.news(folder=FolderType.SENT_ITEMS)
    assert await bob.reply(server_id, own(bob, "alice"), template) is None
    _, back = await alice.newest()
    assert SECRET in text_of(back)


@pytest.mark.requirement("MS-ASRM_R330")
async def test_who_answers_does_not_come_to_own_what_is_quoted(world: World) -> None:
    alice, bob, carol = await three(world)
    await bob.news(folder=FolderType.SENT_ITEMS)
    server_id = await given(alice, bob, KEPT)
    assert await bob.forward(server_id, own(bob, "carol"), KEPT) is None
    for found in ((await carol.newest())[1], (await bob.newest(folder=FolderType.SENT_ITEMS))[1]):
        granted = found.rights_management_license
        assert granted.content_owner == world.address("alice")
        assert not granted.owner
        assert not granted.export_allowed


@pytest.mark.requirement("MS-ASRM_R41", "MS-ASRM_R470", "MS-ASRM_R267")
async def test_what_may_not_be_edited_is_attached(world: World) -> None:
    alice, bob, carol = await three(world)
    server_id = await given(alice, bob, ATTACHED)
    assert await bob.forward(server_id, own(bob, "carol"), ATTACHED) is None
    assert await bob.reply(server_id, own(bob, "alice"), ATTACHED) is None
    for who in (carol, alice):
        found_id, found = await who.newest(WHOLE)
        assert b"Content-Type: message/rfc822" in octets_of(found)
        assert SECRET.encode() in octets_of(found)
        assert names_of(found) == ["Plans.eml"]
        blind = await who.fetch(server_id=found_id, options=fetch_options(rights=None))
        assert names_of(email_in(blind.properties)) == [SEALED_NAME]


@pytest.mark.requirement("MS-ASRM_R266", "MS-ASRM_R268", "MS-ASRM_R326", "MS-ASRM_R345", "MS-ASRM_R361", "MS-ASRM_R363")
@pytest.mark.parametrize("original", [KEPT, ATTACHED])
@pytest.mark.parametrize("template", [OPEN, NO_RESTRICTION])
async def test_what_may_not_be_exported_keeps_its_seal_under_another_template(
    world: World, original: str, template: str
) -> None:
    alice, bob, carol = await three(world)
    server_id = await given(alice, bob, original)
    assert await bob.forward(server_id, own(bob, "carol"), template) is None
    assert await bob.reply(server_id, own(bob, "alice"), template) is None
    for who in (carol, alice):
        _, found = await who.newest()
        assert OWN in text_of(found)
        assert SECRET not in text_of(found)
        assert names_of(found) == [SEALED_NAME]
        assert (found.rights_management_license is None) == (template == NO_RESTRICTION)


@pytest.mark.requirement("MS-ASRM_R48", "MS-ASRM_R343", "MS-ASRM_R51", "MS-ASRM_R52", "MS-ASRM_R309", "MS-ASRM_R349")
@pytest.mark.requirement("MS-ASRM_R169", "MS-ASRM_R344")
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_what_may_be_exported_goes_without_protection(world: World, version: ProtocolVersion) -> None:
    alice, bob, carol = await three(world, version)
    server_id = await given(alice, bob, OPEN)
    assert await bob.forward(server_id, own(bob, "carol"), NO_RESTRICTION) is None
    assert await bob.reply(server_id, own(bob, "alice"), NO_RESTRICTION) is None
    for who in (carol, alice):
        _, found = await who.newest(BLIND)
        assert found.rights_management_license is None
        assert SECRET in text_of(found)
    kept = await bob.fetch(server_id=server_id, options=fetch_options(rights=None))
    assert NOTICE in text_of(email_in(kept.properties))


@pytest.mark.requirement("MS-ASRM_R262")
async def test_what_may_be_exported_is_quoted_under_another_template(world: World) -> None:
    alice, bob, carol = await three(world)
    server_id = await given(alice, bob, OPEN)
    assert await bob.forward(server_id, own(bob, "carol"), SILENT) is None
    _, found = await carol.newest()
    assert SECRET in text_of(found)
    assert found.rights_management_license.template_id == SILENT
    assert found.rights_management_license.content_owner == world.address("bob")


@pytest.mark.requirement("MS-ASRM_R224", "MS-ASRM_R373", "MS-ASRM_R193")
async def test_an_answer_to_a_plain_message_can_be_protected(world: World) -> None:
    alice, bob, carol = await three(world)
    assert await alice.send(alice.letter("bob")) is None
    server_id, _ = await bob.newest()
    assert await bob.reply(server_id, own(bob, "alice"), CONFIDENTIAL) is None
    assert await bob.forward(server_id, own(bob, "carol"), CONFIDENTIAL) is None
    for who in (alice, carol):
        _, found = await who.newest()
        assert SECRET in text_of(found)
        assert found.rights_management_license.content_owner == world.address("bob")


# ---- replying


@pytest.mark.requirement("MS-ASRM_R387", "MS-ASRM_R389", "MS-ASRM_R653", "MS-ASRM_R375", "MS-ASRM_R376", "MS-ASRM_R104")
@pytest.mark.requirement("MS-ASRM_R329", "MS-ASRM_R333", "MS-ASRM_R388")
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_only_its_sender_may_be_answered(world: World, version: ProtocolVersion) -> None:
    alice, bob, carol = await three(world, version)
    server_id = await given(alice, bob, CONFIDENTIAL, to="bob,carol")
    for to, cc in (("carol", ""), ("alice,carol", ""), ("alice", "carol"), ("team", "")):
        assert await bob.reply(server_id, own(bob, to, cc), CONFIDENTIAL) == REFUSED
    await carol.news()
    for to, cc in (("alice", ""), ("alice,bob", ""), ("alice", "bob")):
        assert await bob.reply(server_id, own(bob, to, cc), CONFIDENTIAL) is None
    assert len(await alice.news()) == 3
    assert await carol.news() == {}


async def test_who_is_answered_goes_by_any_of_the_addresses(world: World) -> None:
    alice, bob, carol = await three(world)
    server_id = await given(alice, bob, CONFIDENTIAL)
    for name in (b"alice.example@" + world.domain.encode(), b"ALICE@" + world.domain.upper().encode()):
        named = own(bob, "alice").replace(world.address("alice").encode(), name)
        assert await bob.reply(server_id, named, CONFIDENTIAL) is None
    assert len(await alice.news()) == 2
    del carol


@pytest.mark.requirement("MS-ASRM_R390", "MS-ASRM_R654", "MS-ASRM_R400", "MS-ASRM_R391", "MS-ASRM_R99", "MS-ASRM_R334")
async def test_only_all_may_be_answered(world: World) -> None:
    alice, bob, carol = await three(world)
    server_id = await given(alice, bob, REPLY_ALL, cc="carol")
    for to in ("alice", "carol", "alice,bob", "bob", "alice,carol,team"):
        assert await bob.reply(server_id, own(bob, to), REPLY_ALL) == REFUSED
    for to in ("alice,carol", "alice,bob,carol"):
        assert await bob.reply(server_id, own(bob, to), REPLY_ALL) is None
    del carol


@pytest.mark.requirement("MS-ASRM_R392")
async def test_what_may_not_be_answered_at_all(world: World) -> None:
    alice, bob, carol = await three(world)
    server_id = await given(alice, bob, SILENT, cc="carol")
    for to in ("alice", "alice,carol"):
        for template in (SILENT, OPEN, NO_RESTRICTION):
            assert await bob.reply(server_id, own(bob, to), template) == REFUSED
    del carol


@pytest.mark.requirement("MS-ASRM_R383", "MS-ASRM_R67")
async def test_with_the_right_to_change_recipients_anybody_may_be_answered(world: World) -> None:
    alice, bob, carol = await three(world)
    server_id = await given(alice, bob, ATTACHED)
    for to in ("alice", "carol", "alice,carol"):
        assert await bob.reply(server_id, own(bob, to), ATTACHED) is None
    del carol


async def test_a_refused_answer_leaves_no_trace(world: World) -> None:
    alice, bob, _ = await three(world)
    await bob.news(folder=FolderType.SENT_ITEMS)
    server_id = await given(alice, bob, CONFIDENTIAL)
    assert await bob.forward(server_id, own(bob, "carol"), CONFIDENTIAL) == REFUSED
    assert await bob.news(folder=FolderType.SENT_ITEMS) == {}
    shown: Email = email_in((await bob.fetch(server_id=server_id, options=fetch_options())).properties)
    assert shown.last_verb_executed is None


# ---- taking the protection off


@pytest.mark.requirement("MS-ASRM_R91", "MS-ASRM_R94")
@pytest.mark.parametrize("version", HAVING, ids=str)
async def test_a_protection_is_taken_off_where_it_may_be_exported(world: World, version: ProtocolVersion) -> None:
    alice, bob, _ = await three(world, version)
    server_id = await given(alice, bob, OPEN)
    other = await person(world, "bob", version, device_id="tablet")
    assert NOTICE in text_of((await other.newest(BLIND))[1])
    fetched = await bob.fetch(server_id=server_id, remove_protection=EMPTY, options=fetch_options(rights=None))
    assert fetched.status == item_operations.Status.SUCCESS
    bare = email_in(fetched.properties)
    assert SECRET in text_of(bare)
    assert bare.rights_management_license is None
    assert names_of(bare) == ["plan.pdf"]
    again = await other.fetch(server_id=server_id, options=fetch_options(rights=None))
    assert SECRET in text_of(email_in(again.properties))
    reference = bare.attachments.changes[0].file_reference
    assert (await bob.fetch(file_reference=reference)).status == item_operations.Status.SUCCESS
    repeated = await bob.fetch(server_id=server_id, remove_protection=EMPTY, options=fetch_options())
    assert repeated.status == item_operations.Status.SUCCESS


@pytest.mark.requirement("MS-ASRM_R94", "MS-ASRM_R201")
@pytest.mark.parametrize("template", [CONFIDENTIAL, SILENT, KEPT, ATTACHED, REPLY_ALL])
async def test_a_protection_stays_where_it_may_not_be_exported(world: World, template: str) -> None:
    alice, bob, _ = await three(world)
    server_id = await given(alice, bob, template)
    refused = await bob.fetch(server_id=server_id, remove_protection=EMPTY, options=fetch_options())
    assert refused.status == REFUSED
    assert refused.properties is None
    shown = email_in((await bob.fetch(server_id=server_id, options=fetch_options())).properties)
    assert shown.rights_management_license.template_id == template


@pytest.mark.requirement("MS-ASRM_R196")
async def test_a_protection_is_not_taken_off_without_tls(world: World) -> None:
    alice, bob, _ = await three(world)
    server_id = await given(alice, bob, OPEN)
    plain = await person(world, "bob", scheme="http", device_id="plain")
    refused = await plain.fetch(server_id=server_id, remove_protection=EMPTY, options=fetch_options())
    assert refused.status == CommonStatus.IRM_FEATURE_DISABLED


async def test_the_owner_takes_any_protection_off(world: World) -> None:
    alice, _, _ = await three(world)
    await alice.news(folder=FolderType.SENT_ITEMS)
    assert await alice.send(alice.letter("bob"), SILENT) is None
    server_id, _ = await alice.newest(READS, FolderType.SENT_ITEMS)
    fetched = await alice.fetch(server_id=server_id, remove_protection=EMPTY, options=fetch_options(rights=None))
    assert SECRET in text_of(email_in(fetched.properties))
