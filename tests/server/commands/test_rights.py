"""Rights management where time and a store that fails decide: expiry, licenses that end, and removal under trouble."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import find, get_attachment, item_operations, send_mail, smart_forward, smart_reply
from eas_server.commands.languages import languages
from eas_server.commands.protected_mail import ProtectedMail, sealed
from eas_server.errors import CommandError, StoreFull, StoreUnavailable
from eas_server.model.blob import MemoryBlob, read
from eas_server.model.ids import ItemId
from eas_server.model.mail import NewMessage
from eas_server.model.rights import Protection, RightsSettings, RightsTemplate
from eas_server.model.settings import Settings
from eas_server.render.mime import index_message
from eas_server.render.rights import NOTICE, SEALED_NAME, SEALED_TYPE
from protocol import schema
from protocol.codepages import tag
from protocol.commands import find as find_wire
from protocol.commands import send_mail as send_wire
from protocol.commands.compose_mail import Source
from protocol.commands.item_operations import Fetch, Fetched, FetchOptions, Request
from protocol.commands.sync import Options
from protocol.elements import Element, Opaque
from protocol.items.airsyncbase import BodyPreference, BodyType
from protocol.items.email import Email
from protocol.items.rights import NEVER
from protocol.schema import EMPTY
from protocol.status import CommonStatus
from protocol.versions import V12_1, V14_0, V16_1, ProtocolVersion
from tests.server.commands.mailbox import INBOX, Mailbox, mailbox, message
from tests.server.commands.support import ALICE, NOW

SHORT = RightsTemplate(
    id="e6f0a6a4-1b5f-4c0c-9d4e-000000000001",
    name="Short",
    description="For ten days, three at a time.",
    expiry_days=10,
    license_days=3,
    export_allowed=True,
    edit_allowed=True,
    reply_allowed=True,
    forward_allowed=True,
)
SETTINGS = Settings(rights=RightsSettings(templates=(SHORT,)))
SECRET = "The secret is 42."
TEXT = (BodyPreference(type=BodyType.PLAIN),)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    """Alice's mailbox, whose protected messages are sealed."""
    async with mailbox(tmp_path, settings=SETTINGS, secure=True) as made:
        made.bench.mail = ProtectedMail(made.store.mail)
        yield made


async def deliver(box: Mailbox, template: RightsTemplate = SHORT, *, owner: str = "bob@example.com") -> str:
    """A protected message for alice."""
    octets = message("Plans", f"{SECRET}\r\n")
    index, text = index_message(octets)
    index = replace(index, protection=Protection(template=template, owner=owner, since=box.bench.now))
    new = NewMessage(content=MemoryBlob(octets), index=index, text=text, received=NOW, trace=b"Received: x\r\n")
    entry = await box.store.mail.add(ALICE.user, INBOX, new)
    return f"{INBOX}:{entry.id}"


async def fetch(box: Mailbox, server_id: str, *, remove: bool = False, **options: Any) -> Fetched:
    """One Fetch."""
    how = FetchOptions(body_preferences=TEXT, **{"rights_management": True, **options})
    wanted = Fetch(store="Mailbox", server_id=server_id, options=how, remove_protection=EMPTY if remove else None)
    response = await box.bench.run(item_operations.COMMAND, Request(operations=(wanted,)))
    (fetched,) = response.responses.fetched
    found: Fetched = fetched
    return found


def email_in(fetched: Fetched) -> Email:
    """What was fetched."""
    assert fetched.properties is not None
    return schema.load(Email, Element(tag("AirSync:ApplicationData"), fetched.properties.content))


def text_of(email: Email) -> str:
    """Its text."""
    assert email.body is not None
    assert isinstance(email.body.data, str)
    return email.body.data


# ---- time


@pytest.mark.requirement("MS-ASRM_R22", "MS-ASRM_R25", "MS-ASRM_R26", "MS-ASRM_R21")
async def test_a_license_is_renewed_until_the_message_expires(box: Mailbox) -> None:
    server_id = await deliver(box)
    for after, until in ((0, 3), (2, 5), (8, 10), (9, 10)):
        box.bench.now = NOW + timedelta(days=after)
        email = email_in(await fetch(box, server_id))
        assert SECRET in text_of(email)
        assert email.rights_management_license is not None
        assert email.rights_management_license.content_expiry_date == NOW + timedelta(days=until)
    box.bench.now = NOW + timedelta(days=10)
    email = email_in(await fetch(box, server_id))
    assert NOTICE in text_of(email)
    assert SECRET not in text_of(email)
    assert email.rights_management_license is None


@pytest.mark.requirement("MS-ASRM_R23")
async def test_without_limits_a_license_never_ends(box: Mailbox) -> None:
    server_id = await deliver(box, replace(SHORT, expiry_days=0, license_days=0))
    box.bench.now = NOW + timedelta(days=20_000)
    email = email_in(await fetch(box, server_id))
    assert email.rights_management_license is not None
    assert email.rights_management_license.content_expiry_date == NEVER


async def test_for_the_owner_nothing_expires(box: Mailbox) -> None:
    server_id = await deliver(box, owner="AL@example.com")
    box.bench.now = NOW + timedelta(days=11)
    granted = email_in(await fetch(box, server_id)).rights_management_license
    assert granted is not None
    assert granted.owner
    assert granted.content_expiry_date == NEVER


async def test_an_owner_without_full_control_is_held_to_the_template(box: Mailbox) -> None:
    server_id = await deliver(box, replace(SHORT, owner_full_control=False, export_allowed=False), owner=ALICE.address)
    granted = email_in(await fetch(box, server_id)).rights_management_license
    assert granted is not None
    assert granted.owner
    assert not granted.export_allowed
    box.bench.now = NOW + timedelta(days=11)
    assert email_in(await fetch(box, server_id)).rights_management_license is None


async def test_what_expired_is_sealed_in_sync_too(box: Mailbox) -> None:
    await deliver(box)
    box.bench.now = NOW + timedelta(days=11)
    phone = box.phone()
    await phone.all(options=Options(body_preferences=TEXT, rights_management=True))
    (email,) = phone.items.values()
    assert NOTICE in text_of(email)
    assert email.attachments is not None
    assert [a.display_name for a in email.attachments.changes] == [SEALED_NAME]


async def test_a_change_of_the_option_holds_for_what_comes_then(box: Mailbox) -> None:
    phone = box.phone()
    await phone.all(options=Options(body_preferences=TEXT, rights_management=True))
    first = await deliver(box)
    await phone.ask()  # the Options are remembered
    second = await deliver(box)
    await phone.ask(options=Options(body_preferences=TEXT))
    assert SECRET in text_of(phone.items[first])
    assert NOTICE in text_of(phone.items[second])


async def test_switched_off_everything_stays_sealed(box: Mailbox) -> None:
    server_id = await deliver(box)
    box.bench.settings = Settings(rights=replace(SETTINGS.rights, enabled=False))
    assert NOTICE in text_of(email_in(await fetch(box, server_id)))
    box.bench.settings = Settings()
    assert NOTICE in text_of(email_in(await fetch(box, server_id)))
    assert (await fetch(box, server_id, remove=True)).status == CommonStatus.IRM_FEATURE_DISABLED


# ---- answers


def answered(box: Mailbox, server_id: str, template: str | None = SHORT.id) -> dict[str, Any]:
    """What SmartReply and SmartForward have in common."""
    mime = b"From: alice@example.com\r\nTo: alice@example.com\r\nSubject: RE: Plans\r\n\r\nYes.\r\n"
    del box
    source = Source(folder_id=INBOX, item_id=server_id)
    return {"client_id": "c", "source": source, "mime": Opaque(mime), "template_id": template}


async def test_what_expired_is_answered_sealed(box: Mailbox) -> None:
    server_id = await deliver(box)
    box.bench.now = NOW + timedelta(days=11)
    forward = smart_forward.Request(**answered(box, server_id))
    assert await box.bench.run_tree(smart_forward.COMMAND, schema.dump(forward)) is None
    found = await box.store.mail.fetch(ALICE.user, INBOX, [ItemId(2)])
    octets = await read(found[0].content)
    assert SECRET.encode() not in octets
    assert SEALED_NAME.encode() in octets


async def test_a_template_that_is_gone_still_holds_for_answers(box: Mailbox) -> None:
    """MS-ASRM_R359: the same TemplateID goes to the next step without being looked up."""
    server_id = await deliver(box)
    other = replace(SHORT, id="e6f0a6a4-1b5f-4c0c-9d4e-000000000002")
    box.bench.settings = Settings(rights=RightsSettings(templates=(other,)))
    forward = smart_forward.Request(**answered(box, server_id))
    assert await box.bench.run_tree(smart_forward.COMMAND, schema.dump(forward)) is None
    (found,) = await box.store.mail.fetch(ALICE.user, INBOX, [ItemId(2)])
    assert found.index.protection is not None
    assert found.index.protection.owner == "bob@example.com"


@pytest.mark.requirement("MS-ASRM_R197", "MS-ASCMD_R4962")
async def test_a_protected_original_that_cannot_be_reached(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    server_id = await deliver(box)
    real = ProtectedMail.fetch

    async def unreachable(*args: Any) -> Any:
        return [replace(item, inside=replace(item.inside, content=Down())) for item in await real(*args)]

    monkeypatch.setattr(ProtectedMail, "fetch", unreachable)
    reply = smart_reply.Request(**answered(box, server_id))
    with pytest.raises(Exception, match="169") as caught:
        await box.bench.run_tree(smart_reply.COMMAND, schema.dump(reply))
    assert caught.value.status == CommonStatus.IRM_TRANSIENT_ERROR


class Down:
    """Octets that cannot be reached."""

    size = 100

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See Blob."""
        del start, end
        raise StoreUnavailable
        yield b""


# ---- removal


@pytest.mark.requirement("MS-ASRM_R91")
async def test_what_is_stored_without_protection_is_the_message_as_it_was(box: Mailbox) -> None:
    server_id = await deliver(box)
    (before,) = await box.store.mail.fetch(ALICE.user, INBOX, [ItemId(1)])
    assert email_in(await fetch(box, server_id, remove=True)).rights_management_license is None
    (after,) = await box.store.mail.fetch(ALICE.user, INBOX, [ItemId(1)])
    assert after.index == replace(before.index, protection=None)
    assert await read(after.content) == await read(before.content)
    assert after.received == before.received
    assert after.index_offset == before.index_offset


async def test_other_devices_hear_of_the_removal(box: Mailbox) -> None:
    phone = box.phone("other")
    server_id = await deliver(box)
    await phone.all(options=Options(body_preferences=TEXT))
    await fetch(box, server_id, remove=True)
    await phone.ask()
    assert SECRET in text_of(phone.items[server_id])


@pytest.mark.requirement("MS-ASRM_R197", "MS-ASRM_R199", "MS-ASRM_R6552", "MS-ASCMD_R4962", "MS-ASCMD_R4964")
@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (StoreUnavailable(), CommonStatus.IRM_TRANSIENT_ERROR),
        (None, CommonStatus.IRM_PERMANENT_ERROR),
        (StoreFull(), CommonStatus.MAILBOX_QUOTA_EXCEEDED),
    ],
)
async def test_a_removal_that_fails(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch, trouble: Exception | None, status: CommonStatus
) -> None:
    server_id = await deliver(box)

    async def failing(*_: Any, **__: Any) -> None:
        if trouble is not None:
            raise trouble

    monkeypatch.setattr(ProtectedMail, "replace", failing)
    assert (await fetch(box, server_id, remove=True)).status == status


async def test_one_that_writes_at_the_same_moment_does_no_harm(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    server_id = await deliver(box)
    real, lost = ProtectedMail.replace, []

    async def late(*args: Any) -> Any:
        if not lost:
            lost.append(1)
            return None
        return await real(*args)

    monkeypatch.setattr(ProtectedMail, "replace", late)
    assert SECRET in text_of(email_in(await fetch(box, server_id, remove=True)))
    assert lost


# ---- the seal


async def test_a_seal_keeps_everything_but_the_content(box: Mailbox) -> None:
    server_id = await deliver(box)
    (item,) = await box.store.mail.fetch(ALICE.user, INBOX, [ItemId(1)])
    shut = await sealed(item)
    assert await sealed(shut) is shut
    assert shut.inside is item
    assert (shut.id, shut.revision, shut.received, shut.state) == (item.id, item.revision, item.received, item.state)
    for name in ("subject", "sender", "to", "message_id", "references", "conversation_id", "conversation_index"):
        assert getattr(shut.index, name) == getattr(item.index, name)
    octets = await read(shut.content)
    assert octets.startswith(b"Received: x\r\nFrom: Bob")
    assert SECRET.encode() not in octets
    assert "secret" not in shut.index.preview
    assert server_id


async def test_a_header_that_nobody_may_send_is_sealed_too(box: Mailbox) -> None:
    octets = b"Subject: x\0y\r\n\r\n" + SECRET.encode()
    index, text = index_message(octets)
    index = replace(index, protection=Protection(template=SHORT, owner="bob@example.com", since=NOW))
    await box.store.mail.add(
        ALICE.user, INBOX, NewMessage(content=MemoryBlob(octets), index=index, text=text, received=NOW)
    )
    (item,) = await ProtectedMail(box.store.mail).fetch(ALICE.user, INBOX, [ItemId(1)])
    assert SECRET.encode() not in await read(item.content)
    assert item.inside is not None
    assert item.index.conversation_id == item.inside.index.conversation_id
    assert item.index.conversation_index == item.inside.index.conversation_index


# ---- other ways to a message


async def test_the_preview_of_find_is_that_of_the_seal(box: Mailbox) -> None:
    await deliver(box)
    query = find_wire.MailboxQuery(free_text="Plans", classes=("Email",))
    criterion = find_wire.MailboxCriterion(query=query)
    response = await box.bench.run(
        find.COMMAND, find_wire.Request(search_id="s", execute=find_wire.ExecuteSearch(mailbox=criterion))
    )
    (result,) = response.answer.results
    properties = schema.load(find_wire.EmailProperties, result.properties)
    assert properties.preview is not None
    assert properties.preview.startswith(NOTICE[:40])
    assert properties.subject == "Plans"


@pytest.mark.parametrize("version", [V12_1, V14_0], ids=str)
async def test_get_attachment_has_the_seal_alone(box: Mailbox, version: ProtocolVersion) -> None:
    octets = b"\r\n".join(
        (
            b"From: bob@example.com",
            b"Subject: x",
            b'Content-Type: application/pdf; name="plan.pdf"',
            b'Content-Disposition: attachment; filename="plan.pdf"',
            b"",
            b"the plan itself",
        )
    )
    index, text = index_message(octets)
    index = replace(index, protection=Protection(template=SHORT, owner="bob@example.com", since=NOW))
    new = NewMessage(content=MemoryBlob(octets), index=index, text=text, received=NOW)
    entry = await box.store.mail.add(ALICE.user, INBOX, new)
    box.bench.version = version
    name = f"{INBOX}:{entry.id}"
    context = await box.bench.context("GetAttachment")
    first = await get_attachment.COMMAND.handle(f"{name}:0", context)
    assert first.content_type == SEALED_TYPE
    assert (await get_attachment.COMMAND.handle(f"{name}:1", context)).status == 500
    box.bench.version = V16_1
    (attachment,) = email_in(await fetch(box, name)).attachments.changes
    assert (attachment.display_name, attachment.file_reference) == ("plan.pdf", f"{name}:1")


@pytest.mark.requirement("MS-ASRM_R88")
async def test_an_attachment_expires_with_its_message(box: Mailbox) -> None:
    server_id = await deliver(box)
    box.bench.now = NOW + timedelta(days=10)
    wanted = Fetch(store="Mailbox", file_reference=f"{server_id}:1", options=FetchOptions(rights_management=True))
    response = await box.bench.run(item_operations.COMMAND, Request(operations=(wanted,)))
    assert [f.status for f in response.responses.fetched] == [CommonStatus.IRM_OPERATION_NOT_PERMITTED]


async def test_a_repetition_under_another_template_is_another_message(box: Mailbox) -> None:
    for template in (SHORT.id, None):
        mime = b"From: alice@example.com\r\nTo: alice@example.com\r\nSubject: x\r\n\r\nYes.\r\n"
        sent = send_wire.Request(client_id="c", mime=Opaque(mime), template_id=template)
        assert await box.bench.run_tree(send_mail.COMMAND, schema.dump(sent)) is None
    with pytest.raises(CommandError) as caught:
        await box.bench.run_tree(send_mail.COMMAND, schema.dump(sent))
    assert caught.value.status == CommonStatus.MESSAGE_PREVIOUSLY_SENT


@pytest.mark.requirement("MS-ASRM_R1000", "MS-ASRM_R1001", "MS-ASEMAIL_R1381")
@pytest.mark.parametrize("version", [V12_1, V14_0], ids=str)
async def test_options_of_another_version_do_not_open_anything(box: Mailbox, version: ProtocolVersion) -> None:
    """A device that goes back to an older version still has its Options."""
    phone = box.phone()
    await phone.all(options=Options(body_preferences=TEXT, rights_management=True))
    first = await deliver(box)
    await phone.ask()
    phone.bench.version = version
    second = await deliver(box)
    await phone.ask()
    assert SECRET in text_of(phone.items[first])
    assert NOTICE in text_of(phone.items[second])


# ---- languages


@pytest.mark.requirement("MS-ASRM_R204", "MS-ASRM_R10204", "MS-ASRM_R212", "MS-ASRM_R412")
@pytest.mark.parametrize(
    ("lcid", "header", "expected"),
    [
        (0x0407, "", ("de-de",)),
        (0x0409, "fr", ("en-us",)),
        (0xFFFF, "fr", ()),
        (None, "", ()),
        (None, "de", ("de",)),
        (None, "en;q=0.5, de-AT", ("de-at", "en")),
        (None, "de;q=0, *;q=0.1, fr", ("fr",)),
        (None, ";;,x=1,éé,de;q=x," + "a," * 100, ("a",) * 16),
    ],
)
def test_languages(lcid: int | None, header: str, expected: tuple[str, ...]) -> None:
    assert languages(lcid, header) == expected
